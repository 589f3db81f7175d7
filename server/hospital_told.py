"""Finds what the hospital has to be told, after it was committed and before it can be forgotten.

Facts rest in a history that is only added to, in the order of their commits. What was read of it for the
hospital is noted in the very transaction that queues the messages: after a crash nothing is missing and
nothing is queued twice. A topic that is switched on begins with what happens from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, select

from clinical.care_records import Specimen
from clinical.records import Alarm, Flow, Infusion, Observation
from server.his.told import DeviceReport, Report, ToldValue, Topic
from server.hospital_told_facts import (
    BODY,
    Reporter,
    alert_of,
    charted_of,
    flow_values,
    infusion_of,
    specimen_of,
)
from server.observations.charted import EVENT as CHARTED_EVENT
from server.observations.entries import CHART
from server.storage.codec import KIND_OF, Record, from_text
from server.storage.schema import audit, events, fact_history, mappings, meta
from server.storage.store import Store, UnitOfWork

SYSTEM = "tell"
"""The mapping table in which each topic is ``on`` or not."""
_KEY = "his-told-{}"
_KINDS: dict[Topic, str] = {
    Topic.ALERTS: KIND_OF[Alarm],
    Topic.INFUSIONS: KIND_OF[Infusion],
    Topic.SPECIMENS: KIND_OF[Specimen],
}
_CHART_ACTION = "chart-observations"
EVERY = timedelta(seconds=60)
"""How often the newest values of a device are told."""
Queue = Callable[[UnitOfWork, Report], None]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is new for one topic, and up to where the history was read."""

    topic: Topic
    until: int
    rows: tuple[Row[Any], ...]


