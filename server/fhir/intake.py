"""Patients and stays that were taken in as facts of the hospital: the same that its HL7 messages become."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clinical.records import Sex
from server.fhir.errors import unprocessable
from server.fhir.ids import record_id
from server.fhir.incoming import EncounterIn, Identifier, PatientIn
from server.fhir.settings import Systems
from server.his.port import AdmitPatient, Demographics, Place

_ADMITTED = frozenset({"in-progress", "arrived"})
Found = Callable[[str], str]
"""Turns a reference within a bundle into the address of what it names."""


def number_of(identifiers: Sequence[Identifier], system: str, kind: str) -> str:
    """The number that counts here: of the hospital's own system, else of the type, else the first."""
    for one in identifiers:
        if one.system == system:
            return one.value
    for one in identifiers:
        if one.type is not None and any(code.code == kind for code in one.type.coding):
            return one.value
    return identifiers[0].value if identifiers else ""


def id_of(reference: str, kind: str, element: str) -> str:
    """Our id of what a reference names.

    Raises:
        FhirError: It names something of another type, or elsewhere.
    """
    parts = reference.rstrip("/").split("/")
    own = record_id(parts[-1]) if len(parts) >= 2 and parts[-2] == kind else None
    if own is None:
        raise unprocessable(
            "fhir-reference",
            "this has to name a resource of this server, or one of the same bundle",
            element=element,
        )
    return own


def demographics(one: PatientIn) -> Demographics:
    """Who somebody is.

    Raises:
        FhirError: What is said of them has no place on a ward.
    """
    if one.deceasedBoolean or not one.active:
        raise unprocessable(
            "fhir-must-understand",
            "a patient who has died or is not active is not admitted",
            element="Patient.active",
        )
    official = sorted(one.name, key=lambda name: name.use != "official")
    plain = [name for name in official if not name.extension]
    latin = next((name.text for name in official if name.extension and name.text), None)
    name = next(iter([*plain, *official]), None)
    return Demographics(
        name=(name.whole or None) if name is not None else None,
        name_latin=latin,
        sex=Sex(one.gender) if one.gender else None,
        birth_date=one.birthDate,
    )


def admission(
    one: EncounterIn, mrn: str, who: Demographics, systems: Systems, found: Found, *, demo: bool
) -> AdmitPatient:
    """A stay as an admission.

    Raises:
        FhirError: It is planned or over, or its place is not said.
    """
    if one.status not in _ADMITTED:
        raise unprocessable(
            "fhir-status", "only a stay that is in progress is created here", element="Encounter.status"
        )
    diagnosis = next((reason.text or reason.code_of() for reason in one.reasonCode), None)
    return AdmitPatient(
        mrn=mrn,
        visit_number=number_of(one.identifier, systems.visit, "VN"),
        place=_place(one, found),
        who=Demographics(
            name=who.name,
            name_latin=who.name_latin,
            sex=who.sex,
            birth_date=who.birth_date,
            diagnosis=diagnosis,
        ),
        at=one.period.start,
        demo=demo,
    )


def _place(one: EncounterIn, found: Found) -> Place:
    where = one.location[0].location
    if where.identifier is not None:
        ward, room, bed = (*where.identifier.value.split("^"), "", "")[:3]
        return Place(ward=ward, room=room, bed=bed)
    own = id_of(found(where.reference), "Location", "Encounter.location.location")
    ward, _, bed = own.partition("/")
    return Place(ward=ward, bed=bed)
