"""Tasks as rows: where each stands at this minute, and the words for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical import windows
from clinical.records import FOLLOW_UPS, PRESENT, Encounter, Order, Patient, Task, TaskStatus
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Msg, TaskRow, Text, Tone

OVERDUE = frozenset({TaskStatus.OVERDUE, TaskStatus.MISSED, TaskStatus.ERROR})
DUE = frozenset({TaskStatus.DUE})
OPEN = OVERDUE | DUE | {TaskStatus.PENDING} | windows.ONGOING
DONE = frozenset(TaskStatus) - OPEN - {TaskStatus.STOPPED, TaskStatus.CANCELLED}
_HORIZON = timedelta(hours=14)
_LOOK_BACK = timedelta(hours=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One task with its order, patient and bed, and its state now."""

    task: Task
    order: Order | None
    patient: Patient
    bed: str
    status: TaskStatus


def standings(desk: Desk) -> list[Standing]:
    """Every task of today's shift on this ward, in walking order and then by time."""
    book, now = desk.book, desk.now()
    beds = {bed: index for index, bed in enumerate(book.ward.beds)}
    stays = {stay.patient_id: stay for stay in book.all(Encounter) if stay.status in PRESENT}
    found = [
        one
        for task in book.all(Task)
        if task.patient_id in stays and _of_this_shift(task, now)
        for one in (_standing(desk, task, stays[task.patient_id], now),)
        if one is not None
    ]
    return sorted(found, key=lambda one: (beds.get(one.bed, len(beds)), one.bed, planned(one)))


def planned(one: Standing) -> float:
    """Seconds by which rows are sorted; unplanned ones come last."""
    at = one.task.planned_at
    return at.timestamp() if at is not None else float("inf")


def _of_this_shift(task: Task, now: datetime) -> bool:
    at = task.planned_at
    if at is None:
        return True
    running = task.status in windows.ONGOING
    return running or now - _LOOK_BACK <= at <= now + _HORIZON


def _standing(desk: Desk, task: Task, stay: Encounter, now: datetime) -> Standing | None:
    patient = desk.book.get(Patient, task.patient_id)
    if patient is None:
        return None
    order = desk.book.get(Order, task.order_id)
    status = windows.task_status(task, order, now)
    return Standing(task=task, order=order, patient=patient, bed=stay.bed, status=status)


def rows(desk: Desk, some: Iterable[Standing]) -> tuple[TaskRow, ...]:
    """Turn standings into rows."""
    return tuple(row(desk, one) for one in some)


def row(desk: Desk, one: Standing) -> TaskRow:
    """Turn one standing into a row."""
    order = one.order
    return TaskRow(
        task_id=one.task.id,
        patient_id=one.patient.id,
        bed=one.bed,
        name=one.patient.name,
        icon=words.task_icon(order),
        tone=words.TONES.get(one.status, Tone.PLAIN),
        title=_title(desk, one),
        detail=words.order_detail(order) if order else "",
        time=desk.hhmm(one.task.planned_at),
        distance=distance(one, desk.now()),
        status=one.status.value,
    )


def _title(desk: Desk, one: Standing) -> Text:
    """The drug; before it what is to be done when nothing of it is to be given."""
    if one.order is None:
        return Msg("task.order-unknown")
    what = Msg(f"task.{one.task.kind}") if one.task.kind in FOLLOW_UPS else ""
    return words.joined("space", what, words.order_title(desk.book, one.order))


def distance(one: Standing, now: datetime) -> Text:
    """The number that decides: how late, how long still in the window, how soon."""
    task, at = one.task, one.task.planned_at
    if one.status in {TaskStatus.OVERDUE, TaskStatus.MISSED} and at is not None:
        return Msg.of("distance.overdue", span=words.minutes(windows.minutes_off(at, now)))
    if one.status is TaskStatus.DUE and task.latest is not None:
        return Msg.of("distance.left", span=words.minutes((task.latest - now).total_seconds() / 60))
    if one.status is TaskStatus.PENDING and at is not None:
        return Msg.of("distance.in", span=words.minutes((at - now).total_seconds() / 60))
    if one.task.kind == "skin-test" and one.status is TaskStatus.RUNNING:
        return Msg("skin.to-read")
    return Msg(f"status.{one.status.value}")
