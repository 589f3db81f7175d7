"""The moments a frequency names: pure calendar arithmetic in the ward's zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from clinical.frequencies import Frequency


def moments(
    frequency: Frequency, start: datetime, first: datetime, last: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
    """Yield the planned times of a repeating frequency in a span, in order.

    Args:
        frequency: One that repeats.
        start: When the order begins; intervals and every second day count from there.
        first: Beginning of the span, included.
        last: End of the span, excluded.
        zone: Zone of the clock times.
    """
    if frequency.every_min:
        yield from _repeating(timedelta(minutes=frequency.every_min), start, first, last)
        return
    day = first.astimezone(zone).date() - timedelta(days=1)
    final = last.astimezone(zone).date()
    start_day = _first_day(frequency, start, zone)
    while day <= final:
        if _counts(frequency, day, start_day):
            yield from (moment for moment in _clock(frequency, day, zone) if first <= moment < last)
        day += timedelta(days=1)


def _repeating(step: timedelta, start: datetime, first: datetime, last: datetime) -> Iterator[datetime]:
    skipped = max(-((start - first) // step), 0) if first > start else 0
    moment = start + step * skipped
    while moment < last:
        yield moment
        moment += step


def _first_day(frequency: Frequency, start: datetime, zone: ZoneInfo) -> date:
    """Return the local day of the first slot: every second day counts from there, not from midnight."""
    day = start.astimezone(zone).date()
    fits = any(moment >= start for moment in _clock(frequency, day, zone))
    return day if fits else day + timedelta(days=1)


def _counts(frequency: Frequency, day: date, start_day: date) -> bool:
    if frequency.week_days:
        return day.weekday() in frequency.week_days
    return (day - start_day).days % frequency.every_days == 0


def _clock(frequency: Frequency, day: date, zone: ZoneInfo) -> list[datetime]:
    """Return the UTC moments of the clock times on a local day.

    When clocks go forward a missing local time moves on by the jump; when they go back the first of the two
    is taken: a dose is never planned twice and never lost.
    """
    local = (
        datetime(day.year, day.month, day.day, int(time[:2]), int(time[3:]), tzinfo=zone)
        for time in frequency.times
    )
    return sorted(moment.astimezone(UTC) for moment in local)
