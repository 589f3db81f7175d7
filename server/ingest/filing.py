"""Where the readings of one batch belong."""

from __future__ import annotations

from datetime import datetime, timedelta

from clinical.records import Association, Device, Encounter, Generation, Patient
from server.devices.service import AssociationIndex, Filing
from server.storage.unit import UnitOfWork


class Files:
    """Files by device association; one per batch."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._by_device = unit.grouped(Association, "device_id")
        self._index = AssociationIndex.of(self._by_device)

    def file(
        self,
        device_id: str,
        effective: datetime,
        generation: Generation,
        uncertainty: timedelta,
        doubt: str = "",
    ) -> Filing:
        """Find the association; what is in doubt or not real never reaches a real patient."""
        if doubt:
            return Filing(unassigned=doubt)
        filing = self._found(device_id, effective, uncertainty)
        if filing.association is None:
            return filing
        stay = self._unit.get(Encounter, filing.association.encounter_id)
        patient = self._unit.get(Patient, stay.patient_id) if stay else None
        if patient is None:
            return Filing(unassigned="unknown-encounter")
        if patient.generation is not Generation.REAL:
            return filing
        device = self._unit.get(Device, device_id)
        real = generation is Generation.REAL and (device is None or device.generation is Generation.REAL)
        return filing if real else Filing(unassigned="not-real")

    def _found(self, device_id: str, effective: datetime, uncertainty: timedelta) -> Filing:
        """Ask the index, unless the device has a single association that goes on, as nearly all have."""
        known = self._by_device.get(device_id, ())
        if len(known) == 1 and known[0].end is None and known[0].start <= effective - uncertainty:
            return Filing(association=known[0])
        return self._index.file(device_id, effective, uncertainty)

    def stay_of(self, filing: Filing) -> Encounter | None:
        """Return the stay that a reading is filed on."""
        association = filing.association
        return self._unit.get(Encounter, association.encounter_id) if association is not None else None
