"""The preparation chain 摆药 → 配药 → 核对: every step has its person and time, and the check is another's.

A label's bag id is a function of the task and of how many labels it has had, so that printing twice by
mistake makes no second bag.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta

from clinical.bedside_check import labels
from clinical.errors import ConflictError, NotFoundError
from clinical.policy import SitePolicy
from clinical.records import Bag, Order, Task
from clinical.windows import WAITING
from server.storage.store import UnitOfWork

OPEN = frozenset({"labelled", "laid", "prepared", "checked"})


def label(unit: UnitOfWork, task_id: str, by: str, policy: SitePolicy) -> Bag:
    """Label a bag for a task; the open one when there is one already.

    The site's policy says how long a mixed bag may be used.

    Raises:
        NotFoundError: There is no such task.
        ConflictError: The task is not waiting any more.
    """
    task = unit.get(Task, task_id)
    order = unit.get(Order, task.order_id) if task else None
    if task is None or order is None:
        raise NotFoundError("unknown-task", "there is no such task")
    of_task = [bag for bag in unit.all(Bag) if bag.task_id == task_id]
    current = next(
        (bag for bag in of_task if bag.state in OPEN and labels.state(bag, order) == "valid"), None
    )
    if current is not None:
        return current
    if task.status not in WAITING:
        raise ConflictError("task-closed", "this task is not waiting any more; nothing is prepared for it")
    for outdated in of_task:
        if outdated.state in OPEN:
            unit.put(replace(outdated, state="void"))
    bag = Bag(
        id=_bag_id(task_id, len(of_task)),
        order_id=order.id,
        order_version=order.version,
        patient_id=task.patient_id,
        task_id=task_id,
        printed_at=unit.now,
        beyond_use=unit.now + timedelta(hours=policy.care.infusion.beyond_use_h),
        state="labelled",
    )
    unit.put(bag)
    unit.audit("bag-label", actor=by, entity=f"bag:{bag.id}", patient=bag.patient_id)
    return bag


def lay(unit: UnitOfWork, bag_id: str, by: str) -> Bag:
    """Note that the drugs of a label are laid out beside it (摆药); again changes nothing.

    Raises:
        NotFoundError: There is no such bag.
        ConflictError: It is no longer waiting.
    """
    bag = _open(unit, bag_id)
    if bag.state != "labelled":
        return bag
    return _step(unit, replace(bag, state="laid", laid_by=by, laid_at=unit.now), "bag-laid", by)


def prepare(unit: UnitOfWork, bag_id: str, by: str) -> Bag:
    """Note that a bag was made up (配药); again changes nothing.

    Raises:
        NotFoundError: There is no such bag.
        ConflictError: Its drugs were not laid out, or it is no longer waiting.
    """
    bag = _open(unit, bag_id)
    if bag.state == "labelled":
        raise ConflictError("not-laid", "lay the drugs out beside the label first")
    if bag.state != "laid":
        return bag
    made = replace(bag, state="prepared", prepared_by=by, prepared_at=unit.now)
    return _step(unit, made, "bag-prepared", by)


def check(unit: UnitOfWork, bag_id: str, by: str, policy: SitePolicy, unscanned: str = "") -> Bag:
    """Note that another person has checked the prepared bag (核对).

    Args:
        unit: The open unit of work.
        bag_id: Which bag.
        by: Who checks.
        policy: Says whether a bag into which nothing was scanned needs a reason.
        unscanned: Why nothing was scanned into it.

    Raises:
        NotFoundError: There is no such bag.
        ConflictError: It was not made up, the same person made it up, a drug of its order is missing, nothing
            was scanned into it and no reason is given, or it is no longer waiting.
    """
    bag = _open(unit, bag_id)
    if bag.state == "checked":
        return bag
    if bag.state != "prepared":
        raise ConflictError("not-prepared", "this bag is not made up yet")
    if bag.prepared_by == by:
        raise ConflictError("same-person", "a prepared bag is checked by another person")
    if not bag.contents and not unscanned and policy.care.infusion.scan_packages:
        raise ConflictError("bag-unscanned", "scan what goes into the bag, or say why it cannot be scanned")
    missing = missing_of(unit, bag)
    if bag.contents and missing:
        raise ConflictError("bag-incomplete", f"{len(missing)} drug(s) of the order were not scanned into it")
    checked = replace(
        bag,
        state="checked",
        checked_by=by,
        checked_at=unit.now,
        unscanned="" if bag.contents else unscanned,
    )
    return _step(unit, checked, "bag-check", by)


def _open(unit: UnitOfWork, bag_id: str) -> Bag:
    bag = unit.get(Bag, bag_id)
    if bag is None:
        raise NotFoundError("unknown-bag", "there is no such bag")
    if bag.state not in OPEN:
        raise ConflictError("bag-closed", "this bag is void, running or used")
    return bag


def _step(unit: UnitOfWork, bag: Bag, action: str, by: str) -> Bag:
    unit.put(bag)
    unit.audit(action, actor=by, entity=f"bag:{bag.id}", patient=bag.patient_id, detail=bag.unscanned)
    return bag


def missing_of(unit: UnitOfWork, bag: Bag) -> tuple[str, ...]:
    """Return the products of the bag's order that were not scanned into it."""
    order = unit.get(Order, bag.order_id)
    inside = {one.product_id for one in bag.contents}
    return tuple(line.product_id for line in order.items if line.product_id not in inside) if order else ()


def _bag_id(task_id: str, number: int) -> str:
    digest = hashlib.sha256(f"{task_id}/{number}".encode()).digest()
    return "B" + base64.b32encode(digest).decode()[:9]
