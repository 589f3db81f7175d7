"""Tapers: doses that change by days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clinical import schedule, tapers, windows
from clinical.bedside_check import labels
from clinical.bedside_check.model import Action
from clinical.records import TaperStep, TaskStatus
from tests.support.bedside import FACTS as WARD
from tests.support.bedside import (
    NOON,
    POLICY,
    TABLET_ORDER,
    TABLET_SCAN,
    ask,
    codes,
    dose,
    given,
    merged,
    request,
    task,
)

pytestmark = [pytest.mark.requirement("R-CLIN-04"), pytest.mark.hazard("H-CLIN-04")]
DAY = timedelta(days=1)
MIDNIGHT = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)  # Monday 2 March 00:00 in Shanghai
STEPS = (
    TaperStep(days=2, dose=dose(20, "mg"), frequency="bid"),
    TaperStep(days=1, dose=dose(10, "mg")),
)
TAPER = replace(TABLET_ORDER, frequency="qd", start=MIDNIGHT + timedelta(hours=10), taper=STEPS)


def plan(order=TAPER, days=9, since=MIDNIGHT):
    return schedule.plan(order, since=since, until=MIDNIGHT + days * DAY, policy=POLICY)


def test_every_step_has_its_own_frequency_and_the_last_one_ends_it():
    hours = [(one.planned_at - MIDNIGHT) / timedelta(hours=1) for one in plan()]
    assert hours == [16, 24 + 8, 24 + 16, 48 + 8]
    assert [one.id for one in plan(since=MIDNIGHT + DAY)] == [one.id for one in plan()[1:]]
    assert len(plan(replace(TAPER, end=MIDNIGHT + DAY))) == 1


def test_the_dose_is_that_of_the_day():
    doses = [tapers.dose_at(TAPER, one.planned_at, POLICY) for one in plan()]
    assert [amount.value for amount in doses if amount] == [20, 20, 20, 10]
    assert tapers.dose_at(TAPER, MIDNIGHT + 3 * DAY, POLICY) is None
    assert tapers.dose_at(TAPER, None, POLICY) is None
    assert tapers.dose_at(TABLET_ORDER, NOON, POLICY) is None


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (TaperStep(days=0, dose=dose(1, "mg")), "taper-step-without-days"),
        (TaperStep(days=1, dose=dose(1, "mg"), frequency="now and then"), "taper-frequency"),
        (TaperStep(days=1, dose=dose(1, "mg"), frequency="prn"), "taper-frequency"),
        (TaperStep(days=1, dose=dose(1, "mg"), frequency="once"), "taper-frequency"),
    ],
)
def test_a_taper_that_cannot_be_planned_is_one_visible_error(step, problem):
    found = plan(replace(TAPER, taper=(*STEPS, step)))
    assert [(one.status, one.detail) for one in found] == [(TaskStatus.ERROR, problem)]


def test_the_check_asks_for_the_dose_of_the_day():
    order = replace(TABLET_ORDER, start=NOON - 3 * DAY, taper=(
        TaperStep(days=3, dose=dose(40, "mg")), TaperStep(days=9, dose=dose(20, "mg")),
    ))  # fmt: skip
    facts = merged(WARD, orders=(order,), tasks=(task(order, NOON),))
    result = ask(request(Action.GIVE, TABLET_SCAN), facts)
    assert (codes(result), result.dose) == ([], dose(20, "mg"))


FAST_THEN_SLOW = replace(TAPER, start=MIDNIGHT, taper=(
    TaperStep(days=1, dose=dose(20, "mg"), frequency="q1h"),
    TaperStep(days=2, dose=dose(10, "mg")),
    TaperStep(days=2, dose=dose(5, "mg"), frequency="tid"),
))  # fmt: skip


def test_every_step_has_the_window_of_its_own_frequency():
    def late(hours):
        planned = MIDNIGHT + timedelta(hours=hours)
        return (windows.window(FAST_THEN_SLOW, planned, POLICY)[1] - planned) / timedelta(minutes=1)

    assert [late(10), late(24 + 8), late(72 + 12)] == [15, 120, 60]
    assert tapers.interval_at(FAST_THEN_SLOW, MIDNIGHT + 9 * DAY, POLICY) is None
    assert windows.interval_min(FAST_THEN_SLOW, POLICY, MIDNIGHT + 9 * DAY) == 1440


def test_windows_of_two_steps_never_touch():
    order = replace(TAPER, start=MIDNIGHT, taper=(
        TaperStep(days=1, dose=dose(20, "mg"), frequency="hs"),
        TaperStep(days=1, dose=dose(10, "mg"), frequency="q4h"),
        TaperStep(days=1, dose=dose(5, "mg"), frequency="now and then"),
    ))  # fmt: skip
    last, first = MIDNIGHT + timedelta(hours=21), MIDNIGHT + DAY
    late, early = windows.window(order, last, POLICY)[1], windows.window(order, first, POLICY)[0]
    assert (late - last, first - early) == (timedelta(minutes=89), timedelta(minutes=60))
    assert tapers.border_gap_min(order, last, POLICY) == 180
    assert tapers.border_gap_min(order, MIDNIGHT + 2.5 * DAY, POLICY) == 16 * 60
    assert tapers.border_gap_min(order, MIDNIGHT + 9 * DAY, POLICY) is None
    assert tapers.border_gap_min(replace(order, taper=order.taper[:1]), last, POLICY) is None


def test_a_dose_of_a_taper_too_soon_is_told_by_the_step_it_belongs_to():
    order = replace(TABLET_ORDER, start=NOON - 3 * DAY, taper=(
        TaperStep(days=9, dose=dose(10, "mg"), frequency="q2h"),
    ))  # fmt: skip
    before = task(order, NOON - timedelta(hours=2))
    had = given(before, NOON - timedelta(hours=2), ingredients=(("drug-x", dose(10, "mg")),))
    facts = merged(WARD, orders=(order,), tasks=(before, task(order, NOON)), administrations=(had,))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), facts)) == ["TIME-RECENT"]


def test_another_taper_voids_the_label():
    assert labels.carry(TABLET_ORDER, replace(TABLET_ORDER, version=2, taper=STEPS)).label_version == 2
