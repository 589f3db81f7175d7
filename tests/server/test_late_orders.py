"""Doses of orders that reached us late, or fell due while the server was away, are missed and never lost."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest

from clinical.records import Alarm, Task, TaskStatus
from server.sync.events import apply
from server.tasks import service as tasks
from server.ticker import tidy

pytestmark = [pytest.mark.requirement("R-INF-09"), pytest.mark.hazard("H-INF-04")]


def slots(ward: Any, order_id: str) -> list[tuple[float, str]]:
    """Hours from now, and status, of what is planned and past."""
    found = [one for one in ward.store.picture.all(Task) if one.order_id == order_id]
    hours = [((one.planned_at - ward.clock()) / timedelta(hours=1), one.status.value) for one in found]
    return sorted((round(hour, 1), status) for hour, status in hours if hour <= 0)


def missed(ward: Any) -> int:
    return sum(one.condition == "dose-missed" for one in ward.store.picture.all(Alarm))


def extend(ward: Any) -> None:
    ward.store.write(lambda unit: tasks.extend(unit, ward.site.policy))


def test_an_order_that_reaches_us_late_says_which_doses_were_missed(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    began = any_ward.clock()
    any_ward.clock.move(hours=20)
    order = any_ward.order("1001", "M1", frequency="q8h", start=began, at=began)
    assert slots(any_ward, order) == [(-13.0, "missed"), (-5.0, "overdue")]
    assert missed(any_ward) == 1


def test_a_single_dose_that_reaches_us_late_is_overdue(ward: Any) -> None:
    ward.admit("1001", "01")
    began = ward.clock()
    ward.clock.move(hours=10)
    order = ward.order("1001", "M1", start=began, at=began)
    assert slots(ward, order) == [(-10.0, "overdue")]


def test_what_lies_before_the_stay_was_known_here_is_not_ours(ward: Any) -> None:
    ward.admit("1001", "01")
    week = ward.clock() - timedelta(days=7)
    order = ward.order("1001", "M1", frequency="q8h", start=week, at=week)
    assert all(hour >= -4 for hour, _ in slots(ward, order))
    assert missed(ward) == 0
    ward.clock.move(days=9)
    old = ward.order("1001", "M2", frequency="q8h", start=week, at=week)
    assert min(hour for hour, _ in slots(ward, old)) >= -72


def test_a_server_that_was_away_for_two_days_misses_no_slot(ward: Any) -> None:
    ward.admit("1001", "01")
    order = ward.order("1001", "M1", frequency="q8h")
    extend(ward)
    before = {one.planned_at for one in ward.store.picture.all(Task) if one.order_id == order}
    away = ward.clock.move(hours=48)
    ward.store.write(tasks.advance)
    extend(ward)
    planned = sorted(one.planned_at for one in ward.store.picture.all(Task) if one.order_id == order)
    gaps = {later - sooner for sooner, later in itertools.pairwise(planned)}
    assert gaps == {timedelta(hours=8)}
    assert planned[0] == min(before)
    fresh = [one for one in slots(ward, order) if one[0] > -24]
    assert [status for _, status in fresh][:-1] == ["missed"] * (len(fresh) - 1)
    assert missed(ward) >= len(fresh) - 1
    assert max(planned) > away + timedelta(hours=12)


def test_a_dose_that_was_given_long_ago_is_never_planned_again(ward: Any) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "M1"))
    event = ward.given("e1", task, ward.request("r1"))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    ward.clock.move(hours=60)
    ward.store.write(lambda unit: tidy(unit, timedelta(hours=1)))
    assert ward.store.picture.get(Task, task.id) is None
    extend(ward)
    assert not [one for one in ward.store.picture.all(Task) if one.status is not TaskStatus.GIVEN]
