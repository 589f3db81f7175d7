"""Who gets in: people by role and ward, systems by the scopes of a token that can be taken away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from clinical.errors import BadInputError
from server.fhir.caller import read_scope
from server.fhir.settings import Fhir as Settings
from server.storage.schema import audit
from tests.support.fhir import Fhir, second_patient
from tests.support.ward_http import bearer, put_person, token_of


def engineer(full: Any) -> dict[str, str]:
    return bearer(token_of(full.store, "E90001"))


def lines(full: Any, action: str) -> list[tuple[str, str, str]]:
    with full.store.reading() as connection:
        rows = connection.execute(audit.select().where(audit.c.action == action).order_by(audit.c.n))
        return [(row.actor, row.entity, row.patient_id) for row in rows]


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_a_token_is_made_shown_once_listed_and_revoked(full: Any, http: Any) -> None:
    head = engineer(full)
    wanted = {"name": "emr", "scopes": ["system/Patient.rs?ward=W1"], "days": 10}
    made = http.post("/api/v1/fhir-tokens", json=wanted, headers=head)
    assert made.status_code == 201, made.text
    client = Fhir(http, made.json()["token"])
    assert len(client.found("/Patient")) == 1
    listed = http.get("/api/v1/fhir-tokens", headers=head)
    assert [one["name"] for one in listed.json()["tokens"]] == ["emr"]
    assert made.json()["token"] not in listed.text
    again = http.post("/api/v1/fhir-tokens", json=wanted, headers=head)
    assert (again.status_code, again.json()["code"]) == (409, "fhir-token-name")
    gone = http.delete(f"/api/v1/fhir-tokens/{made.json()['id']}", headers=head)
    assert gone.status_code == 204
    assert client.refused("GET", "/Patient") == (401, "fhir-token-ended")
    assert http.delete("/api/v1/fhir-tokens/none", headers=head).status_code == 404
    assert [actor for actor, *_ in lines(full, "fhir-token") + lines(full, "fhir-token-revoke")] == [
        "E90001"
    ] * 2


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_a_token_cannot_be_made_of_nonsense_or_for_longer_than_the_site_allows(full: Any, http: Any) -> None:
    head = engineer(full)
    for scopes in (["all"], ["system/Patient.x"], ["system/Procedure.r"], ["system/Patient.r?ward=W9"]):
        answer = http.post("/api/v1/fhir-tokens", json={"name": "x", "scopes": scopes}, headers=head)
        assert answer.status_code in {404, 422}, scopes
    http.app.state.fhir.settings = Settings(token_days=5)
    long = {"name": "x", "scopes": ["system/Patient.r"], "days": 6}
    assert http.post("/api/v1/fhir-tokens", json=long, headers=head).json()["code"] == "fhir-token-days"


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_a_token_ends_by_itself(full: Any, fhir_as: Any) -> None:
    client = fhir_as(scopes=("system/Patient.rs",))
    assert client.found("/Patient")
    full.clock.now += timedelta(days=31)
    assert client.refused("GET", "/Patient") == (401, "fhir-token-ended")


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_scopes_hold_by_type_act_and_ward(full: Any, fhir_as: Any) -> None:
    full.hospital.apply(second_patient())
    mine = fhir_as(
        scopes=("system/Patient.rs?ward=W1", "system/Task.r?ward=W1", "system/Observation.c?ward=W1")
    )
    assert [one["id"] for one in mine.found("/Patient")] == ["P-1001"]
    assert mine.refused("GET", "/Patient/P-2001") == (403, "other-ward")
    assert mine.refused("GET", "/Task") == (403, "role")
    assert mine.refused("GET", "/Encounter/E-V1001") == (403, "role")
    assert mine.refused("GET", "/AuditEvent") == (403, "role")
    assert mine.refused("POST", "/Patient", json={"resourceType": "Patient"}) == (403, "role")
    body = {
        "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/P-2001"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "effectiveDateTime": "2026-05-04T09:00:00+08:00", "valueQuantity": {"value": 70, "code": "/min"},
    }  # fmt: skip
    assert mine.refused("POST", "/Observation", json=body) == (403, "other-ward")
    audit_of_one = fhir_as(scopes=("system/AuditEvent.rs?ward=W1",), name="audit")
    about = {one["entity"][0]["what"].get("reference") for one in audit_of_one.found("/AuditEvent")}
    assert about == {"Patient/P-1001"}
    everywhere = fhir_as(scopes=("system/*.rs",), name="all")
    assert len(everywhere.found("/Patient")) == 2


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_people_read_their_own_ward_by_role_and_create_nothing(full: Any, fhir_as: Any) -> None:
    full.hospital.apply(second_patient())
    put_person(full.store, "N2", "nurse", wards=("W2",))
    put_person(full.store, "RO", "read-only")
    nurse, elsewhere, engineer_, guest = (fhir_as(one) for one in ("N20713", "N2", "E90001", "RO"))
    assert [one["id"] for one in nurse.found("/Patient")] == ["P-1001"]
    assert [one["id"] for one in elsewhere.found("/Patient")] == ["P-2001"]
    assert elsewhere.refused("GET", "/Patient/P-1001/$everything") == (403, "other-ward")
    assert elsewhere.found("/Observation", patient="P-1001") == []
    assert engineer_.refused("GET", "/Patient") == (403, "role")
    assert engineer_.found("/Device")
    assert guest.found("/Location")
    assert guest.refused("GET", "/Device") == (403, "role")
    assert nurse.refused("GET", "/AuditEvent") == (403, "role")
    assert nurse.refused("POST", "/Patient", json={"resourceType": "Patient"}) == (403, "role")


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_a_ward_opened_with_a_reason_is_read_and_the_use_is_written_down(
    full: Any, http: Any, fhir_as: Any
) -> None:
    put_person(full.store, "N2", "nurse", wards=("W2",))
    guest = fhir_as("N2")
    http.post("/api/v1/wards/W1/break-glass", json={"reason": "抢救：01床需要"}, headers=guest.head)
    assert [one["id"] for one in guest.found("/Patient")] == ["P-1001"]
    assert [actor for actor, *_ in lines(full, "break-glass-use")] == ["N2"]


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_what_a_system_looks_at_is_written_down_once_a_minute(full: Any, fhir_as: Any) -> None:
    client = fhir_as(scopes=("system/*.rs",))
    for _ in range(3):
        client.get("/Patient/P-1001")
        client.get("/Observation", patient="Patient/P-1001")
    assert lines(full, "fhir-read") == [("system:emr", "fhir:Patient/P-1001", "P-1001")]
    assert lines(full, "fhir-search") == [("system:emr", "fhir:Observation", "P-1001")]
    full.clock.move(seconds=61)
    client.get("/Patient/P-1001")
    assert len(lines(full, "fhir-read")) == 2


@pytest.mark.requirement("R-FHR-06")
@pytest.mark.hazard("H-FHR-01")
def test_a_token_that_asks_too_often_waits(full: Any, http: Any, fhir_as: Any) -> None:
    http.app.state.fhir.settings = Settings(requests_per_minute=10)
    client = fhir_as(scopes=("system/*.rs",))
    answers = [client.ask("GET", "/Location").status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]
    waits = client.ask("GET", "/Location")
    assert (waits.json()["issue"][0]["code"], int(waits.headers["retry-after"])) == ("throttled", 61)
    full.clock.move(seconds=61)
    assert client.ask("GET", "/Location").status_code == 200


@pytest.mark.requirement("R-FHR-06")
def test_a_scope_reads_back_as_it_was_written() -> None:
    for text in ("system/*.rs", "system/Observation.crds?ward=W1"):
        assert str(read_scope(text)) == text
    for text in (
        "",
        "patient/Patient.r",
        "system/Patient.",
        "system/Patient.ru",
        "system/Patient.r?ward=",
        "system/patient.r",
    ):
        with pytest.raises(BadInputError):
            read_scope(text)
