"""Blood glucose: which band a value is in, and how much of the time it was in range.

Between two values a straight line is assumed, and each band gets the time the line spends in it; a gap
longer than the policy allows is left out, never filled.

Source: bounds are the hospital's setting; mg/dL = mmol/L x 18.016.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from clinical import quantities

if TYPE_CHECKING:
    from clinical.care_policy import GlucosePolicy


class Band(StrEnum):
    """Bands of glucose, from low to high."""

    CRITICAL_LOW = "critical-low"
    LOW = "low"
    IN_RANGE = "in-range"
    HIGH = "high"
    VERY_HIGH = "very-high"
    CRITICAL_HIGH = "critical-high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One measured value in mmol/L."""

    at: datetime
    mmol_l: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a span of values says. ``minutes`` has every band; percentages are None without enough values."""

    count: int
    mean_mmol_l: float | None
    variation_percent: float | None  # standard deviation over mean
    minutes: dict[Band, float]
    in_range_percent: float | None


def mmol_l(value: Decimal, unit: str) -> Decimal | None:
    """Return a value in mmol/L; None for a unit that is not one of glucose."""
    converted = quantities.convert(value, unit, "mmol/L")
    return None if converted is None else quantities.decimal(converted)


def band(value: Decimal, policy: GlucosePolicy) -> Band:
    """Return the band of a value in mmol/L; the bounds of the range are still in range."""
    if value < policy.critical_low:
        return Band.CRITICAL_LOW
    if value < policy.low:
        return Band.LOW
    if value <= policy.high:
        return Band.IN_RANGE
    if value <= policy.very_high:
        return Band.HIGH
    return Band.VERY_HIGH if value <= policy.critical_high else Band.CRITICAL_HIGH


def summary(values: Iterable[Value], policy: GlucosePolicy) -> Summary:
    """Sum up values of one patient, in any order."""
    ordered = sorted(values, key=lambda value: value.at)
    minutes = dict.fromkeys(Band, 0.0)
    limit = timedelta(minutes=policy.gap_max_min)
    for first, second in pairwise(ordered):
        span = second.at - first.at
        if timedelta(0) < span <= limit:
            _share(minutes, float(first.mmol_l), float(second.mmol_l), span, policy)
    numbers = [float(value.mmol_l) for value in ordered]
    mean = fmean(numbers) if numbers else None
    watched = sum(minutes.values())
    return Summary(
        count=len(ordered),
        mean_mmol_l=mean,
        variation_percent=100.0 * pstdev(numbers) / mean if mean and len(numbers) > 1 else None,
        minutes=minutes,
        in_range_percent=100.0 * minutes[Band.IN_RANGE] / watched if watched else None,
    )


def _share(
    minutes: dict[Band, float], first: float, second: float, span: timedelta, policy: GlucosePolicy
) -> None:
    """Split one straight piece at the bounds it crosses; each part lies in the band of its middle."""
    low, high = min(first, second), max(first, second)
    bounds = (policy.critical_low, policy.low, policy.high, policy.very_high, policy.critical_high)
    cuts = [low, *(float(bound) for bound in bounds if low < bound < high), high]
    whole = span.total_seconds() / 60.0
    if low == high:
        minutes[band(Decimal(str(low)), policy)] += whole
        return
    for start, end in pairwise(cuts):
        middle = Decimal(str((start + end) / 2.0))
        minutes[band(middle, policy)] += whole * (end - start) / (high - low)
