"""What waits for a person: put-aside messages, unknown codes, unfiled readings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from clinical.errors import ConflictError
from clinical.records import Encounter, Generation, Patient
from server.corrections import service
from server.corrections.service import Filing
from server.his_link import HospitalLink
from server.observations.unassigned import worklist
from server.settings import His
from server.storage.schema import hl7_messages, nodes, rollups_due, samples
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = [pytest.mark.requirement("R-SRV-39"), pytest.mark.hazard("H-SRV-17")]
SECOND = timedelta(seconds=1)
ADMIT = (
    "MSH|^~\\&|HIS|H|WARDLINK|W|20260504085900+0800||ADT^A01^ADT_A01|C1|P|2.5\r"
    "EVN|A01|20260504085900+0800\r"
    "PID|1||2001^^^H^MR||张^建国||19580614|M\r"
    "PV1|1|I|W1^1^{bed}||||||||||||||||V2001\r"
)


@pytest.fixture
def link(ward: Any) -> HospitalLink:
    return HospitalLink(His(), ward.store, ward.site)


@pytest.fixture
def client(ward: Any, link: HospitalLink, tmp_path: Path) -> Iterator[TestClient]:
    with serving(ward.store, ward.site, tmp_path, take_message=link.take_again) as client:
        yield client


def head(ward: Any, person: str = "N10001") -> dict[str, str]:
    return bearer(token_of(ward.store, person))


def stuck(client: TestClient, ward: Any, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/worklists/messages", headers=head(ward), params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["messages"])


def actions(ward: Any) -> list[str]:
    with ward.store.reading() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT action FROM audit ORDER BY n")]


def test_a_message_with_an_unknown_bed_is_tried_again_once_the_bed_is_mapped(
    ward: Any, link: HospitalLink, client: TestClient
) -> None:
    link.take_again(ADMIT.format(bed="OLD-7").encode())
    (message,) = stuck(client, ward, unmapped=True)
    assert (message["error_code"], message["direction"]) == ("unmapped-bed", "in")
    address = f"/api/v1/worklists/messages/{message['id']}"
    assert "OLD-7" in client.get(address, headers=head(ward)).json()["text"]
    why = {"why": "bed OLD-7 is our bed 07"}
    failed = client.post(f"{address}/retry", headers=head(ward), json=why).json()
    assert failed["error_code"] == "unmapped-bed"
    mapping = {"system": "bed", "code": "OLD-7", "target": "07"}
    assert client.post("/api/v1/worklists/mappings", headers=head(ward), json=mapping).status_code == 201
    assert client.post(f"{address}/retry", headers=head(ward), json=why).json()["state"] == "applied"
    (stay,) = ward.store.picture.all(Encounter)
    assert stay.bed == "07"
    assert stuck(client, ward) == []
    again = client.post(f"{address}/retry", headers=head(ward), json=why)
    assert (again.status_code, again.json()["code"]) == (409, "message-not-failed")
    assert {"message-read", "message-retry", "mapping"} <= set(actions(ward))
    listed = client.get("/api/v1/worklists/mappings/bed", headers=head(ward)).json()["mappings"]
    assert mapping in listed


def test_what_cannot_be_read_waits_for_the_hospital_and_an_unknown_message_is_not_found(
    ward: Any, link: HospitalLink, client: TestClient
) -> None:
    link.take_again(b"\x00garbage")
    (message,) = stuck(client, ward)
    assert stuck(client, ward, unmapped=True) == []
    address = f"/api/v1/worklists/messages/{message['id']}/retry"
    answer = client.post(address, headers=head(ward), json={"why": "try again"})
    assert answer.json()["code"] == "message-not-failed"
    none = client.post("/api/v1/worklists/messages/none/retry", headers=head(ward), json={"why": "try again"})
    assert (none.status_code, none.json()["code"]) == (404, "unknown-message")


def test_a_message_the_hospital_refused_is_sent_again(ward: Any, client: TestClient, link: Any) -> None:
    link.take_again(ADMIT.format(bed="OLD-7").encode())
    with_state = {"direction": "out", "state": "rejected"}
    ward.store.write(lambda unit: unit.connection.execute(update(hl7_messages).values(with_state)))
    (message,) = stuck(client, ward)
    address = f"/api/v1/worklists/messages/{message['id']}/retry"
    assert client.post(address, headers=head(ward), json={"why": "HIS is back"}).json()["state"] == "queued"


def test_a_nurse_of_one_ward_does_not_read_messages_about_another(
    ward: Any, link: HospitalLink, client: TestClient
) -> None:
    link.take_again(ADMIT.format(bed="OLD-7").encode())
    (message,) = stuck(client, ward)
    put_person(ward.store, "M2", "manager", wards=("W2",))
    answer = client.get(f"/api/v1/worklists/messages/{message['id']}", headers=head(ward, "M2"))
    assert answer.json()["code"] == "other-ward"
    assert client.get("/api/v1/worklists/messages", headers=head(ward, "N20713")).json()["code"] == "role"


@pytest.mark.parametrize(("system", "target"), [("ward", "W9"), ("bed", "99"), ("drug", "NOTHING")])
def test_a_code_is_not_mapped_to_what_is_not_here(
    ward: Any, client: TestClient, system: str, target: str
) -> None:
    body = {"system": system, "code": "X", "target": target}
    answer = client.post("/api/v1/worklists/mappings", headers=head(ward), json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "mapping")


def put_samples(ward: Any, count: int, generation: str = "Demo", node: str = "n1") -> None:
    def write(unit: Any) -> None:
        unit.connection.execute(
            nodes.insert().values(id=node, ward="W1", beds="[]", since=unit.now, status="")
        )
        for number in range(count):
            unit.connection.execute(
                samples.insert().values(
                    id=f"s{number}", device_id="d1", node=node, outbox="o", seq=number,
                    effective=unit.now - timedelta(minutes=number), recorded=unit.now, encounter_id="",
                    unassigned="no-association", infusion_id="", generation=generation, clock="synchronised",
                    uncertainty_ms=0, layout=1, vals=b"", validity=b"",
                )
            )  # fmt: skip

    ward.store.write(write)


def filing(ward: Any, **said: Any) -> dict[str, Any]:
    now = ward.clock()
    return {
        "device_id": "d1", "reason": "no-association", "encounter_id": "E-V1001", "why": "forgot to scan",
        "since": (now - timedelta(minutes=3)).isoformat(), "until": (now + timedelta(seconds=1)).isoformat(),
    } | said  # fmt: skip


def test_readings_are_filed_on_a_stay_with_a_reason_and_only_once(any_ward: Any) -> None:
    ward = any_ward
    ward.admit("1001", "01")
    put_samples(ward, 6)
    one = Filing(**filing(ward, since=ward.clock() - timedelta(minutes=3), until=ward.clock() + SECOND))
    manager = ward.session("N10001")
    assert ward.store.write(lambda unit: service.file_readings(unit, manager, one)) == 4
    with pytest.raises(ConflictError):
        ward.store.write(lambda unit: service.file_readings(unit, manager, one))
    with ward.store.reading() as connection:
        filed = connection.execute(select(samples.c.id).where(samples.c.encounter_id == "E-V1001")).all()
        assert len(filed) == 4
        assert len(connection.execute(select(rollups_due)).all()) == 4
        assert [(one.device_id, one.count) for one in worklist(connection)] == [("d1", 2)]
    assert "file-readings" in actions(ward)


def test_readings_are_listed_and_filed_over_http(ward: Any, client: TestClient) -> None:
    ward.admit("1001", "01")
    put_samples(ward, 6)
    waiting = client.get("/api/v1/unassigned", headers=head(ward)).json()["waiting"]
    assert [(one["device_id"], one["count"]) for one in waiting] == [("d1", 6)]
    answer = client.post("/api/v1/worklists/unassigned/file", headers=head(ward), json=filing(ward))
    assert (answer.status_code, answer.json()) == (200, {"filed": 4})


def test_demo_readings_are_never_filed_on_a_real_patient(ward: Any, client: TestClient) -> None:
    patient_id = ward.admit("1001", "01")
    patient = ward.store.picture.get(Patient, patient_id)
    ward.store.write(lambda unit: unit.put(replace(patient, generation=Generation.REAL)))
    put_samples(ward, 2)
    address = "/api/v1/worklists/unassigned/file"
    assert client.post(address, headers=head(ward), json=filing(ward)).json()["code"] == "already-assigned"
    refused = client.post(address, headers=head(ward), json=filing(ward, reason="not-real"))
    assert refused.json()["code"] == "mapping"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"encounter_id": "none"}, "encounter"),
        ({"until": "2026-05-01T00:00:00Z"}, "span"),
        ({"since": "2026-04-01T00:00:00Z"}, "span"),
        ({"why": "x"}, "request"),
        ({"since": "2026-05-04T09:00:00"}, "request"),
    ],
)
def test_a_filing_that_cannot_be_says_so(
    ward: Any, client: TestClient, said: dict[str, Any], code: str
) -> None:
    ward.admit("1001", "01")
    answer = client.post("/api/v1/worklists/unassigned/file", headers=head(ward), json=filing(ward, **said))
    assert answer.json()["code"] == code
