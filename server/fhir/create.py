"""Creating: resources become facts of the hospital and are applied like its HL7 messages, all or none.

A resource is the one that its identifier names: what is there already is answered as found when the request
asks for that (``If-None-Exist``), and refused otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy import insert, select

from clinical.errors import NotFoundError, WardlinkError
from clinical.records import Encounter, Order, Patient
from server.fhir import history, intake, intake_orders, intake_values
from server.fhir.caller import System, require, require_ward
from server.fhir.errors import FhirError, bad_request, unprocessable
from server.fhir.ids import fhir_id, short
from server.fhir.incoming import EncounterIn, MedicationRequestIn, ObservationIn, PatientIn
from server.fhir.resources.observations import measured_id
from server.fhir.settings import Systems
from server.fhir.taking import is_test_data, must_be_understood, read_resource
from server.his.port import Demographics
from server.hospital import HospitalFactsService
from server.hospital_codes import UnmappedError
from server.hospital_orders import order_id
from server.observations.entries import CHART
from server.patients.service import known_stay, patient_id
from server.storage import schema
from server.storage.store import UnitOfWork

ORDER = ("Patient", "Encounter", "MedicationRequest", "Observation")
"""In which order the entries of a bundle take effect, whatever the order they stand in."""
_EVENT = "fhir-observation"
_CONFLICTS = frozenset({"already-admitted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One resource to be created."""

    kind: str
    body: Mapping[str, Any]
    url: str = ""  # by which the other entries of its bundle name it
    condition: str = ""  # If-None-Exist


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of one: where it is, and whether it was there before."""

    kind: str
    fid: str
    created: bool


@dataclass(slots=True)
class _Work:
    """One request's resources on their way into one unit of work."""

    unit: UnitOfWork
    hospital: HospitalFactsService
    caller: System
    systems: Systems
    wanted: Sequence[Wanted]
    made: dict[int, Made] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # url within the bundle → Type/id
    people: dict[str, tuple[PatientIn, bool]] = field(default_factory=dict)  # new patients by number

    def found(self, reference: str) -> str:
        """The address of what a reference names."""
        return self.addresses.get(reference, reference)


def create(
    unit: UnitOfWork,
    hospital: HospitalFactsService,
    caller: System,
    systems: Systems,
    wanted: Sequence[Wanted],
) -> list[Made]:
    """Create resources in one unit of work.

    Raises:
        FhirError: One is not taken, or is there already.
        RefusedError: One is not the caller's to create.
        WardlinkError: One cannot hold against what is known on the ward; the unit has to be given up.
    """
    work = _Work(unit, hospital, caller, systems, wanted)
    for kind in ORDER:
        for number, one in enumerate(wanted):
            if one.kind == kind:
                work.made[number] = _step(work, one, number)
    if work.people:
        raise unprocessable(
            "fhir-patient-alone",
            "a new patient comes with their stay: send Patient and Encounter in one transaction",
            element="Patient",
        )
    return [work.made[number] for number in range(len(wanted))]


def _step(work: _Work, one: Wanted, number: int) -> Made:
    """Create one resource; of several, the refusal says which one it is about."""
    require(work.caller, one.kind, "c")
    try:
        return _STEPS[one.kind](work, one, number)
    except WardlinkError as error:
        refusal = _refusal(error)
        if len(work.wanted) > 1:
            refusal.params["entry"] = number
        raise refusal from error


def _refusal(error: WardlinkError) -> WardlinkError:
    """What cannot hold on the ward is a refusal of the resource, not of its address."""
    if error.code in _CONFLICTS:
        return FhirError(409, error.code, error.message, **error.params)
    if isinstance(error, UnmappedError | NotFoundError):
        return unprocessable(error.code, error.message, **error.params)
    return error


def _patient(work: _Work, one: Wanted, _number: int) -> Made:
    read = read_resource(one.body, "Patient")
    assert isinstance(read, PatientIn)  # noqa: S101 - the type tells the model
    mrn = intake.number_of(read.identifier, work.systems.mrn, "MR")
    known = work.unit.get(Patient, patient_id(mrn))
    _note_address(work, one, "Patient", patient_id(mrn))
    if _is_there(one, "Patient", known is not None, (work.systems.mrn, mrn)):
        entry = work.unit.entries("patients").get(patient_id(mrn))
        require_ward(work.caller, "Patient", entry.ward if entry else "", "c")
        return Made(kind="Patient", fid=fhir_id(patient_id(mrn)), created=False)
    intake.demographics(read)
    work.people[mrn] = (read, is_test_data(one.body))
    return Made(kind="Patient", fid=fhir_id(patient_id(mrn)), created=True)


