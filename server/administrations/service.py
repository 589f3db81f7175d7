"""Checks asked at the bedside, and acts reported as done."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

from clinical import follow_ups, quantities
from clinical.bedside_check import check
from clinical.bedside_check.case import GIVEN
from clinical.bedside_check.model import (
    CheckRequest,
    CheckResult,
    Finding,
    Right,
    Severity,
    Verdict,
    Word,
)
from clinical.bedside_check.snapshot import Snapshot
from clinical.commit import ACCEPTED, ACTING, DUPLICATE, EXCEPTION, STATUS_AFTER, Act, Commit
from clinical.errors import RefusedError
from clinical.exchange import (
    AdministrationRecorded,
    CheckAnswer,
    CheckEvaluated,
    Event,
    InfusionChanged,
    InfusionStarted,
    Lease,
    Outcome,
)
from clinical.identifiers import Kind, resolve
from clinical.records import Administration, Dose, Order, Patient, Product, Task, TaskStatus
from clinical.windows import DONE
from server.administrations import recent
from server.administrations import store as stored
from server.administrations.judge import judge
from server.administrations.outbound import tell_hospital
from server.alarms import service as alarms
from server.people import confirmations
from server.people.service import Session
from server.sites import Site
from server.storage.store import UnitOfWork
from server.tasks.service import settle

LEASE = timedelta(seconds=120)
LEASED_ACTIONS = ACTING
Reported = AdministrationRecorded | InfusionStarted
"""What says that a task was carried out."""


def answer(unit: UnitOfWork, site: Site, session: Session, request: CheckRequest, ward: str) -> CheckAnswer:
    """Re-check with the server's own facts and clock; reserve the task when the word is GIVE.

    Raises:
        RefusedError: The request speaks for another person than the one signed in.
    """
    if request.operator.id != session.practitioner.id:
        raise RefusedError("operator", "a check is asked by the person who is signed in")
    snapshot = Snapshot.of(
        unit.view.facts(ward),
        version=unit.view.version,
        fetched_at=unit.now,
        sightings=recent.sightings(unit),
        used_packs=recent.used_packs(unit),
    )
    asked = _as_the_server_sees_it(unit, session, request)
    result = check(asked, snapshot, site.policy)
    if confirmations.claimed(asked):
        asked = confirmations.proven(unit, asked, result.task_id)
        result = check(asked, snapshot, site.policy)
    lease = None
    if result.word is Word.GIVE and result.task_id and request.action in LEASED_ACTIONS:
        result, lease = _reserve(unit, result, request, session.handheld or request.handheld.id)
    stored.note_evaluation(unit.connection, request, result, at=unit.now, side="server")
    _audit_check(unit, request, result)
    return CheckAnswer(result=result, lease=lease, at=unit.now)


def _as_the_server_sees_it(unit: UnitOfWork, session: Session, request: CheckRequest) -> CheckRequest:
    """Take time and roles from the server; what was scanned and typed stays as it came."""
    offset = (request.now - unit.now).total_seconds()
    seen = request.handheld.clock_offset_s
    handheld = replace(
        request.handheld,
        clock_offset_s=offset if abs(offset) > max(abs(seen), 5.0) else seen,
        last_time_sync=unit.now,
        online=True,
    )
    operator = replace(request.operator, roles=session.practitioner.roles)
    return replace(
        request, now=unit.now, handheld=handheld, operator=operator, snapshot_version=unit.view.version
    )


def _reserve(
    unit: UnitOfWork, result: CheckResult, request: CheckRequest, handheld: str
) -> tuple[CheckResult, Lease | None]:
    """Reserve the task for this person on this handheld: two of them in one hand are two chances to give."""
    held = stored.lease_of(unit.connection, result.task_id)
    if held is not None and held.expires > unit.now:
        own = held.operator == request.operator.id
        if not own or held.handheld != handheld:
            return _leased(result, held.operator, own_handheld=held.handheld if own else ""), None
    lease = Lease(
        id=secrets.token_hex(8),
        task_id=result.task_id,
        operator=request.operator.id,
        expires=unit.now + LEASE,
    )
    stored.put_lease(unit.connection, lease, handheld)
    return result, lease


def _leased(result: CheckResult, operator: str, *, own_handheld: str) -> CheckResult:
    """Stop for who holds the task; ``own_handheld`` names the asking person's own other one."""
    params = [("operator", operator)] + ([("own_handheld", own_handheld)] if own_handheld else [])
    finding = Finding(code="TASK-LEASED", severity=Severity.STOP, right=Right.SYSTEM, params=tuple(params))
    return replace(result, verdict=Verdict.STOP, word=Word.STOP, findings=(finding, *result.findings))


def _audit_check(unit: UnitOfWork, request: CheckRequest, result: CheckResult) -> None:
    unit.audit(
        "check",
        actor=request.operator.id,
        entity=f"task:{result.task_id}",
        patient=result.patient_id,
        outcome=result.word.value,
        detail=",".join(finding.code for finding in result.findings),
    )


def record_evaluation(unit: UnitOfWork, event: CheckEvaluated) -> Outcome:
    """Keep what a handheld showed; a STOP counts as a near miss, once, wherever it was judged."""
    if not stored.has_evaluation(unit.connection, event.request.id):
        stored.note_evaluation(unit.connection, event.request, event.result, at=event.at, side="handheld")
        _audit_check(unit, event.request, event.result)
    return Outcome(event_id=event.id, status="accepted")


