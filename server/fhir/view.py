"""What the mappings look facts up in: one picture of the ward, the site, and whose numbers are whose."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.records import Device, Encounter, Generation, Patient, Practitioner
from server.fhir.settings import Systems
from server.fhir.shape import Resource, reference
from server.sites import Site
from server.storage.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The facts at one moment."""

    picture: Picture
    site: Site
    systems: Systems

    def patient(self, patient_id: str) -> Resource:
        """Refer to a patient; never by name, so that a reference tells nobody who it is."""
        return reference("Patient", patient_id)

    def person(self, practitioner_id: str) -> Resource:
        """Refer to somebody who works here; who is not on record is named by the number alone."""
        known = self.picture.get(Practitioner, practitioner_id)
        if known is not None:
            return reference("Practitioner", known.id, known.name)
        found: Resource = {"system": self.systems.staff, "value": practitioner_id} if practitioner_id else {}
        return {"identifier": found}

    def newest_stay(self, patient_id: str) -> Encounter | None:
        """Return the newest stay of a patient."""
        stays = self.picture.stays_of(patient_id)
        return stays[-1] if stays else None

    def is_demo(self, patient_id: str) -> bool:
        """Whether what is said of this patient is not about a real person."""
        patient = self.picture.get(Patient, patient_id)
        return patient is not None and patient.generation is not Generation.REAL

    def device(self, device_id: str) -> Resource:
        """Refer to a device; one that is not on record here is named by its number alone."""
        known = self.picture.get(Device, device_id)
        if known is not None:
            return reference("Device", known.id, known.label)
        return {"identifier": {"system": "urn:wardlink:device", "value": device_id}} if device_id else {}
