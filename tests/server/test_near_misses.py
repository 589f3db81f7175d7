"""What was stopped before it happened: listed to learn from, without names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clinical.bedside_check.model import Action
from clinical.identifiers import hospital
from server.administrations import service as administrations
from tests.server.conftest import WardBench
from tests.support.ward_http import bearer, put_person, serving, token_of, with_second_ward

pytestmark = [pytest.mark.requirement("R-GIVE-06"), pytest.mark.hazard("H-GIVE-05")]


@pytest.fixture
def stopped(ward: WardBench) -> WardBench:
    """Three stops and one question that was fine."""
    ward.site = with_second_ward(ward.site)
    ward.admit("1001", "01")
    ward.admit("1002", "02", "李秀兰")
    label = hospital.encode("bag", ward.bag(ward.task_of(ward.order_bag("1001", "B1")).id).id)
    asked = (
        ward.request("good", Action.START, items=(label,), device_id="ble:c0-00-00-00-01-01"),
        ward.request("other", Action.START, mrn="1002", items=(label,)),
        ward.request("nobody", Action.START, mrn="7777", items=(label,)),
        ward.request("again", Action.START, mrn="1002", items=(label,)),
    )
    for request in asked:
        ward.clock.move(minutes=1)
        ward.store.write(
            lambda unit, request=request: administrations.answer(  # type: ignore[misc]
                unit, ward.site, ward.session(), request, "W1"
            )
        )
    return ward


def listed(ward: WardBench, tmp_path: Path, person: str, place: str = "W1", **more: Any) -> Any:
    query = {
        "since": (ward.clock() - timedelta(hours=1)).isoformat(),
        "until": (ward.clock() + timedelta(minutes=1)).isoformat(),
    }
    with serving(ward.store, ward.site, tmp_path) as client:
        answer = client.get(
            f"/api/v1/wards/{place}/near-misses",
            params=query | more,
            headers=bearer(token_of(ward.store, person)),
        )
    return answer.json()


def test_every_stop_is_listed_newest_first_in_pages_and_names_nobody(
    stopped: WardBench, tmp_path: Path
) -> None:
    found = listed(stopped, tmp_path, "N10001")["near_misses"]
    assert [one["id"] for one in found] == ["again", "nobody", "other"]
    assert found[0]["codes"][0] == "MED-WRONG-PATIENT"
    assert set(found[0]) == {"id", "at", "action", "codes", "side"}
    second = listed(stopped, tmp_path, "N10001", limit=1, offset=1)["near_misses"]
    assert [one["id"] for one in second] == ["nobody"]


def test_a_ward_reads_its_own_and_a_period_that_cannot_be_is_refused(
    stopped: WardBench, tmp_path: Path
) -> None:
    put_person(stopped.store, "manager-2", "manager", wards=("W2",))
    assert listed(stopped, tmp_path, "manager-2", "W2") == {"near_misses": []}
    assert listed(stopped, tmp_path, "manager-2")["code"] == "other-ward"
    backwards = listed(stopped, tmp_path, "N10001", until="2026-01-01T00:00:00Z")
    assert backwards["code"] == "period"
