"""About whom a report is: by the hospital's number, else by the bed, else by a device on a patient."""

from __future__ import annotations

from clinical.errors import NotFoundError
from clinical.records import Association, Encounter, Generation, Patient, present_of
from server.devices import leaving
from server.devices.service import holds
from server.his.reported import Whom
from server.hospital_codes import CodeTables, UnmappedError
from server.patients import service as patients
from server.storage.store import UnitOfWork


def stay_for(unit: UnitOfWork, codes: CodeTables, whom: Whom) -> Encounter | None:
    """Find the stay a report of devices belongs to; None when it is about nobody of these wards.

    Raises:
        NotFoundError: It names a bed here and a patient who is not in.
        UnmappedError: Number and bed disagree, the bed is empty, or nothing says whom it is about.
    """
    here = codes.bed_of(whom.place) if whom.place is not None else None
    if whom.mrn:
        return _by_number(unit, whom, here)
    if here is not None:
        stay = patients.lying_in(unit, *here) or leaving.still_in(unit, *here)
        if stay is None:
            raise UnmappedError("bed-empty", "nobody lies in the bed of the report; admit the patient first")
        return stay
    if whom.place is not None and whom.place.ward:
        return None
    return _by_device(unit, whom.device)


def _by_number(unit: UnitOfWork, whom: Whom, here: tuple[str, str] | None) -> Encounter | None:
    patient = patients.by_mrn(unit, whom.mrn)
    stay = present_of(unit.stays_of(patient.id)) if patient is not None else None
    if stay is None:
        if here is not None:
            raise NotFoundError("unknown-patient", "the patient of the report is not in; send A01 first")
        return None
    if here is not None and here != (stay.ward, stay.bed):
        raise UnmappedError(
            "wrong-bed", "the report names another bed than the one the patient lies in; correct either"
        )
    return stay


def _by_device(unit: UnitOfWork, device: str) -> Encounter | None:
    found = [
        one
        for one in unit.all(Association)
        if device and one.device_id in {device, f"serial:{device}"} and holds(one, unit.now)
    ]
    if len(found) != 1:
        raise UnmappedError(
            "no-subject", "the report names no patient, no bed and no device that is on a patient"
        )
    return unit.get(Encounter, found[0].encounter_id)


def must_fit(unit: UnitOfWork, patient_id: str, generation: Generation) -> Patient:
    """Return the patient, unless what is not real would reach a real one.

    Raises:
        UnmappedError: MSH-11 says test or training, and the patient is a real one.
        NotFoundError: There is no such patient.
    """
    patient = unit.get(Patient, patient_id)
    if patient is None:
        raise NotFoundError("unknown-patient", "the patient is not known on this ward")
    if patient.generation is Generation.REAL and generation is not Generation.REAL:
        raise UnmappedError("not-real", "test and training messages never reach a real patient")
    return patient
