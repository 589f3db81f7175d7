"""Intake and output (出入量), added up by the ward's own shifts and days.

Source: the ward's temperature chart (体温单): a day's sum at the ward's own hour; shifts are site policy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError

if TYPE_CHECKING:
    from clinical.care_policy import FluidPolicy

INTAKE, OUTPUT = "in", "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidEntry:
    """One amount that went in or came out; ``ml`` is never negative, a correction replaces its entry."""

    at: datetime
    direction: str  # in, out
    kind: str  # oral, infusion, blood, urine, stool, vomit, drain, …
    ml: Decimal

    def __post_init__(self) -> None:
        """Refuse an amount or a direction that cannot be."""
        if self.ml < 0 or self.direction not in {INTAKE, OUTPUT}:
            raise BadInputError("fluid-entry", "an entry is an amount from 0 that goes in or out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A span of time: ``start`` belongs to it, ``end`` does not."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The sums of one period; ``by_kind`` has ``(direction, kind)``."""

    period: Period
    intake_ml: Decimal
    output_ml: Decimal
    by_kind: dict[tuple[str, str], Decimal]

    @property
    def net_ml(self) -> Decimal:
        """Intake less output: negative when more came out."""
        return self.intake_ml - self.output_ml


def shifts(day: date, zone: str, policy: FluidPolicy) -> tuple[Period, ...]:
    """Return the shifts of a ward day, in UTC; the day begins at the first shift and has 23 to 25 hours."""
    place = ZoneInfo(zone)
    starts = [_moment(day, time, place) for time in policy.shifts]
    starts.append(_moment(day + timedelta(days=1), policy.shifts[0], place))
    return tuple(Period(start=start, end=end) for start, end in pairwise(starts))


def whole_day(day: date, zone: str, policy: FluidPolicy) -> Period:
    """Return the ward day as one period."""
    parts = shifts(day, zone, policy)
    return Period(start=parts[0].start, end=parts[-1].end)


def _moment(day: date, time: str, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, int(time[:2]), int(time[3:]), tzinfo=zone).astimezone(UTC)


def balance(entries: Iterable[FluidEntry], period: Period) -> Balance:
    """Add up what falls into a period."""
    by_kind: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        if period.start <= entry.at < period.end:
            key = (entry.direction, entry.kind)
            by_kind[key] = by_kind.get(key, Decimal(0)) + entry.ml
    sums = {
        direction: sum((ml for (way, _), ml in by_kind.items() if way == direction), Decimal(0))
        for direction in (INTAKE, OUTPUT)
    }
    return Balance(period=period, intake_ml=sums[INTAKE], output_ml=sums[OUTPUT], by_kind=by_kind)
