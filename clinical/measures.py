"""How well the bedside check is used (bc-1 §5.11): by ward, shift and drug, never a ranking of persons.

Everything here counts plain facts; nothing asks who did it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.bedside_check.model import CheckRequest, CheckResult, Scan, ScanMethod, Severity
from clinical.commit import ACCEPTED, DUPLICATE, EXCEPTION

COMPLIANCE_TARGET = 95.0
REVIEW_ABOVE = 90.0
REVIEW_DAYS = 30
_READ = frozenset({ScanMethod.SCAN, ScanMethod.CAMERA, ScanMethod.NFC})
_NEAR_MISS = ("PT-", "MED-", "ORD-", "TIME-DUP", "DOSE-", "ROUTE-", "SAFE-", "BLD-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many of so many."""

    count: int
    of: int

    @property
    def percent(self) -> float | None:
        """The share in percent; None of nothing."""
        return None if self.of == 0 else 100.0 * self.count / self.of


def rate(facts: Iterable[bool]) -> Rate:
    """Count how many of some facts are true: on-time doses, closed effects, patrols kept."""
    known = list(facts)
    return Rate(count=sum(known), of=len(known))


def scan_compliance(requests: Iterable[CheckRequest]) -> Rate:
    """Count administrations with the patient and every item read, of all that were recorded."""
    return rate(not bypasses(request) for request in requests)


def bypasses(request: CheckRequest) -> tuple[str, ...]:
    """Return how a scan was got round: W wristband, M medication; KEY typed, UAS unable to scan."""
    return (*_bypass("W", request.patient_scan), *_medication(request.items))


def _medication(items: tuple[Scan, ...]) -> tuple[str, ...]:
    if not items:
        return ("MUAS",)
    return tuple(dict.fromkeys(code for item in items for code in _bypass("M", item)))


def _bypass(letter: str, scan: Scan | None) -> tuple[str, ...]:
    if scan is None or scan.method is ScanMethod.NONE:
        return (f"{letter}UAS",)
    return () if scan.method in _READ else (f"{letter}KEY",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One check as it was shown, within a nurse's session."""

    session: str
    at: datetime
    request: CheckRequest
    result: CheckResult
    committed: bool = False  # this very check led to a record


def near_misses(evaluations: Iterable[Evaluation]) -> tuple[Evaluation, ...]:
    """Return the evaluations that stopped something that then did not happen.

    A stop about patient, drug, order, repeat, dose, route, safety or blood counts when the same items were
    not recorded for the same wristband in the same session.
    """
    known = list(evaluations)
    done = {_what(evaluation) for evaluation in known if evaluation.committed}
    return tuple(
        evaluation for evaluation in known if _is_stopped(evaluation) and _what(evaluation) not in done
    )


def _what(evaluation: Evaluation) -> tuple[str, str, tuple[str, ...]]:
    band = evaluation.request.patient_scan
    items = tuple(sorted(item.raw for item in evaluation.request.items))
    return evaluation.session, band.raw if band is not None else "", items


def _is_stopped(evaluation: Evaluation) -> bool:
    return any(
        finding.severity is Severity.STOP and finding.code.startswith(_NEAR_MISS)
        for finding in evaluation.result.findings
    )


def override_rates(evaluations: Iterable[Evaluation]) -> dict[str, Rate]:
    """Return, per code that asked for it, how often it was accepted."""
    shown, accepted = Counter[str](), Counter[str]()
    for evaluation in evaluations:
        for finding in evaluation.result.findings:
            if finding.severity in {Severity.WARN, Severity.STOP}:
                shown[finding.code] += 1
                accepted[finding.code] += finding.overridden
    return {code: Rate(count=accepted[code], of=count) for code, count in sorted(shown.items())}


def to_review(evaluations: Iterable[Evaluation], now: datetime) -> tuple[str, ...]:
    """Return the warnings that nearly everybody taps away: more than 90 % accepted over 30 days."""
    recent = [one for one in evaluations if now - one.at <= timedelta(days=REVIEW_DAYS)]
    warned = {
        finding.code for one in recent for finding in one.result.findings if finding.severity is Severity.WARN
    }
    return tuple(
        code
        for code, found in override_rates(recent).items()
        if code in warned and found.percent is not None and found.percent > REVIEW_ABOVE
    )


def after_sync(statuses: Iterable[str]) -> dict[str, Rate]:
    """Return the shares of exceptions and duplicates among acts that came in later."""
    known = [status for status in statuses if status in {ACCEPTED, EXCEPTION, DUPLICATE}]
    return {
        status: Rate(count=known.count(status), of=len(known)) for status in (ACCEPTED, EXCEPTION, DUPLICATE)
    }
