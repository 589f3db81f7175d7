"""One drop that was not seen, or one report that brought many, does not change what is judged."""

from __future__ import annotations

import pytest

from clinical.infusion import DropEstimator, FlowGoal, FlowJudge
from clinical.policy import FlowThresholds

pytestmark = pytest.mark.hazard("H-CLIN-07")

GOAL = FlowGoal(rate_ml_h=60, drops_per_ml=20, volume_ml=250)  # 20 gtt/min


def free_since(unseen: int) -> list[int]:
    """Seconds of three times the order at which it is told; one of its drops is not seen."""
    estimator, judge = DropEstimator(GOAL.drops_per_ml), FlowJudge(GOAL, FlowThresholds())
    total, told = 0, []
    estimator.observe(0, 0.0)
    for second in range(1, 161):
        fast = second > 60
        if (fast or second % 3 == 0) and second != 60 + unseen:
            total += 1
            estimator.observe(total, float(second))
        judged = judge.update(estimator.estimate(second + 0.5), second + 0.5)
        if any(one.condition == "free-flow" for one in judged.conditions):
            told.append(second - 60)
    return told


@pytest.mark.requirement("R-CLIN-07")
@pytest.mark.parametrize("unseen", [12, 20, 34])
def test_a_drop_that_was_not_seen_does_not_put_off_the_alarm_of_free_flow(unseen: int) -> None:
    told = free_since(unseen)
    assert told == list(range(told[0], 101))
    assert told[0] < 50


@pytest.mark.requirement("R-CLIN-06")
def test_a_report_that_brought_many_drops_weighs_more_and_never_outvotes_the_five_after_it() -> None:
    estimator = DropEstimator(20)
    for second in range(12):
        estimator.observe(second, float(second))
    estimator.observe(11 + 3, 12.0)  # three in a second
    assert estimator.estimate(12).gtt_min == pytest.approx(60)
    estimator.observe(14 + 90, 72.0)  # the link was lost for a minute
    assert estimator.estimate(72).gtt_min == pytest.approx(90)
    for second in range(1, 6):
        estimator.observe(104 + second, 72.0 + second)
    assert estimator.estimate(77).gtt_min == pytest.approx(60)
