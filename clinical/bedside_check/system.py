"""SYS: may this person and this handheld ask at all, and are its clock and its facts young enough?"""

from __future__ import annotations

from datetime import timedelta

from clinical.bedside_check.case import BLOOD, FLOW, FOLLOWING, GIVING, SKIPPING, Case, is_stale
from clinical.bedside_check.model import Action, OverrideClass, ScanMethod, Severity

JUDGED = GIVING | FLOW | SKIPPING | FOLLOWING | BLOOD | {Action.COLLECT, Action.SKINTEST_READ}
"""Actions this ruleset judges; another one is refused rather than waved through."""
BADGE_MAX_MIN = 5
_CLOCK_WARN, _CLOCK_STOP = timedelta(minutes=2), timedelta(minutes=5)
_SYNC_WARN_H, _SYNC_STOP_H = 24, 72
_FACTS_INFO_MIN, _FACTS_WARN_MIN, _FACTS_STOP_MIN = 15, 60, 240


def judge(case: Case) -> bool:
    """Judge operator, clock, facts and the way codes came in; False when this person may not ask."""
    _role(case)
    allowed = not case.findings
    _clock(case)
    _facts(case)
    _scans(case)
    return allowed


def roles_of(case: Case, person: str, claimed: tuple[str, ...]) -> tuple[str, ...]:
    """Return a person's roles: those on record where the person is known, else none.

    Only a handheld that has no staff list at all relies on the roles of the session.
    """
    if not case.snapshot.practitioners:
        return claimed
    known = case.snapshot.practitioners.get(person)
    return known.roles if known is not None and known.active else ()


def _role(case: Case) -> None:
    if case.action not in JUDGED:
        case.add("SYS-ACTION", action=case.action.value)
        return
    operator = case.request.operator
    roles = roles_of(case, operator.id, operator.roles)
    if not operator.id or not set(roles) & set(case.policy.giving_roles):
        case.add("SYS-ROLE")
    elif "student" in roles and not _instructor_is_here(case):
        case.add("SYS-STUDENT", minutes=BADGE_MAX_MIN)


def _instructor_is_here(case: Case) -> bool:
    operator = case.request.operator
    if not operator.instructor_id or operator.instructor_id == operator.id:
        return False
    if operator.instructor_badge_at is None:
        return False
    if is_stale(operator.instructor_badge_at, case.request.now, BADGE_MAX_MIN):
        return False
    roles = roles_of(case, operator.instructor_id, ("instructor",))
    return bool(set(roles) & {"instructor", "nurse", "charge-nurse"})


def _clock(case: Case) -> None:
    handheld = case.request.handheld
    offset = timedelta(seconds=abs(handheld.clock_offset_s))
    if offset > _CLOCK_WARN:
        severity = Severity.STOP if offset > _CLOCK_STOP else Severity.WARN
        case.add("SYS-CLOCK", severity=severity, seconds=round(handheld.clock_offset_s))
    synced = handheld.last_time_sync
    if synced is None or is_stale(synced, case.request.now, _SYNC_WARN_H * 60):
        stop = synced is not None and is_stale(synced, case.request.now, _SYNC_STOP_H * 60)
        case.add("SYS-CLOCK-AGE", severity=Severity.STOP if stop else Severity.WARN, since=synced)


def _facts(case: Case) -> None:
    """Facts may be old while offline: first a note, then a warning, then a second person must agree.

    Facts from the future say that one of the two clocks is wrong: nobody knows how old they are.
    """
    fetched, now = case.snapshot.fetched_at, case.request.now
    steps = (
        (_FACTS_STOP_MIN, Severity.STOP),
        (_FACTS_WARN_MIN, Severity.WARN),
        (_FACTS_INFO_MIN, Severity.INFO),
    )
    severity = next((step for limit, step in steps if is_stale(fetched, now, limit)), None)
    if severity is not None:
        override = OverrideClass.NONE if severity is Severity.INFO else OverrideClass.SECOND
        case.add("SYS-SNAPSHOT-AGE", severity=severity, override=override, since=fetched)


def _scans(case: Case) -> None:
    scans = [scan for scan in (case.request.patient_scan, *case.request.items) if scan is not None]
    if any(scan.reason == "dialog-open" for scan in scans):
        case.add("SYS-DIALOG-SCAN")
    if any(scan.method is ScanMethod.KEY for scan in scans):
        case.add("SYS-KEYED")


def offline_high_alert(case: Case) -> None:
    """A high-alert drug offline needs a second person: somebody may have stopped the order unseen.

    What only stops, skips or takes off a drug is never held up.
    """
    if case.action not in GIVING | {Action.RESUME, Action.RATE}:
        return
    if not case.request.handheld.online and case.high_alert() >= 2:
        case.add("SYS-OFFLINE-HA", level=case.high_alert())
