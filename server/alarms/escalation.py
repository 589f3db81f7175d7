"""Open alarms as time passes: they speak again, and those nobody answers reach the next person.

An alarm of a bed is its own nurse's first, by the division of the beds; each step names the persons who stand
behind its word, so that displays and the audit trail say who was told and not only which role.
"""

from __future__ import annotations

from clinical import alarms as machine
from clinical.alarms import PERSONS, EffectKind, Persons
from clinical.assignments import BED_NURSE, Place, persons
from clinical.policy import SitePolicy
from clinical.records import Alarm, Assignment, Encounter, Practitioner
from server.alarms.service import SERVER, is_open
from server.storage.store import UnitOfWork


def tick(unit: UnitOfWork, policy: SitePolicy) -> None:
    """Let every open alarm take its steps; each escalation is written to the audit trail."""
    for alarm in [one for one in unit.all(Alarm) if is_open(one)]:
        known = _persons(unit, alarm)
        spoken = machine.tick(alarm, unit.now, policy).alarm or alarm
        step = machine.escalate(_with_bed_nurse(spoken, known), unit.now, policy, known)
        unit.put(step.alarm or spoken)
        for effect in step.effects:
            if effect.kind is EffectKind.ESCALATED:
                unit.audit(
                    "alarm-escalate",
                    actor=SERVER,
                    entity=f"alarm:{alarm.id}",
                    patient=alarm.patient_id,
                    detail=" ".join((effect.to, *effect.persons)),
                )


def _with_bed_nurse(alarm: Alarm, known: Persons) -> Alarm:
    """Name the bed's own nurse on an alarm that sounds and names nobody yet."""
    sounds = alarm.present and alarm.acknowledged_at is None
    return machine.name_persons(alarm, known(BED_NURSE)) if sounds and PERSONS not in alarm.params else alarm


def _persons(unit: UnitOfWork, alarm: Alarm) -> Persons:
    stay = unit.get(Encounter, alarm.encounter_id) if alarm.encounter_id else None
    if stay is None:  # an alarm of no bed is the ward's; whose shift it is cannot be told from it
        return lambda _to: ()
    place = Place(ward=stay.ward, bed=alarm.bed, at=unit.now)
    return lambda to: persons(to, place, unit.all(Assignment), unit.all(Practitioner))
