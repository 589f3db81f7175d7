"""Issue wristbands. A printed code is only as good as the fact behind it: one band at a time identifies."""

from __future__ import annotations

from dataclasses import replace

from clinical.errors import ConflictError, NotFoundError
from clinical.records import PRESENT, Encounter, Patient, Wristband
from server.people.service import Session
from server.storage.store import UnitOfWork
from server.wristbands import store as serials

ISSUERS = ("nurse", "charge-nurse")


def issue(unit: UnitOfWork, encounter_id: str, session: Session) -> Wristband:
    """Make the next wristband of a patient; every earlier one stops identifying.

    Raises:
        NotFoundError: No such stay.
        ConflictError: The stay has ended.
        RefusedError: The person may not issue wristbands.
    """
    session.require(*ISSUERS)
    encounter = unit.get(Encounter, encounter_id)
    patient = unit.get(Patient, encounter.patient_id) if encounter else None
    if encounter is None or patient is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    if encounter.status not in PRESENT:
        raise ConflictError("stay-ended", "this stay has ended; nobody wears its wristband")
    band = put_next(unit, patient)
    unit.audit(
        "wristband", actor=session.practitioner.id, entity=f"wristband:{band.serial}", patient=patient.id
    )
    return band


def put_next(unit: UnitOfWork, patient: Patient) -> Wristband:
    """Give a patient the next serial and retire the ones before."""
    here = [band for band in unit.all(Wristband) if band.patient_id == patient.id]
    for band in here:
        if band.active:
            unit.put(replace(band, active=False))
    used = [int(band.serial) for band in here if band.serial.isdecimal()]
    serial = str(max([0, *used, *serials.serials_of(unit.connection, patient.id)]) + 1)
    band = Wristband(id=f"{patient.mrn}/{serial}", patient_id=patient.id, serial=serial, printed_at=unit.now)
    unit.put(band)
    return band