def record(unit: UnitOfWork, site: Site, event: AdministrationRecorded) -> Outcome:
    """Store what was done with a task: never refused, flagged and alarmed where something was against it."""
    act = Act(
        event_id=event.id,
        task_id=event.task_id,
        order_id=event.order_id,
        order_version=event.order_version,
        at=event.at,
        outcome=event.outcome,
        action=event.request.action,
    )
    judgement = past_a_lease(unit, event, judge(unit, site, act, event.request))
    task, order = unit.get(Task, event.task_id), unit.get(Order, event.order_id)
    administration = _administration(unit, site, event, task, order, judgement)
    unit.put(administration)
    if task is not None and task.status not in DONE:
        settle(unit, task, STATUS_AFTER.get(event.outcome, TaskStatus.NOT_GIVEN), event.operator)
    if task is not None and order is not None:
        for following in follow_ups.after(order, task, administration, site.policy):
            unit.put(following)
    stored.drop_lease(unit.connection, event.task_id)
    flag(unit, judgement, administration)
    if event.outcome == "not-given" and administration.reason == "drug-not-available":
        alarms.supply_failure(unit, administration)
    _audit_act(unit, administration, judgement)
    if event.outcome not in follow_ups.OUTCOMES.values():
        tell_hospital(unit, administration, order)
    return outcome_of(unit, event, judgement)


def outcome_of(unit: UnitOfWork, event: Reported, judgement: Commit) -> Outcome:
    """Turn a judgement into what the handheld is told; of a duplicate also who did it before, and when."""
    params: dict[str, str] = {}
    if judgement.status == DUPLICATE:
        before = [
            one
            for one in unit.all(Administration)
            if one.task_id == event.task_id and one.outcome in GIVEN and one.id != event.id
        ]
        if before:
            first = min(before, key=lambda one: (one.at, one.id))
            params = {"by": first.operator, "at": first.at.isoformat()}
    return Outcome(event_id=event.id, status=judgement.status, code=judgement.code, params=params)


def past_a_lease(unit: UnitOfWork, event: Reported, judgement: Commit) -> Commit:
    """Flag an act that went past somebody else's hold on the task, by a handheld that could have asked.

    What counts is whether the other person held the task when the act was done: a lease that was taken
    afterwards, while this act waited for the network, stands against nobody.
    """
    held = stored.lease_of(unit.connection, event.task_id)
    if held is None or judgement.status != ACCEPTED or not event.request.handheld.online:
        return judgement
    live = held.expires - LEASE <= event.at < held.expires
    if not live or held.operator == event.operator or held.id == event.lease_id:
        return judgement
    return Commit(status=EXCEPTION, code="TASK-LEASED", tell=("nurse", "doctor"))


def flag(unit: UnitOfWork, judgement: Commit, administration: Administration) -> None:
    """Alarm nurse and doctor when something stood against what was done."""
    if judgement.status != "accepted":
        alarms.flagged_act(unit, administration, judgement.status, judgement.code, judgement.tell)


def doubt(unit: UnitOfWork, event: Event, code: str) -> None:
    """Flag what an event has just stored, when its person or its time is in doubt."""
    unit.audit("event-in-doubt", actor=event.operator, entity=f"event:{event.id}", detail=code)
    given = unit.get(Administration, event.id)
    if given is not None:
        if not given.flagged:
            given = replace(given, flagged="accepted-exception")
            unit.put(given)
        alarms.flagged_act(unit, given, "accepted-exception", code)
    elif isinstance(event, InfusionChanged):
        alarms.flagged_infusion(unit, event.infusion_id, event.id, code)


def _audit_act(unit: UnitOfWork, administration: Administration, judgement: Commit) -> None:
    unit.audit(
        f"administration-{administration.outcome}",
        actor=administration.operator,
        entity=f"task:{administration.task_id}",
        patient=administration.patient_id,
        outcome=judgement.status,
        detail=judgement.code,
    )


def _administration(
    unit: UnitOfWork,
    site: Site,
    event: AdministrationRecorded,
    task: Task | None,
    order: Order | None,
    judgement: Commit,
) -> Administration:
    entered = event.request.entered
    gives = event.outcome in {"given", "partial"}
    dose = event.dose or dose_of(order)
    return Administration(
        id=event.id,
        task_id=event.task_id,
        order_id=event.order_id,
        patient_id=patient_of(task, order) or patient_scanned(unit, site, event.request),
        outcome=event.outcome,
        at=event.at,
        operator=event.operator,
        ingredients=ingredients_given(unit, order, event.dose) if gives else (),
        dose=dose if gives else None,
        route=entered.route or (order.route if order else ""),
        site=entered.site,
        reason=entered.reason_code or entered.prn_reason,
        witness=event.request.witness.id if event.request.witness else "",
        flagged="" if judgement.status == "accepted" else judgement.status,
    )


def dose_of(order: Order | None) -> Dose | None:
    """Dose of an order as it is recorded where nothing else is said: that of its first line."""
    return order.items[0].dose if order is not None and order.items else None


def patient_of(task: Task | None, order: Order | None) -> str:
    """Patient of a task, or of its order; empty when neither is known here."""
    if task is not None:
        return task.patient_id
    return order.patient_id if order is not None else ""


def patient_scanned(unit: UnitOfWork, site: Site, request: CheckRequest) -> str:
    """Patient whose wristband was read for an act that nothing else ties to a person; empty when none is."""
    if request.patient_scan is None:
        return ""
    scan = request.patient_scan
    found = resolve(scan.raw, symbology=scan.symbology, prefixes=site.policy.prefixes)
    number = found.value if found.kind == Kind.WRISTBAND and found.valid else scan.raw.strip()
    return next((one.id for one in unit.all(Patient) if one.mrn == number), "")


def ingredients_given(
    unit: UnitOfWork, order: Order | None, dose: Dose | None
) -> tuple[tuple[str, Dose], ...]:
    """Active substances that went in with an order, or with the dose that was really given of it."""
    if order is None:
        return ()
    return quantities.ingredients_given(order.items, lambda id_: unit.get(Product, id_), dose)