class Teller:
    """Queues what is new; one for each connection to a hospital, used from one thread."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self._store, self._queue = store, queue
        self._told: dict[tuple[str, str], datetime] = {}
        self._next: datetime | None = None

    def tell(self, *, limit: int = 200) -> int:
        """Queue what is new, oldest first; returns how many facts were looked at.

        Raises:
            UnavailableError: The store does not answer.
        """
        with self._store.reading() as connection:
            on = topics(connection)
            known = _cursors(connection)
            found = [_read(connection, topic, known[topic], limit) for topic in sorted(on & known.keys())]
        begun = sorted((on & (set(_KINDS) | {Topic.CHARTED})) - known.keys())
        ended = sorted(known.keys() - on)
        fresh = [one for one in found if one.until > known[one.topic]]
        if begun or ended or fresh:
            self._store.write(lambda unit: self._write(unit, begun, ended, fresh))
        if Topic.DEVICES in on:
            self._tell_devices()
        return sum(len(one.rows) for one in fresh)

    def _write(
        self, unit: UnitOfWork, begun: Iterable[Topic], ended: Iterable[Topic], fresh: Iterable[_Found]
    ) -> None:
        for topic in ended:
            unit.connection.execute(delete(meta).where(meta.c.key == _KEY.format(topic)))
        for topic in begun:
            _note(unit, topic, _newest(unit.connection, topic))
        for one in fresh:
            for row in one.rows:
                report = _report(unit, one.topic, row)
                if report is not None:
                    self._queue(unit, report)
            _note(unit, one.topic, one.until)

    def _tell_devices(self) -> None:
        """Queue the newest values of our devices, each value once."""
        now = self._store.clock()
        if self._next is not None and now < self._next:
            return
        self._next = now + EVERY
        newest = self._newest_values()
        reports = {
            key: values
            for key, values in newest.items()
            if max(one.at for one in values) > self._told_at(key)
        }
        if reports:
            self._store.write(lambda unit: self._write_devices(unit, reports))

    def _told_at(self, key: tuple[str, str]) -> datetime:
        return self._told.get(key, datetime.min.replace(tzinfo=self._store.clock().tzinfo))

    def _newest_values(self) -> dict[tuple[str, str], list[ToldValue]]:
        picture = self._store.picture
        found: dict[tuple[str, str], list[ToldValue]] = {}
        for entry in picture.kinds.get(KIND_OF[Observation], {}).values():
            one = entry.record
            if isinstance(one, Observation) and one.device_id not in {"", CHART}:
                value = ToldValue(
                    code=one.code, value=one.value, unit=one.unit, at=one.effective, validity=one.validity
                )
                found.setdefault((one.patient_id, one.device_id), []).append(value)
        for entry in picture.kinds.get(KIND_OF[Infusion], {}).values():
            infusion = entry.record
            if isinstance(infusion, Infusion) and infusion.device_id:
                values = flow_values(picture.get(Flow, infusion.id))
                if values:
                    found.setdefault((infusion.patient_id, infusion.device_id), []).extend(values)
        return found

    def _write_devices(self, unit: UnitOfWork, reports: dict[tuple[str, str], list[ToldValue]]) -> None:
        reporter = Reporter(unit)
        for (patient_id, device_id), values in reports.items():
            whom, device = reporter.subject(patient_id), reporter.device(device_id)
            if whom is None or not whom.ward or device is None:
                continue  # gone home, or a gateway of others who told us
            made = tuple(sorted(values, key=lambda one: one.code))
            self._queue(unit, DeviceReport(whom=whom, device_id=device_id, kind=device.kind, values=made))
        unit.after_commit(
            lambda: self._told.update({key: max(one.at for one in vs) for key, vs in reports.items()})
        )


def topics(connection: Connection) -> set[Topic]:
    """Return the topics that are switched on."""
    rows = connection.execute(
        select(mappings.c.code).where(mappings.c.system == SYSTEM, mappings.c.target == "on")
    )
    return {Topic(row.code) for row in rows if row.code in set(Topic)}


def _cursors(connection: Connection) -> dict[Topic, int]:
    names = {_KEY.format(topic): topic for topic in Topic}
    rows = connection.execute(select(meta).where(meta.c.key.in_(names)))
    return {names[row.key]: int(row.value) for row in rows}


def _newest(connection: Connection, topic: Topic) -> int:
    column = audit.c.n if topic is Topic.CHARTED else fact_history.c.n
    return int(connection.scalar(select(func.max(column))) or 0)


def _note(unit: UnitOfWork, topic: Topic, until: int) -> None:
    statement = unit.upsert("meta").values(key=_KEY.format(topic), value=str(until))
    unit.connection.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value})
    )


def _read(connection: Connection, topic: Topic, since: int, limit: int) -> _Found:
    """Read what is new for a topic; rows of other kinds are passed over by moving the cursor."""
    newest = _newest(connection, topic)
    if newest <= since:
        return _Found(topic, since, ())
    if topic is Topic.CHARTED:
        wanted = select(audit.c.n, audit.c.entity, audit.c.patient_id).where(
            audit.c.n > since, audit.c.action == _CHART_ACTION
        )
        rows: list[Any] = list(connection.execute(wanted.order_by(audit.c.n).limit(limit)))
    else:
        table = fact_history
        columns = select(table.c.n, table.c.id, table.c.body, table.c.recorded)
        wanted_kind = columns.where(table.c.n > since, table.c.kind == _KINDS[topic])
        rows = list(connection.execute(wanted_kind.order_by(table.c.n).limit(limit)))
    until = rows[-1].n if len(rows) == limit else newest
    return _Found(topic, until, tuple(rows))


def _report(unit: UnitOfWork, topic: Topic, row: Row[Any]) -> Report | None:
    reporter = Reporter(unit)
    if topic is Topic.CHARTED:
        return _charted(unit, reporter, row)
    now = from_text(_KINDS[topic], row.body)
    before = _before(unit, topic, row)
    if isinstance(now, Alarm):
        return alert_of(reporter, now, before if isinstance(before, Alarm) else None, row.recorded)
    if isinstance(now, Infusion):
        return infusion_of(reporter, now, before if isinstance(before, Infusion) else None, row.recorded)
    if isinstance(now, Specimen):
        return specimen_of(reporter, now, before if isinstance(before, Specimen) else None)
    return None


def _before(unit: UnitOfWork, topic: Topic, row: Row[Any]) -> Record | None:
    table = fact_history
    body = unit.connection.scalar(
        select(table.c.body)
        .where(table.c.kind == _KINDS[topic], table.c.id == row.id, table.c.n < row.n)
        .order_by(table.c.n.desc())
        .limit(1)
    )
    return from_text(_KINDS[topic], body) if body is not None else None


def _charted(unit: UnitOfWork, reporter: Reporter, row: Row[Any]) -> Report | None:
    number = str(row.entity).partition(":")[2]
    event = unit.connection.execute(
        select(events).where(events.c.id == number, events.c.type == CHARTED_EVENT)
    ).first()
    if event is None:
        return None
    body = msgspec.json.decode(event.body, type=BODY)
    return charted_of(reporter, str(row.patient_id), event.operator, body)
