"""Windows at their edges: what a change of one word or one minute in the rules would break."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical import windows
from clinical.policy import SitePolicy, WindowPolicy
from clinical.records import TaperStep, TaskStatus
from tests.support.bedside import NOON, POLICY, TABLET_ORDER, dose, task

pytestmark = [pytest.mark.requirement("R-CLIN-05"), pytest.mark.hazard("H-CLIN-03")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def side(interval, **policy):
    return windows.margin(interval, WindowPolicy(**policy)).late_min


def late_min(order, policy):
    return (windows.window(order, NOON, policy)[1] - NOON) / MINUTE


def test_four_hours_have_the_hourly_window_and_less_a_quarter():
    assert [side(interval) for interval in (239, 240, 1439, 1440)] == [59, 60, 60, 120]
    assert windows.margin(240, WindowPolicy(hourly_min=45)).early_min == 45


def test_a_wide_site_window_is_cut_so_that_neighbours_never_touch():
    assert [side(interval, hourly_min=900) for interval in (240, 241, 242)] == [119, 120, 120]
    assert side(1, short_interval_min=0) == 0
    assert side(0, short_interval_min=0) == 0


def test_minutes_are_whole():
    assert isinstance(side(241, hourly_min=900), int)
    assert isinstance(windows.minutes_off(NOON, NOON + 90 * MINUTE), int)
    assert windows.minutes_off(NOON, NOON - timedelta(seconds=1)) == -1
    assert windows.minutes_off(NOON, NOON + timedelta(seconds=59)) == 0


def test_only_a_flagged_order_has_the_narrow_window():
    assert late_min(TABLET_ORDER, POLICY) == 60
    assert late_min(replace(TABLET_ORDER, time_critical=True), POLICY) == 30


def test_the_interval_is_that_of_the_route():
    policy = SitePolicy.from_dict({"clock_times": {"bid": {"oral": ["08:00", "20:00"],
                                                           "injection": ["09:00", "11:00"]}}})  # fmt: skip
    by_mouth = replace(TABLET_ORDER, frequency="bid")
    assert late_min(by_mouth, policy) == 60
    assert late_min(replace(by_mouth, route="IV"), policy) == 30


def test_an_order_without_interval_counts_as_a_daily_one():
    policy = SitePolicy.from_dict({"windows": {"daily_min": 5000}})
    assert late_min(replace(TABLET_ORDER, frequency="prn"), policy) == 719


@pytest.mark.parametrize(("hours", "early_h"), [(3, 3), (0.5, 1), (4, 1), (20, 1), (0, 1)])
def test_a_first_dose_near_the_start_may_be_given_from_the_start(hours, early_h):
    new = replace(TABLET_ORDER, start=NOON)
    planned = NOON + hours * HOUR
    earliest, latest = windows.window(new, planned, POLICY)
    assert ((planned - earliest) / HOUR, (latest - planned) / HOUR) == (early_h, 1)
    never = SitePolicy.from_dict({"windows": {"first_dose_align_percent": 0}})
    assert (planned - windows.window(new, planned, never)[0]) / HOUR == 1


@pytest.mark.parametrize("kind", ["removal", "prn-effect"])
def test_what_follows_on_a_dose_is_late_but_never_missed(kind):
    late = task(TABLET_ORDER, NOON, kind=kind, status=TaskStatus.PENDING, earliest=NOON, latest=NOON)
    ended = replace(TABLET_ORDER, end=NOON)
    after = {"next_earliest": NOON}
    assert windows.task_status(late, ended, NOON + HOUR, **after) is TaskStatus.OVERDUE
    assert windows.task_status(replace(late, kind="medication"), ended, NOON + HOUR) is TaskStatus.MISSED


@pytest.mark.parametrize("category", ["stat", "once"])
def test_what_is_done_once_may_be_done_from_the_start_of_its_order(category):
    order = replace(TABLET_ORDER, category=category, frequency="q8h", start=NOON - HOUR)
    late = 30 * MINUTE if category == "stat" else 120 * MINUTE
    assert windows.window(order, NOON, POLICY) == (NOON - HOUR, NOON + late)
    standing = replace(TABLET_ORDER, frequency="once", start=NOON - HOUR)
    assert windows.window(standing, NOON, POLICY) == (NOON - HOUR, NOON + 120 * MINUTE)
    assert windows.window(replace(standing, frequency="st"), NOON, POLICY)[1] == NOON + 30 * MINUTE
    ends = replace(standing, end=NOON + 5 * HOUR)
    assert windows.window(ends, NOON, POLICY)[1] == NOON + 5 * HOUR
    assert windows.window(replace(standing, end=NOON - MINUTE), NOON, POLICY)[1] == NOON
    assert windows.window(standing, NOON - 2 * HOUR, POLICY)[0] == NOON - 2 * HOUR


def test_seconds_and_fractions_do_not_count():
    late = NOON + timedelta(seconds=59, microseconds=999_999)
    assert not windows.is_late(late, NOON)
    assert not windows.is_early(NOON, late)
    assert windows.minutes_off(late, NOON) == 0
    exact = NOON + timedelta(microseconds=1)
    assert not windows.is_late(exact, NOON)


@pytest.mark.parametrize("known", [{"earliest": NOON - HOUR}, {"latest": NOON + HOUR}])
def test_a_task_with_half_a_window_is_due(known):
    slot = task(TABLET_ORDER, NOON, status=TaskStatus.PENDING, **known)
    assert windows.task_status(slot, TABLET_ORDER, NOON + 9 * HOUR) is TaskStatus.DUE
    unplanned = replace(slot, planned_at=None)
    assert windows.task_status(unplanned, TABLET_ORDER, NOON) is TaskStatus.DUE


def test_a_task_is_missed_at_the_very_end_of_its_order():
    order = replace(TABLET_ORDER, end=NOON + 2 * HOUR)
    slot = task(order, NOON, earliest=NOON - HOUR, latest=NOON + HOUR, status=TaskStatus.PENDING)
    found = [windows.task_status(slot, order, NOON + 2 * HOUR - MINUTE * late) for late in (1, 0)]
    assert found == [TaskStatus.OVERDUE, TaskStatus.MISSED]


def test_half_of_the_interval_is_exact():
    new = replace(TABLET_ORDER, start=NOON)
    opens = [windows.window(new, NOON + minutes * MINUTE, POLICY)[0] for minutes in (239, 240)]
    assert opens == [NOON, NOON + 180 * MINUTE]


@pytest.mark.parametrize(
    ("first", "second", "side"),
    [("23:30", "00:31", 30), ("23:30", "00:30", 29), ("23:30", "03:30", 119), ("23:59", "00:00", 0)],
)
def test_beside_the_border_of_two_steps_the_windows_do_not_touch(first, second, side):
    midnight = NOON + 12 * HOUR  # of the ward's clock
    steps = (TaperStep(days=2, dose=dose(2, "mg"), frequency=first),
             TaperStep(days=2, dose=dose(1, "mg"), frequency=second))  # fmt: skip
    order = replace(TABLET_ORDER, taper=steps, start=NOON - 24 * HOUR)
    slot = midnight - (60 - int(first[3:])) * MINUTE
    earliest, latest = windows.window(order, slot, POLICY)
    assert ((slot - earliest) / MINUTE, (latest - slot) / MINUTE) == (side, side)
