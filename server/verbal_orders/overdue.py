"""Alarms for what rests on a doctor's word and is not signed, or acknowledged, in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clinical.records import Alarm, AlarmPriority
from server.alarms import service as alarms
from server.storage.store import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Whose it is."""

    patient_id: str
    encounter_id: str


def tell(unit: UnitOfWork, condition: str, late: Mapping[str, Late]) -> None:
    """Begin an alarm for each thing that is late, by its id, and end those of what is late no more."""
    for alarm in list(unit.all(Alarm)):
        if alarm.condition == condition and alarm.present and alarm.params.get("subject") not in late:
            alarms.end(unit, alarm, unit.now)
    for subject, whose in late.items():
        alarms.begin(
            unit,
            alarms.Condition(
                condition=condition,
                priority=AlarmPriority.LOW,
                at=unit.now,
                encounter_id=whose.encounter_id,
                generation=alarms.generation_of(unit, whose.patient_id),
                subject=subject,
            ),
        )
