"""What flows against what was ordered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.infusion import DropEstimate, DropEstimator, FlowGoal, FlowJudge, rounds
from clinical.policy import FlowThresholds
from clinical.records import AlarmPriority, CareLevel, InfusionState, Validity
from tests.support.bedside import DRIP_ORDER, DRIP_TASK, NOON, POLICY, infusion

pytestmark = [pytest.mark.requirement("R-CLIN-07"), pytest.mark.hazard("H-CLIN-07")]

GOAL = FlowGoal(rate_ml_h=180, drops_per_ml=20, volume_ml=250)  # 60 gtt/min
LIMITS = FlowThresholds()


class Drip:
    """A drip that is watched once a second."""

    def __init__(self, goal=GOAL, limits=LIMITS):
        self.estimator, self.judge = DropEstimator(goal.drops_per_ml), FlowJudge(goal, limits)
        self.now, self.fallen = 0.0, 0.0
        self.estimator.observe(0, 0.0)

    def run(self, seconds, gtt):
        for _ in range(round(seconds)):
            self.now += 1
            self.fallen += gtt / 60
            self.estimator.observe(int(self.fallen), self.now)
            judged = self.judge.update(self.estimator.estimate(self.now), self.now)
        return judged


def names(judged):
    return [condition.condition for condition in judged.conditions]


def test_an_ordered_drip_flows_and_counts_down():
    judged = Drip().run(600, 60)
    assert (judged.state, judged.conditions) == ("flowing", ())
    assert judged.remaining_ml == pytest.approx(220)
    assert judged.time_left_min == pytest.approx(220 / 180 * 60, rel=0.01)
    assert judged.deviation_percent == pytest.approx(0, abs=2)


def test_before_enough_drops_nothing_is_said_about_deviation():
    assert Drip().run(2, 60).state == "unknown"
    judged = Drip().run(50, 30)
    assert (judged.deviation_percent, judged.conditions) == (None, ())


@pytest.mark.parametrize(
    ("gtt", "state", "priority"),
    [(55, "flowing", None), (50, "slow", AlarmPriority.LOW), (40, "slow", AlarmPriority.MEDIUM),
     (72, "fast", AlarmPriority.LOW), (90, "fast", AlarmPriority.MEDIUM)],
)  # fmt: skip
def test_a_deviation_warns_at_ten_and_alarms_at_twenty_five_percent(gtt, state, priority):
    judged = Drip().run(400, gtt)
    assert judged.state == state
    assert [one.priority for one in judged.conditions] == ([priority] if priority else [])


def test_a_deviation_ends_only_well_below_the_threshold():
    drip = Drip()
    assert drip.run(400, 53).state == "slow"
    assert drip.run(400, 54.5).state == "slow"
    assert drip.run(400, 60).state == "flowing"
    assert drip.run(400, 40).conditions[0].priority is AlarmPriority.MEDIUM
    assert drip.run(400, 47).conditions[0].priority is AlarmPriority.MEDIUM
    assert drip.run(400, 50).conditions[0].priority is AlarmPriority.LOW


def test_an_uncalibrated_deviation_is_shown_and_not_sounded():
    limits = replace(LIMITS, calibrated=0)
    judged = Drip(limits=limits).run(400, 50)
    assert (judged.state, judged.conditions) == ("slow", ())
    judged = Drip(limits=limits).run(400, 40)
    assert [one.priority for one in judged.conditions] == [AlarmPriority.LOW]


def test_free_flow_is_high_priority_after_half_a_minute():
    drip = Drip()
    drip.run(60, 60)
    assert "free-flow" not in names(drip.run(30, 200))
    judged = drip.run(8, 200)
    assert (judged.state, names(judged)) == ("free-flow", ["free-flow"])
    assert judged.conditions[0].priority is AlarmPriority.HIGH
    assert "free-flow" not in names(drip.run(30, 60))


def test_no_flow_is_high_priority_after_a_minute_or_five_drop_periods():
    drip = Drip()
    drip.run(100, 60)
    assert "no-flow" not in names(drip.run(60, 0))
    judged = drip.run(2, 0)
    assert (judged.state, names(judged), judged.conditions[0].priority) == (
        "no-flow",
        ["no-flow"],
        AlarmPriority.HIGH,
    )
    slow = Drip(FlowGoal(rate_ml_h=9, drops_per_ml=20, volume_ml=250))  # a drop every 20 s
    assert "no-flow" not in names(slow.run(100, 0))
    assert names(slow.run(2, 0)) == ["no-flow"]


def test_a_bag_ends_near_then_empty():
    drip = Drip(replace(GOAL, volume_ml=50))
    assert names(drip.run(420, 60)) == ["near-end"]
    small = Drip(replace(GOAL, volume_ml=20), replace(LIMITS, near_end_min=0))
    assert names(small.run(350, 60)) == []
    judged = small.run(36, 60)
    assert (judged.state, names(judged)) == ("near-end", ["near-end"])
    assert names(small.run(11, 0)) == ["empty"]
    judged = small.run(60, 60)
    assert (judged.state, judged.remaining_ml, judged.time_left_min) == ("empty", 0, 0)
    assert judged.conditions[0].priority is AlarmPriority.MEDIUM


def test_a_stale_drip_has_no_countdown_and_no_judgement():
    drip = Drip()
    drip.run(400, 60)
    judged = drip.judge.update(drip.estimator.estimate(drip.now + 11), drip.now + 11)
    assert (judged.state, judged.time_left_min, names(judged)) == ("stale", None, ["stale"])
    assert judged.conditions[0].kind == "technical"


def nothing(**more):
    values = {"gtt_min": None, "rate_ml_h": None, "drops": 0, "infused_ml": 0.0, "since_last_s": None,
              "age_s": None, "validity": Validity.NOT_AVAILABLE} | more  # fmt: skip
    return DropEstimate(**values)


def test_a_sensor_that_never_spoke_is_unknown_then_stale():
    judge = FlowJudge(GOAL, LIMITS)
    assert judge.update(nothing(), 100.0).state == "unknown"
    assert judge.update(nothing(), 111.0).state == "stale"


def test_a_paused_drip_that_goes_on_dripping_is_told():
    drip = Drip()
    drip.run(60, 60)
    drip.judge.retarget(replace(GOAL, state="paused"))
    assert drip.judge.target.state == "paused"
    assert (drip.run(4, 60).state, drip.run(1, 0).conditions) == ("no-flow", ())
    judged = drip.run(10, 60)
    assert (judged.state, names(judged)) == ("fast", ["rate-deviation"])
    assert drip.run(30, 0).conditions == ()


def test_a_changed_order_starts_the_judgement_again():
    drip = Drip()
    drip.run(400, 60)
    drip.judge.retarget(replace(GOAL, rate_ml_h=90))
    assert drip.run(30, 60).deviation_percent is None
    drip.judge.retarget(replace(GOAL, rate_ml_h=90))
    judged = drip.run(120, 60)
    assert judged.deviation_percent == pytest.approx(100, abs=4)


def test_an_order_without_a_rate_or_a_volume_is_judged_safely():
    judged = Drip(FlowGoal(rate_ml_h=0, drops_per_ml=20, volume_ml=100)).run(400, 60)
    assert (judged.deviation_percent, "free-flow" in names(judged)) == (None, False)
    assert Drip(FlowGoal(rate_ml_h=60, drops_per_ml=20, volume_ml=0)).run(5, 60).state == "empty"


def test_updates_faster_than_once_a_second_are_all_judged():
    drip = Drip()
    drip.run(400, 60)
    for step in range(1, 20):
        judged = drip.judge.update(drip.estimator.estimate(drip.now + step / 10), drip.now + step / 10)
    assert judged.state == "flowing"


def test_watching_costs_little_memory_however_long_or_sparse():
    drip = Drip()
    drip.run(2000, 60)
    assert len(drip.judge._window) <= 182
    judged = drip.judge.update(
        nothing(age_s=0.0, drops=3000, infused_ml=150.0, since_last_s=1.0), drip.now + 5000
    )
    assert judged.deviation_percent is None


@given(st.lists(st.floats(0, 400), min_size=1, max_size=12))
def test_remaining_never_grows_and_never_falls_below_zero(rates):
    drip, last = Drip(replace(GOAL, volume_ml=20)), 20.0
    for rate in rates:
        judged = drip.run(20, rate)
        assert 0 <= judged.remaining_ml <= last
        last = judged.remaining_ml
        assert judged.time_left_min is None or judged.time_left_min >= 0


# --- rounds ------------------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
BAG = infusion(DRIP_ORDER, DRIP_TASK, "B1", started_at=NOON)


def test_the_first_look_is_soon_and_later_ones_follow_the_grade():
    assert rounds.patrol_due(BAG, None, None, POLICY) == NOON + 15 * MINUTE
    assert rounds.patrol_due(BAG, NOON - MINUTE, None, POLICY) == NOON + 15 * MINUTE
    assert rounds.patrol_due(BAG, NOON + 15 * MINUTE, CareLevel.SPECIAL, POLICY) == NOON + 30 * MINUTE
    assert rounds.patrol_due(BAG, NOON + 15 * MINUTE, CareLevel.THIRD, POLICY) == NOON + 75 * MINUTE
    assert rounds.patrol_interval_min(None, POLICY) == 60


@pytest.mark.parametrize(("minutes", "state"), [(59, "ok"), (60, "due"), (66, "warn"), (75, "overdue")])
def test_a_look_is_due_then_late_then_overdue(minutes, state):
    assert rounds.patrol_state(NOON, 60, NOON + minutes * MINUTE) == state


def test_a_bag_that_runs_too_long_is_told_and_pauses_do_not_count():
    assert rounds.planned_minutes(BAG) == 250
    assert not rounds.is_overrun(BAG, NOON + 312 * MINUTE, 25)
    assert rounds.is_overrun(BAG, NOON + 313 * MINUTE, 25)
    paused = replace(BAG, state=InfusionState.PAUSED, paused_at=NOON + 100 * MINUTE, paused_s=600)
    assert rounds.run_minutes(paused, NOON + 313 * MINUTE) == 90
    assert not rounds.is_overrun(paused, NOON + 313 * MINUTE, 25)
    assert rounds.is_overrun(BAG, NOON + 10 * MINUTE, 25, NOON + 5 * MINUTE)
    assert rounds.is_overrun(replace(BAG, rate_ml_h=Decimal(1)), NOON + 25 * 60 * MINUTE, 25)
    assert not rounds.is_overrun(replace(BAG, rate_ml_h=Decimal(0)), NOON + 600 * MINUTE, 25)
    ended = replace(BAG, state=InfusionState.COMPLETED, ended_at=NOON + 200 * MINUTE)
    assert (rounds.run_minutes(ended, NOON), rounds.is_overrun(ended, NOON + 999 * MINUTE, 25)) == (
        200,
        False,
    )
