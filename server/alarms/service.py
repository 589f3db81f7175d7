"""One alarm per (device or infusion, condition), whoever saw it first: a node, two nodes, or the server.

An alarm is present while any of its sources says so. Acknowledging it reaches every display with the next
change, and the nodes that raised it by command.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from clinical import alarms as machine
from clinical.exchange import AlarmAcknowledged, Outcome
from clinical.records import (
    Administration,
    Alarm,
    AlarmPriority,
    Encounter,
    Generation,
    Infusion,
    Patient,
    Task,
    present_of,
)
from server.alarms import store as sources
from server.people.service import ACKNOWLEDGING
from server.storage.store import UnitOfWork

SERVER = "server"
ONCE = frozenset(
    {
        "possible-double-dose",
        "given-against-order",
        "supply-failure",
        "site-finding",
        "skin-test-positive",
        "event-unreadable",
        "dose-missed",
        "evicted",
        "his-error",
    }
)
"""Conditions that are a moment, not a state: they are over once a person has seen them."""
SUPPLY = "supply-failure"
PHARMACIST = "pharmacist"
FORMAL = frozenset(
    {
        "check-incomplete", "operator-unproven", "role", "TIME-FUTURE", "other-ward", "second-unproven",
        "confirmed-offline",
    }
)  # fmt: skip
"""Codes that say what is missing from a record of an act, and nothing against the act itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What someone saw: a condition of an infusion, a device, a task or the ward's own parts."""

    condition: str
    priority: AlarmPriority
    kind: str = "technical"
    at: datetime
    encounter_id: str = ""
    device_id: str = ""
    infusion_id: str = ""
    params: dict[str, str | float] = field(default_factory=dict)
    generation: Generation = Generation.REAL
    latching: bool = False  # stays after its end until a person has seen it
    subject: str = ""  # what else tells two alarms of one condition apart, such as a task


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says so, under which id of its own."""

    name: str = SERVER
    alarm_id: str = ""


def present(unit: UnitOfWork, seen: Condition) -> Alarm | None:
    """Return the open alarm of this very condition, if there is one."""
    return next((alarm for alarm in _open(unit) if _same(alarm, seen)), None)


def is_open(alarm: Alarm) -> bool:
    """Whether an alarm is still to be seen."""
    return alarm.signal != "off"


def _open(unit: UnitOfWork) -> Iterator[Alarm]:
    return (alarm for alarm in unit.all(Alarm) if is_open(alarm))


def _same(alarm: Alarm, seen: Condition) -> bool:
    if alarm.condition != seen.condition or alarm.params.get("subject", "") != seen.subject:
        return False
    if seen.infusion_id or alarm.infusion_id:
        return alarm.infusion_id == seen.infusion_id
    same_device, same_code = (
        alarm.device_id == seen.device_id,
        alarm.params.get("code") == seen.params.get("code"),
    )
    return same_device and same_code and alarm.encounter_id == seen.encounter_id


def begin(unit: UnitOfWork, seen: Condition, source: Source | None = None) -> Alarm:
    """Note that a source sees a condition; joins the open alarm or raises a new one."""
    source = source or Source()
    alarm = present(unit, seen)
    params = seen.params | ({"subject": seen.subject} if seen.subject else {})
    if alarm is None:
        alarm = _new(unit, seen, params)
        unit.audit(
            "alarm-start",
            actor=source.name,
            entity=f"alarm:{alarm.id}",
            patient=alarm.patient_id,
            detail=alarm.condition,
        )
    else:
        alarm = _joined(alarm, seen, params)
    unit.put(alarm)
    if not sources.is_noted(unit.connection, alarm.id, source.name, source.alarm_id):
        sources.note(unit.connection, alarm.id, source.name, source.alarm_id, present=True, at=seen.at)
    return alarm


def _joined(alarm: Alarm, seen: Condition, params: dict[str, str | float]) -> Alarm:
    """Join what another source, or the same one again, sees: it can only get louder while it lasts.

    Numbers are those of its beginning, or of when it got worse: screens show the moving value beside it, and
    an alarm that changed with every drop would wake every handheld every second.
    """
    louder = machine.RANK[seen.priority] > machine.RANK[alarm.priority]
    if alarm.present and not louder:
        return alarm
    priority = seen.priority if louder else alarm.priority
    return machine.update(alarm, seen.at, priority=priority, params={**alarm.params, **params}).alarm or alarm


def _new(unit: UnitOfWork, seen: Condition, params: dict[str, str | float]) -> Alarm:
    stay = unit.get(Encounter, seen.encounter_id) if seen.encounter_id else None
    step = machine.raise_alarm(
        alarm_id=secrets.token_hex(10),
        condition=seen.condition,
        kind=seen.kind,
        priority=seen.priority,
        now=seen.at,
        params=params,
        encounter_id=seen.encounter_id,
        patient_id=stay.patient_id if stay else "",
        bed=stay.bed if stay else "",
        device_id=seen.device_id,
        infusion_id=seen.infusion_id,
        generation=seen.generation,
    )
    if step.alarm is None:
        raise RuntimeError("a raised alarm exists")
    return step.alarm


def end(
    unit: UnitOfWork, alarm: Alarm, at: datetime, source: Source | None = None, *, latching: bool = False
) -> None:
    """Note that a source no longer sees it; the alarm ends when none does.

    A latching one stays until somebody has acknowledged it.
    """
    source = source or Source()
    sources.note(unit.connection, alarm.id, source.name, source.alarm_id, present=False, at=at)
    if not sources.any_present(unit.connection, alarm.id):
        _clear(unit, alarm, at, latching=latching)


def end_condition(unit: UnitOfWork, seen: Condition, source: Source | None = None) -> None:
    """End the open alarm of a condition for one source, if there is one."""
    alarm = present(unit, seen)
    if alarm is not None and alarm.present:
        end(unit, alarm, seen.at, source, latching=seen.latching)


def end_for_infusion(unit: UnitOfWork, infusion_id: str, at: datetime) -> None:
    """End whatever sounded for a bag that has come down."""
    for alarm in list(_open(unit)):
        if alarm.infusion_id == infusion_id:
            sources.end_all(unit.connection, alarm.id, at)
            _clear(unit, alarm, at)


def _clear(unit: UnitOfWork, alarm: Alarm, at: datetime, *, latching: bool = False) -> None:
    unit.put(machine.clear(alarm, at, latching=latching).alarm or alarm)
    unit.audit(
        "alarm-end",
        actor=SERVER,
        entity=f"alarm:{alarm.id}",
        patient=alarm.patient_id,
        detail=alarm.condition,
    )


def acknowledge(unit: UnitOfWork, alarm: Alarm, by: str, at: datetime) -> Alarm:
    """Note that a person has seen it and goes; the condition itself goes on until it ends."""
    acknowledged = machine.acknowledge(alarm, by, at).alarm or alarm
    if alarm.condition in ONCE:
        acknowledged = machine.clear(acknowledged, at).alarm or acknowledged
    unit.put(acknowledged)
    unit.audit(
        "alarm-acknowledge",
        actor=by,
        entity=f"alarm:{alarm.id}",
        patient=alarm.patient_id,
        detail=alarm.condition,
    )
    return acknowledged


def may_acknowledge(alarm: Alarm | None, roles: Iterable[str]) -> bool:
    """Tell whether roles may answer an alarm; a pharmacist answers for drugs that are missing."""
    held = set(roles)
    supply = alarm is not None and alarm.condition == SUPPLY and PHARMACIST in held
    return supply or bool(held & set(ACKNOWLEDGING))


def record_acknowledged(unit: UnitOfWork, event: AlarmAcknowledged) -> Outcome:
    """Apply an acknowledgement from a handheld."""
    alarm = unit.get(Alarm, event.alarm_id)
    if alarm is None:
        return Outcome(event_id=event.id, status="refused", code="unknown-alarm")
    acknowledge(unit, alarm, event.operator, min(event.at, unit.now))
    return Outcome(event_id=event.id, status="accepted")


def flagged_act(
    unit: UnitOfWork, administration: Administration, status: str, code: str, tell: tuple[str, ...] = ()
) -> None:
    """Alarm the ward, and at once whoever else is to be told: something stood against what was given.

    A mere lack of proof is for the record: beyond the ward nobody is called for it.
    """
    task = unit.get(Task, administration.task_id)
    encounter_id = task.encounter_id if task else _stay_of(unit, administration.patient_id)
    seen = _against(unit, encounter_id, administration.patient_id, administration.id, code)
    if status == "duplicate":
        condition, priority = "possible-double-dose", AlarmPriority.HIGH
        seen = replace(seen, condition=condition, priority=priority, kind="physiological")
    _begin_telling(unit, seen, () if code in FORMAL else tell)


def _begin_telling(unit: UnitOfWork, seen: Condition, whom: tuple[str, ...]) -> None:
    """Begin an alarm as one that has reached somebody beyond the ward's nurses."""
    beyond = tuple(one for one in whom if one != "nurse")
    known = present(unit, seen) is not None
    alarm = begin(
        unit, replace(seen, params={**seen.params, machine.TOLD: ",".join(beyond)}) if beyond else seen
    )
    for one in () if known else beyond:
        unit.audit(
            "alarm-escalate",
            actor=SERVER,
            entity=f"alarm:{alarm.id}",
            patient=alarm.patient_id,
            detail=one,
        )


