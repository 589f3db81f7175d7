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
    InfusionEntry,
    InfusionState,
    Order,
    Task,
    TaskStatus,
    present_of,
)
from clinical.windows import DONE
from server.administrations import store as stored
from server.administrations.judge import judge
from server.administrations.outbound import tell_hospital
from server.administrations.service import (
    flag,
    ingredients_given,
    outcome_of,
    past_a_lease,
    patient_of,
    patient_scanned,
)
from server.alarms import service as alarms
from server.devices import leaving
from server.devices.service import associate, release
from server.infusions import bag_change, entries
from server.infusions.judge import against, ordered_rate
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
    judgement = past_a_lease(unit, event, judge(unit, site, act, event.request))
    infusion = replace(
        _infusion(event, task, order), ordered_rate_ml_h=ordered_rate(unit, order, event.order_version)
    )
    if not infusion.patient_id:
        infusion = _of_scanned(unit, infusion, patient_scanned(unit, site, event.request))
    unit.put(infusion)
    infusion = _instead_of(unit, infusion, event)
    unit.put(infusion)
    judgement = _bind(unit, infusion, event, judgement)
    administration = _started(event, infusion, judgement)
    unit.put(administration)
    unit.put(entries.of_start(infusion, event, judgement.code))
    _take_bag(unit, event.bag_id, "running")
    transfusions.started(unit, site, infusion, event)
    if task is not None and task.status not in DONE:
        settle(unit, task, TaskStatus.RUNNING, event.operator)
    stored.drop_lease(unit.connection, event.task_id)
    flag(unit, judgement, administration)
    leaving.watch_again(unit, infusion.encounter_id)
    unit.audit(
        "infusion-start",
        actor=event.operator,
        entity=f"infusion:{infusion.id}",
        patient=infusion.patient_id,
        outcome=judgement.status,
        detail=judgement.code,
    )
    return outcome_of(unit, event, judgement)


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
        order_version=event.order_version,
    )


def _instead_of(unit: UnitOfWork, infusion: Infusion, event: InfusionStarted) -> Infusion:
    """Take down the bag that this one is hung instead of; its sensor stays on the chamber."""
    old = bag_change.replaced(unit, event, infusion.patient_id)
    if old is None:
        return infusion
    sensor, down = bag_change.watched_by(unit, old), bag_change.taken_down(event, old)
    changed = _changed(old, down)
    if changed is not None:
        _apply(unit, changed, down)
        unit.audit(
            "bag-change", actor=event.operator, entity=f"infusion:{old.id}", patient=old.patient_id,
            detail=infusion.id,
        )  # fmt: skip
    return bag_change.with_sensor(infusion, sensor)


def _of_scanned(unit: UnitOfWork, infusion: Infusion, patient_id: str) -> Infusion:
    """Let a bag of unknown task and order belong to the patient whose wristband was read."""
    stay = present_of(unit.stays_of(patient_id))
    return replace(infusion, patient_id=patient_id, encounter_id=stay.id if stay else "")


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


def record_changed(unit: UnitOfWork, site: Site, event: InfusionChanged) -> Outcome:
    """Store what was done with a running bag; what stands against it is flagged and alarmed, not refused."""
    infusion = unit.get(Infusion, event.infusion_id)
    if infusion is None:
        return _unknown(unit, event)
    changed = None if _is_overtaken(unit, event) else _changed(infusion, event)
    code = against(unit, site, infusion, event) if changed is not None else "INF-TRANSITION"
    if changed is not None:
        _apply(unit, _with_ordered_rate(unit, changed, event), event, code)
    status = "accepted-exception" if code else "accepted"
    if code:
        alarms.flagged_infusion(unit, infusion.id, event.id, code)
    unit.audit(
        f"infusion-{event.action}" if changed is not None else "infusion-change",
        actor=event.operator,
        entity=f"infusion:{infusion.id}",
        patient=infusion.patient_id,
        outcome=status,
        detail=code if changed is not None else event.action,
    )
    return Outcome(event_id=event.id, status=status, code=code)


def _is_overtaken(unit: UnitOfWork, event: InfusionChanged) -> bool:
    """Whether a rate that is told late was set before the one that runs now."""
    return event.rate_ml_h is not None and any(
        one.infusion_id == event.infusion_id and one.rate_ml_h is not None and one.at > event.at
        for one in unit.all(InfusionEntry)
    )


def _unknown(unit: UnitOfWork, event: InfusionChanged) -> Outcome:
    """Tell the station of a change of a bag that nobody started here: somebody has to look which it is."""
    code = "unknown-infusion"
    alarms.flagged_infusion(unit, event.infusion_id, event.id, code)
    unit.audit(
        "infusion-change",
        actor=event.operator,
        entity=f"infusion:{event.infusion_id}",
        outcome="accepted-exception",
        detail=code,
    )
    return Outcome(event_id=event.id, status="accepted-exception", code=code)


def _apply(unit: UnitOfWork, changed: Infusion, event: InfusionChanged, against: str = "") -> None:
    unit.put(changed)
    unit.put(entries.of_change(changed, event, against))
    task = unit.get(Task, changed.task_id)
    if task is not None:
        settle(unit, task, _TASK_OF[changed.state], event.operator)
    if changed.state not in FLOWING:
        _ended(unit, changed, event)


def _with_ordered_rate(unit: UnitOfWork, changed: Infusion, event: InfusionChanged) -> Infusion:
    """Note which rate was ordered when this one was set; who does not say what they saw has not seen it."""
    if event.rate_ml_h is None:
        return changed
    ordered = ordered_rate(unit, unit.get(Order, changed.order_id), event.order_version)
    return replace(changed, ordered_rate_ml_h=ordered) if ordered is not None else changed


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
    leaving.settle(unit, infusion.encounter_id, event.at)


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
    """Keep a patrol, from which the next one is due; an abnormal site is told to the station."""
    infusion = unit.get(Infusion, event.infusion_id)
    if infusion is None:
        return Outcome(event_id=event.id, status="accepted-exception", code="unknown-infusion")
    if event.site_finding != "normal":
        alarms.site_finding(unit, infusion, event.site_finding, event.at)
    looked = max(event.at, infusion.looked_at or event.at)
    unit.put(replace(infusion, looked_at=looked))
    unit.put(entries.of_patrol(infusion, event))
    unit.audit(
        "patrol",
        actor=event.operator,
        entity=f"infusion:{infusion.id}",
        patient=infusion.patient_id,
        detail=event.site_finding,
    )
    return Outcome(event_id=event.id, status="accepted")
