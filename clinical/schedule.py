"""Splits an order into its planned executions (拆分): the same order always gives the same tasks.

A task's id is a function of the order and the planned time, so splitting again, after a change, on another
server or after a crash, never makes a second task for one slot. An order that cannot be scheduled becomes
one visible task in error: it never disappears.

Source: ``standards`` fact sheet §7.4; bc-1 §5.4.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical import frequencies, windows
from clinical.frequencies import Frequency
from clinical.records import Dose, Order, TaperStep, Task, TaskStatus

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

_NAMESPACE = uuid.UUID("6f6a4c1e-6d8e-5a53-9f3f-7a0a4f9f2b11")
_MAX_TASKS = 2000
_ENDED = frozenset({"stopped", "cancelled", "entered-in-error", "completed"})


def task_id(order_id: str, planned_at: datetime | None) -> str:
    """Return the id of a slot: the same for every version of the order; None is the as-needed slot."""
    slot = planned_at.astimezone(UTC).isoformat() if planned_at else "prn"
    return str(uuid.uuid5(_NAMESPACE, f"{order_id}|{slot}"))


def plan(order: Order, *, until: datetime, since: datetime, policy: SitePolicy) -> tuple[Task, ...]:
    """Return the planned executions of an order from ``since`` (included) to ``until`` (excluded).

    Only slots within the order's own start (included) and end (excluded) count, so the first day has as
    many as remain. A stopped, cancelled or mistaken order plans nothing more; what was planned before stays
    in the store and is the store's to cancel. An order on hold keeps its slots: the check refuses them.

    Args:
        order: The newest version.
        until: End of the span.
        since: Start of the span.
        policy: Clock times, zone and windows of the site.
    """
    if order.status in _ENDED:
        return ()
    frequency = frequencies.parse(order.frequency, order.route, policy)
    problem = _problem(order, frequency)
    if problem or frequency is None:
        return (_error(order, problem),)
    if frequency.as_needed or order.category == "prn":
        return (_task(order, None, policy),)
    if frequency.once or order.category in {"once", "stat"}:
        return (_task(order, order.start, policy),) if order.start < until else ()
    if order.taper:
        return _tapered(order, since, until, policy)
    first, last = max(since, order.start), min(until, order.end or until)
    moments = _moments(frequency, order.start, first, last, ZoneInfo(policy.zone))
    return tuple(_task(order, moment, policy) for moment, _ in zip(moments, range(_MAX_TASKS), strict=False))


def _problem(order: Order, frequency: Frequency | None) -> str:
    if frequency is None:
        return "frequency-unknown"
    if not order.items:
        return "order-empty"
    if order.end is not None and order.end <= order.start:
        return "order-ends-before-start"
    if any(step.days < 1 for step in order.taper):
        return "taper-step-without-days"
    return ""


def taper_spans(order: Order, policy: SitePolicy) -> tuple[tuple[TaperStep, datetime, datetime], ...]:
    """Return the steps of a taper, each from its beginning (included) to its end (excluded).

    Steps are whole local days: the first one begins with the order and ends at a midnight of the ward.
    """
    zone = ZoneInfo(policy.zone)
    day = order.start.astimezone(zone).date()
    start, spans = order.start, []
    for step in order.taper:
        day += timedelta(days=step.days)
        end = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        spans.append((step, start, end))
        start = end
    return tuple(spans)


def dose_at(order: Order, planned_at: datetime | None, policy: SitePolicy) -> Dose | None:
    """Return the dose a taper plans for a slot; None for an order without one, or a slot outside it."""
    if planned_at is None:
        return None
    return next(
        (step.dose for step, start, end in taper_spans(order, policy) if start <= planned_at < end), None
    )


def _tapered(order: Order, since: datetime, until: datetime, policy: SitePolicy) -> tuple[Task, ...]:
    """Plan every step with its own frequency; one that cannot be understood is a visible error."""
    found: list[Task] = []
    for step, start, end in taper_spans(order, policy):
        code = step.frequency or order.frequency
        frequency = frequencies.parse(code, order.route, policy)
        if frequency is None or frequency.once or frequency.as_needed:
            return (_error(order, "taper-frequency"),)
        first, last = max(since, start), min(until, end, order.end or end)
        moments = _moments(frequency, order.start, first, last, ZoneInfo(policy.zone))
        found += [_task(order, moment, policy) for moment, _ in zip(moments, range(_MAX_TASKS), strict=False)]
    return tuple(found)


def _task(order: Order, planned_at: datetime | None, policy: SitePolicy) -> Task:
    earliest, latest = windows.window(order, planned_at, policy) if planned_at else (None, None)
    return Task(
        id=task_id(order.id, planned_at), order_id=order.id, order_version=order.version,
        encounter_id=order.encounter_id, patient_id=order.patient_id, kind=order.kind,
        status=TaskStatus.PENDING if planned_at else TaskStatus.DUE,
        planned_at=planned_at, earliest=earliest, latest=latest,
    )  # fmt: skip


def _error(order: Order, problem: str) -> Task:
    return Task(
        id=str(uuid.uuid5(_NAMESPACE, f"{order.id}|error")), order_id=order.id, order_version=order.version,
        encounter_id=order.encounter_id, patient_id=order.patient_id, kind=order.kind,
        status=TaskStatus.ERROR, planned_at=None, detail=problem,
    )  # fmt: skip


def _moments(
    frequency: Frequency, start: datetime, first: datetime, last: datetime, zone: ZoneInfo
) -> Iterator[datetime]:
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


def merge(existing: tuple[Task, ...], planned: tuple[Task, ...]) -> tuple[Task, ...]:
    """Bring newly planned tasks and stored ones together; decided and running ones are never touched.

    Returns:
        The planned tasks, each with the stored status when a person has already acted on it.
    """
    decided = {task.id: task for task in existing if task.status in windows.FINAL | windows.ONGOING}
    cancelled = TaskStatus.CANCELLED
    return tuple(
        decided[task.id] if task.id in decided and decided[task.id].status is not cancelled else task
        for task in planned
    )


def refreshed(task: Task, order: Order | None, now: datetime) -> Task:
    """Return the task with its status as of now."""
    status = windows.task_status(task, order, now)
    return task if status is task.status else replace(task, status=status)
