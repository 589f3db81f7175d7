"""Every type read and searched over HTTP, each answer held against R4 by an independent library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.records import Patient
from server.fhir.ids import VALID, fhir_id, record_id
from server.fhir.resources import people
from server.fhir.search import to_cursor
from server.fhir.served import EVERYBODY, TYPES
from server.fhir.settings import Systems
from server.fhir.shape import to_json
from server.fhir.view import View
from server.people.service import CLINICAL
from server.storage.picture import Picture
from tests.support.fhir import check

GOLDEN = Path(__file__).parents[2] / "data" / "fhir"
NEEDS = {"Observation": {"patient": "P-1001"}}
_CHANGING = ("versionId", "lastUpdated")


@pytest.mark.requirement("R-FHR-01")
def test_every_type_is_found_read_and_valid(manager: Any) -> None:
    for kind in TYPES:
        found = manager.found(f"/{kind}", **NEEDS.get(kind, {}))
        assert found, kind
        for one in found[:5]:
            again = manager.ask("GET", f"/{kind}/{one['id']}")
            assert again.json() == one
            assert again.headers["etag"] == f'W/"{one["meta"]["versionId"]}"'
            same = manager.ask(
                "GET", f"/{kind}/{one['id']}", headers={"if-none-match": again.headers["etag"]}
            )
            assert (same.status_code, same.content) == (304, b"")


@pytest.mark.requirement("R-FHR-01")
def test_resources_are_as_they_were_agreed(manager: Any) -> None:
    """Delete a file of the golden folder to have it written anew."""
    for kind in TYPES:
        found = manager.found(f"/{kind}", **NEEDS.get(kind, {}))
        one = min(found, key=lambda one: ("component" not in one, "contained" not in one, one["id"]))
        text = json.dumps(_still(one), ensure_ascii=False, indent=1) + "\n"
        golden = GOLDEN / f"{kind}.json"
        if not golden.exists():
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(text)
        assert text == golden.read_text(), kind


def _still(value: Any) -> Any:
    """Without what differs from run to run."""
    if isinstance(value, dict):
        moving = {"valueString", *_CHANGING} if value.get("type") == "hash" else set(_CHANGING)
        return {key: _still(part) for key, part in value.items() if key not in moving}
    return [_still(part) for part in value] if isinstance(value, list) else value


SEARCHES: list[tuple[str, dict[str, str], int]] = [
    ("/Patient", {"identifier": "urn:wardlink:mrn|1001"}, 1),
    ("/Patient", {"identifier": "1001,9999"}, 1),
    ("/Patient", {"identifier": "urn:other|1001"}, 0),
    ("/Patient", {"name": "欧阳"}, 1),
    ("/Patient", {"name": "ouyang"}, 1),
    ("/Patient", {"name:contains": "𠮷"}, 1),
    ("/Patient", {"name:exact": "欧阳"}, 0),
    ("/Patient", {"birthdate": "1958-06-14"}, 1),
    ("/Patient", {"birthdate": "ge1959"}, 0),
    ("/Patient", {"gender": "male", "active": "true"}, 1),
    ("/Encounter", {"patient": "P-1001", "status": "in-progress"}, 1),
    ("/Encounter", {"patient": "Patient/P-1001", "status:not": "finished"}, 1),
    ("/Encounter", {"date": "ge2026-05-04", "location": "W1.2F01"}, 1),
    ("/Encounter", {"date": "lt2026-05-03"}, 0),
    ("/MedicationRequest", {"patient": "P-1001", "code": "PCT500"}, 1),
    ("/MedicationRequest", {"identifier": "M1"}, 1),
    ("/MedicationRequest", {"status": "active", "encounter": "E-V1001"}, 2),
    ("/MedicationRequest", {"authoredon": "2026-05-04"}, 2),
    ("/MedicationAdministration", {"status": "completed"}, 1),
    ("/MedicationAdministration", {"patient": "P-1001", "status": "in-progress,completed"}, 2),
    ("/MedicationAdministration", {"effective-time": "eb2026-05-04"}, 0),
    ("/Location", {"partof": "W1"}, 8),
    ("/Location", {"operational-status": "O"}, 1),
    ("/Task", {"patient": "P-1001", "focus": "O-M1"}, 1),
    ("/Flag", {"patient": "P-1001", "category": "safety"}, 2),
    ("/DetectedIssue", {"patient": "P-1001", "identified": "2026-05-04"}, 1),
    ("/AuditEvent", {"subtype": "admit"}, 1),
    ("/Device", {"type": "drip-sensor"}, 2),
    ("/DeviceMetric", {"source": "serial.3Aoximeter-01"}, 3),
    ("/Observation", {"patient": "P-1001", "code": "http://loinc.org|85354-9"}, 1),
    ("/Observation", {"patient": "P-1001", "code": "8310-5"}, 1),
    ("/Observation", {"patient": "P-1001", "category": "vital-signs"}, 5),
    ("/Observation", {"encounter": "E-V1001", "category": "survey"}, 2),
    ("/Observation", {"patient": "P-1001", "date": "lt2026-05-04T09:00:00+08:00"}, 2),
    ("/Observation", {"patient": "P-1001", "code": "76523-0"}, 1),
    ("/Observation", {"patient": "P-1001", "status": "preliminary"}, 0),
    ("/Observation", {"patient": "P-1001", "_sort": "-date"}, 7),
    ("/Observation", {"_id": "none,other"}, 0),
]


@pytest.mark.requirement("R-FHR-02")
def test_searches_find_what_they_say(manager: Any) -> None:
    wrong = [
        (path, params, found)
        for path, params, count in SEARCHES
        if (found := len(manager.found(path, **params))) != count
    ]
    assert wrong == []


@pytest.mark.requirement("R-FHR-02")
def test_pages_hold_everything_once_and_no_more_than_asked(manager: Any) -> None:
    for kind in ("Location", "Task", "AuditEvent"):
        whole = [one["id"] for one in manager.found(f"/{kind}")]
        paged = [one["id"] for one in manager.found(f"/{kind}", _count="1")]
        assert sorted(paged) == sorted(set(whole)), kind
        assert len(manager.get(f"/{kind}", _count="1")["entry"]) == 1
        assert "entry" not in manager.get(f"/{kind}", _count="0")


@pytest.mark.requirement("R-FHR-02")
def test_observations_are_paged_newest_first_each_once(manager: Any) -> None:
    whole = [one["id"] for one in manager.found("/Observation", patient="P-1001")]
    for count in ("1", "2", "3", "7"):
        paged = manager.found("/Observation", patient="P-1001", _count=count)
        assert [one["id"] for one in paged] == whole
        times = [one["effectiveDateTime"] for one in paged]
        assert times == sorted(times, reverse=True)


@pytest.mark.requirement("R-FHR-02")
def test_what_changed_since_is_found_by_its_last_change(full: Any, manager: Any) -> None:
    now = full.clock.move(minutes=30).isoformat()
    assert manager.found("/MedicationRequest", _lastUpdated=f"ge{now}") == []
    full.order("1001", "M9")
    later = manager.found("/MedicationRequest", _lastUpdated=f"ge{now}")
    assert [one["id"] for one in later] == ["O-M9"]


REFUSALS: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
    ("/Patient?foo=1", {}, (400, "fhir-parameter")),
    ("/Patient?name:fuzzy=1", {}, (400, "fhir-parameter")),
    ("/Patient?identifier=", {}, (400, "fhir-value")),
    ("/Patient?birthdate=xx", {}, (400, "fhir-date")),
    ("/Patient?birthdate=ge2026-13-40", {}, (400, "fhir-date")),
    ("/Patient?_count=many", {}, (400, "fhir-count")),
    ("/Patient?_cursor=%C3%A9", {}, (400, "fhir-cursor")),
    ("/Patient?_sort=name", {}, (400, "fhir-parameter")),
    (f"/AuditEvent?_cursor={to_cursor('x:1')}", {}, (400, "fhir-cursor")),
    (f"/AuditEvent?_cursor={to_cursor('1:x')}", {}, (400, "fhir-cursor")),
    (f"/Observation?patient=P-1001&_cursor={to_cursor('x')}", {}, (400, "fhir-cursor")),
    ("/Observation?patient=P-1001&date=ne2026", {}, (400, "fhir-date-here")),
    ("/Observation?patient=P-1001&_lastUpdated=2026", {}, (400, "fhir-parameter")),
    ("/DetectedIssue/.00", {}, (404, "fhir-unknown")),
    ("/Patient/none", {}, (404, "fhir-unknown")),
    ("/Patient/..%2F..%2Fetc", {}, (404, "no-such-address")),
    ("/Observation", {}, (400, "fhir-too-costly")),
    ("/Observation/m-0-0-0", {}, (404, "fhir-unknown")),
    ("/Procedure", {}, (404, "no-such-address")),
    ("/Patient", {"headers": {"accept": "application/fhir+xml"}}, (406, "fhir-accept")),
    ("/Patient?_format=xml", {}, (406, "fhir-accept")),
    ("/Patient", {"headers": {"authorization": "Bearer nobody"}}, (401, "session")),
    ("/Patient", {"headers": {"authorization": "Bearer wlf_nobody"}}, (401, "fhir-token-ended")),
]


@pytest.mark.requirement("R-FHR-03")
def test_every_refusal_is_an_operation_outcome(manager: Any) -> None:
    answers = [(path, manager.refused("GET", path, **said)) for path, said, _ in REFUSALS]
    assert answers == [(path, answer) for path, _, answer in REFUSALS]


@pytest.mark.requirement("R-FHR-03")
def test_a_wrong_method_a_body_too_large_and_another_language_are_outcomes_too(manager: Any) -> None:
    assert manager.refused("DELETE", "/Patient/P-1001") == (405, "method")
    assert manager.refused("POST", "/Patient", content=b" " * 2_000_001) == (413, "too-large")
    zh = manager.ask("GET", "/Patient/none", headers={"accept-language": "zh"}).json()
    assert zh["issue"][0]["details"]["text"] == "没有此资源，请改用检索"
    assert zh["issue"][0]["code"] == "not-found"


@pytest.mark.requirement("R-FHR-02")
def test_a_lenient_search_leaves_out_what_it_does_not_know_and_says_so(manager: Any) -> None:
    answer = manager.ask(
        "GET", "/Patient", params={"foo": "1", "gender": "male"}, headers={"prefer": "handling=lenient"}
    )
    assert answer.json()["total"] == 1
    assert "foo" not in answer.json()["link"][0]["url"]


@pytest.mark.requirement("R-FHR-01")
def test_the_capability_statement_is_open_and_names_what_the_routes_are_made_of(
    http: Any, manager: Any
) -> None:
    found = check(http.get("/fhir/R4/metadata").json())
    types = {one["type"]: one for one in found["rest"][0]["resource"]}
    assert TYPES.keys() <= types.keys()
    for kind, served in TYPES.items():
        assert {one["name"] for one in types[kind]["searchParam"]} == served.source.params.keys()


@pytest.mark.requirement("R-FHR-01")
def test_demo_data_say_so_and_nothing_is_cached(manager: Any) -> None:
    for kind in ("Patient", "Encounter", "MedicationRequest", "MedicationAdministration", "Task", "Specimen"):
        for one in manager.found(f"/{kind}"):
            assert one["meta"]["tag"][0]["code"] == "HTEST", kind
    assert manager.ask("GET", "/Patient").headers["cache-control"] == "no-store"


@pytest.mark.requirement("R-FHR-01")
def test_everything_about_a_patient_comes_in_pages_with_whom_it_names(manager: Any) -> None:
    whole = {
        f"{one['resourceType']}/{one['id']}"
        for one in manager.found("/Patient/P-1001/$everything", _count="200")
    }
    paged = [
        f"{one['resourceType']}/{one['id']}"
        for one in manager.found("/Patient/P-1001/$everything", _count="3")
    ]
    assert len(paged) == len(set(paged))
    assert set(paged) == whole
    kinds = {name.partition("/")[0] for name in whole}
    assert {
        "Patient",
        "Encounter",
        "Observation",
        "MedicationRequest",
        "MedicationAdministration",
        "Task",
    } <= kinds
    page = manager.get("/Patient/P-1001/$everything")
    included = {
        one["resource"]["resourceType"] for one in page["entry"] if one["search"]["mode"] == "include"
    }
    assert included == {"Practitioner", "Location", "Device"}
    only = manager.found("/Patient/P-1001/$everything", _type="Task", start="2027-01-01")
    assert [one["resourceType"] for one in only] == ["Patient"]


_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@pytest.mark.requirement("R-FHR-01")
@given(name=_TEXT, mrn=_TEXT)
@settings(max_examples=100, deadline=None)
def test_any_name_comes_through_json_as_it_was(name: str, mrn: str) -> None:
    one = people.patient(Patient(id=f"P-{mrn}", mrn=mrn, name=name), _empty())
    back = json.loads(to_json(one))
    assert back.get("name", [{}])[0].get("text", name) == name
    assert bool(name.strip()) is ("name" in back)


@pytest.mark.requirement("R-FHR-01")
@given(own=_TEXT.filter(lambda text: "\x00" not in text))
@settings(max_examples=200, deadline=None)
def test_every_id_of_ours_is_a_fhir_id_and_leads_back(own: str) -> None:
    fid = fhir_id(own)
    assert VALID.fullmatch(fid)
    assert record_id(fid) in {own, None}
    if len(own.encode()) * 3 <= 64:
        assert record_id(fid) == own


def _empty() -> View:
    return View(picture=Picture(epoch="e"), site=None, systems=Systems())  # type: ignore[arg-type]  # not asked


@pytest.mark.requirement("R-FHR-01")
def test_the_guide_names_every_type_as_it_is_served() -> None:
    text = (Path(__file__).parents[3] / "docs" / "fhir.md").read_text()
    missing = [row for kind in TYPES if (row := table_row(kind)) not in text]
    assert missing == []


def table_row(kind: str) -> str:
    """A line of the guide's table of types."""
    served = TYPES[kind]
    names = [f"`{name}`" for name in served.source.params if not name.startswith("_")]
    roles = {
        frozenset(CLINICAL): "clinical",
        frozenset(EVERYBODY): "everybody",
        frozenset((*CLINICAL, "engineer")): "clinical, engineer",
    }.get(frozenset(served.roles), ", ".join(served.roles))
    creates = "yes" if served.creates else ""
    return f"| {kind} | {roles} | {creates} | {' '.join(names)} | {served.about} |"
