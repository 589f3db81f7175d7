# ruff: noqa: F811 - fixtures of another file are imported by name
"""What belongs to one ward stays out of the hands of another, whichever door is tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from clinical.bedside_check.model import Action
from clinical.care_records import Specimen
from clinical.exchange import AdministrationCorrected, CareRecorded, DeviceReleased
from clinical.records import Administration, Association
from server.storage.codec import to_bytes
from tests.server.fhir.conftest import fhir_as, full, http, http_over  # noqa: F401 - fixtures
from tests.server.fhir.test_creating import observation, order, patient
from tests.support.fhir import second_patient
from tests.support.ward_http import bearer, put_person, token_of


def send(client: TestClient, store: Any, event: Any) -> tuple[str, str]:
    """Upload one event in the name of who did it; returns what became of it."""
    head = bearer(token_of(store, event.operator))
    body = {"events": [msgspec.json.decode(to_bytes(event))]}
    answer = client.post("/api/v1/events", json=body, headers=head)
    assert answer.status_code == 200, answer.text
    one = answer.json()["outcomes"][0]
    return one["status"], one["code"]


@pytest.fixture
def two(full: Any) -> Any:
    """A patient in each of two wards, and a nurse of the first who has no business in the second."""
    applied = full.hospital.apply(second_patient())
    assert applied.ok, applied
    put_person(full.store, "n1", "nurse")
    return full


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_nobody_takes_a_device_off_a_patient_of_another_ward(two: Any, http: TestClient) -> None:
    stay = two.store.picture.stays_of("P-2001")[0]
    here = two.store.picture.stays_of("P-1001")[0]
    for name, of in (("A-w1", here), ("A-w2", stay)):
        made = Association(id=name, device_id=f"mon-{name}", encounter_id=of.id, start=two.clock(), by="bed")
        two.store.write(lambda unit, made=made: unit.put(made))
        event = DeviceReleased(
            id=f"off-{name}", at=two.clock(), sent=two.clock(), operator="n1", handheld="pda-1",
            association_id=name,
        )  # fmt: skip
        assert send(http, two.store, event) == {
            "A-w1": ("accepted", ""), "A-w2": ("refused", "other-ward")
        }[name]  # fmt: skip
    kept = {one.id: one.end for one in two.store.picture.all(Association)}
    assert (kept["A-w2"], kept["A-w1"] is not None) == (None, True)


@pytest.mark.requirement("R-SRV-33")
@pytest.mark.hazard("H-SRV-11")
def test_a_step_of_care_on_a_sample_of_another_ward_is_kept_and_flagged(two: Any, http: TestClient) -> None:
    stay = two.store.picture.stays_of("P-2001")[0]
    tube = Specimen(
        id="T2", order_id="O-X", patient_id="P-2001", encounter_id=stay.id, container="EDTA", state="printed"
    )
    two.store.write(lambda unit: unit.put(tube))
    event = CareRecorded(
        id="care-1", at=two.clock(), sent=two.clock(), operator="n1", handheld="pda-1", subject_id="T2",
        request=two.request("r9", Action.COLLECT, person="n1"),
    )  # fmt: skip
    assert send(http, two.store, event) == ("accepted-exception", "other-ward")


@pytest.mark.requirement("R-GIVE-05")
@pytest.mark.hazard("H-GIVE-04")
def test_a_correction_that_claims_to_be_old_is_held_to_the_time_somebody_may_be_without_the_server(
    full: Any, http: TestClient
) -> None:
    def corrected(name: str, at: Any) -> tuple[str, str]:
        event = AdministrationCorrected(
            id=name, at=at, sent=at, operator="N20713", handheld="pda-1", administration_id="e1",
            outcome="entered-in-error", reason="wrong button",
        )  # fmt: skip
        return send(http, full.store, event)

    done = full.clock()
    full.clock.move(days=2)
    assert corrected("back-dated", done) == ("refused", "not-yours")
    assert full.store.picture.get(Administration, "e1").outcome == "given"
    full.clock.now = done + timedelta(hours=35)  # written within the day, heard eleven hours later
    assert corrected("late", done + timedelta(hours=24)) == ("accepted", "")


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_an_engineer_of_one_ward_makes_tokens_of_that_ward_alone(two: Any, http: TestClient) -> None:
    put_person(two.store, "mine", "engineer")
    put_person(two.store, "all", "engineer", wards=())

    def make(person: str, *scopes: str) -> tuple[int, str]:
        body = {"name": f"{person}-{len(scopes)}", "scopes": scopes}
        answer = http.post("/api/v1/fhir-tokens", json=body, headers=bearer(token_of(two.store, person)))
        return answer.status_code, answer.json().get("code", "")

    assert make("mine", "system/*.rs") == (403, "other-ward")
    assert make("mine", "system/*.rs?ward=W2") == (403, "other-ward")
    assert make("mine", "system/*.rs?ward=W1", "system/Patient.r") == (403, "other-ward")
    assert make("mine", "system/*.rs?ward=W1") == (201, "")
    assert make("all", "system/*.rs") == (201, "")


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_a_system_that_may_only_create_in_one_ward_reads_nothing_of_another_by_its_number(
    two: Any, fhir_as: Any
) -> None:
    big = fhir_as(scopes=("system/*.crs",), name="big")
    assert big.ask("POST", "/MedicationRequest", json=order("Patient/P-2001", "PL77")).status_code == 201
    assert big.ask("POST", "/Observation", json=observation("Patient/P-2001", "lab-1")).status_code == 201
    types = ("MedicationRequest", "Observation", "Patient")
    small = fhir_as(scopes=tuple(f"system/{one}.c?ward=W1" for one in types), name="small")
    for kind, body in (
        ("MedicationRequest", order("Patient/P-1001", "PL77")),
        ("Observation", observation("Patient/P-1001", "lab-1")),
    ):
        number = body["identifier"][0]["value"]
        head = {"If-None-Exist": f"identifier={number}"}
        answer = small.ask("POST", f"/{kind}", json=body, headers=head)
        assert (answer.status_code, "2001" in answer.text) == (409, False), answer.text
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "identifier-known"


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_whom_a_system_may_create_and_not_read_it_learns_nothing_about(full: Any, fhir_as: Any) -> None:
    small = fhir_as(scopes=("system/Patient.c?ward=W1",), name="small")
    assert small.refused("GET", "/Patient/P-1001")[0] == 403
    head = {"If-None-Exist": "identifier=1001"}
    there = small.ask("POST", "/Patient", json=patient("1001"), headers=head)
    assert (there.status_code, there.json()) == (
        200, {"resourceType": "Patient", "id": "P-1001", "meta": {}}
    )  # fmt: skip
    both = fhir_as(scopes=("system/Patient.cr?ward=W1",), name="both")
    assert both.ask("POST", "/Patient", json=patient("1001"), headers=head).json()["birthDate"]


@pytest.mark.requirement("R-PEOPLE-04")
@pytest.mark.hazard("H-PEOPLE-01")
def test_a_manager_gives_up_handhelds_of_their_own_ward_alone(two: Any, http: TestClient) -> None:
    put_person(two.store, "n2", "nurse", wards=("W2",))
    put_person(two.store, "boss", "manager")
    held = {one: token_of(two.store, *one) for one in (("n1", "pda-W1"), ("n2", "pda-W2"))}

    def give_up(handheld: str, person: str = "boss") -> tuple[int, str]:
        head = bearer(token_of(two.store, person))
        asked = {"why": "lost on the tram"}
        answer = http.delete(f"/api/v1/handhelds/{handheld}/sessions", params=asked, headers=head)
        return answer.status_code, answer.json().get("code", "")

    assert give_up("pda-W2") == (403, "other-ward")
    assert give_up("pda-W1") == (200, "")
    me = [http.get("/api/v1/me", headers=bearer(token)).status_code for token in held.values()]
    assert me == [410, 200]
    put_person(two.store, "head", "manager", wards=())
    assert give_up("pda-W2", "head") == (200, "")
