"""What an alarm carries and its clocks: facts that follow it to the board and into the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clinical import alarms
from clinical.alarms import AudioPause, EffectKind
from clinical.policy import SitePolicy
from clinical.records import AlarmPriority, Generation

pytestmark = [pytest.mark.requirement("R-CLIN-08"), pytest.mark.hazard("H-CLIN-09")]
AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICY = SitePolicy.default()
TOLD = {"kind": "physiological", "encounter_id": "e", "patient_id": "p", "bed": "7", "device_id": "d",
        "infusion_id": "i", "generation": Generation.TEST}  # fmt: skip


def alarm(priority=AlarmPriority.MEDIUM, name="a", **more):
    step = alarms.raise_alarm(alarm_id=name, condition="NO-FLOW", priority=priority, now=AT, **(TOLD | more))
    return step.alarm


def test_an_alarm_keeps_whom_and_what_it_is_about():
    raised = alarm(params={"limit": 3.0})
    assert {name: getattr(raised, name) for name in TOLD} == TOLD
    assert (raised.started_at, raised.params, raised.present) == (AT, {"limit": 3.0}, True)


def test_the_end_of_a_condition_is_stamped():
    ended = alarms.clear(alarm(), AT + 9 * SECOND, latching=True).alarm
    assert (ended.ended_at, ended.started_at, ended.signal) == (AT + 9 * SECOND, AT, "latched")


def test_an_acknowledged_alarm_sounds_again_as_if_it_began_now():
    seen = alarms.acknowledge(alarm(), "n1", AT).alarm
    again_at = AT + timedelta(seconds=alarms.timing("NO-FLOW", POLICY).realarm_s)
    assert alarms.tick(seen, again_at - SECOND, POLICY).effects == ()
    step = alarms.tick(seen, again_at, POLICY)
    assert [effect.kind for effect in step.effects] == [EffectKind.REALARMED]
    assert (step.alarm.started_at, step.alarm.acknowledged_at, step.alarm.acknowledged_by) == (
        again_at,
        None,
        "",
    )


def test_a_raised_alarm_forgets_its_acknowledgement_and_takes_the_new_values():
    seen = alarms.acknowledge(alarm(), "n1", AT + SECOND).alarm
    step = alarms.update(seen, AT + 2 * SECOND, priority=AlarmPriority.HIGH, params={"value": 1.0})
    assert [effect.kind for effect in step.effects] == [EffectKind.RAISED]
    assert (step.alarm.priority, step.alarm.params, step.alarm.signal, step.alarm.started_at) == (
        AlarmPriority.HIGH, {"value": 1.0}, "on", AT,
    )  # fmt: skip
    assert (step.alarm.acknowledged_at, step.alarm.acknowledged_by) == (None, "")


def test_the_highest_priority_is_heard_whatever_its_name_sorts_like():
    several = [
        alarm(priority, priority.value)
        for priority in (AlarmPriority.LOW, AlarmPriority.HIGH, AlarmPriority.MEDIUM)
    ]
    assert alarms.audible(several, AT) is AlarmPriority.HIGH
    pause = AudioPause.begin(several, AT, seconds=60)
    assert (pause.highest, pause.since, pause.until) == (AlarmPriority.HIGH, AT, AT + 60 * SECOND)
    assert alarms.audible(several, AT + SECOND, pause) is AlarmPriority.NONE
    assert alarms.audible(several, AT + 60 * SECOND, pause) is AlarmPriority.HIGH
    fresh = replace(several[1], id="new")
    assert alarms.audible([*several, fresh], AT + SECOND, pause) is AlarmPriority.HIGH


def test_escalation_names_the_next_person():
    step = POLICY.escalation[0]
    late = alarm(AlarmPriority(step.priority))
    due = AT + timedelta(seconds=step.after_s)
    told = alarms.escalate(late, due, POLICY).effects
    assert (EffectKind.ESCALATED, step.to) in [(effect.kind, effect.to) for effect in told]


def test_a_step_that_was_due_at_the_last_tick_is_not_told_again():
    step = POLICY.escalation[0]
    due = AT + timedelta(seconds=step.after_s)
    told = alarms.escalate(alarm(AlarmPriority(step.priority)), due, POLICY).alarm
    assert alarms.escalate(told, due + SECOND, POLICY).effects == ()
    assert alarms.escalate(alarm(AlarmPriority(step.priority)), due - SECOND, POLICY).effects == ()


def test_a_pause_covers_what_is_latched_and_not_what_was_seen():
    latched = replace(alarm(AlarmPriority.HIGH, "l"), signal="latched")
    seen = replace(alarm(AlarmPriority.HIGH, "s"), signal="acknowledged")
    pause = AudioPause.begin([latched, seen, alarm(AlarmPriority.LOW, "o")], AT)
    assert (pause.alarms, pause.highest) == ({"l", "o"}, AlarmPriority.HIGH)
    assert pause.until == AT + 120 * SECOND
    assert AudioPause.begin([], AT).highest is AlarmPriority.NONE


def test_beginning_says_so_and_what_has_ended_stays_as_it_is():
    step = alarms.raise_alarm(
        alarm_id="a", condition="x", kind="technical", priority=AlarmPriority.LOW, now=AT
    )
    assert [effect.kind for effect in step.effects] == [EffectKind.STARTED]
    over = alarms.clear(alarm(), AT + SECOND).alarm
    assert alarms.clear(over, AT + 2 * SECOND) == alarms.Step(alarm=over)
    assert alarms.acknowledge(over, "n1", AT + 2 * SECOND) == alarms.Step(alarm=over)
    latched = alarms.clear(alarm(), AT + SECOND, latching=True).alarm
    assert alarms.acknowledge(latched, "n1", AT + 2 * SECOND).alarm.signal == "off"


def test_what_has_to_be_done_has_its_word():
    words = "started changed raised ended acknowledged realarmed closed escalated"
    assert [kind.value for kind in EffectKind] == words.split()