def _encounter(work: _Work, one: Wanted, _number: int) -> Made:
    read = read_resource(one.body, "Encounter")
    assert isinstance(read, EncounterIn)  # noqa: S101 - the type tells the model
    mrn = _mrn(work, read.subject.reference, "Encounter.subject")
    visit = intake.number_of(read.identifier, work.systems.visit, "VN")
    own = f"E-{visit or mrn}"
    known = work.unit.get(Encounter, own)
    _note_address(work, one, "Encounter", own)
    if _is_there(one, "Encounter", known is not None, (work.systems.visit, visit)):
        require_ward(work.caller, "Encounter", known.ward if known else "", "c")
        return Made(kind="Encounter", fid=fhir_id(own), created=False)
    person, demo = work.people.pop(mrn, (None, False))
    who = intake.demographics(person) if person is not None else Demographics()
    demo = demo or is_test_data(one.body)
    fact = intake.admission(read, mrn, who, work.systems, work.found, demo=demo)
    work.hospital.apply_in(work.unit, [fact])
    stay = known_stay(work.unit, mrn)
    require_ward(work.caller, "Encounter", stay.ward, "c")
    _audit(work, "Encounter", stay.id, stay.patient_id)
    return Made(kind="Encounter", fid=fhir_id(stay.id), created=True)


def _request(work: _Work, one: Wanted, _number: int) -> Made:
    read = read_resource(one.body, "MedicationRequest")
    assert isinstance(read, MedicationRequestIn)  # noqa: S101 - the type tells the model
    mrn = _mrn(work, read.subject.reference, "MedicationRequest.subject")
    fact = intake_orders.order(read, mrn, work.systems, demo=is_test_data(one.body))
    own = order_id(fact.placer_id)
    stay = known_stay(work.unit, mrn)
    require_ward(work.caller, "MedicationRequest", stay.ward, "c")
    _check_stay(work, read.encounter.reference if read.encounter else "", stay, "MedicationRequest")
    _note_address(work, one, "MedicationRequest", own)
    known = work.unit.get(Order, own)
    _must_be_of(stay, known.patient_id if known is not None else stay.patient_id)
    if _is_there(one, "MedicationRequest", known is not None, (work.systems.order, fact.placer_id)):
        return Made(kind="MedicationRequest", fid=fhir_id(own), created=False)
    work.hospital.apply_in(work.unit, [fact])
    _audit(work, "MedicationRequest", own, stay.patient_id)
    return Made(kind="MedicationRequest", fid=fhir_id(own), created=True)


def _observation(work: _Work, one: Wanted, number: int) -> Made:
    read = read_resource(one.body, "Observation")
    assert isinstance(read, ObservationIn)  # noqa: S101 - the type tells the model
    mrn = _mrn(work, read.subject.reference, "Observation.subject")
    stay = known_stay(work.unit, mrn)
    require_ward(work.caller, "Observation", stay.ward, "c")
    _check_stay(work, read.encounter.reference if read.encounter else "", stay, "Observation")
    numbers = list(dict.fromkeys((found.system, found.value) for found in read.identifier))
    first = numbers[0] if numbers else ("", f"{number}")
    name = f"{work.caller.actor}/{first[0]}|{first[1]}"
    report = intake_values.report(read, mrn, name, work.caller.name, demo=is_test_data(one.body))
    at = min(report.at, work.unit.now)
    fid = measured_id("m", stay.id, at, f"{report.device or CHART}\x00{report.code}")
    same = history.values(work.unit.connection, stay, (at, at), frozenset({report.code}), 100).found
    before = next((one.id for one in same if one.id == fid), "") or _told_before(work, numbers)
    if before and not before.startswith(f"m-{short(stay.id, 10)}-"):
        _must_be_of(stay, "")
    if _is_there(one, "Observation", bool(before), *numbers):
        return Made(kind="Observation", fid=before, created=False)
    work.hospital.apply_in(work.unit, [report.fact])
    for pair in numbers:
        _tell(work, pair, fid)
    _audit(work, "Observation", fid, stay.patient_id)
    return Made(kind="Observation", fid=fid, created=True)


_STEPS = {
    "Patient": _patient, "Encounter": _encounter, "MedicationRequest": _request, "Observation": _observation
}  # fmt: skip


def _mrn(work: _Work, reference: str, element: str) -> str:
    """Number of the patient a reference names, who is on the ward or comes with this bundle."""
    own = intake.id_of(_conditional(work, reference), "Patient", element)
    known = work.unit.get(Patient, own)
    if known is not None:
        return known.mrn
    mrn = own.removeprefix("P-")
    if mrn in work.people:
        return mrn
    raise unprocessable("fhir-reference", "the patient is not known here; admit them first", element=element)


def _conditional(work: _Work, reference: str) -> str:
    """The address of a patient that is named by number: ``Patient?identifier=system|number``."""
    kind, question, query = work.found(reference).partition("?")
    if not question:
        return kind
    pairs = parse_qsl(query)
    value = pairs[0][1].rpartition("|")[2] if len(pairs) == 1 and pairs[0][0] == "identifier" else ""
    return f"{kind}/{fhir_id(patient_id(value))}" if kind == "Patient" and value else reference


