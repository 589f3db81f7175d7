"""The charge nurse divides the beds; alarms then name persons and not only roles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinical.records import Alarm, AlarmPriority, Assignment
from server.alarms import escalation
from server.alarms import service as alarms
from server.assignments import service
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = [pytest.mark.requirement("R-PEOPLE-08"), pytest.mark.hazard("H-PEOPLE-05")]


class Desk:
    """The charge nurse divides beds."""

    def __init__(self, ward: Any, client: TestClient) -> None:
        self.ward, self.client = ward, client
        self.head = bearer(token_of(ward.store, "N10001"))

    def divide(self, beds: dict[str, list[str]], begin: float = 0, hours: float = 8) -> Any:
        since = self.ward.clock() + timedelta(hours=begin)
        body = {
            "since": since.isoformat(), "until": (since + timedelta(hours=hours)).isoformat(), "beds": beds
        }  # fmt: skip
        return self.client.put("/api/v1/wards/W1/assignments", json=body, headers=self.head)

    def read(self, **query: str) -> Any:
        return self.client.get("/api/v1/wards/W1/assignments", headers=self.head, params=query).json()


@pytest.fixture
def desk(ward: Any, tmp_path: Path) -> Iterator[Desk]:
    with serving(ward.store, ward.site, tmp_path) as client:
        yield Desk(ward, client)


def test_beds_are_divided_and_told_to_handhelds_and_who_is_left_out_has_none(desk: Desk) -> None:
    made = desk.divide({"N20713": ["01", "02"], "N20488": ["03"], "N10001": []})
    assert made.status_code == 200, made.text
    assert made.json()["uncovered"] == ["04", "05", "06", "07", "08"]
    desk.divide({"N20713": ["01", "03"]})
    assert [(one["practitioner_id"], one["beds"]) for one in desk.read()["assignments"]] == [
        ("N20713", ["01", "03"])
    ]
    facts = desk.client.get("/api/v1/wards/W1/changes", headers=desk.head).json()["facts"]
    assert [one["by"] for one in facts["assignments"]] == ["N10001"]
    later = (desk.ward.clock() + timedelta(hours=9)).isoformat()
    assert desk.read(at=later)["assignments"] == []


WRONG: list[tuple[dict[str, list[str]], float, float, str]] = [
    ({"N20713": ["99"]}, 0, 8, "assignment-bed"),
    ({"nobody": ["01"]}, 0, 8, "assignment-person"),
    ({"boiler": ["01"]}, 0, 8, "assignment-person"),
    ({"N20713": ["01"]}, 0, 25, "period"),
    ({"N20713": ["01"]}, -9, 8, "assignment-time"),
    ({"N20713": ["01"]}, 24 * 32, 8, "assignment-time"),
    ({"N20713": ["01"]}, 4, 8, "assignment-overlap"),
]
"""Beds, begin in hours from now, hours, and with which code it is refused."""


def test_a_division_that_cannot_be_is_refused_with_what_to_do(desk: Desk) -> None:
    put_person(desk.ward.store, "boiler", "engineer")
    assert desk.divide({"N20488": ["02"]}).status_code == 200
    for beds, begin, hours, code in WRONG:
        answer = desk.divide(beds, begin, hours)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [one["practitioner_id"] for one in desk.read()["assignments"]] == ["N20488"]


def test_an_alarm_names_the_beds_nurse_at_once_and_then_who_each_step_tells(desk: Desk) -> None:
    ward = desk.ward
    ward.admit("1001", "01")
    desk.divide({"N20713": ["01"], "N20488": ["02"], "N10001": []})
    seen = alarms.Condition(
        condition="no-flow", priority=AlarmPriority.HIGH, at=ward.clock(), encounter_id="E-V1001"
    )
    ward.store.write(lambda unit: alarms.begin(unit, seen))
    told = []
    for seconds in (1, 60, 60):
        ward.clock.move(seconds=seconds)
        ward.store.write(lambda unit: escalation.tick(unit, ward.site.policy))
        told.append(next(ward.store.picture.all(Alarm)).params.get("told"))
    assert told == ["N20713", "N20713,N10001,N20488", "N20713,N10001,N20488,D30012"]
    with ward.store.reading() as connection:
        lines = connection.exec_driver_sql(
            "SELECT detail FROM audit WHERE action = 'alarm-escalate' ORDER BY n"
        ).all()
    assert [line[0] for line in lines] == ["next-nurse N10001 N20488", "charge-nurse N10001", "doctor D30012"]


def test_a_shift_that_is_long_over_leaves_the_picture(desk: Desk) -> None:
    desk.divide({"N20713": ["01"]})
    desk.ward.clock.move(hours=8 + 48, seconds=1)
    desk.ward.store.write(lambda unit: service.tidy(unit, timedelta(hours=48)))
    assert list(desk.ward.store.picture.all(Assignment)) == []
