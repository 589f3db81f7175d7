"""A record of an act is corrected by its owner within a day, by the head nurse later (bc-1 §5.7).

The record gets a new version, the store keeps the old one; what followed on it is planned again, and the
hospital is told: as a change, or that it never happened.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from clinical import commit, follow_ups
from clinical.bedside_check.case import GIVEN
from clinical.commit import DUPLICATE, STATUS_AFTER, WITHDRAWN
from clinical.exchange import AdministrationCorrected, Outcome
from clinical.records import Administration, Order, Practitioner, Task, TaskStatus
from clinical.windows import WAITING
from server.administrations.outbound import Told, tell_hospital
from server.administrations.service import dose_of, ingredients_given
from server.alarms import service as alarms
from server.sites import Site
from server.storage.store import UnitOfWork
from server.tasks.service import replan, settle

SHORTEST_REASON = 3
LATEST_UPLOAD = timedelta(hours=12)
"""As long as somebody may go on signed in without the server."""
_STATUS = STATUS_AFTER | {
    "completed": TaskStatus.COMPLETED,
    "stopped-early": TaskStatus.STOPPED_EARLY,
}


def record(unit: UnitOfWork, site: Site, event: AdministrationCorrected) -> Outcome:
    """Correct a record of an act; refused where it is not the person's to correct, or could not be."""
    before = unit.get(Administration, event.administration_id)
    refused = _refused(unit, site, event, before)
    if before is None or refused:
        return Outcome(event_id=event.id, status="refused", code=refused or "unknown-administration")
    order, task = unit.get(Order, before.order_id), unit.get(Task, before.task_id)
    after = _corrected(unit, event, before, order)
    unit.put(after)
    if after.outcome in GIVEN and before.outcome not in GIVEN and _given_otherwise(unit, after):
        after = replace(after, flagged=DUPLICATE)
        unit.put(after)
        alarms.flagged_act(unit, after, DUPLICATE, "TIME-DUP", ("doctor",))
    if task is not None and order is not None:
        _settle(unit, site, order, task, after)
        _plan_follow_ups(unit, site, order, task, after)
    gone = after.outcome == WITHDRAWN
    told = Told(event_id=event.id, action="D" if gone else "U")
    tell_hospital(unit, before if gone else after, order, told=told)
    unit.audit(
        "administration-correct",
        actor=event.operator,
        entity=f"event:{before.id}",
        patient=before.patient_id,
        outcome=after.outcome,
        detail=event.reason,
    )
    return Outcome(event_id=event.id, status="accepted")


def _given_otherwise(unit: UnitOfWork, after: Administration) -> bool:
    """Whether another record says that this very task was given."""
    return any(
        one.task_id == after.task_id and one.id != after.id and one.outcome in GIVEN
        for one in unit.all(Administration)
        if after.task_id
    )


def _refused(
    unit: UnitOfWork, site: Site, event: AdministrationCorrected, before: Administration | None
) -> str:
    if before is None:
        return "unknown-administration"
    person = unit.get(Practitioner, event.operator)
    roles = person.roles if person is not None else ()
    written = max(event.at, event.sent, unit.now - LATEST_UPLOAD)  # a handheld's word on the time ends here
    if not commit.may_correct(before.operator, before.at, event.operator, roles, written, site.policy):
        return "not-yours"
    order = unit.get(Order, before.order_id)
    apart = order is not None and order.kind not in {"medication", "infusion"}
    if apart or not commit.can_become(before, event.outcome, event.dose):
        return "correction-impossible"
    return "" if len(event.reason.strip()) >= SHORTEST_REASON else "reason-missing"


def _corrected(
    unit: UnitOfWork, event: AdministrationCorrected, before: Administration, order: Order | None
) -> Administration:
    gives = event.outcome in GIVEN
    dose = event.dose or dose_of(order) if gives else None
    bag = event.outcome in {"completed", "stopped-early"}
    whole = not bag or (order is not None and dose is not None and dose.value == order.volume_ml)
    inside = ingredients_given(unit, order, None if bag else event.dose) if gives and whole else ()
    return replace(
        before,
        outcome=event.outcome,
        dose=dose,
        ingredients=inside,
        corrected_by=event.operator,
        corrected_at=event.at,
        correction=event.reason,
    )


def _settle(unit: UnitOfWork, site: Site, order: Order, task: Task, after: Administration) -> None:
    """Let the task stand where its records say: by another dose that stays, by this one, or waiting again."""
    others = [
        one
        for one in unit.all(Administration)
        if one.task_id == task.id and one.id != after.id and one.outcome in GIVEN - {"running", "paused"}
    ]
    decisive = others[-1] if others and after.outcome not in GIVEN else after
    status = _STATUS.get(decisive.outcome)
    if status is not None:
        settle(unit, task, status, after.corrected_by)
        return
    settle(unit, task, TaskStatus.DUE, after.corrected_by)
    replan(unit, order, site.policy)


def _plan_follow_ups(unit: UnitOfWork, site: Site, order: Order, task: Task, after: Administration) -> None:
    """Plan what a dose asks for, and take back what one that was not given asks for no more."""
    wanted = {one.id: one for one in follow_ups.after(order, task, after, site.policy)}
    possible = follow_ups.after(order, task, replace(after, outcome="given"), site.policy)
    for one in possible:
        known = unit.get(Task, one.id)
        if known is None and one.id in wanted:
            unit.put(one)
        elif known is not None and known.status in WAITING and one.id not in wanted:
            settle(unit, known, TaskStatus.CANCELLED, after.corrected_by)
        elif known is not None and known.status is TaskStatus.CANCELLED and one.id in wanted:
            unit.put(one)
