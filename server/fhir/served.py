"""The one table of what is served: routes, the CapabilityStatement and the docs are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from clinical.records import PRESENT, Encounter, Order, Patient, Task
from server.fhir import candidates, logs, measurements
from server.fhir.ids import fhir_id
from server.fhir.resources import devices, medication, people, work
from server.fhir.search import Getter, Kind, Param, Span
from server.fhir.sources import PictureSource, Source
from server.fhir.view import View
from server.people.service import CLINICAL

EVERYBODY = (*CLINICAL, "engineer", "read-only")
_T, _R, _D, _S = Kind.TOKEN, Kind.REFERENCE, Kind.DATE, Kind.STRING


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One type: where it comes from, which roles read it, and whether it is created here."""

    source: Source
    about: str
    roles: tuple[str, ...] = CLINICAL
    creates: bool = False
    profile: str = ""
    order: str = "_id"  # the one order there is, as _sort names it


def _params(*given: tuple[str, Kind, Getter] | tuple[str, Kind, Getter, str]) -> Mapping[str, Param]:
    made = [
        Param(name=one[0], kind=one[1], get=one[2], target=one[3] if len(one) > 3 else "") for one in given
    ]
    made.append(Param(name="_lastUpdated", kind=_D, get=lambda _r, _v: ()))
    return {one.name: one for one in made}


def _id(of: Getter) -> tuple[str, Kind, Getter]:
    return ("_id", _T, lambda r, v: [("", fhir_id(one)) for one in of(r, v)])


def _patient(name: str = "patient") -> tuple[str, Kind, Getter, str]:
    return (name, _R, lambda r, _v: [("Patient", r.patient_id)], "Patient")


def _stay(of: Getter = lambda r, _v: [r.encounter_id]) -> tuple[str, Kind, Getter, str]:
    return ("encounter", _R, lambda r, v: [("Encounter", one) for one in of(r, v) if one], "Encounter")


def _own_id(record: object, _view: View) -> list[str]:
    return [str(getattr(record, "id", ""))]


def _span(stay: Encounter, _view: View) -> list[Span]:
    over = stay.status in {"finished", "cancelled"}
    return [(stay.admitted_at, stay.moved_at if over else None)]


def _order_codes(order: Order, view: View) -> Iterable[tuple[str, str]]:
    return [(view.systems.drug, item.product_id) for item in order.items]


def _given_codes(one: medication.Given, view: View) -> Iterable[tuple[str, str]]:
    order = view.picture.get(Order, one.begun.order_id)
    return _order_codes(order, view) if order is not None else ()


def _given_stay(one: medication.Given, view: View) -> list[str]:
    order = view.picture.get(Order, one.begun.order_id)
    return [order.encounter_id] if order is not None else []


def _use_patient(one: object, view: View) -> list[tuple[str, str]]:
    stay = view.picture.get(Encounter, str(getattr(one, "encounter_id", "")))
    return [("Patient", stay.patient_id)] if stay is not None else []


def _task_order(task: Task, _view: View) -> list[tuple[str, str]]:
    return [("MedicationRequest", task.order_id)]


def _day(patient: Patient, view: View) -> list[Span]:
    born = patient.birth_date
    if born is None:
        return []
    noon = datetime(born.year, born.month, born.day, 12, tzinfo=ZoneInfo(view.site.first.zone)).astimezone(
        UTC
    )
    return [(noon, noon)]


def _given_span(one: medication.Given) -> Span:
    if one.begun.outcome != "running":
        return (one.begun.at, one.begun.at)
    return (one.begun.at, one.ended.at if one.ended is not None else None)


def _is_in(patient: Patient, view: View) -> list[tuple[str, str]]:
    present = any(stay.status in PRESENT for stay in view.picture.stays_of(patient.id))
    return [("", "true" if present else "false")]


