"""Turns a finished work sheet into the answer: findings worst first, rows, verdict and the one word."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from clinical import quantities
from clinical.bedside_check import overrides
from clinical.bedside_check.case import GIVING, Case
from clinical.bedside_check.model import (
    CheckResult,
    Finding,
    Right,
    RightRow,
    Severity,
    Verdict,
    Word,
)
from clinical.bedside_check.rules import WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS = (Right.PATIENT, Right.DRUG, Right.DOSE, Right.ROUTE, Right.TIME, Right.SAFETY)
_NEUTRAL_NEEDS = frozenset(
    {"patient-scan", "unable-to-scan-reason", "item-scan", "infusion", "task", "order"}
)
"""Inputs that may be asked for without saying anything about a patient."""
_FIRST_MISSING = "order"
"""Asked for when no planned execution could be found; no screen input replaces it."""
_EXTRA = (Right.WITNESS, Right.SYSTEM, Right.DOCUMENTATION)


def build(case: Case) -> CheckResult:
    """Make the result. While a patient stop stands, or the patient is not known, nothing else is shown."""
    _demand_every_right(case)
    findings = sorted(
        overrides.apply(case), key=lambda finding: (finding.overridden, -WEIGHT[finding.severity])
    )
    standing = [finding for finding in findings if not finding.overridden]
    worst = max(standing, key=lambda finding: WEIGHT[finding.severity], default=None)
    verdict = Verdict(worst.severity.value) if worst is not None else Verdict.PASS
    hidden = any(
        finding.right is Right.PATIENT and finding.severity is Severity.STOP for finding in standing
    ) or (case.patient is None)
    if hidden:
        findings = [finding for finding in findings if finding.right in {Right.PATIENT, Right.SYSTEM}]
        case.needs = [name for name in case.needs if name in _NEUTRAL_NEEDS]
    return _result(case, findings, verdict, hidden=hidden)


def _demand_every_right(case: Case) -> None:
    """What was not judged is missing: accepting a stop never turns an unfinished check into GIVE."""
    if not case.complete:
        if not case.needs:
            case.need(_FIRST_MISSING)
    elif case.patient is None:
        case.need("patient-scan")
    elif case.action in GIVING:
        for right in _ROWS:
            if right not in case.judged:
                case.need(right.value)


def word(verdict: Verdict, needs: Sequence[str]) -> Word:
    """Return the one big word: GIVE only when nothing stands against it and nothing is missing."""
    if verdict in {Verdict.STOP, Verdict.REFRESH}:
        return Word.STOP
    return Word.CHECK if needs or verdict is Verdict.WARN else Word.GIVE


def _result(case: Case, findings: list[Finding], verdict: Verdict, *, hidden: bool) -> CheckResult:
    common = {
        "verdict": verdict,
        "word": word(verdict, case.needs),
        "findings": tuple(findings),
        "needs": tuple(case.needs),
        "rows": _rows(case, findings, hidden=hidden),
        "ruleset": case.policy.ruleset,
        "policy": case.policy.version,
        "snapshot_version": case.snapshot.version,
        "input_hash": input_hash(case),
    }
    if hidden:
        return CheckResult(**common)  # type: ignore[arg-type]  # one table for both answers
    order = case.order
    return CheckResult(
        **common,  # type: ignore[arg-type]  # one table for both answers
        patient_id=case.patient.id if case.patient else "",
        order_id=order.id if order else "",
        order_version=order.version if order else 0,
        task_id=case.task.id if case.task else "",
        bag_id=_container(case),
        product_id=case.product.id if case.product else "",
        dose=case.dose,
        route=case.route,
        rate_ml_h=case.rate_ml_h,
        volume_ml=order.volume_ml if order else None,
        drops_per_ml=order.drops_per_ml if order else None,
        variance_min=case.variance_min,
        candidates=case.candidates,
    )


def _container(case: Case) -> str:
    """Return the id of what was scanned: a bag, a unit of blood, or a tube."""
    found = case.bag or case.unit or case.specimen
    return found.id if found is not None else ""


def _rows(case: Case, findings: list[Finding], *, hidden: bool) -> tuple[RightRow, ...]:
    found = {finding.right for finding in findings}
    rights = [*_ROWS, *(right for right in _EXTRA if right in found or right in case.judged)]
    rows = []
    for right in rights:
        expected, actual = ("", "") if hidden else _texts(case, right)
        rows.append(
            RightRow(right=right, mark=_mark(case, right, findings), expected=expected, actual=actual)
        )
    return tuple(rows)


def _mark(case: Case, right: Right, findings: list[Finding]) -> str:
    """A right that was not judged gets a dash: a wrong drug earns no ticks for dose and route."""
    severities = {
        finding.severity for finding in findings if finding.right is right and not finding.overridden
    }
    if severities & {Severity.STOP, Severity.REFRESH}:
        return "stop"
    accepted = any(
        finding.right is right and finding.overridden and finding.severity is not Severity.INFO
        for finding in findings
    )
    if Severity.WARN in severities or accepted:
        return "warn"
    return "ok" if right in case.judged else "unjudged"


def _texts(case: Case, right: Right) -> tuple[str, str]:
    order = case.order
    if order is None or case.action not in GIVING:
        return "", ""
    match right:
        case Right.DRUG:
            return " ".join(line.product_id for line in order.items), " ".join(
                item.product.id if item.product else (item.bag.id if item.bag else "") for item in case.items
            )
        case Right.DOSE if order.items:
            return quantities.text(order.items[0].dose), quantities.text(case.dose) if case.dose else ""
        case Right.ROUTE:
            return order.route, case.route
        case Right.TIME:
            planned = case.task.planned_at if case.task else None
            return planned.isoformat() if planned else "", case.at.isoformat()
        case _:
            return "", ""


def input_hash(case: Case) -> str:
    """Return a digest of everything this check looked at, so that two answers can be compared."""
    seen = (
        case.request, case.patient, case.encounter, case.order, case.task, case.bag, case.product,
        case.infusion, case.unit, case.specimen, case.skin_test, case.snapshot.version, case.policy.version,
        case.policy.ruleset,
    )  # fmt: skip
    return hashlib.sha256(repr(seen).encode()).hexdigest()
