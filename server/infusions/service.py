"""Bags being given: started, paused, re-rated, ended — and what the bedside measures of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from clinical.commit import Act, Commit
from clinical.exchange import InfusionChanged, InfusionStarted, Outcome, PatrolRecorded
from clinical.records import (
    FLOWING,
    Administration,
    Association,
    Bag,
    Dose,
    Infusion,
    InfusionState,
    Order,
    Task,
    TaskStatus,
)
from clinical.windows import DONE
from server.administrations import store as stored
from server.administrations.judge import judge
from server.administrations.outbound import tell_hospital
from server.administrations.service import flag, ingredients_given, outcome_of, patient_of
from server.alarms import service as alarms
from server.devices.service import associate, release
from server.sites import Site
from server.storage.store import UnitOfWork
from server.tasks.service import settle
from server.transfusions import service as transfusions

_ENDS = {"complete": InfusionState.COMPLETED, "stop-early": InfusionState.STOPPED_EARLY}
_TASK_OF = {
    InfusionState.RUNNING: TaskStatus.RUNNING,
    InfusionState.PAUSED: TaskStatus.PAUSED,
    InfusionState.COMPLETED: TaskStatus.COMPLETED,
    InfusionState.STOPPED_EARLY: TaskStatus.STOPPED_EARLY,
}


def record_started(unit: UnitOfWork, site: Site, event: InfusionStarted) -> Outcome:
    """Store that a bag was opened. Never refused; a second bag on one task is flagged and alarmed."""
    if unit.get(Infusion, event.infusion_id) is not None:
        return Outcome(event_id=event.id, status="duplicate", code="infusion-known")
    task, order = unit.get(Task, event.task_id), unit.get(Order, event.order_id)
    act = Act(
        event_id=event.id,
        task_id=event.task_id,
        order_id=event.order_id,
        order_version=event.order_version,
        at=event.at,
        outcome="running",
        action=event.request.action,
    )
    judgement = judge(unit, site, act, event.request)
    infusion = _infusion(event, task, order)
    unit.put(infusion)
    judgement = _bind(unit, infusion, event, judgement)
    administration = _started(event, infusion, judgement)
    unit.put(administration)
    _take_bag(unit, event.bag_id, "running")
    transfusions.started(unit, site, infusion, event)
    if task is not None and task.status not in DONE:
        settle(unit, task, TaskStatus.RUNNING, event.operator)
    stored.drop_lease(unit.connection, event.task_id)
    flag(unit, judgement, administration)
    unit.audit(
        "infusion-start",
        actor=event.operator,
        entity=f"infusion:{infusion.id}",
        patient=infusion.patient_id,
        outcome=judgement.status,
        detail=judgement.code,
    )
    return outcome_of(event.id, judgement)


def _infusion(event: InfusionStarted, task: Task | None, order: Order | None) -> Infusion:
    encounter_id = task.encounter_id if task else (order.encounter_id if order else "")
    return Infusion(
        id=event.infusion_id,
        order_id=event.order_id,
        task_id=event.task_id,
        encounter_id=encounter_id,
        patient_id=patient_of(task, order),
        state=InfusionState.RUNNING,
        rate_ml_h=event.rate_ml_h,
        drops_per_ml=event.drops_per_ml,
        volume_ml=event.volume_ml,
        started_at=event.at,
        bag_id=event.bag_id,
        device_id=event.device_id,
        site=event.site,
        started_by=event.operator,
    )


def _bind(unit: UnitOfWork, infusion: Infusion, event: InfusionStarted, judgement: Commit) -> Commit:
    """Put the drip sensor on the patient for this bag; one that watches another patient stays there."""
    if not infusion.device_id or not infusion.encounter_id:
        return judgement
    refused = associate(
        unit,
        Association(
            id=f"{infusion.id}/device",
            device_id=infusion.device_id,
            encounter_id=infusion.encounter_id,
            start=event.at,
            infusion_id=infusion.id,
            by=event.operator,
        ),
    )
    if not refused:
        return judgement
    unit.put(replace(infusion, device_id=""))
    if judgement.status == "accepted":
        return Commit(status="accepted-exception", code="INF-DEVICE-OTHER")
    return judgement


def _started(event: InfusionStarted, infusion: Infusion, judgement: Commit) -> Administration:
    entered = event.request.entered
    return Administration(
        id=event.id,
        task_id=event.task_id,
        order_id=event.order_id,
        patient_id=infusion.patient_id,
        outcome="running",
        at=event.at,
        operator=event.operator,
        route=entered.route,
        site=event.site or entered.site,
        witness=event.request.witness.id if event.request.witness else "",
        flagged="" if judgement.status == "accepted" else judgement.status,
    )


def _take_bag(unit: UnitOfWork, bag_id: str, state: str) -> None:
    bag = unit.get(Bag, bag_id) if bag_id else None
    if bag is not None:
        unit.put(replace(bag, state=state))


def record_changed(unit: UnitOfWork, event: InfusionChanged) -> Outcome:
    """Store what was done with a running bag; what cannot follow on its state is kept and flagged."""
    infusion = unit.get(Infusion, event.infusion_id)
    if infusion is None:
        return Outcome(event_id=event.id, status="accepted-exception", code="unknown-infusion")
    changed = _changed(infusion, event)
    if changed is None:
        unit.audit(
            "infusion-change",
            actor=event.operator,
            entity=f"infusion:{infusion.id}",
            patient=infusion.patient_id,
            outcome="accepted-exception",
            detail=event.action,
        )
        return Outcome(event_id=event.id, status="accepted-exception", code="INF-TRANSITION")
    unit.put(changed)
    task = unit.get(Task, infusion.task_id)
    if task is not None:
        settle(unit, task, _TASK_OF[changed.state], event.operator)
    if changed.state not in FLOWING:
        _ended(unit, changed, event)
    unit.audit(
        f"infusion-{event.action}",
        actor=event.operator,
        entity=f"infusion:{infusion.id}",
        patient=infusion.patient_id,
    )
    return Outcome(event_id=event.id, status="accepted")


def _changed(infusion: Infusion, event: InfusionChanged) -> Infusion | None:
    """Return the infusion after the action; None when the action cannot follow on its state (bc-1 §5.8)."""
    state = infusion.state
    match event.action:
        case "pause" if state is InfusionState.RUNNING:
            return replace(infusion, state=InfusionState.PAUSED, paused_at=event.at)
        case "resume" if state is InfusionState.PAUSED:
            return replace(
                infusion,
                state=InfusionState.RUNNING,
                paused_at=None,
                paused_s=_paused_s(infusion, event.at),
                rate_ml_h=event.rate_ml_h or infusion.rate_ml_h,
            )
        case "rate" if state in FLOWING and event.rate_ml_h is not None and event.rate_ml_h > 0:
            return replace(infusion, rate_ml_h=event.rate_ml_h)
        case "complete" | "stop-early" if state in FLOWING:
            return replace(
                infusion,
                state=_ENDS[event.action],
                ended_at=max(event.at, infusion.started_at),
                residual_ml=event.residual_ml,
                paused_at=None,
                paused_s=_paused_s(infusion, event.at),
            )
        case _:
            return None


def _paused_s(infusion: Infusion, until: datetime) -> int:
    if infusion.paused_at is None:
        return infusion.paused_s
    return infusion.paused_s + max(0, int((until - infusion.paused_at) / timedelta(seconds=1)))


def _ended(unit: UnitOfWork, infusion: Infusion, event: InfusionChanged) -> None:
    for association in list(unit.all(Association)):
        if association.infusion_id == infusion.id:
            release(unit, association, event.at)
    _take_bag(unit, infusion.bag_id, "used")
    transfusions.ended(unit, infusion, event)
    alarms.end_for_infusion(unit, infusion.id, event.at)
    order = unit.get(Order, infusion.order_id)
    administration = _finished(unit, infusion, order, event)
    unit.put(administration)
    tell_hospital(unit, administration, order, infusion)


def _finished(
    unit: UnitOfWork, infusion: Infusion, order: Order | None, event: InfusionChanged
) -> Administration:
    given = infusion.volume_ml - (infusion.residual_ml or 0)
    full_bag = order is None or order.volume_ml is None or infusion.volume_ml >= order.volume_ml
    whole = infusion.state is InfusionState.COMPLETED and not infusion.residual_ml and full_bag
    start = next(
        (
            one
            for one in unit.all(Administration)
            if one.task_id == infusion.task_id and one.outcome == "running"
        ),
        None,
    )
    return Administration(
        id=event.id,
        task_id=infusion.task_id,
        order_id=infusion.order_id,
        patient_id=infusion.patient_id,
        outcome=infusion.state.value,
        at=event.at,
        operator=event.operator,
        ingredients=ingredients_given(unit, order, None) if whole else (),
        dose=Dose(value=given, unit="mL"),
        route=start.route if start else "",
        site=infusion.site,
        reason=event.reason,
        witness=start.witness if start else "",
    )


def record_patrol(unit: UnitOfWork, event: PatrolRecorded) -> Outcome:
    """Keep a patrol; an abnormal site is told to the station."""
    infusion = unit.get(Infusion, event.infusion_id)
    if infusion is None:
        return Outcome(event_id=event.id, status="accepted-exception", code="unknown-infusion")
    if event.site_finding != "normal":
        alarms.site_finding(unit, infusion, event.site_finding, event.at)
    unit.audit(
        "patrol",
        actor=event.operator,
        entity=f"infusion:{infusion.id}",
        patient=infusion.patient_id,
        detail=event.site_finding,
    )
    return Outcome(event_id=event.id, status="accepted")
