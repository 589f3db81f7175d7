"""Bands of glucose and the time in range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical import glucose
from clinical.care_policy import GlucosePolicy
from clinical.glucose import Band, Value

pytestmark = [pytest.mark.requirement("R-CLIN-54"), pytest.mark.hazard("H-CLIN-10")]
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
POLICY = GlucosePolicy()


def at(minutes, value):
    return Value(at=NOON + timedelta(minutes=minutes), mmol_l=Decimal(value))


@pytest.mark.parametrize(
    ("value", "band"),
    [
        ("2.7", Band.CRITICAL_LOW), ("2.8", Band.LOW), ("3.8", Band.LOW), ("3.9", Band.IN_RANGE),
        ("10.0", Band.IN_RANGE), ("10.1", Band.HIGH), ("13.9", Band.HIGH), ("14", Band.VERY_HIGH),
        ("16.7", Band.VERY_HIGH), ("16.8", Band.CRITICAL_HIGH),
    ],
)  # fmt: skip
def test_every_value_has_one_band_and_bounds_are_in_range(value, band):
    assert glucose.band(Decimal(value), POLICY) is band


def test_units_are_converted_exactly_or_not_at_all():
    assert glucose.mmol_l(Decimal("180.16"), "mg/dL") == Decimal(10)
    assert glucose.mmol_l(Decimal(5), "mmol/L") == Decimal(5)
    assert glucose.mmol_l(Decimal(5), "mg") is None


def test_a_line_that_crosses_a_bound_is_split_where_it_crosses():
    found = glucose.summary([at(60, "11.1"), at(0, "8.9")], POLICY)
    assert found.minutes[Band.IN_RANGE] == pytest.approx(30)
    assert found.minutes[Band.HIGH] == pytest.approx(30)
    assert (found.count, found.in_range_percent) == (2, pytest.approx(50))
    assert found.mean_mmol_l == pytest.approx(10)
    assert found.variation_percent == pytest.approx(11)


def test_a_long_gap_is_left_out_and_a_flat_line_counts_whole():
    found = glucose.summary([at(0, "5"), at(10, "5"), at(10 + 481, "5")], POLICY)
    assert found.minutes == dict.fromkeys(Band, 0.0) | {Band.IN_RANGE: 10.0}
    edge = glucose.summary([at(0, "5"), at(480, "5"), at(480, "5")], POLICY)
    assert edge.minutes[Band.IN_RANGE] == 480


def test_without_values_nothing_is_claimed():
    found = glucose.summary([], POLICY)
    assert (found.count, found.mean_mmol_l, found.variation_percent, found.in_range_percent) == (
        0, None, None, None,
    )  # fmt: skip
    assert glucose.summary([at(0, "5")], POLICY).in_range_percent is None


@given(st.lists(st.tuples(st.integers(0, 400), st.decimals("1", "30", places=1)), max_size=12))
def test_the_bands_share_exactly_the_time_that_was_watched(points):
    values = [at(minutes, value) for minutes, value in points]
    found = glucose.summary(values, POLICY)
    moments = sorted(value.at for value in values)
    span = (moments[-1] - moments[0]).total_seconds() / 60 if moments else 0.0
    assert sum(found.minutes.values()) == pytest.approx(span)
