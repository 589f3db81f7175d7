"""The sheet of a shift, made from the facts, and its two signatures (交接班)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from clinical import worklist
from clinical.chart_records import Assessment, CriticalValue, Handover
from clinical.errors import ConflictError, NotFoundError, RefusedError
from clinical.fluid_balance import Period, balance
from clinical.policy import SitePolicy
from clinical.records import (
    DISCONTINUED,
    FLOWING,
    PRESENT,
    Alarm,
    Encounter,
    Facts,
    TaskStatus,
)
from clinical.worklist import CareItem
from server.chart.service import entries
from server.storage.store import UnitOfWork

OPEN = frozenset({TaskStatus.DUE, TaskStatus.OVERDUE, TaskStatus.ERROR})
NOT_DONE = frozenset({TaskStatus.MISSED, TaskStatus.HELD, TaskStatus.REFUSED, TaskStatus.NOT_GIVEN})


_ALL = slice(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientSheet:
    """What the next nurse has to know of one patient; ids are those of the facts of the ward."""

    encounter_id: str
    patient_id: str
    bed: str
    care_level: str
    diagnosis: str
    risks: tuple[str, ...]
    is_new: bool
    new_orders: tuple[str, ...]
    stopped_orders: tuple[str, ...]
    open_tasks: tuple[str, ...]
    not_done: tuple[str, ...]
    running_infusions: tuple[str, ...]
    alarms: Mapping[str, int]  # by condition, of this shift
    intake_ml: float
    output_ml: float
    assessments: Mapping[str, int]  # newest total by scale
    critical_values: tuple[str, ...]  # of this shift, or not answered yet
    care: tuple[CareItem, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The whole ward's sheet of one span of time, beds in walking order."""

    since: datetime
    until: datetime
    patients: tuple[PatientSheet, ...]
    total: int = 0  # patients on all pages


def sheet(
    facts: Facts, beds: Iterable[str], period: Period, now: datetime, policy: SitePolicy,
    page: slice = _ALL,
) -> Sheet:  # fmt: skip
    """Make the sheet of a shift from the facts of a ward; ``page`` says which of its patients."""
    place = {bed: number for number, bed in enumerate(beds)}
    care = worklist.items(facts, now, policy)
    present = sorted(
        (stay for stay in facts.encounters if stay.status in PRESENT),
        key=lambda stay: place.get(stay.bed, len(place)),
    )
    return Sheet(
        since=period.start,
        until=period.end,
        patients=tuple(_patient(facts, stay, period, care) for stay in present[page]),
        total=len(present),
    )


def _patient(facts: Facts, stay: Encounter, period: Period, care: tuple[CareItem, ...]) -> PatientSheet:
    mine = [order for order in facts.orders if order.encounter_id == stay.id]
    tasks = [task for task in facts.tasks if task.encounter_id == stay.id]
    given = [one for one in facts.administrations if one.patient_id == stay.patient_id]
    fluids = [one for one in facts.fluids if one.patient_id == stay.patient_id]
    sums = balance(entries(fluids, given), period)
    came = stay.moved_at or stay.admitted_at
    return PatientSheet(
        encounter_id=stay.id,
        patient_id=stay.patient_id,
        bed=stay.bed,
        care_level=stay.care_level.value if stay.care_level is not None else "",
        diagnosis=stay.diagnosis,
        risks=stay.risks,
        is_new=_within(period, came),
        new_orders=tuple(one.id for one in mine if one.version == 1 and _within(period, one.changed_at)),
        stopped_orders=tuple(
            one.id for one in mine if one.status in DISCONTINUED and _within(period, one.stopped_at)
        ),
        open_tasks=tuple(one.id for one in tasks if one.status in OPEN),
        not_done=tuple(one.id for one in tasks if one.status in NOT_DONE and _within(period, one.changed_at)),
        running_infusions=tuple(
            one.id for one in facts.infusions if one.encounter_id == stay.id and one.state in FLOWING
        ),
        alarms=_counted(
            one for one in facts.alarms if one.encounter_id == stay.id and _within(period, one.started_at)
        ),
        intake_ml=float(sums.intake_ml),
        output_ml=float(sums.output_ml),
        assessments=_newest(one for one in facts.assessments if one.patient_id == stay.patient_id),
        critical_values=_critical(facts.critical_values, stay.patient_id, period),
        care=tuple(item for item in care if item.patient_id == stay.patient_id),
    )


def _within(period: Period, at: datetime | None) -> bool:
    return at is not None and period.start <= at < period.end


def _counted(alarms: Iterable[Alarm]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for alarm in alarms:
        counts[alarm.condition] = counts.get(alarm.condition, 0) + 1
    return counts


def _newest(known: Iterable[Assessment]) -> dict[str, int]:
    return {one.scale: one.total for one in sorted(known, key=lambda one: one.at) if one.total is not None}


def _critical(known: Iterable[CriticalValue], patient_id: str, period: Period) -> tuple[str, ...]:
    return tuple(
        one.id
        for one in known
        if one.patient_id == patient_id and (one.acknowledged_at is None or _within(period, one.received_at))
    )


def give(unit: UnitOfWork, handover: Handover) -> Handover:
    """Keep what one nurse hands over; the same again changes nothing.

    Raises:
        ConflictError: Another handover has this id.
        NotFoundError: A note is about a stay nobody knows.
    """
    known = unit.get(Handover, handover.id)
    if known is not None:
        if (known.given_by, known.notes) != (handover.given_by, handover.notes):
            raise ConflictError("handover-differs", "this id belongs to another handover; use a new one")
        return known
    if any(unit.get(Encounter, stay) is None for stay in handover.notes):
        raise NotFoundError("unknown-stay", "a note is about a patient who is not on the ward")
    unit.put(handover)
    unit.audit("handover-give", actor=handover.given_by, entity=f"handover:{handover.id}")
    return handover


def take(unit: UnitOfWork, handover_id: str, by: str) -> Handover:
    """Note that the next nurse has taken the ward over; the first one stays.

    Raises:
        NotFoundError: There is no such handover.
        RefusedError: It is the nurse's own.
    """
    known = unit.get(Handover, handover_id)
    if known is None:
        raise NotFoundError("unknown-handover", "there is no such handover")
    if known.taken_at is not None:
        return known
    if known.given_by == by:
        raise RefusedError("same-person", "another nurse than the one who gives it takes a shift over")
    taken = replace(known, taken_by=by, taken_at=unit.now)
    unit.put(taken)
    unit.audit("handover-take", actor=by, entity=f"handover:{known.id}")
    return taken
