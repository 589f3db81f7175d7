"""Every route × every role × own and another ward, generated from the contract; the answers are data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinical.records import Task
from server.app import create_app
from server.his.port import AdmitPatient, Demographics, Place
from server.hospital import HospitalFactsService
from server.people.access import SUBJECTS
from server.storage.schema import ward_grants
from tests.support.ward_http import bearer, put_person, serving, token_of, with_second_ward

ROLES = (
    "nurse", "charge-nurse", "student", "instructor", "doctor", "pharmacist", "manager", "engineer",
    "read-only",
)  # fmt: skip
CLINICAL = "nurse charge-nurse student instructor doctor pharmacist manager"
NURSES = "nurse charge-nurse"
READING = f"{CLINICAL} read-only"
CHIEFS = "charge-nurse manager"
EVERYBODY = " ".join(ROLES)
OPEN = "open"  # no session asked for
NOBODY = ""  # of people: for systems with a token of their own, see tests/server/fhir/test_access.py
FHIR = {
    **dict.fromkeys(
        ("Patient", "Encounter", "DeviceUseStatement", "MedicationRequest", "MedicationAdministration",
         "Observation", "Specimen", "Task", "Flag"), CLINICAL,
    ),
    **dict.fromkeys(("Location", "Practitioner"), EVERYBODY),
    **dict.fromkeys(("Device", "DeviceMetric"), f"{CLINICAL} engineer"),
    "DetectedIssue": "charge-nurse doctor pharmacist manager",
    "AuditEvent": "manager",
}  # fmt: skip
CREATED = ("Patient", "Encounter", "MedicationRequest", "Observation")

ALLOWED: dict[str, str] = {
    "GET /wards/{ward}/changes": READING,
    "POST /checks": CLINICAL,
    "POST /events": EVERYBODY,
    "POST /wristbands": NURSES,
    "POST /tasks/{task_id}/bags": f"{NURSES} pharmacist",
    "POST /bags/{bag_id}/laid": f"{NURSES} pharmacist",
    "POST /bags/{bag_id}/prepared": f"{NURSES} pharmacist",
    "POST /bags/{bag_id}/check": f"{NURSES} pharmacist",
    "POST /labels/wristband/{encounter_id}": NURSES,
    "POST /labels/bag/{bag_id}": f"{NURSES} pharmacist",
    "POST /labels/oral/{bag_id}": f"{NURSES} pharmacist",
    "POST /labels/tube/{specimen_id}": NURSES,
    "POST /labels/bed/{ward}": f"{NURSES} manager engineer",
    "POST /tasks/{task_id}/specimen": NURSES,
    "POST /specimens/{specimen_id}/received": NURSES,
    "POST /blood-units": "charge-nurse pharmacist",
    "POST /blood-units/{unit_id}/returned": NURSES,
    "GET /wards/{ward}/care": READING,
    "GET /alarms": EVERYBODY,
    "POST /alarms/{alarm_id}/acknowledge": f"{NURSES} doctor manager instructor",
    "GET /alarms/{alarm_id}/clip": CLINICAL,
    "GET /unassigned": f"{NURSES} doctor manager engineer",
    "GET /encounters/{encounter_id}/trend": f"{NURSES} doctor manager read-only",
    "GET /nodes": EVERYBODY,
    "POST /bags/{bag_id}/contents": f"{NURSES} pharmacist",
    "POST /encounters/{encounter_id}/observations": f"{NURSES} instructor doctor",
    "POST /encounters/{encounter_id}/leave-confirm": NURSES,
    "GET /encounters/{encounter_id}/news2": READING,
    "GET /wards/{ward}/news2": READING,
    "GET /worklists/messages": "charge-nurse manager engineer",
    "GET /worklists/messages/{message_id}": "charge-nurse manager",
    "POST /worklists/messages/{message_id}/retry": "charge-nurse manager engineer",
    "GET /worklists/mappings/{system}": "charge-nurse manager engineer pharmacist",
    "POST /worklists/mappings": "charge-nurse manager pharmacist",
    "POST /worklists/unassigned/file": f"{NURSES} manager",
    "GET /wards/{ward}/statistics": f"{NURSES} manager doctor pharmacist read-only",
    "GET /wards/{ward}/statistics.csv": f"{NURSES} manager doctor pharmacist read-only",
    "GET /wards/{ward}/near-misses": f"{NURSES} manager doctor pharmacist read-only",
    "GET /encounters/{encounter_id}/mews": READING,
    "GET /patients/{patient_id}/critical-values": READING,
    "POST /orders/{order_id}/verify": f"{NURSES} pharmacist",
    "POST /verbal-orders": NURSES,
    "POST /verbal-orders/{order_id}/sign": "doctor",
    "GET /verbal-orders/unsigned": f"{NURSES} doctor",
    "POST /encounters/{encounter_id}/resuscitation": f"{NURSES} instructor doctor",
    "GET /administrations/unacknowledged": f"{NURSES} doctor",
    "POST /administrations/{administration_id}/acknowledge": "doctor",
    "GET /infusions/{infusion_id}/record": f"{CLINICAL} read-only",
    "GET /patients/{patient_id}/administrations": READING,
    "GET /patients/{patient_id}/fluids": READING,
    "POST /critical-values": f"{NURSES} doctor",
    "POST /critical-values/{value_id}/acknowledge": "doctor",
    "GET /wards/{ward}/handover": READING,
    "POST /wards/{ward}/handover": NURSES,
    "POST /handovers/{handover_id}/take": NURSES,
    "POST /confirmations": EVERYBODY,
    "GET /metrics": OPEN,
    "POST /sessions": OPEN,
    "POST /sessions/one-time": OPEN,
    "POST /sessions/one-time-codes": EVERYBODY,
    "DELETE /sessions/current": EVERYBODY,
    "GET /me": EVERYBODY,
    "POST /me/password": EVERYBODY,
    "POST /sessions/web": OPEN,
    "POST /sessions/current/lock": EVERYBODY,
    "POST /sessions/current/unlock": EVERYBODY,
    "POST /pins": OPEN,
    "GET /people": "manager",
    "POST /people": "manager",
    "PUT /people/{person_id}": "manager",
    "POST /people/{person_id}/active": "manager",
    "POST /people/{person_id}/pin-codes": "manager",
    "DELETE /people/{person_id}/sessions": "manager",
    "DELETE /handhelds/{handheld}/sessions": "manager",
    "GET /wards/{ward}/assignments": READING,
    "PUT /wards/{ward}/assignments": CHIEFS,
    "GET /worklists/put-aside/{name}": f"{CHIEFS} engineer",
    "GET /worklists/put-aside/{name}/{number}": CHIEFS,
    "POST /worklists/put-aside/{name}/{number}/retry": f"{CHIEFS} engineer",
    "POST /worklists/put-aside/{name}/{number}/close": CHIEFS,
    "GET /wards/{ward}/break-glass": "charge-nurse manager",
    "POST /wards/{ward}/break-glass": CLINICAL,
    "GET /health": OPEN,
    "GET /ledger": EVERYBODY,
    "POST /fhir-tokens": "engineer",
    "GET /fhir-tokens": "engineer",
    "DELETE /fhir-tokens/{token_id}": "engineer",
    "GET /fhir/R4/metadata": OPEN,
    "GET /fhir/R4/Patient/{patient_fid}/$everything": CLINICAL,
    **{f"GET /fhir/R4/{kind}": roles for kind, roles in FHIR.items()},
    **{f"GET /fhir/R4/{kind}/{{fid}}": roles for kind, roles in FHIR.items()},
    **dict.fromkeys((f"POST /fhir/R4/{kind}" for kind in CREATED), NOBODY),
    "POST /fhir/R4": NOBODY,
    "GET /fhir/R4/Subscription": NOBODY,
    "POST /fhir/R4/Subscription": NOBODY,
    "GET /fhir/R4/Subscription/{subscription}": NOBODY,
    "DELETE /fhir/R4/Subscription/{subscription}": NOBODY,
    "GET /fhir/R4/Group/{ward}/$export": NOBODY,
    "GET /fhir/R4/$export-status/{job}": NOBODY,
    "DELETE /fhir/R4/$export-status/{job}": NOBODY,
    "GET /fhir/R4/$export-file/{job}/{kind}": NOBODY,
}
"""Who may call a route, for what belongs to their own ward; in another ward nobody may, but for the next."""
FINE = ((401, "sign-in"), (422, "code-unreadable"), (422, "span"))
"""Refusals that come after the question who asks."""
ENDS = "DELETE /sessions/current"
ELSEWHERE = {"POST /wards/{ward}/break-glass"}
SHIFT = {"since": "2026-05-04T00:00:00Z", "until": "2026-05-04T08:00:00Z"}
QUERY = {
    "GET /encounters/{encounter_id}/trend": {"code": "MDC_PULS_RATE"},
    "GET /wards/{ward}/statistics": SHIFT,
    "GET /wards/{ward}/near-misses": SHIFT,
    "POST /labels/bed/{ward}": {"bed": "01"},
    "GET /wards/{ward}/statistics.csv": SHIFT,
    "GET /wards/{ward}/handover": SHIFT,
    "GET /patients/{patient_id}/fluids": {"day": "2026-05-04"},
    "DELETE /people/{person_id}/sessions": {"why": "lost on the tram"},
    "DELETE /handhelds/{handheld}/sessions": {"why": "lost on the tram"},
}
PERSON = {"name": "李雪", "roles": ["nurse"], "wards": ["W1"], "badge": "new"}
CHECK = {"id": "r1", "action": "GIVE", "now": "2026-05-04T01:00:00Z", "handheld": {"id": "pda-1"}}
NOBODYS = ("person_id", "handheld", "token_id", "subscription", "alarm_id", "bag_id",
           "specimen_id", "unit_id", "message_id", "value_id", "handover_id",
           "administration_id", "infusion_id")  # fmt: skip
"""Ids of what this ward has none of; a route answers 404 once it is asked."""
PLACES = {"W1": {"mrn": "1001", "bed": "01"}, "W2": {"mrn": "2001", "bed": "21"}}


def body_of(route: str, named: dict[str, str]) -> Any:
    patient, stay = {"patient_id": named["patient_id"]}, {"encounter_id": named["encounter_id"]}
    check = CHECK | {"operator": {"id": named["person"], "roles": []}}
    observed = {"code": "MDC_TEMP_AXILLA", "value": "37", "unit": "Cel"}
    waiting = {"device_id": "d", "reason": "no-association", "why": "tried again"}
    line = {"product_id": "PCT500", "value": "1", "unit": "{tablet}"}
    why = {"why": "tried again"}
    return {
        "POST /events": {"events": []},
        "POST /checks": check,
        "POST /wristbands": stay,
        "POST /blood-units": patient
        | {
            "id": "u1", "donation": "A123426012345", "product_id": "RBC", "product_code": "E0382V00",
            "component": "red-cells", "group": "A+", "order_id": "O-1", "expires_at": "2026-05-06T00:00:00Z",
        },
        "POST /wards/{ward}/break-glass": {"reason": "rescue team called"},
        "POST /bags/{bag_id}/contents": {"raw": "X"},
        "POST /encounters/{encounter_id}/observations": {
            "id": "set-00000001", "at": "2026-05-04T01:00:00Z", "values": [observed]
        },
        "POST /worklists/messages/{message_id}/retry": {"why": "tried again"},
        "POST /worklists/mappings": {"system": "unit", "code": "X", "target": "mg"},
        "POST /worklists/unassigned/file": stay | SHIFT | waiting,
        "POST /orders/{order_id}/verify": {"version": 1},
        "POST /verbal-orders": patient
        | {"id": "spoken-0001", "prescriber": "doctor", "route": "PO", "read_back": True, "lines": [line]},
        "POST /encounters/{encounter_id}/resuscitation": {"action": "begin"},
        "POST /critical-values": patient
        | {"id": "value-0001", "test": "K", "value": "6.8", "reported_by": "LAB", "read_back": True},
        "POST /critical-values/{value_id}/acknowledge": {"action": "calcium"},
        "POST /wards/{ward}/handover": SHIFT | {"id": "handover-1"},
        "POST /fhir-tokens": {"name": named["person"] or "x", "scopes": ["system/Patient.r?ward=W1"]},
        "POST /me/password": {"pin": "1", "password": "vier Enten im Regen"},
        "POST /sessions/current/unlock": {"secret": "1"},
        "POST /people": PERSON | {"id": f"new-{named['person']}", "badge": f"new-{named['person']}"},
        "PUT /people/{person_id}": PERSON | why,
        "POST /people/{person_id}/active": why | {"active": True},
        "POST /people/{person_id}/pin-codes": why,
        "PUT /wards/{ward}/assignments": SHIFT | {"beds": {}},
        "POST /worklists/put-aside/{name}/{number}/retry": why,
        "POST /worklists/put-aside/{name}/{number}/close": why,
        "POST /confirmations": {"badge": "X", "pin": "1", "purpose": "witness", "request": check},
    }.get(route, {})  # fmt: skip


def routes() -> list[str]:
    paths = create_app(None).openapi()["paths"]
    return [
        f"{method.upper()} {path.removeprefix('/api/v1')}" for path, ways in paths.items() for method in ways
    ]


@pytest.fixture
def two(ward: Any, tmp_path: Path) -> Iterator[tuple[Any, TestClient]]:
    """A patient with an order in each of two wards; everybody works in W1."""
    ward.site = with_second_ward(ward.site)
    ward.hospital = HospitalFactsService(ward.store, ward.site)
    for ward_id, said in PLACES.items():
        applied = ward.hospital.apply(
            AdmitPatient(
                mrn=said["mrn"], visit_number=f"V{said['mrn']}", place=Place(ward=ward_id, bed=said["bed"]),
                who=Demographics(name="张建国", allergies=()), at=ward.clock(), demo=True,
            )
        )  # fmt: skip
        assert applied.ok, applied
        ward.order(said["mrn"], f"M{said['mrn']}")
    for role in ROLES:
        put_person(ward.store, role, role)
    with serving(ward.store, ward.site, tmp_path) as client:
        yield ward, client


def ids(ward: Any, place: str) -> dict[str, str]:
    """Ids of what belongs to a ward; what no route here reads gets a name that nobody knows."""
    mrn = PLACES[place]["mrn"]
    task = next(one.id for one in ward.store.picture.all(Task) if one.patient_id == f"P-{mrn}")
    stay = next(one.id for one in ward.store.picture.stays_of(f"P-{mrn}"))
    known = {"ward": place, "task_id": task, "encounter_id": stay, "order_id": f"O-M{mrn}"}
    known |= {"patient_id": f"P-{mrn}", "patient_fid": f"P-{mrn}", "system": "bed", "job": "0" * 24}
    return known | dict.fromkeys(NOBODYS, "none") | {"kind": "Patient", "name": "events", "number": "1"}


def fid_of(route: str, named: dict[str, str]) -> str:
    """What a FHIR address names: something of the ward where its type is about one."""
    field = {"Patient": "patient_id", "Encounter": "encounter_id", "Task": "task_id"}
    field["MedicationRequest"] = "order_id"
    return named.get(field.get(route.split("/")[-2], ""), "none")


def call(client: TestClient, route: str, token: str, named: dict[str, str]) -> tuple[int, str]:
    """Status, and the code of a problem."""
    method, path = route.split(" ")
    body = body_of(route, named)
    path = path.format(**named, fid=fid_of(route, named))
    answer = client.request(
        method, path if path.startswith("/fhir/") else f"/api/v1{path}", headers=bearer(token),
        params=QUERY.get(route), json=body if method in {"POST", "PUT"} else None,
    )  # fmt: skip
    kind = answer.headers.get("content-type", "")
    if kind == "application/fhir+json" and answer.is_error:
        return answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]
    return answer.status_code, answer.json()["code"] if kind == "application/problem+json" else ""


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_every_route_of_the_contract_has_an_answer_for_every_role() -> None:
    assert sorted(ALLOWED) == sorted(routes())


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_a_role_reaches_its_own_routes_in_its_own_ward_and_none_in_another(two: Any) -> None:
    ward, client = two
    places = {place: ids(ward, place) for place in PLACES}
    wrong = [
        (role, route, *found)
        for role in ROLES
        for route in ALLOWED
        if ALLOWED[route] != OPEN and route != ENDS
        for found in _wrong(client, route, role, token_of(ward.store, role), places)
    ]
    assert wrong == []


def _wrong(
    client: TestClient, route: str, role: str, token: str, places: dict[str, dict[str, str]]
) -> Iterator[tuple[str, int, str]]:
    """What is answered otherwise than the table says."""
    may = role in ALLOWED[route].split()
    own = call(client, route, token, {"person": role, **places["W1"]})
    if (own == (403, "role")) is may or (own[0] in {401, 422, 500} and own not in FINE):
        yield "own", *own
    if _is_about_a_ward(route):
        other = call(client, route, token, {"person": role, **places["W2"]})
        if other != (403, "other-ward") and (may or other != (403, "role")):
            yield "other", *other


def _is_about_a_ward(route: str) -> bool:
    body = body_of(route, {"patient_id": "p", "encounter_id": "e", "person": ""})
    named = ("{ward}", "{task_id}", "{encounter_id}", "{order_id}", "{patient_id}", "{patient_fid}")
    if route.endswith("/{fid}"):
        return (
            fid_of(route, {"patient_id": "p", "encounter_id": "e", "task_id": "t", "order_id": "o"}) != "none"
        )
    about = any(name in route for name in named) or {"patient_id", "encounter_id"} & body.keys()
    return bool(about) and route not in ELSEWHERE


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_every_id_in_an_address_is_held_against_the_wards_of_the_person() -> None:
    named = {name for route in routes() for name in re.findall(r"\{(\w+)\}", route)}
    fhir = {
        "fid",
        "patient_fid",
        "subscription",
        "job",
        "kind",
        "token_id",
    }  # these routes ask for themselves
    fhir |= {"person_id", "handheld", "name", "number"}  # and so do those of people and of the put aside
    assert named - SUBJECTS.keys() - fhir == {"ward", "message_id", "system"}


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_nobody_reaches_anything_without_a_session(two: Any) -> None:
    ward, client = two
    for route, roles in ALLOWED.items():
        if roles != OPEN:
            assert call(client, route, "nothing", {"person": "", **ids(ward, "W1")})[0] == 401, route


@pytest.mark.requirement("R-SRV-34")
@pytest.mark.hazard("H-SRV-11")
def test_another_ward_opens_for_an_hour_with_a_reason_that_its_manager_reads(two: Any) -> None:
    ward, client = two
    put_person(ward.store, "manager-2", "manager", wards=("W2",))
    head = bearer(token_of(ward.store, "nurse"))
    assert client.get("/api/v1/wards/W2/changes", headers=head).json()["code"] == "other-ward"
    assert client.post("/api/v1/wards/W2/break-glass", headers=head, json={"reason": " "}).status_code == 422
    opened = client.post("/api/v1/wards/W2/break-glass", headers=head, json={"reason": "抢救：21床"})
    assert opened.status_code == 201
    assert client.get("/api/v1/wards/W2/changes", headers=head).status_code == 200
    again = client.post("/api/v1/wards/W2/break-glass", headers=head, json={"reason": "抢救：21床"})
    assert (again.status_code, again.json()["code"]) == (409, "ward-open")
    listed = client.get(
        "/api/v1/wards/W2/break-glass", headers=bearer(token_of(ward.store, "manager-2"))
    ).json()["grants"]
    assert [(one["practitioner_id"], one["reason"]) for one in listed] == [("nurse", "抢救：21床")]
    actions = [row[0] for row in audit(ward, "nurse")]
    assert "break-glass" in actions
    assert "break-glass-use" in actions
    ward.clock.move(minutes=61)
    assert client.get("/api/v1/wards/W2/changes", headers=head).status_code == 403


def audit(ward: Any, actor: str) -> list[Any]:
    with ward.store.reading() as connection:
        return list(
            connection.exec_driver_sql(
                "SELECT action, entity FROM audit WHERE actor = ? ORDER BY n", (actor,)
            )
        )


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_somebody_of_the_whole_hospital_sees_every_ward(two: Any) -> None:
    ward, client = two
    put_person(ward.store, "pharmacist-0", "pharmacist", wards=())
    head = bearer(token_of(ward.store, "pharmacist-0"))
    for place in ("W1", "W2"):
        assert client.get(f"/api/v1/wards/{place}/changes", headers=head).status_code == 200
    with ward.store.reading() as connection:
        assert connection.execute(ward_grants.select()).all() == []


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_a_nurse_of_another_ward_starts_in_her_own_and_sees_no_alarm_of_ours(two: Any) -> None:
    ward, client = two
    put_person(ward.store, "nurse-2", "nurse", wards=("W2",))
    head = bearer(token_of(ward.store, "nurse-2"))
    assert client.get("/api/v1/me", headers=head).json()["ward"]["id"] == "W2"
    client.post("/api/v1/events", headers=bearer(token_of(ward.store, "nurse")), json={"events": [{}]})
    assert client.get("/api/v1/nodes", headers=head).json()["nodes"] == []