def _stay_of(unit: UnitOfWork, patient_id: str) -> str:
    """Stay of a patient who is here, so that an alarm has a bed though no task tells it."""
    stay = present_of(unit.stays_of(patient_id))
    return stay.id if stay is not None else ""


def flagged_infusion(unit: UnitOfWork, infusion_id: str, event_id: str, code: str) -> None:
    """Tell the station that something stands against a change of an infusion, known here or not."""
    infusion = unit.get(Infusion, infusion_id)
    encounter_id, patient_id = (infusion.encounter_id, infusion.patient_id) if infusion else ("", "")
    begin(unit, _against(unit, encounter_id, patient_id, event_id, code))


def _against(unit: UnitOfWork, encounter_id: str, patient_id: str, subject: str, code: str) -> Condition:
    """Say what stands against an act; a mere lack of proof is for the record, not for the patient."""
    formal = code in FORMAL
    return Condition(
        condition="given-against-order",
        kind="technical" if formal else "physiological",
        priority=AlarmPriority.LOW if formal else AlarmPriority.MEDIUM,
        at=unit.now,
        encounter_id=encounter_id,
        params={"code": code},
        generation=generation_of(unit, patient_id),
        subject=subject,
    )


def supply_failure(unit: UnitOfWork, administration: Administration) -> None:
    """Tell the station and the pharmacist that a dose was not given because the drug was not there."""
    task = unit.get(Task, administration.task_id)
    seen = Condition(
        condition=SUPPLY,
        priority=AlarmPriority.LOW,
        at=unit.now,
        encounter_id=task.encounter_id if task else "",
        generation=generation_of(unit, administration.patient_id),
        subject=administration.id,
    )
    _begin_telling(unit, seen, (PHARMACIST,))


