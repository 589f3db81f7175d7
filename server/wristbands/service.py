"""Issue wristbands. A printed code is only as good as the fact behind it: one band at a time identifies."""

from __future__ import annotations

from dataclasses import replace

from clinical.errors import NotFoundError
from clinical.records import Encounter, Patient, Wristband
from server.people.service import Session
from server.storage.store import UnitOfWork

ISSUERS = ("nurse", "charge-nurse")


def issue(unit: UnitOfWork, encounter_id: str, session: Session) -> Wristband:
    """Make the next wristband of a patient; every earlier one stops identifying.

    Raises:
        NotFoundError: No such stay.
        RefusedError: The person may not issue wristbands.
    """
    session.require(*ISSUERS)
    encounter = unit.get(Encounter, encounter_id)
    patient = unit.get(Patient, encounter.patient_id) if encounter else None
    if patient is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    earlier = [band for band in unit.all(Wristband) if band.patient_id == patient.id]
    for band in earlier:
        if band.active:
            unit.put(replace(band, active=False))
    serial = str(max((int(band.serial) for band in earlier if band.serial.isdigit()), default=0) + 1)
    issued = Wristband(
        id=f"{patient.mrn}/{serial}", patient_id=patient.id, serial=serial, printed_at=unit.now
    )
    unit.put(issued)
    unit.audit("wristband", actor=session.practitioner.id, entity=f"wristband:{serial}", patient=patient.id)
    return issued
