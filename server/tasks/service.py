"""Planned executions: made from orders, kept when orders change, advanced as time passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from clinical import specimens
from clinical.care_records import Specimen
from clinical.policy import SitePolicy
from clinical.records import ENDED, FOLLOW_UPS, AlarmPriority, Order, Task, TaskStatus
from clinical.schedule import plan
from clinical.windows import WAITING, task_status
from server.alarms import service as alarms
from server.storage.schema import fact_history, facts, meta
from server.storage.store import UnitOfWork

HORIZON = timedelta(hours=24)
LOOK_BACK = timedelta(hours=4)
"""How far back an order that is changed plans again."""
LONGEST_LOOK_BACK = timedelta(hours=72)
"""How far back an order that reached us late, or a server that was away, says which doses were missed."""
_OPEN_AGAIN = WAITING | {TaskStatus.CANCELLED, TaskStatus.ERROR, TaskStatus.STOPPED}
_PLANNED = "planned-until"


def plan_first(unit: UnitOfWork, order: Order, policy: SitePolicy) -> None:
    """Split an order that is new here: what it had planned before it reached us is missed, and not lost.

    Only from when the stay was known here: nobody could have given anything by this server before.
    """
    known = unit.connection.scalar(
        select(fact_history.c.recorded)
        .where(fact_history.c.kind == "encounters", fact_history.c.id == order.encounter_id)
        .order_by(fact_history.c.n)
        .limit(1)
    )
    since = min(known or unit.now, unit.now - LOOK_BACK)
    replan(unit, order, policy, since=since)


def replan(unit: UnitOfWork, order: Order, policy: SitePolicy, since: datetime | None = None) -> None:
    """Split an order into tasks up to the horizon; what was done stays, what no longer fits is cancelled.

    Idempotent: a slot has the same task id in every version of the order. A slot that becomes a task when it
    is missed already sounds like any other that is missed.

    Args:
        unit: The open unit of work.
        order: The newest version.
        policy: Clock times and windows of the site.
        since: From when on it is planned; a few hours back when left out.
    """
    existing = {
        task.id: task for task in unit.all(Task) if task.order_id == order.id and task.kind not in FOLLOW_UPS
    }
    if order.status in ENDED:
        _end_waiting(unit, existing, order)
        return
    back = max(since or unit.now - LOOK_BACK, unit.now - LONGEST_LOOK_BACK)
    since = max(order.start, back)
    planned = {task.id: task for task in plan(order, until=unit.now + HORIZON, since=since, policy=policy)}
    over = _left_the_picture(unit, planned.keys() - existing.keys())
    for task in planned.values():
        before = existing.get(task.id)
        if before is None and task.id not in over and not _made_by_the_change(task, order):
            _begin(unit, _advanced(replace(task, changed_at=unit.now), order, planned, unit.now))
        elif before is None:
            continue
        elif before.status in _OPEN_AGAIN:
            merged = replace(task, changed_at=before.changed_at)
            moved = _advanced(merged, order, planned, unit.now)
            unit.put(moved)
            if moved.status is TaskStatus.MISSED and before.status in WAITING | {TaskStatus.STOPPED}:
                tell_missed(unit, moved)
    _cancel_dropped(unit, existing, planned, since)
    if order.kind == "specimen":
        _plan_tubes(unit, order, planned.values())


def _made_by_the_change(task: Task, order: Order) -> bool:
    """Whether a slot was over before the change that made it: nobody was ever asked to give it."""
    changed, planned = order.changed_at, task.planned_at
    if order.version == 1 or changed is None or planned is None or planned == order.start:
        return False
    return task.latest is not None and task.latest < changed


def _begin(unit: UnitOfWork, task: Task) -> None:
    unit.put(task)
    if task.status is TaskStatus.MISSED:
        tell_missed(unit, task)


def tell_missed(unit: UnitOfWork, task: Task) -> None:
    """Tell the station that a dose was missed."""
    order = unit.get(Order, task.order_id)
    if order is not None and order.status == "on-hold":
        return  # nobody was to give it
    alarms.begin(
        unit,
        alarms.Condition(
            condition="dose-missed",
            priority=AlarmPriority.LOW,
            at=unit.now,
            encounter_id=task.encounter_id,
            generation=alarms.generation_of(unit, task.patient_id),
            subject=task.id,
        ),
    )


def _left_the_picture(unit: UnitOfWork, ids: Iterable[str]) -> set[str]:
    """Tasks that are long over: the store has them, and they are never planned a second time."""
    wanted, table = sorted(ids), facts.c
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        query = select(table.id).where(table.kind == "tasks", table.id.in_(some))
        found |= {id_ for id_ in unit.connection.scalars(query) if unit.get(Task, id_) is None}
    return found


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
    """Plan active orders further as the horizon moves on, from when that was done last."""
    last = unit.connection.scalar(select(meta.c.value).where(meta.c.key == _PLANNED))
    usual = unit.now - LOOK_BACK
    since = min(usual, datetime.fromisoformat(last)) if last is not None else usual
    for order in list(unit.all(Order)):
        if order.status in {"active", "on-hold"}:
            replan(unit, order, policy, since=since)
    noted = unit.upsert("meta").values(key=_PLANNED, value=unit.now.isoformat())
    unit.connection.execute(
        noted.on_conflict_do_update(index_elements=["key"], set_={"value": noted.excluded.value})
    )


def settle(unit: UnitOfWork, task: Task, status: TaskStatus, by: str) -> None:
    """Write what became of a task."""
    unit.put(replace(task, status=status, changed_at=unit.now, detail=by))
