"""WIT: the second person, who looks and calculates on their own."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from clinical.bedside_check.case import GIVING, Case, is_stale
from clinical.bedside_check.model import Action, Right, Witness
from clinical.bedside_check.system import BADGE_MAX_MIN, roles_of

_WITNESSED = GIVING | {Action.RATE}
_DIFFERENCE = Fraction(1, 100)


def judge(case: Case) -> None:
    """Judge whether a second person is needed, is the right one, and agrees."""
    if case.action not in _WITNESSED:
        return
    blood = case.order is not None and case.order.kind == "transfusion"
    level = 3 if blood else case.high_alert()
    witness = case.request.witness
    if witness is None:
        if level >= 3:
            case.add("WIT-REQUIRED", level=level)
        elif level == 2:
            case.add("WIT-RECOMMENDED", level=level)
    else:
        judge_person(case, witness)
        _values(case, witness)
        if level >= 3 and not blood:
            _calculations(case, witness)
    if level >= 2 or witness is not None:
        case.judged.add(Right.WITNESS)


def judge_person(case: Case, witness: Witness) -> None:
    """Judge who the second person is: another one, of the right role, whose badge was read just now."""
    if not witness.id or witness.id == case.request.operator.id:
        case.add("WIT-SELF")
        return
    roles = set(roles_of(case, witness.id, witness.roles))
    if not roles & set(case.policy.second_roles) or roles & set(case.policy.no_witness_roles):
        case.add("WIT-ROLE")
    if is_stale(witness.badge_at, case.request.now, BADGE_MAX_MIN):
        case.add("WIT-STALE", minutes=BADGE_MAX_MIN)


def _calculations(case: Case, witness: Witness) -> None:
    """At the highest level both persons have calculated on their own: one alone proves nothing."""
    if case.dose is None and case.rate_ml_h is None:
        return
    if witness.value is None:
        case.need("second-calculation")
    if case.request.entered.calculated is None:
        case.need("own-calculation")


def _values(case: Case, witness: Witness) -> None:
    """Both calculations must agree, and what is set must be what the second person calculated."""
    entered = case.request.entered
    if witness.value is None:
        return
    if entered.calculated is not None and _differ(witness.value, entered.calculated):
        case.add("DOSE-CALC-DIFF")
        return
    used = case.rate_ml_h if case.rate_ml_h is not None else (case.dose.value if case.dose else None)
    if used is not None and _differ(witness.value, used):
        case.add("WIT-DISAGREE")


def _differ(one: Decimal, other: Decimal) -> bool:
    larger = max(abs(Fraction(one)), abs(Fraction(other)))
    return abs(Fraction(one) - Fraction(other)) > _DIFFERENCE * larger
