"""Patients and their stays: admitted, moved, discharged; their devices, tasks and alarms follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from clinical.errors import ConflictError, NotFoundError
from clinical.policy import SitePolicy
from clinical.records import LEAVING, PRESENT, Encounter, Order, Patient, Wristband
from server.alarms import service as alarms
from server.devices import leaving
from server.devices.service import follow_bed
from server.orders import service as orders
from server.storage.store import UnitOfWork
from server.wristbands import service as wristbands


def by_mrn(unit: UnitOfWork, mrn: str) -> Patient | None:
    """Find a patient by the hospital's own number."""
    return unit.get(Patient, patient_id(mrn))


def patient_id(mrn: str) -> str:
    """Our id of a patient: made of the hospital's number, so that every message finds the same one."""
    return f"P-{mrn}"


def stay_of(unit: UnitOfWork, patient: Patient) -> Encounter | None:
    """Return the stay a patient is in now; by the hospital's word one that is leaving is over."""
    return next(
        (stay for stay in unit.all(Encounter) if stay.patient_id == patient.id and _is_in(stay)), None
    )


def _is_in(stay: Encounter) -> bool:
    return stay.status in PRESENT and stay.status != LEAVING


def lying_in(unit: UnitOfWork, ward: str, bed: str) -> Encounter | None:
    """Return who lies in a bed; who is leaving it keeps nobody out."""
    return next(
        (stay for stay in unit.all(Encounter) if (stay.ward, stay.bed) == (ward, bed) and _is_in(stay)), None
    )


def admit(unit: UnitOfWork, patient: Patient, stay: Encounter, at: datetime) -> Encounter:
    """Admit a patient to a bed; admitting the same stay again changes nothing.

    Raises:
        ConflictError: Somebody else lies in the bed.
    """
    other = lying_in(unit, stay.ward, stay.bed)
    if other is not None and other.id != stay.id:
        raise ConflictError("bed-taken", "another patient lies in this bed; move or discharge them first")
    before = unit.get(Encounter, stay.id)
    unit.put(patient)
    stay = replace(stay, leaves_as="")
    unit.put(stay)
    if before is None:
        unit.audit("admit", actor="his", entity=f"encounter:{stay.id}", patient=patient.id)
    elif before.status == LEAVING:
        for association in leaving.open_associations(unit, stay.id):
            leaving.withdraw(unit, association)
    _wristband(unit, patient)
    follow_bed(unit, stay, at)
    return stay


def _wristband(unit: UnitOfWork, patient: Patient) -> None:
    """Give a patient who has none a wristband; later prints revoke it and take the next serial."""
    if not any(band.patient_id == patient.id for band in unit.all(Wristband)):
        wristbands.put_next(unit, patient)


def move(unit: UnitOfWork, stay: Encounter, *, ward: str, bed: str, room: str, at: datetime) -> Encounter:
    """Move a patient to another bed; devices mounted at the old one wait to be released, personal ones stay.

    Raises:
        ConflictError: Somebody else lies in the bed.
    """
    if (stay.ward, stay.bed) == (ward, bed):
        return stay
    other = lying_in(unit, ward, bed)
    if other is not None and other.id != stay.id:
        raise ConflictError("bed-taken", "another patient lies in this bed; move or discharge them first")
    moved = replace(stay, ward=ward, bed=bed, room=room, moved_at=at)
    unit.put(moved)
    unit.audit("transfer", actor="his", entity=f"encounter:{stay.id}", patient=stay.patient_id)
    follow_bed(unit, moved, at)
    alarms.rebed(unit, moved)
    return moved


def discharge(
    unit: UnitOfWork, stay: Encounter, at: datetime, policy: SitePolicy, status: str = "finished"
) -> Encounter:
    """End a stay: bed free, what was still planned stopped; what was done stays.

    While a device is on the patient or a bag hangs open the stay is only leaving, see
    :mod:`server.devices.leaving`.
    """
    if stay.status in {status, LEAVING}:
        return stay
    attached = leaving.is_attached(unit, stay.id)
    over = leaving.ended(stay, status, at)
    if attached:
        over = replace(stay, status=LEAVING, leaves_as=status, moved_at=at)
    unit.put(over)
    for association in leaving.open_associations(unit, stay.id):
        leaving.ask(unit, association, at)
    for order in list(unit.all(Order)):
        if order.encounter_id == stay.id:
            orders.set_status(
                unit, order.id, "completed" if status == "finished" else "cancelled", at, policy
            )
    if not attached:
        alarms.end_for_encounter(unit, stay.id, at)
    unit.audit(
        "discharge" if status == "finished" else "cancel-admit",
        actor="his",
        entity=f"encounter:{stay.id}",
        patient=stay.patient_id,
        outcome="leaving" if attached else "ok",
    )
    return over


def known(unit: UnitOfWork, mrn: str) -> Patient:
    """Return a patient.

    Raises:
        NotFoundError: The hospital's number is not known here.
    """
    patient = by_mrn(unit, mrn)
    if patient is None:
        raise NotFoundError("unknown-patient", "the patient is not known on this ward")
    return patient


def known_stay(unit: UnitOfWork, mrn: str) -> Encounter:
    """Return the present stay of a patient.

    Raises:
        NotFoundError: The patient is not known or not in.
    """
    stay = stay_of(unit, known(unit, mrn))
    if stay is None:
        raise NotFoundError("unknown-patient", "the patient has no stay on this ward")
    return stay
