"""Patients, those who care for them, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.exchange import Ward
from clinical.records import LEAVING, PRESENT, Encounter, Patient, Practitioner
from server.fhir import codes
from server.fhir.shape import (
    Resource,
    coding,
    concept,
    extension,
    identifier,
    instant,
    period,
    pruned,
    reference,
)
from server.fhir.view import View

_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"


def _names(name: str, latin: str) -> list[Resource]:
    """The name as the hospital writes it, whole: where a Chinese family name ends is not ours to guess."""
    spelled = {"use": "usual", "text": latin, "extension": [{"url": _REPRESENTATION, "valueCode": "ABC"}]}
    official = {"use": "official", "text": name}
    return [one for one in (official, spelled) if str(one["text"]).strip()]


def patient(one: Patient, view: View) -> Resource:
    """Map a patient."""
    allergies = {"none": False, "known": True}.get(one.allergy_status)
    return pruned(
        {
            "resourceType": "Patient",
            "extension": [
                extension("allergies-known", valueBoolean=True) if allergies else {},
                extension("blood-group", valueString=one.blood_group),
            ],
            "identifier": [identifier(view.systems.mrn, one.mrn, "MR", "official")],
            "active": any(stay.status in PRESENT for stay in view.picture.stays_of(one.id)),
            "name": _names(one.name, one.name_latin),
            "gender": one.sex.value,
            "birthDate": one.birth_date.isoformat() if one.birth_date else None,
        }
    )


def practitioner(one: Practitioner, view: View) -> Resource:
    """Map somebody who works here; what a badge says stays here."""
    return pruned(
        {
            "resourceType": "Practitioner",
            "identifier": [identifier(view.systems.staff, one.id, "EI", "official")],
            "active": one.active,
            "name": _names(one.name, one.name_latin),
            "qualification": [{"code": concept(coding("urn:wardlink:role", role))} for role in one.roles],
        }
    )


def encounter(one: Encounter, view: View) -> Resource:
    """Map a stay; its end is the time of its last move once it is over."""
    over = one.status not in PRESENT and one.status != "planned"
    place = {
        "location": reference("Location", f"{one.ward}/{one.bed}", f"{one.ward} {one.bed}"),
        "status": "completed" if over else "planned" if one.status == "planned" else "active",
    }
    return pruned(
        {
            "resourceType": "Encounter",
            "extension": [
                extension("care-level", valueCode=one.care_level.value) if one.care_level else {},
            ],
            "identifier": [identifier(view.systems.visit, one.visit_number, "VN", "official")],
            "status": "in-progress" if one.status == LEAVING else one.status,
            "class": coding(codes.ACT, "IMP", "inpatient encounter"),
            "subject": view.patient(one.patient_id),
            "period": period(one.admitted_at, one.moved_at if over else None),
            "reasonCode": [concept(text=one.diagnosis)],
            "location": [place] if one.bed else [],
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A ward, or one of its beds when ``bed`` is given."""

    ward: Ward
    bed: str = ""

    @property
    def id(self) -> str:
        """Id of the place, as stays refer to it."""
        return f"{self.ward.id}/{self.bed}" if self.bed else self.ward.id


def location(spot: Spot, taken: bool) -> Resource:
    """Map a ward or a bed."""
    kind = ("bd", "Bed") if spot.bed else ("wa", "Ward")
    status = ("O", "Occupied") if taken else ("U", "Unoccupied")
    return pruned(
        {
            "resourceType": "Location",
            "identifier": [identifier("urn:wardlink:location", spot.id)],
            "status": "active",
            "operationalStatus": coding(codes.BED_STATUS, *status) if spot.bed else {},
            "name": spot.bed or spot.ward.display.zh,
            "alias": [] if spot.bed else [spot.ward.display.en],
            "mode": "instance",
            "physicalType": concept(coding(codes.PLACE, *kind)),
            "partOf": reference("Location", spot.ward.id, spot.ward.display.zh) if spot.bed else {},
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that whoever meets the patient must know: a risk of the stay, or an intolerance."""

    id: str
    patient_id: str
    encounter_id: str
    word: str  # fall, pressure, …; the substance of an allergy
    zh: str
    en: str
    category: str  # safety, clinical
    severity: str = ""
    active: bool = True


def flag(one: Warned, view: View) -> Resource:
    """Map a risk or an intolerance."""
    system = "urn:wardlink:risk" if one.category == "safety" else view.systems.drug
    stay = view.newest_stay(one.patient_id)
    since = stay.admitted_at if stay is not None else None
    return pruned(
        {
            "resourceType": "Flag",
            "extension": [extension("severity", valueCode=one.severity)],
            "status": "active" if one.active else "inactive",
            "category": [concept(coding(codes.FLAG_CATEGORY, one.category))],
            "code": concept(coding(system, one.word, one.en), text=one.zh),
            "subject": view.patient(one.patient_id),
            "period": {"start": instant(since)},
            "encounter": reference("Encounter", one.encounter_id),
        }
    )
