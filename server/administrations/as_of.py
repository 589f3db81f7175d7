"""What was known and had happened when an act was done: an upload of hours later is judged by it.

Two clocks count. What people did counts from when they did it, whenever it was sent: doses, bags that ran,
readings, tests. What was written down as a fact counts from when it was stored: allergies, consents, roles,
checked bags; a handheld that had read it already saw it, whatever its clock says.

Source: bc-1 §5.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import isnan
from typing import Any

from sqlalchemy import Row, or_, select

from clinical.bedside_check.safety import EQUIVALENT
from clinical.policy import SitePolicy
from clinical.records import (
    Administration,
    Association,
    Facts,
    Generation,
    Infusion,
    Observation,
    Order,
    Task,
)
from server.administrations.history import order_as_of
from server.storage import schema
from server.storage.codec import Record, from_text
from server.storage.last_values import observation_id
from server.storage.store import UnitOfWork
from server.storage.values import read_layouts, unpack

_KNOWN = ("patients", "encounters", "wristbands", "allergies", "bags")
"""Kinds that count from when they were stored."""
_STEPS: dict[str, Callable[[Any], tuple[datetime | None, ...]]] = {
    "blood_units": lambda one: (one.received_at, one.checked_at, one.ended_at),
    "specimens": lambda one: (one.collected_at, one.received_at),
}
"""Kinds that count from when their last step was done."""
_FROM_THE_START = frozenset({"patients", "encounters", "practitioners"})
"""Kinds of which the oldest version stands for the time before: whoever was cared for was there."""
_DONE_AT: dict[str, Callable[[Any], datetime]] = {
    "administrations": lambda one: one.at,
    "transfusion_entries": lambda one: one.at,
    "skin_tests": lambda one: one.read_at,
    "running_skin_tests": lambda one: one.started_at,
}
"""Kinds that count from when they were done."""
_MEAL = "MDCX_MEAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """The moment of an act, and the newest change its handheld had read (0: not known)."""

    at: datetime
    seen: int = 0

    @classmethod
    def of(cls, unit: UnitOfWork, at: datetime, snapshot_version: str) -> Then:
        """Take what the handheld says it had read, when it speaks of this very store."""
        epoch, _, cursor = snapshot_version.rpartition(":")
        own = epoch == unit.view.epoch and cursor.isdigit() and len(cursor) < 18
        return cls(at=at, seen=int(cursor) if own else 0)


def facts_as_of(unit: UnitOfWork, facts: Facts, patient_id: str, then: Then, policy: SitePolicy) -> Facts:
    """Return the facts of a ward with everything about one patient as it was then.

    Args:
        unit: The open unit of work.
        facts: The ward as it is now.
        patient_id: Whom the act was done to.
        then: When it was done.
        policy: Says which measured values a check asks for.
    """
    past = _Past(unit, patient_id, then)
    found: dict[str, Any] = {kind: past.known(kind, getattr(facts, kind)) for kind in _KNOWN}
    found |= {kind: past.done(kind, getattr(facts, kind), when) for kind, when in _DONE_AT.items()}
    found |= {kind: past.stepped(kind, getattr(facts, kind), steps) for kind, steps in _STEPS.items()}
    found["practitioners"] = past.known("practitioners", facts.practitioners)
    found["infusions"] = past.infusions(facts.infusions)
    found["orders"] = past.orders(facts.orders)
    found["tasks"] = past.tasks(facts.tasks, found["administrations"])
    found["associations"] = tuple(_associations(facts.associations, then.at))
    found["observations"] = _observations(unit, facts.observations, patient_id, then.at, policy)
    return replace(facts, **found)


class _Past:
    """What has changed about one patient since, and what stood there before."""

    def __init__(self, unit: UnitOfWork, patient_id: str, then: Then) -> None:
        self._unit, self._patient, self._then = unit, patient_id, then
        table = schema.facts
        rows: Iterable[Row[Any]] = unit.connection.execute(
            select(table.c.kind, table.c.id, table.c.active, table.c.body).where(
                or_(
                    table.c.patient_id == patient_id,
                    (table.c.patient_id == "") & (table.c.kind == "practitioners"),
                ),
                table.c.changed > then.at,
                table.c.seq > then.seen,
            )
        )
        self._since: dict[str, dict[str, Row[Any]]] = {}
        for row in rows:
            self._since.setdefault(row.kind, {})[row.id] = row

    def known(self, kind: str, records: Iterable[Record]) -> tuple[Record, ...]:
        """What was stored of a kind then."""
        since = self._since.get(kind, {})
        kept = [one for one in records if one.id not in since]
        return (*kept, *(past for id_ in since if (past := self._version(kind, id_)) is not None))

    def done(
        self, kind: str, records: Iterable[Record], when: Callable[[Any], datetime]
    ) -> tuple[Record, ...]:
        """What had been done then, also what was sent only afterwards or has left the picture since."""
        left = [from_text(kind, row.body) for row in self._since.get(kind, {}).values() if not row.active]
        return tuple(one for one in (*records, *left) if not self._mine(one) or when(one) <= self._then.at)

    def stepped(
        self, kind: str, records: Iterable[Record], steps: Callable[[Any], tuple[datetime | None, ...]]
    ) -> tuple[Record, ...]:
        """What had come as far as it is then; what went on since stands where it stood before."""
        since = self._since.get(kind, {})

        def past(one: Record) -> Record | None:
            later = any(step is not None and step > self._then.at for step in steps(one))
            return self._version(kind, one.id) if later and one.id in since else one

        return tuple(found for one in records if (found := past(one)) is not None)

    def infusions(self, records: Iterable[Infusion]) -> tuple[Infusion, ...]:
        """Bags that hung then, in the state in which they were."""
        return tuple(past for one in records if (past := self._infusion(one)) is not None)

    def _infusion(self, one: Infusion) -> Infusion | None:
        if one.id not in self._since.get("infusions", {}):
            return one
        if one.started_at > self._then.at:
            return None
        if one.ended_at is not None and one.ended_at <= self._then.at:
            return one
        past = self._version("infusions", one.id) or self._oldest("infusions", one.id)
        return past if isinstance(past, Infusion) else one

    def orders(self, records: Iterable[Order]) -> tuple[Order, ...]:
        """Orders in the version that held then; what was ordered only afterwards is left out."""
        past = (order_as_of(self._unit, one, self._then.at) if self._mine(one) else one for one in records)
        return tuple(
            one for one in past
            if not self._mine(one) or one.changed_at is None or one.changed_at <= self._then.at
        )  # fmt: skip

    def tasks(self, records: Iterable[Task], given: Iterable[Administration]) -> tuple[Task, ...]:
        """Tasks as they stood then; one that something had been done for by then stays as it is now."""
        acted = {one.task_id for one in given if self._mine(one)}
        since = self._since.get("tasks", {})
        past = (
            one if one.id not in since or one.id in acted else self._version("tasks", one.id)
            for one in records
        )
        return tuple(one for one in past if isinstance(one, Task))

    def _mine(self, record: Any) -> bool:
        return bool(record.patient_id == self._patient)

    def _version(self, kind: str, record_id: str) -> Record | None:
        """Return the version that was stored then, or that the handheld had read."""
        history = schema.fact_history
        body = self._unit.connection.scalar(
            select(history.c.body)
            .where(
                history.c.kind == kind,
                history.c.id == record_id,
                or_(history.c.recorded <= self._then.at, history.c.seq <= self._then.seen),
            )
            .order_by(history.c.n.desc())
            .limit(1)
        )
        if body is None:
            return self._oldest(kind, record_id) if kind in _FROM_THE_START else None
        return from_text(kind, body)

    def _oldest(self, kind: str, record_id: str) -> Record | None:
        history = schema.fact_history
        body = self._unit.connection.scalar(
            select(history.c.body)
            .where(history.c.kind == kind, history.c.id == record_id)
            .order_by(history.c.n)
            .limit(1)
        )
        return from_text(kind, body) if body is not None else None


def _associations(records: Iterable[Association], at: datetime) -> Iterator[Association]:
    """Devices that were on somebody then."""
    for one in records:
        if one.start <= at:
            yield replace(one, end=None) if one.end is not None and one.end > at else one


def _observations(
    unit: UnitOfWork, records: Iterable[Observation], patient_id: str, at: datetime, policy: SitePolicy
) -> tuple[Observation, ...]:
    """Newest values of then: those measured since are looked up in the samples, as far as a check asks."""
    kept: list[Observation] = []
    later: list[str] = []
    for one in records:
        if one.patient_id == patient_id and one.effective > at:
            later.append(one.code)
        else:
            kept.append(one)
    ages = _asked_for(policy)
    stays = [stay.id for stay in unit.stays_of(patient_id)]
    for code in later:
        found = _sample(unit, stays, patient_id, code, at, ages[code]) if code in ages else None
        kept += [found] if found is not None else []
    return tuple(kept)


def _asked_for(policy: SitePolicy) -> dict[str, timedelta]:
    """Measures that checks ask for, each with how old a value may be."""
    ages = {_MEAL: timedelta(minutes=policy.meal_window_min)}
    for condition in policy.conditions:
        for code in (condition.measure, *EQUIVALENT.get(condition.measure, ())):
            age = timedelta(minutes=condition.max_age_min)
            ages[code] = max(age, ages.get(code, age))
    return ages


def _sample(
    unit: UnitOfWork, stays: list[str], patient_id: str, code: str, at: datetime, age: timedelta
) -> Observation | None:
    layouts = read_layouts(unit.connection)
    places = {number: [name for name, _ in codes] for number, codes in layouts.items()}
    table = schema.samples
    row = unit.connection.execute(
        select(table.c.device_id, table.c.effective, table.c.generation, table.c.layout, table.c.vals,
               table.c.validity)
        .where(
            table.c.encounter_id.in_(stays),
            table.c.effective <= at,
            table.c.effective >= at - age,
            table.c.layout.in_([number for number, names in places.items() if code in names]),
        )
        .order_by(table.c.effective.desc())
        .limit(1)
    ).first()  # fmt: skip
    if row is None:
        return None
    place = places[row.layout].index(code)
    numbers, validity = unpack(row.vals, row.validity)
    return Observation(
        id=observation_id(patient_id, code),
        patient_id=patient_id,
        code=code,
        value=None if isnan(numbers[place]) else Decimal(str(numbers[place])),
        unit=layouts[row.layout][place][1],
        effective=row.effective,
        validity=validity[place],
        device_id=row.device_id,
        generation=Generation(row.generation),
    )
