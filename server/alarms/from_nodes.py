"""What nodes say of alarms and of themselves, merged into the ward's alarms."""

from __future__ import annotations

from datetime import datetime

from broker.messages import AlarmMessage, Status
from clinical.alarms import timing
from clinical.policy import SitePolicy
from clinical.records import FLOWING, Alarm, AlarmPriority, Device, Encounter, Generation, Infusion, Patient
from server.alarms import service as alarms
from server.alarms import store as sources
from server.devices.service import Filing
from server.storage.codec import to_text
from server.storage.store import UnitOfWork


def note_alarm(unit: UnitOfWork, message: AlarmMessage, filing: Filing, policy: SitePolicy) -> None:
    """Apply one alarm message; late and repeated ones change nothing that is newer.

    An alarm about a reading that may not reach a patient does not reach them either, and a time in the
    future counts as now. What is dropped stays among the node's events with its reason.
    """
    own = message.phase == "end" and _known(unit, message) is not None
    refused = "" if own else _refused(unit, message, filing)
    if refused:
        _note_dropped(unit, message, refused)
        return
    at = min(message.effective, unit.now)
    source = alarms.Source(name=message.node, alarm_id=message.id)
    newest = sources.newest_of(unit.connection, message.node, message.id)
    if newest is not None and newest > at:
        return
    seen = _condition(unit, message, filing, at)
    if message.phase != "end":
        if not _over(unit, message):
            alarms.begin(unit, seen, source)
        return
    alarm = _known(unit, message) or alarms.present(unit, seen) or alarms.begin(unit, seen, source)
    latching = timing(message.condition, policy).latching
    alarms.end(unit, alarm, at, source, latching=latching)


def _refused(unit: UnitOfWork, message: AlarmMessage, filing: Filing) -> str:
    """Why an alarm may not reach the patient it speaks of; empty when it may."""
    infusion = unit.get(Infusion, message.infusion) if message.infusion else None
    if infusion is not None and infusion.device_id != (message.device or ""):
        return "other-device"
    patient = _patient(unit, infusion, filing)
    device = unit.get(Device, message.device) if message.device else None
    real = message.generation is Generation.REAL
    real = real and (device is None or device.generation is Generation.REAL)
    not_real = not real and patient is not None and patient.generation is Generation.REAL
    return "not-real" if not_real or filing.unassigned == "not-real" else ""


def _patient(unit: UnitOfWork, infusion: Infusion | None, filing: Filing) -> Patient | None:
    if infusion is not None:
        return unit.get(Patient, infusion.patient_id)
    stay = unit.get(Encounter, filing.association.encounter_id) if filing.association else None
    return unit.get(Patient, stay.patient_id) if stay else None


def _note_dropped(unit: UnitOfWork, message: AlarmMessage, reason: str) -> None:
    """Keep what was dropped, so that a person can find out why a bed stayed silent."""
    statement = unit.upsert("node_events").values(
        id=f"{message.node}/{message.outbox}/{message.seq}"[-96:],
        node=message.node,
        kind=f"alarm-{reason}",
        effective=message.effective,
        recorded=unit.now,
        body=to_text(message),
    )
    unit.connection.execute(statement.on_conflict_do_nothing())


def _over(unit: UnitOfWork, message: AlarmMessage) -> bool:
    """Whether the alarm speaks of a bag that has come down since."""
    infusion = unit.get(Infusion, message.infusion) if message.infusion else None
    return infusion is not None and infusion.state not in FLOWING


def _known(unit: UnitOfWork, message: AlarmMessage) -> Alarm | None:
    alarm_id = sources.alarm_of(unit.connection, message.node, message.id)
    return unit.get(Alarm, alarm_id) if alarm_id else None


def _condition(unit: UnitOfWork, message: AlarmMessage, filing: Filing, at: datetime) -> alarms.Condition:
    association = filing.association
    infusion_id = message.infusion or (association.infusion_id if association else "")
    infusion = unit.get(Infusion, infusion_id) if infusion_id else None
    encounter_id = infusion.encounter_id if infusion else (association.encounter_id if association else "")
    return alarms.Condition(
        condition=message.condition,
        priority=message.priority,
        kind=message.kind,
        at=at,
        encounter_id=encounter_id,
        device_id=message.device or "",
        infusion_id=infusion.id if infusion and message.condition != "device-lost" else "",
        params=dict(message.params),
        generation=message.generation,
    )


def note_presence(unit: UnitOfWork, status: Status) -> None:
    """Alarm when a bedside node goes silent, end it when it is back."""
    seen = alarms.Condition(
        condition="node-offline",
        priority=AlarmPriority.MEDIUM,
        at=unit.now,
        params={"node": status.node},
        generation=status.generation,
        subject=status.node,
    )
    if status.state == "offline":
        alarms.begin(unit, seen)
    else:
        alarms.end_condition(unit, seen)
