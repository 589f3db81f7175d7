"""The values a finding carries: the screen puts them into its sentence, so a nurse reads them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical.bedside_check.model import Action, Entered, OverrideClass
from clinical.records import TaskStatus
from tests.support.bedside import (
    BAG,
    DRIP,
    FACTS,
    GTIN,
    NOON,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ask,
    dose,
    given,
    handheld,
    ingredient,
    merged,
    request,
    scan,
    start,
    task,
)

pytestmark = [pytest.mark.requirement("R-CLIN-21"), pytest.mark.hazard("H-CLIN-02")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def give(facts=FACTS, *items, **more):
    return ask(request(Action.GIVE, *(items or (TABLET_SCAN,)), **more), facts)


def ordered(**changes):
    return merged(FACTS, orders=(replace(TABLET_ORDER, **changes),))


def planned(at, **changes):
    return merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=at, **changes),))


def bag(**changes):
    return ask(start(), merged(FACTS, bags=(replace(BAG, **changes),)))


def said(result, code):
    return dict(next(one for one in result.findings if one.code == code).params)


def accepted_by(result, code):
    return next(one for one in result.findings if one.code == code).override


def test_an_order_that_is_no_more_says_since_when():
    stopped = NOON - 5 * MINUTE
    assert said(give(ordered(status="stopped", stopped_at=stopped)), "ORD-DISCONTINUED") == {
        "at": stopped.isoformat()
    }
    assert said(give(ordered(end=NOON - HOUR)), "ORD-ENDED") == {"at": (NOON - HOUR).isoformat()}
    begins = NOON + 30 * HOUR
    assert said(give(ordered(start=begins)), "ORD-NOT-STARTED")["start"] == begins.isoformat()


def test_a_draft_is_no_order_and_nobody_accepts_it():
    result = give(ordered(status="draft"))
    assert (said(result, "ORD-NONE"), accepted_by(result, "ORD-NONE")) == (
        {"reason": "draft"},
        OverrideClass.NONE,
    )


def test_a_cancelled_execution_is_told_from_a_stopped_order():
    facts = planned(NOON, status=TaskStatus.CANCELLED)
    assert said(give(facts), "ORD-DISCONTINUED") == {"reason": "task-cancelled"}


def test_a_changed_order_names_its_version():
    facts = ordered(version=3)
    assert said(give(facts, seen_version=2), "ORD-CHANGED-UNSEEN") == {"version": "3"}
    assert said(give(facts, order_version=2), "SYS-STATE-CHANGED") == {"version": "3"}


def test_the_window_is_told_in_minutes_with_the_planned_time():
    for shift, code in ((-90, "TIME-EARLY"), (90, "TIME-LATE")):
        slot = NOON - shift * MINUTE
        assert said(give(planned(slot)), code) == {"minutes": str(shift), "planned": slot.isoformat()}


def test_a_time_charted_too_late_is_repeated():
    for back in (16 * MINUTE, 25 * HOUR):
        charted = NOON - back
        result = give(entered=Entered(charted_at=charted))
        assert said(result, "TIME-BACKDATED") == {"at": charted.isoformat()}


def test_a_dose_given_already_says_when_and_by_whom():
    at = NOON - 10 * MINUTE
    facts = merged(planned(NOON, status=TaskStatus.GIVEN), administrations=(given(TABLET_TASK, at),))
    told = said(give(facts, task_id=TABLET_TASK.id), "TIME-DUP")
    assert (told["by"], told["at"], told["status"]) == ("n2", at.isoformat(), "given")


def test_a_later_slot_that_was_given_is_named():
    slot = NOON + 8 * HOUR
    facts = merged(FACTS, tasks=(task(TABLET_ORDER, slot, status=TaskStatus.GIVEN),))
    assert said(give(facts, task_id=TABLET_TASK.id), "TIME-LATER-GIVEN") == {"planned": slot.isoformat()}


@pytest.mark.parametrize(("ago", "code"), [(100, "TIME-INTERVAL"), (60, "TIME-INTERVAL")])
def test_the_last_dose_is_told_with_the_interval(ago, code):
    had = given(TABLET_TASK, NOON - ago * MINUTE, task_id="other", ingredients=(("drug-x", dose(10, "mg")),))
    assert said(give(merged(FACTS, administrations=(had,))), code) == {
        "minutes": str(ago),
        "interval": "480",
    }


def test_a_dose_says_what_was_ordered():
    assert said(give(entered=Entered(dose=dose(15, "mg"))), "DOSE-OVER")["ordered"] == "10 mg"
    assert said(give(entered=Entered(dose=dose(7, "mg"))), "DOSE-PARTIAL")["ordered"] == "10 mg"


def test_a_rate_says_what_was_set_and_what_was_ordered():
    result = ask(start(entered=Entered(device_id=DRIP, rate_ml_h=dose(90, "mL").value)))
    assert said(result, "INF-RATE-SET") == {"set": "90", "ordered": "60"}


def test_a_single_dose_over_the_limit_names_limit_unit_and_ingredient():
    paracetamol = replace(TABLET, ingredients=(ingredient("paracetamol", "500", "mg"),))
    line = replace(TABLET_ORDER.items[0], dose=dose(3, "g"))
    facts = merged(FACTS, products=(paracetamol,), orders=(replace(TABLET_ORDER, items=(line,)),))
    told = said(give(facts), "DOSE-SINGLE-MAX")
    assert (told["limit"], told["unit"], told["ingredient"]) == ("1", "g", "paracetamol")


def test_a_bag_past_its_use_says_until_when():
    for left in (-MINUTE, 10 * MINUTE):
        until = NOON + left
        assert said(bag(beyond_use=until), "MED-BUD") == {"at": until.isoformat()}


def test_an_expired_package_says_its_day():
    told = said(give(FACTS, f"]d201{GTIN}17260228"), "MED-EXPIRED")
    assert told["expiry"] == "2026-02-28"


def test_an_item_scanned_too_long_ago_says_how_long_it_counts():
    asked = replace(request(Action.GIVE, TABLET_SCAN), items=(scan(TABLET_SCAN, NOON - 11 * MINUTE),))
    assert said(ask(asked), "SYS-TRAY-STALE")["minutes"] == "10"


def test_an_unknown_item_says_why_and_what_it_looked_like():
    assert said(give(FACTS, "]d20106901234567892"), "MED-UNKNOWN")["kind"] == "gs1"


def test_a_clock_says_how_far_off_and_since_when():
    for seconds in (150.4, 400.0):
        told = said(give(handheld=handheld(clock_offset_s=seconds)), "SYS-CLOCK")
        assert told == {"seconds": str(round(seconds))}
    for hours in (25, 73):
        synced = NOON - hours * HOUR
        told = said(give(handheld=handheld(last_time_sync=synced)), "SYS-CLOCK-AGE")
        assert told == {"since": synced.isoformat()}
