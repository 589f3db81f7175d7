"""The weight channel: flow from a hanging bag, bumps that are not flow, and two channels that disagree."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.infusion import weight
from clinical.infusion.weight import WeightEstimator
from clinical.records import Validity

pytestmark = [pytest.mark.requirement("R-CLIN-55"), pytest.mark.hazard("H-CLIN-07")]


def hang(rate_ml_h=60.0, seconds=600, start_g=530.0, noise_g=0.3, seed=1, density=1.0, estimator=None, at=0):
    """Weigh a bag that drips evenly, once a second, with noise."""
    rng = random.Random(seed)
    found = estimator or WeightEstimator(30.0, density=density)
    for second in range(seconds):
        mass = start_g - rate_ml_h * density / 3600.0 * second
        found.observe(mass + rng.gauss(0.0, noise_g), float(at + second))
    return found


@pytest.mark.parametrize("rate", [20.0, 60.0, 120.0, 300.0])
def test_an_even_flow_is_measured_within_its_own_uncertainty(rate):
    estimate = hang(rate, 900).estimate(899.0)
    assert estimate.rate_ml_h is not None
    assert estimate.rate_sd_ml_h is not None
    assert abs(estimate.rate_ml_h - rate) < 3 * estimate.rate_sd_ml_h
    assert estimate.rate_sd_ml_h < 5
    assert estimate.infused_ml == pytest.approx(rate * 899 / 3600, abs=1.5)
    assert estimate.remaining_ml == pytest.approx(500 - rate * 899 / 3600, abs=1.5)
    assert estimate.validity is Validity.VALID


def test_density_turns_grams_into_millilitres():
    estimate = hang(60.0, 900, start_g=555.0, density=1.05).estimate(899.0)
    assert estimate.remaining_ml == pytest.approx(500 - 15, abs=1.5)
    assert estimate.rate_ml_h == pytest.approx(60, abs=8)


def test_before_the_first_weight_and_after_the_last_nothing_is_claimed():
    estimator = WeightEstimator(30.0)
    first = estimator.estimate(0.0)
    assert (first.remaining_ml, first.rate_ml_h, first.age_s, first.validity) == (
        None, None, None, Validity.NOT_AVAILABLE,
    )  # fmt: skip
    estimator.observe(530.0, 1.0)
    assert estimator.estimate(1.0).validity is Validity.ONGOING
    assert estimator.estimate(1.0).rate_ml_h is None
    assert estimator.estimate(4.0).validity is Validity.ONGOING
    assert estimator.estimate(4.1).validity is Validity.INVALID


def test_an_older_reading_is_left_out():
    estimator = hang(60.0, 100)
    before = estimator.estimate(99.0)
    estimator.observe(100.0, 99.0)
    estimator.observe(100.0, 5.0)
    assert estimator.estimate(99.0) == before


def test_a_bump_is_not_flow():
    estimator = hang(60.0, 600)
    before = estimator.estimate(599.0)
    for second, mass in ((600, 480.0), (601, 560.0), (602, 490.0)):
        estimator.observe(mass, float(second))
    held = estimator.estimate(602.0)
    assert (held.validity, held.remaining_ml, held.rate_ml_h) == (
        Validity.QUESTIONABLE, before.remaining_ml, before.rate_ml_h,
    )  # fmt: skip
    assert held.step_ml is None
    for second in range(603, 620):
        estimator.observe(530.0 - second / 60.0, float(second))
    after = estimator.estimate(619.0)
    assert after.validity is Validity.VALID
    assert after.remaining_ml == pytest.approx(500 - 619 / 60, abs=1.5)


def test_shaking_is_held_too():
    estimator = hang(60.0, 600)
    for second, mass in ((600, 524.0), (601, 515.0)):
        estimator.observe(mass, float(second))
    assert estimator.estimate(601.0).validity is Validity.QUESTIONABLE


def test_a_step_that_stays_waits_for_a_person_to_say_that_the_bag_was_changed():
    estimator = hang(60.0, 600)
    for second in range(600, 610):
        estimator.observe(1030.0, float(second))
    asked = estimator.estimate(609.0)
    assert asked.step_ml == pytest.approx(510, abs=2)
    assert asked.validity is Validity.QUESTIONABLE
    estimator.accept_bag()
    assert estimator.estimate(609.0).remaining_ml is None
    hang(60.0, 300, start_g=1030.0, estimator=estimator, at=610)
    fresh = estimator.estimate(909.0)
    assert (fresh.remaining_ml, fresh.infused_ml) == (pytest.approx(995, abs=1.5), pytest.approx(5, abs=1.5))


def test_a_jump_back_to_where_it_was_ends_the_question():
    estimator = hang(60.0, 600)
    for second in range(600, 610):
        estimator.observe(1030.0, float(second))
    for second in range(610, 614):
        estimator.observe(530.0 - second / 60.0, float(second))
    assert estimator.estimate(613.0).step_ml is None


def test_a_closed_clamp_is_still_and_a_drip_is_not():
    assert hang(0.0, 200).estimate(199.0).still is True
    assert hang(120.0, 200).estimate(199.0).still is False
    assert hang(60.0, 20).estimate(19.0).still is None


def test_a_bag_lighter_than_its_tare_is_empty_not_negative():
    assert hang(0.0, 60, start_g=20.0).estimate(59.0).remaining_ml == 0.0


def test_fast_scales_cost_the_same():
    estimator = WeightEstimator(30.0)
    for tenth in range(2000):
        estimator.observe(530.0 - tenth / 600.0, tenth / 10.0)
    assert estimator.estimate(199.9).rate_ml_h == pytest.approx(60, abs=3)


@pytest.mark.parametrize(("tare", "density"), [(-1.0, 1.0), (30.0, 0.0)])
def test_an_impossible_bag_is_refused(tare, density):
    with pytest.raises(ValueError, match="density"):
        WeightEstimator(tare, density=density)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3000), st.floats(0.1, 10)), max_size=80))
def test_no_weights_whatever_make_a_negative_volume_or_rate(readings):
    estimator, now = WeightEstimator(30.0), 0.0
    for mass, wait in readings:
        now += wait
        estimator.observe(mass, now)
        found = estimator.estimate(now)
        assert found.infused_ml >= 0
        assert found.remaining_ml is not None
        assert found.remaining_ml >= 0
        assert found.rate_ml_h is None or found.rate_ml_h >= 0


@pytest.mark.parametrize(
    ("drops", "scale", "apart"),
    [(20, 25, False), (20, 25.1, True), (25.1, 20, True), (100, 111, False), (100, 112, True), (0, 0, False)],
)
def test_two_channels_that_disagree_are_told_and_both_are_shown(drops, scale, apart):
    found = weight.disagreement(drops, scale)
    assert (found is not None) is apart
    if found is not None:
        assert (found.kind, dict(found.params)) == (
            "technical",
            {"by_drops_ml": drops, "by_weight_ml": scale},
        )


def test_the_drop_volume_is_calibrated_with_thirty_drops_and_kept_within_a_fifth():
    nominal = weight.drop_volume(20, 29, 2.0)
    assert (nominal.ml, nominal.sd_ml, nominal.calibrated) == (0.05, pytest.approx(0.005), False)
    assert weight.drop_volume(20, 300, 0.0).calibrated is False
    found = weight.drop_volume(20, 600, 33.0)
    assert (found.ml, found.calibrated) == (pytest.approx(0.055), True)
    assert found.sd_ml < nominal.sd_ml
    assert weight.drop_volume(20, 600, 60.0).ml == pytest.approx(0.06)
    assert weight.drop_volume(20, 600, 3.0).ml == pytest.approx(0.04)
    assert weight.drop_volume(20, 30, 1.5).calibrated is True
