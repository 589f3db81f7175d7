"""The ward's list of timed care, and the alarms of what on it must not wait."""

from __future__ import annotations

from clinical import worklist
from clinical.records import Alarm, AlarmPriority
from server.alarms import service as alarms
from server.sites import Site
from server.storage.store import UnitOfWork
from server.worklist.judge import present_stay


def tick(unit: UnitOfWork, site: Site) -> None:
    """Begin and end the alarms of timed care as the list says."""
    standing = [
        alarm for alarm in unit.all(Alarm) if alarm.condition in worklist.CONDITIONS and alarm.present
    ]
    if not standing and not any(unit.entries(kind) for kind in _KINDS):
        return
    held: set[tuple[str, str]] = set()
    for ward in site.wards:
        for item in worklist.items(unit.view.facts(ward), unit.now, site.policy):
            if item.priority is not AlarmPriority.NONE and (item.name, item.subject_id) not in held:
                held.add((item.name, item.subject_id))
                _begin(unit, item)
    for alarm in standing:
        if (alarm.condition, str(alarm.params.get("subject", ""))) not in held:
            alarms.end(unit, alarm, unit.now)


_KINDS = ("blood_units", "running_skin_tests", "specimens")


def _begin(unit: UnitOfWork, item: worklist.CareItem) -> None:
    stay = present_stay(unit, item.patient_id)
    alarms.begin(
        unit,
        alarms.Condition(
            condition=item.name,
            kind="physiological" if item.name == "blood-fast" else "technical",
            priority=item.priority,
            at=unit.now,
            encounter_id=stay.id if stay is not None else "",
            infusion_id=item.infusion_id,
            params=dict(item.params),
            generation=alarms.generation_of(unit, item.patient_id),
            subject=item.subject_id,
        ),
    )
