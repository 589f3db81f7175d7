"""How early and how late a planned execution may be, and where it stands now.

Comparison is at whole minutes (both sides truncated) and the bounds are inclusive. States are computed
whenever they are asked for, never by a nightly job.

Source: bc-1 §5.4, after ISMP Acute Care Guidelines for Timely Administration of Scheduled Medications.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical import frequencies
from clinical.records import Order, Task, TaskStatus

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


def order_margin(order: Order, policy: SitePolicy) -> Margin:
    """Return the window of an order; once-only and as-needed orders have none around a planned time."""
    interval = frequencies.interval_min(order.frequency, order.route, policy)
    return margin(interval or 1440, policy.windows, time_critical=order.time_critical)


def window(order: Order, planned_at: datetime, policy: SitePolicy) -> tuple[datetime, datetime]:
    """Return the earliest and the latest time on which a planned execution is on time, both included.

    Once-only orders may be given from the order's start to its end; a stat order is late after
    ``stat_late_min``. The first dose of any order may be given from the order's start.
    """
    if frequencies.is_once(order.frequency) or order.category in {"stat", "once"}:
        return _once(order, planned_at, policy)
    side = order_margin(order, policy)
    earliest = planned_at - timedelta(minutes=side.early_min)
    return max(earliest, order.start - timedelta(minutes=side.early_min)), planned_at + timedelta(
        minutes=side.late_min
    )


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
    ended = order is not None and order.end is not None and now >= max(order.end, task.latest)
    if ended or (next_earliest is not None and now >= next_earliest):
        return TaskStatus.MISSED
    return TaskStatus.OVERDUE
