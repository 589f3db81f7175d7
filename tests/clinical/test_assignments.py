"""Whom an alarm of a bed reaches, by the division of the beds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical import alarms, assignments
from clinical.assignments import Place, persons
from clinical.records import AlarmPriority, Assignment, Practitioner
from tests.support.bedside import NOON, POLICY

pytestmark = [pytest.mark.requirement("R-PEOPLE-08"), pytest.mark.hazard("H-PEOPLE-05")]
HOUR = timedelta(hours=1)
PEOPLE = (
    Practitioner(id="wang", name="王", roles=("nurse",), wards=("W1",)),
    Practitioner(id="chen", name="陈", roles=("nurse",), wards=("W1",)),
    Practitioner(id="gone", name="去", roles=("nurse",), wards=("W1",), active=False),
    Practitioner(id="lead", name="组", roles=("nurse", "charge-nurse"), wards=("W1",)),
    Practitioner(id="lead2", name="组", roles=("charge-nurse",), wards=("W1",)),
    Practitioner(id="doc", name="医", roles=("doctor",), wards=("W1",)),
    Practitioner(id="far", name="远", roles=("doctor",), wards=("W2",)),
)


def shift(person, *beds, ward="W1", since=NOON, until=NOON + 8 * HOUR):
    return Assignment(
        id=person, ward=ward, practitioner_id=person, since=since, until=until, beds=beds, by="lead"
    )


SHIFT = (
    shift("wang", "01", "02"), shift("chen", "03"), shift("gone", "01"), shift("lead"), shift("nobody", "01"),
    shift("far", "01", ward="W2"), shift("chen", "01", since=NOON - 8 * HOUR, until=NOON),
)  # fmt: skip


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("bed-nurse", ("wang",)),
        ("next-nurse", ("chen", "lead")),
        ("charge-nurse", ("lead",)),
        ("doctor", ("doc",)),
        ("pharmacist", ()),
    ],
)
def test_a_step_names_those_who_stand_behind_its_word(to, told):
    assert persons(to, Place(ward="W1", bed="01", at=NOON), SHIFT, PEOPLE) == told


def test_a_shift_begins_with_its_first_moment_and_is_over_with_its_last():
    at = [NOON - timedelta(seconds=1), NOON, NOON + 8 * HOUR - timedelta(seconds=1), NOON + 8 * HOUR]
    found = [persons("bed-nurse", Place(ward="W1", bed="01", at=one), SHIFT, PEOPLE) for one in at]
    assert found == [("chen",), ("wang",), ("wang",), ()]
    assert [one.practitioner_id for one in assignments.on_duty(SHIFT, "W2", NOON)] == ["far"]


def test_an_alarm_says_who_was_told_each_once_and_in_order():
    first = alarms.raise_alarm(
        alarm_id="a", condition="empty", kind="physiological", priority=AlarmPriority.HIGH, now=NOON, bed="01"
    ).alarm
    named = alarms.name_persons(first, ("wang",))
    assert alarms.name_persons(first, ()) == first

    def known(to):
        return persons(to, Place(ward="W1", bed="01", at=NOON), SHIFT, PEOPLE)

    step = alarms.escalate(named, NOON + timedelta(seconds=120), POLICY, known)
    assert [(effect.to, effect.persons) for effect in step.effects] == [
        ("next-nurse", ("chen", "lead")), ("charge-nurse", ("lead",)), ("doctor", ("doc",)),
    ]  # fmt: skip
    assert step.alarm.params["told"] == "wang,chen,lead,doc"
    seen = alarms.acknowledge(step.alarm, "wang", NOON + timedelta(seconds=130)).alarm
    assert alarms.tick(seen, NOON + HOUR, POLICY).alarm.params == {}


@given(
    beds=st.lists(st.sampled_from(["01", "02", "03"]), max_size=3),
    bed=st.sampled_from(["01", "02", "03", "09"]),
    hours=st.integers(-9, 9),
)
def test_nobody_is_both_the_beds_own_and_the_next_and_only_who_is_active_is_told(beds, bed, hours):
    shifts = (*SHIFT, shift("lead2", *beds))
    place = Place(ward="W1", bed=bed, at=NOON + hours * HOUR)
    own, others = (set(persons(to, place, shifts, PEOPLE)) for to in ("bed-nurse", "next-nurse"))
    assert not own & others
    assert (own | others) <= {one.id for one in PEOPLE if one.active}
