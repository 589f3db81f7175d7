"""Tapers: orders whose dose, and perhaps frequency, changes by days.

Steps are whole local days: the first one begins with the order and ends at a midnight of the ward; the end of
the last step is the end of the order.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical import frequencies, slots
from clinical.frequencies import Frequency
from clinical.records import Dose, Order, TaperStep

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

_LOOK = timedelta(days=8)
"""How far from a border between steps a neighbouring slot is looked for: a week and the day of the border."""
Span = tuple[TaperStep, datetime, datetime]


def spans(order: Order, policy: SitePolicy) -> tuple[Span, ...]:
    """Return the steps of a taper, each from its beginning (included) to its end (excluded)."""
    zone = ZoneInfo(policy.zone)
    day = order.start.astimezone(zone).date()
    start, found = order.start, []
    for step in order.taper:
        day += timedelta(days=step.days)
        end = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        found.append((step, start, end))
        start = end
    return tuple(found)


def frequency(order: Order, step: TaperStep, policy: SitePolicy) -> Frequency | None:
    """Understand a step's own frequency, or the order's; None when it does not repeat or is not known."""
    found = frequencies.parse(step.frequency or order.frequency, order.route, policy)
    return None if found is None or found.once or found.as_needed else found


def dose_at(order: Order, planned_at: datetime | None, policy: SitePolicy) -> Dose | None:
    """Return the dose a taper plans for a slot; None for an order without one, or a slot outside it."""
    found = _step(spans(order, policy), planned_at)
    return found[1][0].dose if found is not None else None


def interval_at(order: Order, planned_at: datetime, policy: SitePolicy) -> int | None:
    """Return the interval of the step a slot falls into, in minutes; None for a slot outside the taper."""
    found = _step(spans(order, policy), planned_at)
    if found is None:
        return None
    return frequencies.interval_min(found[1][0].frequency or order.frequency, order.route, policy)


def border_gap_min(order: Order, planned_at: datetime, policy: SitePolicy) -> int | None:
    """Return minutes from a slot to the nearest one of the step before or after; None when there is none."""
    steps = spans(order, policy)
    found = _step(steps, planned_at)
    if found is None:
        return None
    beside = (*_slots(order, steps, found[0] - 1, policy), *_slots(order, steps, found[0] + 1, policy))
    return min((int(abs(slot - planned_at).total_seconds()) // 60 for slot in beside), default=None)


def _step(steps: tuple[Span, ...], planned_at: datetime | None) -> tuple[int, Span] | None:
    if planned_at is None:
        return None
    return next(((index, span) for index, span in enumerate(steps) if span[1] <= planned_at < span[2]), None)


def _slots(order: Order, steps: tuple[Span, ...], index: int, policy: SitePolicy) -> tuple[datetime, ...]:
    """Return the slots of a neighbouring step that lie near the border."""
    if not 0 <= index < len(steps):
        return ()
    step, start, end = steps[index]
    found = frequency(order, step, policy)
    if found is None:
        return ()
    first, last = max(start, end - _LOOK), min(end, start + _LOOK)
    return tuple(slots.moments(found, order.start, first, last, ZoneInfo(policy.zone)))
