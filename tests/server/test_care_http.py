"""The routes of blood, samples and the timed list, over a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"
UNIT = {
    "id": "u1", "donation": "A123426012345", "product_id": "RBC", "product_code": "E0382V00",
    "component": "red-cells", "group": "A+", "patient_id": "P-1", "order_id": "O-1",
    "expires_at": "2026-05-06T00:00:00Z",
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WardProcess]:
    process = WardProcess(tmp_path_factory.mktemp("care"), WARD_FILE)
    process.start()
    yield process
    assert process.stop() == 0


@pytest.fixture
def nurse(server: WardProcess) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.mark.requirement("R-CARE-04")
def test_an_empty_ward_asks_for_nothing_and_another_ward_is_not_known(nurse: httpx2.Client) -> None:
    assert nurse.get("/wards/W1/care").json()["items"] == []
    assert nurse.get("/wards/W9/care").status_code in {403, 404}


@pytest.mark.requirement("R-CARE-01")
def test_blood_is_taken_in_by_the_charge_nurse_for_an_order_that_is_known(
    server: WardProcess, nurse: httpx2.Client
) -> None:
    assert nurse.post("/blood-units", json=UNIT).status_code == 403
    assert nurse.post("/blood-units/none/returned").json()["code"] == "unknown-unit"
    with httpx2.Client(base_url=f"{server.base}/api/v1", timeout=30.0) as client:
        token = client.post("/sessions", json={"badge": "N10001", "pin": "3690"}).json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        refused = client.post("/blood-units", json=UNIT)
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown-order")


@pytest.mark.requirement("R-CARE-02")
@pytest.mark.parametrize("path", ["/tasks/none/specimen", "/specimens/none/received"])
def test_a_sample_that_nobody_planned_is_answered_with_a_problem(nurse: httpx2.Client, path: str) -> None:
    answer = nurse.post(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
