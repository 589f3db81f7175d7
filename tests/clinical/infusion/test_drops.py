"""The drop estimator and the arithmetic around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.infusion import arithmetic
from clinical.infusion.drops import DropEstimator
from clinical.records import Validity

pytestmark = [pytest.mark.requirement("R-CLIN-06"), pytest.mark.hazard("H-CLIN-07")]


def test_published_check_values():
    assert arithmetic.ordered_gtt_per_min(1500, 600, 20) == 50
    assert arithmetic.minutes_left(1000, arithmetic.ml_per_h(40, 20)) == 500
    assert arithmetic.ordered_gtt_per_min(2000, 600, 15) == 50
    assert arithmetic.ml_per_h(54, 15) == 216
    assert arithmetic.rate_for_dose(5, 82, 1.6) == pytest.approx(15.375)
    assert arithmetic.dose_for_rate(15.375, 82, 1.6) == pytest.approx(5)
    assert arithmetic.ordered_gtt_per_min(1000, 480, 15) == 31
    assert arithmetic.rate_for(500, 240) == 125
    assert arithmetic.minutes_left(0, 0) == 0
    assert arithmetic.minutes_left(10, 0) is None
    assert arithmetic.deviation_percent(17, 20) == pytest.approx(-15)
    assert arithmetic.deviation_percent(17, 0) is None


@given(st.floats(0.1, 500), st.sampled_from(arithmetic.DROP_FACTORS))
def test_rates_convert_there_and_back(rate, factor):
    assert arithmetic.ml_per_h(arithmetic.gtt_per_min(rate, factor), factor) == pytest.approx(rate)


def dripping(rate, count, start=0.0, factor=20, first=0):
    estimator = DropEstimator(factor)
    for index in range(count + 1):
        estimator.observe(first + index, start + index * 60 / rate)
    return estimator, start + count * 60 / rate


@given(st.floats(5, 250), st.integers(3, 60))
def test_an_even_drip_is_measured_exactly(rate, count):
    estimator, now = dripping(rate, count)
    found = estimator.estimate(now)
    assert found.gtt_min == pytest.approx(rate)
    assert found.rate_ml_h == pytest.approx(rate * 3)
    assert (found.drops, found.infused_ml) == (count, count / 20)
    assert found.validity is Validity.VALID if 60 / rate < 10 else True


def test_no_rate_is_shown_before_three_drops():
    estimator, now = dripping(60, 2)
    assert (estimator.estimate(now).gtt_min, estimator.estimate(now).validity) == (None, Validity.ONGOING)
    estimator.observe(3, now + 1)
    assert estimator.estimate(now + 1).gtt_min == pytest.approx(60)
    empty = DropEstimator(20).estimate(0)
    assert (empty.gtt_min, empty.since_last_s, empty.age_s, empty.validity) == (
        None, None, None, Validity.NOT_AVAILABLE,
    )  # fmt: skip


def test_a_silent_drip_falls_and_never_shows_its_last_rate():
    estimator, now = dripping(60, 20)
    shown = [estimator.estimate(now + silence).gtt_min for silence in (0, 1, 2, 6)]
    assert shown == pytest.approx([60, 60, 30, 10])


def test_silence_is_not_loss_of_the_sensor():
    estimator, now = dripping(60, 20)
    estimator.observe(20, now, heard_s=now + 30)
    found = estimator.estimate(now + 30)
    assert (found.age_s, found.since_last_s, found.validity) == (0, 30, Validity.VALID)
    assert estimator.estimate(now + 41).validity is Validity.INVALID


def test_one_missed_and_one_doubled_drop_do_not_move_the_median():
    estimator, now = dripping(60, 12)
    estimator.observe(13, now + 2)
    estimator.observe(14, now + 2.05)
    found = estimator.estimate(now + 2.05)
    assert found.gtt_min == pytest.approx(60)
    assert found.drops == 13


def test_several_drops_in_one_report_are_spread_evenly():
    estimator, now = dripping(60, 3)
    assert estimator.observe(7, now + 2) == 4
    assert estimator.estimate(now + 2).gtt_min == pytest.approx(120)
    assert estimator.estimate(now + 2).drops == 7


def test_a_counter_that_wraps_goes_on():
    estimator, now = dripping(60, 10, first=2**32 - 5)
    assert estimator.estimate(now).drops == 10
    assert estimator.estimate(now).validity is Validity.VALID


def test_a_sensor_that_restarted_is_taken_with_care():
    estimator, now = dripping(60, 10)
    assert estimator.observe(2, now + 2) == 2
    assert estimator.estimate(now + 2).validity is Validity.QUESTIONABLE
    for index in range(3, 13):
        estimator.observe(index, now + index)
    assert estimator.estimate(now + 12).validity is Validity.VALID


def test_a_counter_that_jumps_is_not_believed():
    estimator, now = dripping(60, 10)
    assert estimator.observe(5000, now + 1) == 0
    assert estimator.estimate(now + 1).drops == 10
    assert estimator.observe(4999, now + 2) == 0


def test_a_late_report_adds_volume_and_no_rate():
    estimator, now = dripping(60, 10)
    assert estimator.observe(11, now) == 1
    found = estimator.estimate(now)
    assert (found.drops, found.gtt_min, found.validity) == (11, pytest.approx(60), Validity.QUESTIONABLE)
    assert estimator.total == 11


def test_a_node_that_restarts_goes_on_counting_the_same_bag():
    estimator = DropEstimator(20, drops=100, total=400, at_s=50.0)
    assert estimator.observe(402, 52.0) == 2
    assert (estimator.drops, estimator.estimate(52).infused_ml) == (102, 5.1)


def test_a_drop_factor_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        DropEstimator(0)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(-5, 50)), max_size=60))
def test_infused_volume_never_falls_whatever_the_sensor_says(reports):
    estimator, now, last = DropEstimator(20), 0.0, 0.0
    for total, step in reports:
        now += step
        assert estimator.observe(total, now) >= 0
        found = estimator.estimate(now)
        assert found.infused_ml >= last
        assert found.gtt_min is None or found.gtt_min >= 0
        last = found.infused_ml


def test_another_counters_word_changes_the_volume_and_not_the_rate():
    estimator = DropEstimator(20)
    for second in range(12):
        estimator.observe(second, float(second))
    before = estimator.estimate(11.0)
    estimator.correct(40)
    after = estimator.estimate(11.0)
    assert (after.infused_ml, after.gtt_min) == (2.0, before.gtt_min)
    estimator.correct(-1)
    assert estimator.drops == 0
