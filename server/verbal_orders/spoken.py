"""What was done on a doctor's word alone, and the acknowledgement that is asked for afterwards.

In a resuscitation nobody types a PIN: the doctor says it, the nurse reads it back and gives. Such an act is
stored and flagged like every other, names the doctor, and waits until a prescriber has acknowledged it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from clinical import quantities, resuscitation
from clinical.bedside_check import drug
from clinical.bedside_check.case import GIVEN, Case
from clinical.bedside_check.model import CheckRequest
from clinical.bedside_check.snapshot import Snapshot
from clinical.errors import NotFoundError
from clinical.exchange import AdministrationRecorded, InfusionStarted
from clinical.records import (
    Administration,
    Order,
    OrderItem,
    Patient,
    Practitioner,
    Product,
    Task,
)
from server.people import confirmations
from server.sites import Site
from server.storage.store import UnitOfWork
from server.verbal_orders.overdue import Late, tell
from server.worklist.judge import present_stay

UNACKNOWLEDGED = "word-unacknowledged"
NOBODY = "unknown"
"""Stands for the doctor of an emergency dose that names none."""


def note(unit: UnitOfWork, site: Site, event: AdministrationRecorded | InfusionStarted) -> None:
    """Write on an act that was just stored whose word it rests on, and whose patient it was."""
    given = unit.get(Administration, event.id)
    if given is None or given.outcome not in GIVEN:
        return
    doctor = _doctor(unit, site, event.request, event.id)
    if unit.get(Task, given.task_id) is None and unit.get(Order, given.order_id) is None:
        given = _of_the_wristband(unit, site, event, given)
        stay = present_stay(unit, given.patient_id)
        if stay is not None and resuscitation.lasts(stay, event.at, site.policy):
            doctor = doctor or NOBODY
    if doctor:
        given = replace(given, spoken_by=doctor)
        unit.audit(
            "act-on-word", actor=event.operator, entity=f"event:{event.id}", patient=given.patient_id,
            detail=doctor,
        )  # fmt: skip
    unit.put(given)


def _doctor(unit: UnitOfWork, site: Site, request: CheckRequest, event_id: str) -> str:
    """Return the first doctor who is said to have accepted a finding and has not proven it."""
    for one in request.overrides:
        person = unit.get(Practitioner, one.by) if one.by else None
        prescribes = person is not None and bool(set(person.roles) & set(site.policy.prescriber_roles))
        if prescribes and not confirmations.has_proven(unit, request, event_id, one.by):
            return one.by
    return ""


def _of_the_wristband(
    unit: UnitOfWork, site: Site, event: AdministrationRecorded | InfusionStarted, given: Administration
) -> Administration:
    """File a dose that no order stands behind on the patient whose wristband was read, with its drug."""
    request, patient = event.request, unit.get(Patient, given.patient_id)
    if patient is None:
        return given
    entry = unit.view.entry("patients", patient.id)
    facts = unit.view.facts(entry.ward if entry is not None and entry.ward else site.first.id)
    snapshot = Snapshot.of(facts, version=unit.view.version, fetched_at=event.at)
    case = Case(request=request, snapshot=snapshot, policy=site.policy, at=event.at)
    scanned = (drug.decode(case, one).product for one in request.items)
    dose = given.dose or request.entered.dose
    lines = [
        OrderItem(product_id=one.id, display=one.display, dose=dose)
        for one in scanned
        if one is not None and dose is not None
    ]
    inside = quantities.ingredients_given(lines, lambda id_: unit.get(Product, id_), dose) if lines else ()
    return replace(given, patient_id=patient.id, dose=dose, ingredients=inside)


def acknowledge(unit: UnitOfWork, administration_id: str, by: str) -> Administration:
    """Note that a prescriber stands behind what was done on a doctor's word; again changes nothing.

    Raises:
        NotFoundError: There is no such act.
    """
    given = unit.get(Administration, administration_id)
    if given is None or not given.spoken_by:
        raise NotFoundError("unknown-act", "nothing of this id was done on a doctor's word")
    if given.acknowledged_at is not None:
        return given
    seen = replace(given, acknowledged_by=by, acknowledged_at=unit.now)
    unit.put(seen)
    unit.audit(
        "word-acknowledge",
        actor=by,
        entity=f"event:{given.id}",
        patient=given.patient_id,
        detail="" if by == given.spoken_by else "for another doctor",
    )
    return seen


def waiting(known: Iterable[Administration]) -> list[Administration]:
    """Return what waits for an acknowledgement, oldest first."""
    found = [one for one in known if one.spoken_by and one.acknowledged_at is None]
    return sorted(found, key=lambda one: (one.at, one.id))


def tick(unit: UnitOfWork, site: Site) -> None:
    """Begin an alarm for what no prescriber acknowledged in time, and end it with the acknowledgement."""
    limit = timedelta(hours=site.policy.verbal_sign_h)
    late = {
        one.id: _whose(unit, one) for one in waiting(unit.all(Administration)) if unit.now - one.at > limit
    }
    tell(unit, UNACKNOWLEDGED, late)


def _whose(unit: UnitOfWork, one: Administration) -> Late:
    stay = present_stay(unit, one.patient_id)
    return Late(patient_id=one.patient_id, encounter_id=stay.id if stay is not None else "")