_PATIENT = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, v: [(v.systems.mrn, r.mrn)]),
    ("name", _S, lambda r, _v: [one for one in (r.name, r.name_latin) if one]),
    ("gender", _T, lambda r, _v: [("http://hl7.org/fhir/administrative-gender", r.sex.value)]),
    ("birthdate", _D, _day),
    ("active", _T, _is_in),
)
_ENCOUNTER = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, v: [(v.systems.visit, r.visit_number)]),
    _patient(),
    _patient("subject"),
    ("status", _T, lambda r, _v: [("http://hl7.org/fhir/encounter-status", r.status)]),
    ("class", _T, lambda _r, _v: [("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP")]),
    ("date", _D, _span),
    ("location", _R, lambda r, _v: [("Location", f"{r.ward}/{r.bed}"), ("Location", r.ward)], "Location"),
)
_LOCATION = _params(
    _id(lambda r, _v: [r[0].id]),
    ("identifier", _T, lambda r, _v: [("urn:wardlink:location", r[0].id)]),
    ("name", _S, lambda r, _v: [r[0].bed or r[0].ward.display.zh, r[0].ward.display.en]),
    ("status", _T, lambda _r, _v: [("http://hl7.org/fhir/location-status", "active")]),
    ("operational-status", _T, lambda r, _v: [("", "O" if r[1] else "U")] if r[0].bed else []),
    ("partof", _R, lambda r, _v: [("Location", r[0].ward.id)] if r[0].bed else [], "Location"),
)
_PRACTITIONER = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, v: [(v.systems.staff, r.id)]),
    ("name", _S, lambda r, _v: [one for one in (r.name, r.name_latin) if one]),
    ("active", _T, lambda r, _v: [("", str(r.active).lower())]),
)
_DEVICE = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, _v: [("urn:wardlink:device", r.id), ("", r.serial)]),
    ("status", _T, lambda r, _v: [("", "active" if r.active else "inactive")]),
    ("type", _T, lambda r, _v: [("urn:wardlink:device-kind", r.kind)]),
    ("device-name", _S, lambda r, _v: [r.label]),
)
_METRIC = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, _v: [("urn:wardlink:device-metric", r.id)]),
    ("source", _R, lambda r, _v: [("Device", r.device.id)], "Device"),
    ("type", _T, lambda r, _v: list(measurements.tokens(r.code))),
    ("category", _T, lambda _r, _v: [("", "measurement")]),
)
_USE = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, _v: [("urn:wardlink:device-use", r.id)]),
    ("patient", _R, _use_patient, "Patient"),
    ("subject", _R, _use_patient, "Patient"),
    ("device", _R, lambda r, _v: [("Device", r.device_id)], "Device"),
)
_REQUEST = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, v: [(v.systems.order, r.placer_id), (v.systems.filler, r.filler_id)]),
    _patient(),
    _patient("subject"),
    _stay(),
    ("status", _T, lambda r, _v: [("", r.status)]),
    ("intent", _T, lambda _r, _v: [("", "order")]),
    ("priority", _T, lambda r, _v: [("", "stat" if r.category == "stat" else "routine")]),
    ("code", _T, _order_codes),
    ("authoredon", _D, lambda r, _v: [(r.changed_at or r.start,) * 2]),
    ("date", _D, lambda r, _v: [(r.start, r.end)]),
    ("requester", _R, lambda r, _v: [("Practitioner", r.prescriber)], "Practitioner"),
)
_ADMINISTRATION = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, _v: [("urn:wardlink:event", r.begun.id)]),
    ("patient", _R, lambda r, _v: [("Patient", r.begun.patient_id)], "Patient"),
    ("subject", _R, lambda r, _v: [("Patient", r.begun.patient_id)], "Patient"),
    _stay(_given_stay),
    ("context", _R, lambda r, v: [("Encounter", one) for one in _given_stay(r, v)], "Encounter"),
    ("status", _T, lambda r, _v: [("", r.status)]),
    ("code", _T, _given_codes),
    ("effective-time", _D, lambda r, _v: [_given_span(r)]),
    ("date", _D, lambda r, _v: [_given_span(r)]),
    ("request", _R, lambda r, _v: [("MedicationRequest", r.begun.order_id)], "MedicationRequest"),
    ("performer", _R, lambda r, _v: [("Practitioner", r.begun.operator)], "Practitioner"),
)
_SPECIMEN = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, v: [(v.systems.specimen, r.id)]),
    _patient(),
    _patient("subject"),
    _stay(),
    ("status", _T, lambda r, _v: [("", work.SPECIMEN_STATUS[r.state])]),
    ("collected", _D, lambda r, _v: [(r.collected_at,) * 2] if r.collected_at else []),
)
_TASK = _params(
    _id(_own_id),
    ("identifier", _T, lambda r, _v: [("urn:wardlink:task", r.id)]),
    _patient(),
    _patient("subject"),
    _stay(),
    ("status", _T, lambda r, _v: [("", work.TASK_STATUS[r.status])]),
    ("business-status", _T, lambda r, _v: [("urn:wardlink:task-status", r.status.value)]),
    ("code", _T, lambda r, _v: [("urn:wardlink:task-kind", r.kind)]),
    ("focus", _R, _task_order, "MedicationRequest"),
    ("period", _D, lambda r, _v: [(r.planned_at,) * 2] if r.planned_at else []),
)
_FLAG = _params(
    _id(_own_id),
    _patient(),
    _patient("subject"),
    _stay(),
    ("status", _T, lambda r, _v: [("", "active" if r.active else "inactive")]),
    ("category", _T, lambda r, _v: [("", r.category)]),
    ("code", _T, lambda r, _v: [("", r.word)]),
)


