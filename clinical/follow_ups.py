"""Tasks that follow on a dose that was given: a patch comes off, the effect of an as-needed drug is seen.

They exist only once something was given, and they never stand for a dose: nothing can be given for them.

Source: bc-1 §5.5 (PRN-EFFECT, ROUTE-NOT-REMOVED); removal as a task of its own after VistA BCMA, patch
PSB*3*83.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical import frequencies, slots, windows
from clinical.bedside_check.model import Action
from clinical.records import EFFECT, REMOVAL, Administration, Order, Task, TaskStatus

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

OUTCOMES = {Action.REMOVE: "removed", Action.PRN_EFFECT: "effect"}
"""What the record of each action is called when it was done."""
ACTIONS = {REMOVAL: Action.REMOVE, EFFECT: Action.PRN_EFFECT}
"""What is asked for a task of each kind."""
_NAMESPACE = uuid.UUID("b0f5a0f8-3c0e-5d5a-9d5e-0d6f3a1c7e42")
_GIVEN = frozenset({"given", "partial"})
_VEIN = frozenset({"IV", "IVPB"})
_LOOK = timedelta(days=15)


def after(order: Order, task: Task, given: Administration, policy: SitePolicy) -> tuple[Task, ...]:
    """Return the tasks that follow on one administration: the same ones whenever it is asked.

    Args:
        order: What was carried out.
        task: The execution that was done.
        given: The record of it; one that gave nothing asks for nothing.
        policy: Times of the site.
    """
    if given.outcome not in _GIVEN:
        return ()
    removal = (_removal(order, task, given, policy),) if is_worn(order, policy) else ()
    effect = (_effect(order, task, given, policy),) if task.planned_at is None else ()
    return removal + effect


def is_worn(order: Order, policy: SitePolicy) -> bool:
    """Tell whether what is given stays on the body until somebody takes it off."""
    return order.wear_min is not None or order.route in policy.worn_routes


def _removal(order: Order, task: Task, given: Administration, policy: SitePolicy) -> Task:
    """A patch put on late still comes off when the next one is due; one without a plan counts from now."""
    begin = task.planned_at or given.at
    off = begin + timedelta(minutes=order.wear_min) if order.wear_min else _next_slot(order, begin, policy)
    if off is None:
        return _task(order, task, given, REMOVAL, None, None, None)
    side = windows.margin(int((off - begin).total_seconds()) // 60, policy.windows)
    early, late = timedelta(minutes=side.early_min), timedelta(minutes=side.late_min)
    return _task(order, task, given, REMOVAL, off, off - early, off + late)


def _next_slot(order: Order, begin: datetime, policy: SitePolicy) -> datetime | None:
    frequency = frequencies.parse(order.frequency, order.route, policy)
    if frequency is None or frequency.once or frequency.as_needed:
        return None
    after_it = begin + timedelta(minutes=1)
    moments = slots.moments(frequency, order.start, after_it, after_it + _LOOK, ZoneInfo(policy.zone))
    return next(moments, None)


def _effect(order: Order, task: Task, given: Administration, policy: SitePolicy) -> Task:
    route = given.route or order.route
    minutes = policy.prn_effect_iv_min if route in _VEIN else policy.prn_effect_min
    due = given.at + timedelta(minutes=minutes)
    latest = given.at + timedelta(minutes=policy.prn_effect_overdue_min)
    return _task(order, task, given, EFFECT, due, due, latest)


def _task(
    order: Order, task: Task, given: Administration, kind: str, planned_at: datetime | None,
    earliest: datetime | None, latest: datetime | None,
) -> Task:  # fmt: skip
    return Task(
        id=str(uuid.uuid5(_NAMESPACE, f"{given.id}|{kind}")), order_id=order.id, order_version=order.version,
        encounter_id=task.encounter_id, patient_id=task.patient_id, kind=kind, follows=task.id,
        status=TaskStatus.PENDING if planned_at else TaskStatus.DUE, planned_at=planned_at,
        earliest=earliest, latest=latest, changed_at=given.at,
    )  # fmt: skip
