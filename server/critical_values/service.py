"""The closed loop of a critical value (危急值): nobody may believe that somebody else has told the doctor."""

from __future__ import annotations

from dataclasses import replace

from clinical.chart_records import CriticalValue
from clinical.errors import ConflictError, NotFoundError
from clinical.exchange import Charted, Outcome
from clinical.records import AlarmPriority, Patient
from server.alarms import service as alarms
from server.storage.store import UnitOfWork
from server.worklist.judge import present_stay

CONDITION = "critical-value"


def receive(unit: UnitOfWork, value: CriticalValue) -> CriticalValue:
    """Take in a value that was called and read back; it alarms until a doctor has answered.

    Raises:
        NotFoundError: The patient is not known here.
        ConflictError: Another value has this id.
    """
    if unit.get(Patient, value.patient_id) is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    known = unit.get(CriticalValue, value.id)
    if known is not None:
        if (known.patient_id, known.test, known.value) != (value.patient_id, value.test, value.value):
            raise ConflictError("critical-value-differs", "this id belongs to another value; use a new one")
        return known
    unit.put(value)
    unit.audit(
        "critical-value",
        actor=value.received_by,
        entity=f"critical-value:{value.id}",
        patient=value.patient_id,
    )
    alarms.begin(unit, _condition(unit, value))
    return value


def record(unit: UnitOfWork, event: Charted) -> Outcome:
    """Take in a value that a handheld reports; it was called and read back at the event's time."""
    said = event.critical
    if said is None or not _is_whole(said):
        return Outcome(event_id=event.id, status="refused", code="critical-value")
    value = replace(
        said,
        id=event.id,
        received_by=event.operator,
        received_at=event.at,
        told_at=event.at if said.doctor else None,
        acknowledged_by="",
        acknowledged_at=None,
        action="",
    )
    try:
        receive(unit, value)
    except (NotFoundError, ConflictError) as error:
        return Outcome(event_id=event.id, status="refused", code=error.code)
    return Outcome(event_id=event.id, status="accepted")


def _is_whole(said: CriticalValue) -> bool:
    """Whether test, value and caller are there, and none is longer than anybody says."""
    texts = ((said.test, 120), (said.value, 40), (said.reported_by, 96))
    return all(0 < len(text) <= most for text, most in texts) and len(said.unit) <= 32


def acknowledge(unit: UnitOfWork, value_id: str, by: str, action: str) -> CriticalValue:
    """Note what a doctor decided; the first answer stays.

    Raises:
        NotFoundError: There is no such value.
    """
    known = unit.get(CriticalValue, value_id)
    if known is None:
        raise NotFoundError("unknown-value", "there is no such critical value")
    if known.acknowledged_at is not None:
        return known
    answered = replace(known, acknowledged_by=by, acknowledged_at=unit.now, action=action)
    unit.put(answered)
    unit.audit(
        "critical-value-acknowledge",
        actor=by,
        entity=f"critical-value:{known.id}",
        patient=known.patient_id,
    )
    alarms.end_condition(unit, _condition(unit, answered))
    return answered


def _condition(unit: UnitOfWork, value: CriticalValue) -> alarms.Condition:
    stay = present_stay(unit, value.patient_id)
    return alarms.Condition(
        condition=CONDITION,
        kind="physiological",
        priority=AlarmPriority.HIGH,
        at=unit.now,
        encounter_id=stay.id if stay is not None else "",
        generation=alarms.generation_of(unit, value.patient_id),
        subject=value.id,
    )