TYPES: Mapping[str, Served] = {
    "Patient": Served(
        about="patients with a stay on a ward of this server",
        source=PictureSource(kind="Patient", params=_PATIENT, mapper=people.patient, fact="patients"),
        creates=True,
    ),
    "Encounter": Served(
        about="stays, with ward and bed",
        source=PictureSource(kind="Encounter", params=_ENCOUNTER, mapper=people.encounter, fact="encounters"),
        creates=True,
    ),
    "Location": Served(
        about="wards and beds, taken or free",
        source=PictureSource(
            kind="Location",
            params=_LOCATION,
            mapper=lambda record, _view: people.location(*record),
            made=candidates.locations,
        ),
        roles=EVERYBODY,
    ),
    "Practitioner": Served(
        about="who works here",
        source=PictureSource(
            kind="Practitioner", params=_PRACTITIONER, mapper=people.practitioner, fact="practitioners"
        ),
        roles=EVERYBODY,
    ),
    "Device": Served(
        about="devices of the wards",
        source=PictureSource(kind="Device", params=_DEVICE, mapper=devices.device, fact="devices"),
        roles=(*CLINICAL, "engineer"),
    ),
    "DeviceMetric": Served(
        about="what each device measures, by its profile",
        source=PictureSource(
            kind="DeviceMetric", params=_METRIC, mapper=devices.device_metric, made=candidates.metrics
        ),
        roles=(*CLINICAL, "engineer"),
    ),
    "DeviceUseStatement": Served(
        about="which device is or was on whom",
        source=PictureSource(
            kind="DeviceUseStatement", params=_USE, mapper=devices.device_use, fact="associations"
        ),
    ),
    "MedicationRequest": Served(
        about="orders for drugs and infusions, as they are now",
        source=PictureSource(
            kind="MedicationRequest",
            params=_REQUEST,
            mapper=medication.medication_request,
            fact="orders",
            keep=lambda order: order.kind in medication.KINDS,
        ),
        creates=True,
    ),
    "MedicationAdministration": Served(
        about="what was given, refused or is running",
        source=PictureSource(
            kind="MedicationAdministration",
            params=_ADMINISTRATION,
            mapper=medication.medication_administration,
            made=candidates.administrations,
        ),
    ),
    "Observation": Served(
        about="measured and charted values, waves",
        source=measurements.Observations(params=measurements.PARAMS),
        creates=True,
        profile=measurements.PROFILE,
        order="-date",
    ),
    "Specimen": Served(
        about="tubes",
        source=PictureSource(kind="Specimen", params=_SPECIMEN, mapper=work.specimen, fact="specimens"),
    ),
    "Task": Served(
        about="planned executions of orders",
        source=PictureSource(kind="Task", params=_TASK, mapper=work.task, fact="tasks"),
    ),
    "Flag": Served(
        about="risks of a stay, intolerances",
        source=PictureSource(kind="Flag", params=_FLAG, mapper=people.flag, made=candidates.flags),
    ),
    "DetectedIssue": Served(
        about="bedside checks that did not simply pass",
        source=logs.detected_issues(),
        order="-identified",
        roles=("charge-nurse", "doctor", "pharmacist", "manager"),
    ),
    "AuditEvent": Served(
        about="lines of the audit chain", source=logs.audit_events(), order="-date", roles=("manager",)
    ),
}
"""Every type that is read here."""
READERS: dict[str, frozenset[str]] = {kind: frozenset(one.roles) for kind, one in TYPES.items()}
"""Who reads a type, of people; their wards narrow it further."""
