"""From the planned sample to the laboratory's door."""

from __future__ import annotations

from dataclasses import replace

from clinical import specimens
from clinical.care_records import Specimen
from clinical.errors import ConflictError, NotFoundError
from clinical.exchange import Outcome
from clinical.records import Order, Task, TaskStatus
from clinical.windows import WAITING
from server.sites import Site
from server.storage.store import UnitOfWork
from server.tasks.service import settle
from server.worklist import judge as acts

_OPEN = frozenset({"planned", "printed"})


def label(unit: UnitOfWork, task_id: str, by: str) -> Specimen:
    """Print the tube's label for a planned sample; asked again it is the same tube, printed anew.

    Raises:
        NotFoundError: There is no such task, or it is not one of a sample.
        ConflictError: The sample was taken or cancelled.
    """
    task = unit.get(Task, task_id)
    order = unit.get(Order, task.order_id) if task else None
    if task is None or order is None or order.kind != "specimen":
        raise NotFoundError("unknown-task", "there is no such planned sample")
    planned = specimens.planned(order, task)
    known = unit.get(Specimen, planned.id) or planned
    if known.state not in _OPEN or task.status not in WAITING:
        raise ConflictError("task-closed", "this sample is not waiting any more; nothing is printed for it")
    printed = replace(known, state="printed", printed_at=unit.now)
    unit.put(printed)
    unit.audit("tube-label", actor=by, entity=f"specimen:{printed.id}", patient=printed.patient_id)
    return printed


def record_collected(unit: UnitOfWork, site: Site, step: acts.Step) -> Outcome:
    """Store that a sample was taken. Never refused: what stands against it is flagged and alarmed."""
    event = step.event
    known = unit.get(Specimen, event.subject_id)
    if known is None:
        return acts.outcome(unit, event, "", "unknown-specimen")
    if known.collected_at is not None:
        return acts.duplicate(unit, event, known.patient_id, "SPC-DONE")
    code = acts.judge(unit, site, step, known.patient_id)
    unit.put(replace(known, state="collected", collected_at=event.at, collected_by=event.operator))
    task = unit.get(Task, known.task_id)
    if task is not None:
        settle(unit, task, TaskStatus.COMPLETED, event.operator)
    return acts.outcome(unit, event, known.patient_id, code)


def hand_over(unit: UnitOfWork, specimen_id: str, by: str) -> Specimen:
    """Note that the laboratory or its courier has the sample; asked again nothing changes.

    Raises:
        NotFoundError: There is no such sample.
        ConflictError: It was not taken.
    """
    known = unit.get(Specimen, specimen_id)
    if known is None:
        raise NotFoundError("unknown-specimen", "there is no such sample")
    if known.received_at is not None:
        return known
    if known.collected_at is None:
        raise ConflictError("not-collected", "this sample was not taken; take it first")
    received = replace(known, state="received", received_at=unit.now)
    unit.put(received)
    unit.audit("specimen-received", actor=by, entity=f"specimen:{known.id}", patient=known.patient_id)
    return received
