"""The alarm machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clinical import alarms
from clinical.alarms import AudioPause, EffectKind, Gate
from clinical.records import AlarmPriority
from tests.support.bedside import NOON, POLICY

pytestmark = [pytest.mark.requirement("R-CLIN-08"), pytest.mark.hazard("H-CLIN-09")]
SECOND = timedelta(seconds=1)
HIGH, MEDIUM, LOW = AlarmPriority.HIGH, AlarmPriority.MEDIUM, AlarmPriority.LOW


def begin(priority=MEDIUM, condition="near-end", now=NOON, name="a1", **more):
    step = alarms.raise_alarm(
        alarm_id=name, condition=condition, kind="physiological", priority=priority, now=now, **more
    )
    assert step.alarm is not None
    return step.alarm


def kinds(step):
    return [effect.kind for effect in step.effects]


def test_an_alarm_begins_present_sounding_and_unacknowledged():
    alarm = begin(params={"limit": 90.0}, bed="01")
    assert (alarm.present, alarm.signal, alarm.acknowledged_by) == (True, "on", "")
    assert (alarm.params, alarm.bed) == ({"limit": 90.0}, "01")


def test_acknowledging_silences_and_keeps_it_visible_until_it_ends():
    step = alarms.acknowledge(begin(), "n1", NOON + SECOND)
    assert kinds(step) == [EffectKind.ACKNOWLEDGED]
    assert (step.alarm.signal, step.alarm.present, step.alarm.acknowledged_by) == ("acknowledged", True, "n1")
    again = alarms.acknowledge(step.alarm, "n2", NOON + 2 * SECOND)
    assert (again.alarm, again.effects) == (step.alarm, ())
    ended = alarms.clear(step.alarm, NOON + 3 * SECOND, latching=True)
    assert kinds(ended) == [EffectKind.ENDED, EffectKind.CLOSED]
    assert (ended.alarm.signal, ended.alarm.present) == ("off", False)


def test_a_latching_alarm_waits_for_a_person():
    ended = alarms.clear(begin(), NOON + SECOND, latching=True)
    assert (ended.alarm.signal, kinds(ended)) == ("latched", [EffectKind.ENDED])
    seen = alarms.acknowledge(ended.alarm, "n1", NOON + 2 * SECOND)
    assert (seen.alarm.signal, kinds(seen)) == ("off", [EffectKind.ACKNOWLEDGED, EffectKind.CLOSED])
    assert alarms.acknowledge(seen.alarm, "n2", NOON).effects == ()


def test_a_plain_alarm_ends_with_its_condition_and_only_once():
    ended = alarms.clear(begin(), NOON + SECOND)
    assert kinds(ended) == [EffectKind.ENDED, EffectKind.CLOSED]
    assert alarms.clear(ended.alarm, NOON + 2 * SECOND).effects == ()


def test_something_worse_breaks_through_an_acknowledgement():
    seen = alarms.acknowledge(begin(), "n1", NOON).alarm
    worse = alarms.update(seen, NOON + SECOND, priority=HIGH)
    assert (worse.alarm.signal, worse.alarm.acknowledged_by, kinds(worse)) == ("on", "", [EffectKind.RAISED])
    milder = alarms.update(seen, NOON + SECOND, priority=LOW, params={"measured": 1.0})
    assert (milder.alarm.signal, kinds(milder)) == ("acknowledged", [EffectKind.CHANGED])
    assert alarms.update(seen, NOON + SECOND).effects == ()


def test_a_latched_condition_that_comes_back_sounds_again():
    latched = alarms.clear(begin(), NOON + SECOND, latching=True).alarm
    back = alarms.update(latched, NOON + 5 * SECOND)
    assert (back.alarm.signal, back.alarm.present, kinds(back)) == ("on", True, [EffectKind.STARTED])
    assert (back.alarm.started_at, back.alarm.ended_at) == (NOON + 5 * SECOND, None)


@pytest.mark.parametrize(
    ("priority", "seconds", "told"),
    [(HIGH, 59, []), (HIGH, 60, ["next-nurse"]), (MEDIUM, 180, ["next-nurse"]), (LOW, 900, [])],
)
def test_an_alarm_nobody_answers_goes_to_the_next_person(priority, seconds, told):
    step = alarms.escalate(begin(priority), NOON + seconds * SECOND, POLICY)
    assert [effect.to for effect in step.effects] == told


def test_each_escalation_step_is_told_once_however_often_time_passes():
    alarm, told = begin(HIGH), []
    for second in range(0, 300, 7):
        step = alarms.escalate(alarm, NOON + second * SECOND, POLICY)
        told += [effect.to for effect in step.effects]
        alarm = step.alarm
    assert told == ["next-nurse", "charge-nurse", "doctor"]
    assert alarms.told_of(alarm) == ("next-nurse", "charge-nurse", "doctor")
    ended = alarms.clear(alarm, NOON, latching=True).alarm
    assert alarms.escalate(ended, NOON + 60 * SECOND, POLICY).effects == ()


def test_what_arrives_late_is_told_at_once_to_everybody_who_is_due():
    step = alarms.escalate(begin(HIGH), NOON + 600 * SECOND, POLICY)
    assert [effect.to for effect in step.effects] == ["next-nurse", "charge-nurse", "doctor"]
    assert alarms.escalate(step.alarm, NOON + 601 * SECOND, POLICY).effects == ()


def test_an_alarm_that_is_raised_is_told_at_once_to_those_its_new_priority_adds():
    low = alarms.escalate(begin(MEDIUM), NOON + 200 * SECOND, POLICY).alarm
    raised = alarms.update(low, NOON + 1800 * SECOND, priority=HIGH, params={"measured": 1.0}).alarm
    step = alarms.escalate(raised, NOON + 1800 * SECOND, POLICY)
    assert [effect.to for effect in step.effects] == ["charge-nurse", "doctor"]
    assert step.alarm.params == {"measured": 1.0, "escalated": "next-nurse,charge-nurse,doctor"}


def test_an_alarm_that_begins_or_speaks_again_is_told_again_from_the_first_step():
    told = alarms.escalate(begin(HIGH, "empty"), NOON + 60 * SECOND, POLICY).alarm
    latched = alarms.clear(told, NOON + 61 * SECOND, latching=True).alarm
    back = alarms.update(latched, NOON + 90 * SECOND).alarm
    assert alarms.told_of(back) == ()
    seen = alarms.acknowledge(told, "n1", NOON + 61 * SECOND).alarm
    assert alarms.escalate(seen, NOON + 300 * SECOND, POLICY) == alarms.Step(alarm=seen)
    again = alarms.tick(seen, NOON + 500 * SECOND, POLICY).alarm
    assert alarms.told_of(again) == ()
    assert alarms.escalate(again, NOON + 560 * SECOND, POLICY).effects[0].to == "next-nurse"


@given(
    seconds=st.lists(st.integers(0, 90), min_size=1, max_size=30),
    lost=st.sets(st.integers(0, 29)),
)
def test_neither_a_failed_commit_nor_the_rhythm_of_ticks_loses_or_repeats_a_step(seconds, lost):
    alarm, now, told = begin(HIGH), NOON, []
    for number, span in enumerate(seconds):
        now += span * SECOND
        step = alarms.escalate(alarm, now, POLICY)
        if number not in lost:  # what is lost was not committed
            alarm = step.alarm
            told += [effect.to for effect in step.effects]
    final = alarms.escalate(alarm, now, POLICY)
    told += [effect.to for effect in final.effects]
    due = [
        step.to for step in POLICY.escalation if step.priority == "Hi" and NOON + step.after_s * SECOND <= now
    ]
    assert told == due


def test_an_acknowledged_alarm_that_goes_on_speaks_again():
    seen = alarms.acknowledge(begin(HIGH, "no-flow"), "n1", NOON).alarm
    quiet = alarms.tick(seen, NOON + 119 * SECOND, POLICY)
    assert (quiet.alarm.signal, quiet.effects) == ("acknowledged", ())
    loud = alarms.tick(seen, NOON + 120 * SECOND, POLICY)
    assert (loud.alarm.signal, loud.alarm.acknowledged_by, kinds(loud)) == ("on", "", [EffectKind.REALARMED])


def test_conditions_the_policy_does_not_name_begin_and_end_at_once():
    assert alarms.timing("unheard-of", POLICY).delay_s == 0
    assert alarms.timing("limit-low", POLICY).delay_s == 10


def test_a_touch_on_the_probe_is_no_alarm_and_a_blink_no_end():
    gate = Gate(delay_s=10, clear_s=5)
    gate = gate.step(True, 0.0).step(True, 9.0)
    assert not gate.holds
    gate = gate.step(False, 9.5).step(True, 10.0)
    assert not gate.holds
    gate = gate.step(True, 20.0)
    assert gate.holds
    assert gate.step(False, 21.0).step(True, 22.0).step(False, 27.0).holds
    assert not gate.step(False, 21.0).step(False, 26.0).holds
    assert Gate().step(True, 0.0).holds
    assert Gate().step(False, 0.0) == Gate()


def test_a_pause_covers_what_sounded_and_something_new_or_worse_breaks_through():
    low, high = begin(LOW, name="l"), begin(HIGH, name="h")
    pause = AudioPause.begin([begin(MEDIUM, name="m")], NOON)
    assert alarms.audible([begin(MEDIUM, name="m")], NOON, pause) is AlarmPriority.NONE
    assert alarms.audible([begin(HIGH, name="m")], NOON, pause) is HIGH
    assert alarms.audible([low], NOON, pause) is AlarmPriority.NONE
    assert alarms.audible([begin(MEDIUM, name="m2")], NOON, pause) is MEDIUM
    assert alarms.audible([low, high], NOON, pause) is HIGH
    assert alarms.audible([low], NOON + 120 * SECOND, pause) is LOW
    assert AudioPause.begin([alarms.acknowledge(low, "n1", NOON).alarm], NOON).highest is AlarmPriority.NONE


def test_lists_show_unanswered_and_worst_first():
    seen = alarms.acknowledge(begin(HIGH, name="seen"), "n1", NOON).alarm
    low, high = begin(LOW, name="low"), begin(HIGH, name="high")
    newer = replace(low, id="newer", started_at=NOON + SECOND)
    assert [one.id for one in sorted([seen, low, high, newer], key=alarms.order_key)] == [
        "high",
        "newer",
        "low",
        "seen",
    ]


class AlarmMachine(RuleBasedStateMachine):
    """Random events; the alarm never lies about presence and never loses an unanswered latched one."""

    def __init__(self):
        super().__init__()
        self.now, self.alarm = NOON, begin(MEDIUM, "empty")
        self.present, self.answered = True, False

    @rule(seconds=st.integers(0, 200))
    def wait(self, seconds):
        self.now += seconds * SECOND
        step = alarms.tick(self.alarm, self.now, POLICY)
        self.answered = self.answered and EffectKind.REALARMED not in kinds(step)
        self.alarm = step.alarm

    @rule(priority=st.sampled_from([LOW, MEDIUM, HIGH]))
    def holds(self, priority):
        louder = alarms.RANK[priority] > alarms.RANK[self.alarm.priority]
        self.answered = self.answered and self.present and not louder
        self.alarm, self.present = alarms.update(self.alarm, self.now, priority=priority).alarm, True

    @precondition(lambda self: self.present)
    @rule()
    def ends(self):
        self.alarm, self.present = alarms.clear(self.alarm, self.now, latching=True).alarm, False

    @rule()
    def answer(self):
        self.alarm = alarms.acknowledge(self.alarm, "n1", self.now).alarm
        self.answered = True

    @invariant()
    def presence_signal_and_acknowledgement_agree(self):
        assert self.alarm.present is self.present
        expected = {
            (True, False): "on",
            (True, True): "acknowledged",
            (False, False): "latched",
            (False, True): "off",
        }
        assert self.alarm.signal == expected[self.present, self.answered]
        assert bool(self.alarm.acknowledged_by) is self.answered


TestAlarmMachine = AlarmMachine.TestCase
TestAlarmMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
