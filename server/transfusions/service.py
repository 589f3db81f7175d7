"""One unit of blood from its issue to the empty bag (bc-1 §5.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from clinical import transfusion
from clinical.bedside_check.blood_watch import VITALS
from clinical.bedside_check.model import Action, Reading
from clinical.care_records import BloodUnit, TransfusionEntry
from clinical.errors import ConflictError, NotFoundError
from clinical.exchange import CareRecorded, InfusionChanged, InfusionStarted, Outcome
from clinical.records import USABLE, AlarmPriority, Infusion, Observation, Order, Patient
from server.alarms import service as alarms
from server.sites import Site
from server.storage.store import UnitOfWork
from server.worklist import judge as acts

REACTION = "BLD-REACT"
_AFTER = {Action.BLOOD_RECEIVE: "received", Action.BLOOD_CHECK: "checked"}


def issue(unit: UnitOfWork, blood: BloodUnit, by: str) -> BloodUnit:
    """Take in what the blood bank issued for one order; the same unit again changes nothing.

    Raises:
        NotFoundError: The patient or the order is not known here.
        ConflictError: The order is another patient's, is not one of blood, or the unit was issued otherwise.
    """
    order = unit.get(Order, blood.order_id)
    if unit.get(Patient, blood.patient_id) is None or order is None:
        raise NotFoundError("unknown-order", "there is no such patient or order here")
    if order.patient_id != blood.patient_id or order.kind != "transfusion":
        raise ConflictError("order-differs", "this order is not one of blood for this patient")
    fresh = replace(
        blood, state="issued", received_by=(), received_at=None, checked_by=(), checked_at=None, ended_at=None
    )
    known = unit.get(BloodUnit, blood.id)
    if known is None:
        unit.put(fresh)
        unit.audit("blood-issue", actor=by, entity=f"blood:{blood.id}", patient=blood.patient_id)
        return fresh
    if (known.donation, known.product_code, known.patient_id) != (
        blood.donation,
        blood.product_code,
        blood.patient_id,
    ):
        raise ConflictError("unit-differs", "a unit of this id was issued with other numbers or to another")
    return known


def record(unit: UnitOfWork, site: Site, step: acts.Step) -> Outcome:
    """Store a check, or an observation, of one unit. Never refused; what stands against it is flagged."""
    event = step.event
    blood = unit.get(BloodUnit, event.subject_id)
    if blood is None:
        return acts.outcome(unit, event, "", "unknown-unit")
    code = acts.judge(unit, site, step, blood.patient_id)
    if event.request.action is Action.BLOOD_OBS:
        return _observed(unit, site, event, blood, code)
    if acts.counts(code):  # a check with something against it leaves the unit where it was: it is done again
        unit.put(_stepped(blood, event))
    return acts.outcome(unit, event, blood.patient_id, code)


def _stepped(blood: BloodUnit, event: CareRecorded) -> BloodUnit:
    second = event.request.witness
    persons = (event.operator, *((second.id,) if second is not None else ()))
    if event.request.action is Action.BLOOD_RECEIVE:
        return replace(blood, state="received", received_by=persons, received_at=event.at)
    return replace(blood, state=_AFTER[event.request.action], checked_by=persons, checked_at=event.at)


def _observed(unit: UnitOfWork, site: Site, event: CareRecorded, blood: BloodUnit, code: str) -> Outcome:
    infusion = _running(unit, blood, event.infusion_id)
    if infusion is None:
        return acts.outcome(unit, event, blood.patient_id, code or "unknown-infusion")
    past = [one for one in unit.all(TransfusionEntry) if one.infusion_id == infusion.id]
    limits = site.policy.care.blood
    kind = transfusion.entry_kind(infusion, past, event.at, limits)
    values = _values(unit, blood.patient_id, event, timedelta(minutes=limits.monitor_fresh))
    unit.put(_entry(event.id, kind, infusion, event, values))
    if code == REACTION:  # what the nurse saw stands against the unit, not against the nurse
        _alarm_of_reaction(unit, infusion, event)
        code = ""
    return acts.outcome(unit, event, blood.patient_id, code)


def _alarm_of_reaction(unit: UnitOfWork, infusion: Infusion, event: CareRecorded) -> None:
    """Tell nurse and doctor; it stays until somebody has seen it."""
    alarms.begin(
        unit,
        alarms.Condition(
            condition="blood-reaction",
            kind="physiological",
            priority=AlarmPriority.HIGH,
            at=event.at,
            encounter_id=infusion.encounter_id,
            infusion_id=infusion.id,
            generation=alarms.generation_of(unit, infusion.patient_id),
        ),
    )


def _running(unit: UnitOfWork, blood: BloodUnit, infusion_id: str) -> Infusion | None:
    return next(
        (one for one in unit.all(Infusion) if one.bag_id == blood.id and infusion_id in {"", one.id}), None
    )


def started(unit: UnitOfWork, site: Site, infusion: Infusion, event: InfusionStarted) -> None:
    """Note that a unit runs, with the values it began from; a bag that is no blood is none of ours."""
    blood = unit.get(BloodUnit, infusion.bag_id)
    if blood is None:
        return
    unit.put(replace(blood, state="running"))
    since = timedelta(minutes=site.policy.care.blood.baseline_max)
    values = _values(unit, blood.patient_id, event, since)
    unit.put(_entry(f"{event.id}/baseline", "baseline", infusion, event, values))


def ended(unit: UnitOfWork, infusion: Infusion, event: InfusionChanged) -> None:
    """Note that a unit has run out or was stopped: its bag is kept and returned."""
    blood = unit.get(BloodUnit, infusion.bag_id)
    if blood is not None:
        unit.put(replace(blood, state="ended", ended_at=event.at))


def give_back(unit: UnitOfWork, unit_id: str, by: str) -> BloodUnit:
    """Note that the empty, or the unused, bag went back to the blood bank; asked again nothing changes.

    Raises:
        NotFoundError: There is no such unit.
        ConflictError: It is running.
    """
    blood = unit.get(BloodUnit, unit_id)
    if blood is None:
        raise NotFoundError("unknown-unit", "there is no such unit of blood")
    if blood.state == "returned":
        return blood
    if blood.state == "running":
        raise ConflictError("unit-running", "this unit is running; end the transfusion first")
    returned = replace(blood, state="returned")
    unit.put(returned)
    unit.audit("blood-return", actor=by, entity=f"blood:{blood.id}", patient=blood.patient_id)
    return returned


Act = CareRecorded | InfusionStarted


def _values(unit: UnitOfWork, patient_id: str, event: Act, since: timedelta) -> tuple[Reading, ...]:
    """Return what the nurse entered; where nothing was, what the monitor measured within ``since``."""
    entered = event.request.entered.vitals
    have = {one.code for one in entered}
    measured = (
        Reading(code=one.code, value=one.value, at=one.effective)
        for one in unit.all(Observation)
        if one.patient_id == patient_id
        and one.validity in USABLE
        and one.value is not None
        and one.code not in have
        and timedelta(0) <= event.at - one.effective <= since
    )
    return (*entered, *measured)


def _entry(
    entry_id: str, kind: str, infusion: Infusion, event: Act, values: Iterable[Reading]
) -> TransfusionEntry:
    newest = {one.code: one.value for one in sorted(values, key=lambda one: one.at)}

    def first(name: str) -> Decimal | None:
        return next((newest[code] for code in VITALS[name] if code in newest), None)

    return TransfusionEntry(
        id=entry_id,
        infusion_id=infusion.id,
        patient_id=infusion.patient_id,
        at=event.at,
        by=event.operator,
        kind=kind,
        temperature=first("temperature"),
        systolic=first("systolic"),
        symptoms=event.request.entered.symptoms,
    )
