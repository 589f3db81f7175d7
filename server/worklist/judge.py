"""What stands against a step of care that was reported as done; the step itself is never refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clinical import commit
from clinical.bedside_check import check
from clinical.bedside_check.snapshot import Snapshot
from clinical.exchange import CareRecorded, Outcome
from clinical.records import AlarmPriority, Encounter, present_of
from server.administrations.as_of import Then
from server.administrations.judge import facts_then, with_known_roles
from server.alarms import service as alarms
from server.people.confirmations import OFFLINE
from server.sites import Site
from server.storage.store import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reported step: the event, and what is in doubt about its person or time (a code, or nothing)."""

    event: CareRecorded
    doubt: str = ""


def judge(unit: UnitOfWork, site: Site, step: Step, patient_id: str) -> str:
    """Run the check again for the charted time on the server's facts; returns the rule that is against it.

    A second person whom the handheld recognised by itself is a doubt that lets the step count: the check
    runs all the same, and what it holds against the step is told first.
    """
    event = step.event
    if step.doubt and step.doubt != OFFLINE:
        return step.doubt
    facts = facts_then(unit, site, patient_id, Then.of(unit, event.at, event.request.snapshot_version))
    snapshot = Snapshot.of(facts, version=unit.view.version, fetched_at=event.at)
    asked = replace(
        with_known_roles(unit, event.request, facts),
        now=event.at,
        infusion_id=event.infusion_id,
        task_id=event.request.task_id or event.task_id,
    )
    return commit.against(check(asked, snapshot, site.policy)) or step.doubt


def counts(code: str) -> bool:
    """Tell whether a step moves on what it is about; one with something against it is done again."""
    return code in {"", OFFLINE}


def outcome(unit: UnitOfWork, event: CareRecorded, patient_id: str, code: str) -> Outcome:
    """Write the audit line, alarm where something stands against it, and say what became of the event."""
    status = "accepted-exception" if code else "accepted"
    unit.audit(
        f"care-{event.request.action.value.lower().replace('_', '-')}",
        actor=event.operator,
        entity=f"care:{event.subject_id}",
        patient=patient_id,
        outcome=status,
        detail=code,
    )
    if code:
        _alarm(unit, event, patient_id, code)
    return Outcome(event_id=event.id, status=status, code=code)


def duplicate(unit: UnitOfWork, event: CareRecorded, patient_id: str, code: str) -> Outcome:
    """Keep a step that was done before in the record alone; both persons are told."""
    told = outcome(unit, event, patient_id, code)
    return replace(told, status="duplicate")


def _alarm(unit: UnitOfWork, event: CareRecorded, patient_id: str, code: str) -> None:
    stay = present_stay(unit, patient_id)
    alarms.begin(
        unit,
        alarms.Condition(
            condition="given-against-order",
            kind="technical" if code in alarms.FORMAL else "physiological",
            priority=AlarmPriority.LOW if code in alarms.FORMAL else AlarmPriority.MEDIUM,
            at=unit.now,
            encounter_id=stay.id if stay is not None else "",
            params={"code": code},
            generation=alarms.generation_of(unit, patient_id),
            subject=event.id,
        ),
    )


def present_stay(unit: UnitOfWork, patient_id: str) -> Encounter | None:
    """Return the stay of a patient who is here."""
    return present_of(unit.stays_of(patient_id))
