"""Allergies as the hospital lists them: always the complete list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clinical.records import Allergy, Patient
from server.storage.store import UnitOfWork


def replace_all(unit: UnitOfWork, patient: Patient, listed: Sequence[Allergy]) -> None:
    """Make ``listed`` the patient's allergies; an empty list means asked and none."""
    wanted = {allergy.id for allergy in listed}
    for allergy in list(unit.all(Allergy)):
        if allergy.patient_id == patient.id and allergy.id not in wanted:
            unit.retire(Allergy, allergy.id)
    for allergy in listed:
        unit.put(allergy)
    status = "known" if listed else "none"
    if patient.allergy_status != status or patient.allergy_asked_at is None:
        unit.put(replace(patient, allergy_status=status, allergy_asked_at=unit.now))
