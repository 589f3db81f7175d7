"""Wristbands: one at a time identifies, whatever else was printed before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from clinical.bedside_check.model import Action
from clinical.errors import ConflictError, NotFoundError, RefusedError
from clinical.identifiers import hospital, resolve
from clinical.records import Patient, Wristband
from server.administrations import service as administrations
from server.his.port import DischargePatient
from server.storage.store import Store
from server.ticker import tidy
from server.wristbands import service as wristbands
from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[1] / "data" / "ward.toml"


def issue(ward: Any, person: str = "N20713", stay: str = "E-V1001") -> Wristband:
    band: Wristband = ward.store.write(lambda unit: wristbands.issue(unit, stay, ward.session(person)))
    return band


def active(store: Store) -> list[str]:
    return [band.serial for band in store.picture.all(Wristband) if band.active]


@pytest.mark.requirement("R-SRV-20")
@pytest.mark.hazard("H-SRV-09")
def test_a_new_wristband_retires_the_earlier_ones_at_once(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    assert [issue(any_ward).serial, issue(any_ward, "N10001").serial] == ["2", "3"]
    assert active(any_ward.store) == ["3"]


@pytest.mark.requirement("R-SRV-20")
@pytest.mark.hazard("H-SRV-09")
@pytest.mark.parametrize(("serial", "revoked"), [("1", True), ("2", False)])
def test_a_revoked_wristband_stops_the_check(ward: Any, serial: str, revoked: bool) -> None:
    ward.admit("1001", "01")
    bag = ward.bag(ward.task_of(ward.order_bag("1001", "B1")).id)
    issue(ward)
    request = ward.request(
        "r1", Action.START, items=(hospital.encode("bag", bag.id),), device_id="ble:c0-00-00-00-01-01"
    )
    scan = ward.scan(hospital.encode("wristband", "1001", serial))
    answer = ward.store.write(
        lambda unit: administrations.answer(
            unit, ward.site, ward.session(), replace(request, patient_scan=scan), "W1"
        )
    )
    assert ("PT-LABEL-REVOKED" in [one.code for one in answer.result.findings]) is revoked
    assert (answer.lease is None) is revoked


@pytest.mark.requirement("R-SRV-20")
def test_only_nurses_issue_and_only_for_a_stay_that_goes_on(ward: Any) -> None:
    ward.admit("1001", "01")
    for person in ("D30012", "E90001"):
        with pytest.raises(RefusedError):
            issue(ward, person)
    with pytest.raises(NotFoundError):
        issue(ward, stay="E-V9")
    ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001"))
    ward.off()
    with pytest.raises(ConflictError):
        issue(ward)
    assert active(ward.store) == ["1"]


@pytest.mark.requirement("R-SRV-20")
@pytest.mark.hazard("H-SRV-09")
def test_a_serial_is_never_used_again_for_a_patient_who_comes_back(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    issue(any_ward)
    any_ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001"))
    any_ward.off()
    any_ward.clock.move(hours=25)
    any_ward.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert any_ward.store.picture.get(Patient, "P-1001") is None
    any_ward.admit("1001", "01")
    assert active(any_ward.store) == ["3"]


@pytest.fixture
def server(ward: Any, tmp_path: Path) -> Iterator[WardProcess]:
    ward.admit("1001", "01")
    ward.store.close()
    process = WardProcess(tmp_path, WARD_FILE, url=f"sqlite:///{tmp_path / 'ward.db'}")
    process.start()
    yield process
    assert process.stop() == 0


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-20")
def test_a_wristband_is_issued_over_http(server: WardProcess) -> None:
    body = {"encounter_id": "E-V1001"}
    with httpx2.Client(base_url=f"{server.base}/api/v1") as nobody:
        assert nobody.post("/wristbands", json=body).status_code == 401
    with server.client() as nurse, server.client("D30012", "7412") as doctor:
        assert doctor.post("/wristbands", json=body).json()["code"] == "role"
        assert nurse.post("/wristbands", json={"encounter_id": "E-V9"}).status_code == 404
        assert nurse.post("/wristbands", json={}).status_code == 422
        issued = nurse.post("/wristbands", json=body)
        assert issued.status_code == 201
        seen = resolve(issued.json()["code"])
        bands = nurse.get("/wards/W1/changes").json()["facts"]["wristbands"]
    assert (seen.kind, seen.value, seen.serial, seen.valid) == ("wristband", "1001", "2", True)
    assert [(band["serial"], band["active"]) for band in bands] == [("1", False), ("2", True)]
