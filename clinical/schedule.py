"""Splits an order into its planned executions (拆分): the same order always gives the same tasks.

A task's id is a function of the order and the planned time, so splitting again, after a change, on another
server or after a crash, never makes a second task for one slot. An order that cannot be scheduled becomes
one visible task in error: it never disappears.

Source: bc-1 §5.4; splitting of orders (医嘱拆分) as Chinese wards do it.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical import frequencies, slots, tapers, windows
from clinical.frequencies import Frequency
from clinical.records import ENDED, Order, Task, TaskStatus

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

_NAMESPACE = uuid.UUID("6f6a4c1e-6d8e-5a53-9f3f-7a0a4f9f2b11")
_MAX_TASKS = 2000


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
    if order.status in ENDED:
        return ()
    frequency = frequencies.parse(order.frequency, order.route, policy)
    problem = _problem(order, frequency)
    if problem or frequency is None:
        return (_error(order, problem),)
    if frequency.as_needed or order.category == "prn":
        return (_task(order, None, policy),)
    if frequency.once or order.category in {"once", "stat"}:
        return (_task(order, order.start, policy),) if order.start < until else ()
    if order.start >= until:
        return ()
    if order.taper:
        return _tapered(order, since, until, policy)
    first, last = max(since, order.start), min(until, order.end or until)
    moments = slots.moments(frequency, order.start, first, last, ZoneInfo(policy.zone))
    return tuple(_task(order, moment, policy) for moment in islice(moments, _MAX_TASKS))


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


def _tapered(order: Order, since: datetime, until: datetime, policy: SitePolicy) -> tuple[Task, ...]:
    """Plan every step with its own frequency; one that cannot be understood is a visible error."""
    found: list[Task] = []
    for step, start, end in tapers.spans(order, policy):
        frequency = tapers.frequency(order, step, policy)
        if frequency is None:
            return (_error(order, "taper-frequency"),)
        first, last = max(since, start), min(until, end, order.end or end)
        moments = slots.moments(frequency, order.start, first, last, ZoneInfo(policy.zone))
        found += [_task(order, moment, policy) for moment in islice(moments, _MAX_TASKS)]
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
