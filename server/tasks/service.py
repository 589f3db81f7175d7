"""Planned executions: made from orders, kept when orders change, advanced as time passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from clinical import specimens
from clinical.care_records import Specimen
from clinical.policy import SitePolicy
from clinical.records import ENDED, FOLLOW_UPS, Order, Task, TaskStatus
from clinical.schedule import plan
from clinical.windows import WAITING, task_status
from server.storage.store import UnitOfWork

HORIZON = timedelta(hours=24)
LOOK_BACK = timedelta(hours=4)
"""How far back a new order may still create tasks: doses of an order that reached us late stay visible."""


def replan(unit: UnitOfWork, order: Order, policy: SitePolicy) -> None:
    """Split an order into tasks up to the horizon; what was done stays, what no longer fits is cancelled.

    Idempotent: a slot has the same task id in every version of the order.
    """
    existing = {
        task.id: task for task in unit.all(Task) if task.order_id == order.id and task.kind not in FOLLOW_UPS
    }
    if order.status in ENDED:
        _end_waiting(unit, existing, order)
        return
    since = max(order.start, unit.now - LOOK_BACK)
    planned = {task.id: task for task in plan(order, until=unit.now + HORIZON, since=since, policy=policy)}
    for task in planned.values():
        before = existing.get(task.id)
        if before is None:
            unit.put(_advanced(replace(task, changed_at=unit.now), order, planned, unit.now))
        elif before.status in WAITING or before.status in {TaskStatus.CANCELLED, TaskStatus.ERROR}:
            merged = replace(task, changed_at=before.changed_at)
            unit.put(_advanced(merged, order, planned, unit.now))
    _cancel_dropped(unit, existing, planned, since)
    if order.kind == "specimen":
        _plan_tubes(unit, order, planned.values())


def _plan_tubes(unit: UnitOfWork, order: Order, planned: Iterable[Task]) -> None:
    """Let every planned sample have its tube; one that was printed or taken stays as it is."""
    for task in planned:
        tube = specimens.planned(order, task)
        if unit.get(Specimen, tube.id) is None:
            unit.put(tube)


def _advanced(task: Task, order: Order, slots: Mapping[str, Task], now: datetime) -> Task:
    return replace(
        task, status=task_status(task, order, now, next_earliest=_next_earliest(task, slots.values()))
    )


def _next_earliest(task: Task, slots: Iterable[Task]) -> datetime | None:
    """When the window of the slot after ``task`` opens."""
    if task.planned_at is None:
        return None
    later = [
        slot.earliest
        for slot in slots
        if slot.planned_at is not None and slot.earliest is not None and slot.planned_at > task.planned_at
    ]
    return min(later, default=None)


def _cancel_dropped(
    unit: UnitOfWork, existing: dict[str, Task], planned: dict[str, Task], since: datetime
) -> None:
    for task in existing.values():
        in_reach = task.planned_at is None or task.planned_at >= since
        if (
            task.id not in planned
            and in_reach
            and (task.status in WAITING or task.status is TaskStatus.ERROR)
        ):
            unit.put(replace(task, status=TaskStatus.CANCELLED, changed_at=unit.now))


def _end_waiting(unit: UnitOfWork, existing: dict[str, Task], order: Order) -> None:
    ended = TaskStatus.STOPPED if order.status in {"stopped", "completed"} else TaskStatus.CANCELLED
    for task in existing.values():
        if task.status in WAITING or task.status is TaskStatus.ERROR:
            unit.put(replace(task, status=ended, order_version=order.version, changed_at=unit.now))


def advance(unit: UnitOfWork) -> list[Task]:
    """Move every waiting task to the state its window gives it now; returns those that were missed."""
    missed: list[Task] = []
    slots: dict[str, dict[str, Task]] = {}
    for task in unit.all(Task):
        slots.setdefault(task.order_id, {})[task.id] = task
    for task in [one for of_order in slots.values() for one in of_order.values() if one.status in WAITING]:
        order = unit.get(Order, task.order_id)
        if order is None:
            continue
        status = _advanced(task, order, slots[task.order_id], unit.now).status
        if status is not task.status:
            moved = replace(task, status=status, changed_at=unit.now)
            unit.put(moved)
            missed += [moved] if status is TaskStatus.MISSED else []
    return missed


def extend(unit: UnitOfWork, policy: SitePolicy) -> None:
    """Plan active orders further as the horizon moves on."""
    for order in list(unit.all(Order)):
        if order.status in {"active", "on-hold"}:
            replan(unit, order, policy)


def settle(unit: UnitOfWork, task: Task, status: TaskStatus, by: str) -> None:
    """Write what became of a task."""
    unit.put(replace(task, status=status, changed_at=unit.now, detail=by))