def site_finding(unit: UnitOfWork, infusion: Infusion, finding: str, at: datetime) -> None:
    """Tell the station what a nurse found at the site of an infusion."""
    begin(
        unit,
        Condition(
            condition="site-finding",
            kind="physiological",
            priority=AlarmPriority.MEDIUM,
            at=at,
            encounter_id=infusion.encounter_id,
            infusion_id=infusion.id,
            params={"finding": finding},
            generation=generation_of(unit, infusion.patient_id),
        ),
    )


def event_put_aside(unit: UnitOfWork, handheld: str) -> None:
    """Tell the station that a handheld sent something that could not be read."""
    seen = Condition(
        condition="event-unreadable",
        priority=AlarmPriority.LOW,
        at=unit.now,
        params={"handheld": handheld},
        subject=handheld,
    )
    begin(unit, seen)


def generation_of(unit: UnitOfWork, patient_id: str) -> Generation:
    """Whether a patient is a real one."""
    patient = unit.get(Patient, patient_id)
    return patient.generation if patient else Generation.REAL


def rebed(unit: UnitOfWork, encounter: Encounter) -> None:
    """Let the open alarms of a stay follow its patient to the new bed."""
    for alarm in list(_open(unit)):
        if alarm.encounter_id == encounter.id and alarm.bed != encounter.bed:
            unit.put(replace(alarm, bed=encounter.bed))


def end_for_encounter(unit: UnitOfWork, encounter_id: str, at: datetime) -> None:
    """End whatever sounded for a patient who has left."""
    for alarm in list(_open(unit)):
        if alarm.encounter_id == encounter_id:
            sources.end_all(unit.connection, alarm.id, at)
            _clear(unit, alarm, at)