def _check_stay(work: _Work, reference: str, stay: Encounter, kind: str) -> None:
    """Refuse what names another stay than the one the patient is in."""
    if reference and intake.id_of(work.found(reference), "Encounter", f"{kind}.encounter") != stay.id:
        raise unprocessable(
            "fhir-reference", "this is not the stay that the patient is in now", element=f"{kind}.encounter"
        )


def _must_be_of(stay: Encounter, patient: str) -> None:
    """Refuse a number that names something of somebody else; whose it is, is not told."""
    if patient != stay.patient_id:
        raise FhirError(409, "identifier-known", "this identifier names something else; use another one")


def _note_address(work: _Work, one: Wanted, kind: str, own: str) -> None:
    if one.url:
        work.addresses[one.url] = f"{kind}/{fhir_id(own)}"


def _is_there(one: Wanted, kind: str, there: bool, *numbers: tuple[str, str]) -> bool:
    """Whether what is there already is the answer.

    Raises:
        FhirError: It is there and nobody asked, or the condition is not about this very resource.
    """
    if one.condition:
        _check_condition(one.condition, numbers)
    elif there:
        raise FhirError(
            409,
            "identifier-known",
            "this is here already; ask with If-None-Exist to have it answered",
            resource=kind,
        )
    return there


def _check_condition(condition: str, numbers: Sequence[tuple[str, str]]) -> None:
    pairs = parse_qsl(condition.lstrip("?"), keep_blank_values=True)
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        raise bad_request("fhir-condition", "a condition is written identifier=system|number")
    system, bar, value = pairs[0][1].rpartition("|")
    if not any(value == number and (not bar or not system or system == own) for own, number in numbers):
        raise FhirError(
            412,
            "fhir-several",
            "the condition names another number than the resource; they have to be the same",
        )


def _key(pair: tuple[str, str]) -> str:
    said = f"{pair[0]}|{pair[1]}"
    return f"fhir-{hashlib.sha256(said.encode()).hexdigest()[:48]}"


def _told_before(work: _Work, numbers: Sequence[tuple[str, str]]) -> str:
    """FHIR id of the observation that one of these numbers named before."""
    table = schema.events
    for pair in numbers:
        body = work.unit.connection.scalar(
            select(table.c.body).where(table.c.id == _key(pair), table.c.type == _EVENT)
        )
        if body:
            return str(body)
    return ""


def _tell(work: _Work, pair: tuple[str, str], fid: str) -> None:
    work.unit.connection.execute(
        insert(schema.events).values(
            id=_key(pair), type=_EVENT, at=work.unit.now, sent=work.unit.now, recorded=work.unit.now,
            operator=work.caller.actor[:96], uploaded_by=work.caller.actor[:96], handheld="", body=fid,
            outcome="{}",
        )
    )  # fmt: skip


def _audit(work: _Work, kind: str, own: str, patient: str) -> None:
    work.unit.audit(
        "fhir-create", actor=work.caller.actor, entity=f"fhir:{kind}/{fhir_id(own)}", patient=patient
    )


def read_transaction(found: Mapping[str, Any], most: int) -> list[Wanted]:
    """Read a transaction Bundle; it creates and does nothing else.

    Raises:
        FhirError: It is no transaction, is empty or too long, or does anything but create.
    """
    must_be_understood({key: part for key, part in found.items() if key != "entry"}, "Bundle")
    entries = found.get("entry")
    if found.get("resourceType") != "Bundle" or found.get("type") != "transaction":
        raise unprocessable("fhir-transaction", "send a Bundle of type transaction", element="Bundle.type")
    if not isinstance(entries, list) or not 0 < len(entries) <= most:
        raise unprocessable(
            "fhir-transaction",
            "a transaction has some entries and not too many",
            element="Bundle.entry",
            most=most,
        )
    wanted = [_entry(entry, number) for number, entry in enumerate(entries)]
    urls = [one.url for one in wanted if one.url]
    if len(set(urls)) != len(urls):
        raise unprocessable("fhir-transaction", "a full URL stands twice", element="Bundle.entry.fullUrl")
    return wanted


def _entry(entry: Any, number: int) -> Wanted:
    request = entry.get("request") if isinstance(entry, Mapping) else None
    resource = entry.get("resource") if isinstance(entry, Mapping) else None
    if not isinstance(request, Mapping) or not isinstance(resource, Mapping):
        raise unprocessable(
            "fhir-transaction", "each entry has a request and a resource", element=f"Bundle.entry[{number}]"
        )
    beside = {key: part for key, part in entry.items() if key != "resource"}
    must_be_understood(beside, f"Bundle.entry[{number}]")
    kind, url, condition = (
        str(part or "") for part in (request.get("url"), entry.get("fullUrl"), request.get("ifNoneExist"))
    )
    if (
        request.get("method") != "POST"
        or kind not in ORDER
        or set(request) - {"method", "url", "ifNoneExist"}
    ):
        raise unprocessable(
            "fhir-transaction",
            "an entry creates (POST) a Patient, Encounter, MedicationRequest or Observation",
            element=f"Bundle.entry[{number}].request",
        )
    return Wanted(kind=kind, body=resource, url=url[:300], condition=condition[:500])
