"""How early and how late a planned execution may be, and where it stands now.

Comparison is at whole minutes (both sides truncated) and the bounds are inclusive. States are computed
whenever they are asked for, never by a nightly job.

Source: bc-1 §5.4, after ISMP Acute Care Guidelines for Timely Administration of Scheduled Medications.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical import frequencies, tapers
from clinical.records import FOLLOW_UPS, Order, Task, TaskStatus

if TYPE_CHECKING:
    from clinical.policy import SitePolicy, WindowPolicy

FINAL = frozenset({
    TaskStatus.GIVEN, TaskStatus.PARTIAL, TaskStatus.HELD, TaskStatus.REFUSED, TaskStatus.NOT_GIVEN,
    TaskStatus.COMPLETED, TaskStatus.STOPPED_EARLY, TaskStatus.STOPPED, TaskStatus.CANCELLED,
})  # fmt: skip
"""States that a person or a stopped order has decided; time no longer changes them."""

DONE = frozenset({TaskStatus.GIVEN, TaskStatus.PARTIAL, TaskStatus.RUNNING, TaskStatus.PAUSED,
                  TaskStatus.COMPLETED, TaskStatus.STOPPED_EARLY})  # fmt: skip
"""States in which the patient has got the drug, or some of it."""

ONGOING = frozenset({TaskStatus.RUNNING, TaskStatus.PAUSED})
"""States of a task whose bag hangs open."""

WAITING = frozenset({TaskStatus.PENDING, TaskStatus.DUE, TaskStatus.OVERDUE})
"""States of a task that is still to be done."""

_DAY = 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """Minutes before and after the planned time that still count as on time."""

    early_min: int
    late_min: int


def margin(interval_min: int, policy: WindowPolicy, *, time_critical: bool = False) -> Margin:
    """Return the window of a repeating order, the same on both sides.

    Args:
        interval_min: Shortest time between two planned executions, in minutes.
        policy: Bounds of the site.
        time_critical: Insulin, anticoagulants and whatever else the order marks.
    """
    if interval_min < policy.short_interval_min:
        side = interval_min // 4
    elif interval_min < 1440:
        side = policy.hourly_min
    else:
        side = policy.daily_min
    if time_critical:
        side = min(side, policy.time_critical_min)
    side = max(min(side, (interval_min - 1) // 2), 0)
    return Margin(early_min=side, late_min=side)


def interval_min(order: Order, policy: SitePolicy, planned_at: datetime | None = None) -> int | None:
    """Return the shortest time from a slot to the next one, in minutes; None for once and as needed.

    Args:
        order: The order.
        policy: Clock times of the site.
        planned_at: The slot; a taper's interval is that of the step it falls into.
    """
    if order.taper and planned_at is not None:
        found = tapers.interval_at(order, planned_at, policy)
        if found is not None:
            return found
    return frequencies.interval_min(order.frequency, order.route, policy)


def window(order: Order, planned_at: datetime, policy: SitePolicy) -> tuple[datetime, datetime]:
    """Return the earliest and the latest time on which a planned execution is on time, both included.

    Once-only orders may be given from the order's start to its end; a stat order is late after
    ``stat_late_min``. The first dose of a new order may be given from the order's start when its slot lies
    less than ``first_dose_align_percent`` of the interval after it: it is then given for that slot.
    """
    if frequencies.is_once(order.frequency) or order.category in {"stat", "once"}:
        return _once(order, planned_at, policy)
    interval = interval_min(order, policy, planned_at) or _DAY
    side = margin(interval, policy.windows, time_critical=order.time_critical)
    cap = _border_cap(order, planned_at, policy)
    early, late = (timedelta(minutes=min(minutes, cap)) for minutes in (side.early_min, side.late_min))
    earliest = max(planned_at, order.start) - early
    near = timedelta(minutes=interval * policy.windows.first_dose_align_percent / 100)
    if planned_at - order.start < near:
        earliest = min(earliest, order.start)
    return earliest, planned_at + late


def _border_cap(order: Order, planned_at: datetime, policy: SitePolicy) -> int:
    """Return the most a window may have beside the border of two steps of a taper, so that none touch."""
    gap = tapers.border_gap_min(order, planned_at, policy) if order.taper else None
    return _DAY if gap is None else max((gap - 1) // 2, 0)


def _once(order: Order, planned_at: datetime, policy: SitePolicy) -> tuple[datetime, datetime]:
    start = min(order.start, planned_at)
    if order.category == "stat" or frequencies.is_stat(order.frequency):
        return start, planned_at + timedelta(minutes=policy.windows.stat_late_min)
    late = timedelta(minutes=policy.windows.daily_min)
    return start, max(order.end or planned_at + late, planned_at)


def minutes_off(planned_at: datetime, at: datetime) -> int:
    """Return signed whole minutes from the planned time: negative is early, positive is late."""
    return int((_minute(at) - _minute(planned_at)).total_seconds()) // 60


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def is_early(at: datetime, earliest: datetime) -> bool:
    """Tell whether a time lies before the window."""
    return _minute(at) < _minute(earliest)


def is_late(at: datetime, latest: datetime) -> bool:
    """Tell whether a time lies after the window."""
    return _minute(at) > _minute(latest)


def task_status(
    task: Task, order: Order | None, now: datetime, *, next_earliest: datetime | None = None
) -> TaskStatus:
    """Return where a task stands now.

    Args:
        task: The planned execution; decided states and errors are kept.
        order: Its order, for the end of its time; None when it is not known.
        now: The present.
        next_earliest: When the window of the order's next slot opens; from then on this one is missed.
    """
    if task.status in FINAL or task.status in ONGOING or task.status is TaskStatus.ERROR:
        return task.status
    if task.planned_at is None or task.earliest is None or task.latest is None:
        return TaskStatus.DUE
    if is_early(now, task.earliest):
        return TaskStatus.PENDING
    if not is_late(now, task.latest):
        return TaskStatus.DUE
    if task.kind in FOLLOW_UPS:  # a patch that is still on is never out of date
        return TaskStatus.OVERDUE
    ended = order is not None and order.end is not None and now >= max(order.end, task.latest)
    if ended or (next_earliest is not None and now >= next_earliest):
        return TaskStatus.MISSED
    return TaskStatus.OVERDUE
