"""When a resuscitation lasted: called, prolonged, ended, and told in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical import resuscitation
from clinical.policy import SitePolicy
from tests.support.bedside import FACTS, NOON

pytestmark = [pytest.mark.requirement("R-ORD-05"), pytest.mark.hazard("H-ORD-03")]
MINUTE = timedelta(minutes=1)
POLICY = SitePolicy.default()
STAY = replace(FACTS.encounters[0], resuscitation_at=None, resuscitation_until=None)


def begun(*minutes: float, stay=STAY):
    for minute in minutes:
        stay = resuscitation.begun(stay, NOON + minute * MINUTE, POLICY)
    return stay


def lasted(stay):
    """First and last whole minute of the resuscitation, from NOON."""
    found = [m for m in range(-120, 240) if resuscitation.lasts(stay, NOON + m * MINUTE, POLICY)]
    return (found[0], found[-1]) if found else None


def test_it_lasts_thirty_minutes_from_the_call_and_never_without_one():
    assert lasted(STAY) is None
    assert resuscitation.until(STAY, POLICY) is None
    assert lasted(begun(0)) == (0, 30)
    assert lasted(replace(STAY, resuscitation_at=NOON)) == (0, 30)


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        ((0, 20), (0, 50)),  # a call while it lasts prolongs it
        ((20, 0), (0, 50)),  # in whatever order the two are told
        ((0, 60), (60, 90)),  # after its end a new one begins
        ((60, 0), (60, 90)),  # an older one that is told late changes nothing
        ((0, 0), (0, 30)),
    ],
)
def test_calls_that_overlap_are_one_whatever_order_they_are_told_in(calls, found):
    assert lasted(begun(*calls)) == found


def test_it_ends_by_hand_and_what_was_given_before_stays_within_it():
    over = resuscitation.ended(begun(0), NOON + 12 * MINUTE, POLICY)
    assert lasted(over) == (0, 12)
    assert lasted(begun(20, stay=over)) == (20, 50)


@pytest.mark.parametrize(("call", "found"), [(-5, (-5, 12)), (0, (0, 12)), (5, (0, 12)), (12, (0, 12))])
def test_a_call_told_late_does_not_begin_again_what_was_ended_by_hand(call, found):
    over = resuscitation.ended(begun(0), NOON + 12 * MINUTE, POLICY)
    assert lasted(begun(call, stay=over)) == found


@pytest.mark.parametrize("minute", [-1, 31])
def test_an_end_outside_of_it_changes_nothing(minute):
    stay = begun(0)
    assert resuscitation.ended(stay, NOON + minute * MINUTE, POLICY) == stay
    assert resuscitation.ended(STAY, NOON, POLICY) == STAY


@given(st.lists(st.integers(min_value=0, max_value=30), min_size=1, max_size=5))
def test_close_calls_make_the_same_resuscitation_in_any_order(calls):
    assert lasted(begun(*calls)) == lasted(begun(*sorted(calls))) == (min(calls), max(calls) + 30)


def test_one_that_was_prolonged_and_then_ended_by_hand_is_not_begun_again_by_a_late_call():
    ended = resuscitation.ended(begun(0, 20), NOON + 35 * MINUTE, POLICY)
    assert lasted(begun(10, stay=ended)) == (0, 35)
    again = begun(40, stay=ended)
    assert lasted(again) == (40, 70)
    assert again.resuscitation_ended_at is None
