"""Frequencies, windows, and the splitting of orders into tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical import frequencies, schedule, windows
from clinical.policy import ClockTimes, SitePolicy
from clinical.records import TaskStatus
from tests.support.bedside import NOON, POLICY, TABLET_ORDER, task

pytestmark = [
    pytest.mark.requirement("R-CLIN-04"),
    pytest.mark.requirement("R-CLIN-05"),
    pytest.mark.hazard("H-CLIN-03"),
]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)  # Monday 2 March 00:00 in Shanghai


def ordered(frequency, **more):
    return replace(TABLET_ORDER, **({"frequency": frequency, "start": MIDNIGHT} | more))


def plan(order, days=1, policy=POLICY):
    return schedule.plan(order, since=MIDNIGHT, until=MIDNIGHT + days * DAY, policy=policy)


def hours(tasks):
    return [int((one.planned_at - MIDNIGHT) / HOUR) for one in tasks]


@pytest.mark.parametrize(
    ("frequency", "route", "expected"),
    [
        ("qd", "PO", [8]),
        ("qd", "IV", [9]),
        ("BID", "PO", [8, 16]),
        ("tid", "IM", [9, 13, 17]),
        ("qid", "PO", [8, 12, 16, 20]),
        ("qn", "PO", [20]),
        ("q8h", "PO", [0, 8, 16]),
        ("q12h", "IV", [9, 21]),
        ("q4h", "PO", [0, 4, 8, 12, 16, 20]),
        ("q6h", "IVPB", [3, 9, 15, 21]),
        ("ac", "PO", [7, 11, 17]),
        ("pc", "PO", [8, 12, 18]),
        ("hs", "PO", [21]),
        ("q5h", "PO", [0, 5, 10, 15, 20]),
        ("q24h", "PO", [8]),
        ("06:00,18:00", "PO", [6, 18]),
        ("once", "PO", [0]),
        ("st", "PO", [0]),
        ("q90min", "PO", [0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21, 22]),
    ],
)
def test_a_day_of_each_frequency(frequency, route, expected):
    assert hours(plan(ordered(frequency, route=route))) == expected


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [
        ("qod", [8, 56, 104, 152]),
        ("qw", [8]),
        ("biw", [8, 80]),
        ("tiw", [8, 56, 104]),
        ("@2,5 10:00", [34, 106]),
        ("q72h", [0, 72, 144]),
        ("qw 2", None),
        ("q2w", None),
    ],
)
def test_a_week_of_the_rarer_frequencies(frequency, expected):
    tasks = plan(ordered(frequency), days=7)
    if expected is None:
        assert [one.status for one in tasks] == [TaskStatus.ERROR]
    else:
        assert hours(tasks) == expected


def test_every_second_day_counts_from_the_first_slot_not_from_the_start():
    late = ordered("qod", start=MIDNIGHT + 12 * HOUR)
    assert hours(plan(late, days=6)) == [32, 80, 128]


def test_the_first_day_has_as_many_slots_as_remain_and_the_end_is_excluded():
    assert hours(plan(ordered("qid", start=MIDNIGHT + 13 * HOUR))) == [16, 20]
    assert hours(plan(ordered("qid", end=MIDNIGHT + 16 * HOUR))) == [8, 12]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"frequency": "when the moon is full"}, "frequency-unknown"),
        ({"frequency": "25:00"}, "frequency-unknown"),
        ({"frequency": "q0h"}, "frequency-unknown"),
        ({"items": ()}, "order-empty"),
        ({"end": MIDNIGHT}, "order-ends-before-start"),
    ],
)
def test_an_order_that_cannot_be_scheduled_is_one_visible_error(changes, detail):
    tasks = plan(ordered(**({"frequency": "qd"} | changes)))
    assert [(one.status, one.detail, one.planned_at) for one in tasks] == [(TaskStatus.ERROR, detail, None)]
    assert plan(ordered(**({"frequency": "qd", "version": 2} | changes)))[0].id == tasks[0].id


@pytest.mark.parametrize("status", ["stopped", "cancelled", "entered-in-error", "completed"])
def test_an_ended_order_plans_nothing(status):
    assert plan(ordered("qd", status=status)) == ()


def test_an_order_that_begins_at_the_end_of_time_plans_nothing_and_breaks_nothing():
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert plan(ordered("q8h", start=last)) == ()


def test_an_as_needed_order_has_one_standing_task_and_a_future_one_none_yet():
    tasks = plan(ordered("prn"))
    assert [(one.planned_at, one.status) for one in tasks] == [(None, TaskStatus.DUE)]
    assert plan(ordered("qd", category="prn"))[0].id == tasks[0].id
    assert plan(ordered("once", start=MIDNIGHT + 2 * DAY)) == ()


FREQUENCIES = st.sampled_from(["qd", "bid", "q8h", "q6h", "q5h", "qod", "biw", "@1,3 07:30", "q45min"])


@given(FREQUENCIES, st.integers(0, 400), st.integers(1, 72), st.integers(1, 72))
def test_splitting_again_or_in_pieces_gives_the_same_tasks(frequency, start_quarters, first, second):
    order = ordered(frequency, start=MIDNIGHT + start_quarters * timedelta(minutes=15))
    cut, end = MIDNIGHT + first * HOUR, MIDNIGHT + (first + second) * HOUR
    whole = schedule.plan(order, since=MIDNIGHT, until=end, policy=POLICY)
    parts = schedule.plan(order, since=MIDNIGHT, until=cut, policy=POLICY) + schedule.plan(
        order, since=cut, until=end, policy=POLICY
    )
    assert whole == parts == schedule.plan(order, since=MIDNIGHT, until=end, policy=POLICY)
    assert len({one.id for one in whole}) == len(whole)
    newer = schedule.plan(replace(order, version=9), since=MIDNIGHT, until=end, policy=POLICY)
    assert [one.id for one in newer] == [one.id for one in whole]


@pytest.mark.parametrize("month_day", [(3, 8), (11, 1)])
def test_a_day_on_which_clocks_change_loses_and_doubles_no_dose(month_day):
    policy = SitePolicy(
        zone="America/New_York", clock_times={"tid": ClockTimes(oral=("01:30", "02:30", "12:00"))}
    )
    start = datetime(2026, *month_day, 4, tzinfo=UTC)
    order = ordered("tid", start=start)
    tasks = schedule.plan(order, since=start, until=start + 30 * HOUR, policy=policy)
    moments = [one.planned_at for one in tasks]
    assert len(set(moments)) == len(moments) >= 3
    assert moments == sorted(moments)


# --- windows -----------------------------------------------------------------------------------------


def test_once_and_stat_orders_have_the_windows_of_their_order():
    once = ordered("once", category="once", start=NOON, end=NOON + 6 * HOUR)
    assert windows.window(once, NOON, POLICY) == (NOON, NOON + 6 * HOUR)
    open_end = replace(once, end=None)
    assert windows.window(open_end, NOON, POLICY) == (NOON, NOON + 2 * HOUR)
    stat = ordered("st", category="stat", start=NOON)
    assert windows.window(stat, NOON, POLICY) == (NOON, NOON + timedelta(minutes=30))
    assert windows.window(replace(stat, category="once"), NOON, POLICY) == (
        NOON,
        NOON + timedelta(minutes=30),
    )


def test_the_interval_is_the_shortest_of_the_day():
    assert frequencies.interval_min("tid", "PO", POLICY) == 240
    assert frequencies.interval_min("qd", "PO", POLICY) == 1440
    assert frequencies.interval_min("qod", "PO", POLICY) == 2880
    assert frequencies.interval_min("@1,3 07:30", "PO", POLICY) == 1440
    assert frequencies.interval_min("q6h", "PO", POLICY) == 360
    assert frequencies.interval_min("qh", "PO", POLICY) == 60
    for unplanned in ("once", "prn", "nonsense", "q0h"):
        assert frequencies.interval_min(unplanned, "PO", POLICY) is None


def due(at, **more):
    values = {"earliest": NOON - HOUR, "latest": NOON + HOUR, "status": TaskStatus.PENDING} | more
    slot = task(TABLET_ORDER, NOON, **values)
    return windows.task_status(slot, TABLET_ORDER, at, next_earliest=NOON + 7 * HOUR)


def test_a_task_walks_from_pending_to_missed_as_time_passes():
    steps = [-61, -60, 60, 61, 419, 420]
    assert [due(NOON + timedelta(minutes=step)) for step in steps] == [
        TaskStatus.PENDING,
        TaskStatus.DUE,
        TaskStatus.DUE,
        TaskStatus.OVERDUE,
        TaskStatus.OVERDUE,
        TaskStatus.MISSED,
    ]


def test_a_task_of_an_ended_order_is_missed_and_decided_ones_stay():
    over = replace(TABLET_ORDER, end=NOON)
    slot = task(over, NOON, earliest=NOON - HOUR, latest=NOON + HOUR)
    assert windows.task_status(slot, over, NOON + 2 * HOUR) is TaskStatus.MISSED
    assert windows.task_status(slot, None, NOON + 2 * HOUR) is TaskStatus.OVERDUE
    for status in (TaskStatus.GIVEN, TaskStatus.RUNNING, TaskStatus.ERROR, TaskStatus.CANCELLED):
        assert windows.task_status(replace(slot, status=status), over, NOON + 9 * HOUR) is status
    assert windows.task_status(task(over, None), over, NOON) is TaskStatus.DUE
