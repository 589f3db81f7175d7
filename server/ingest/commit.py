"""One batch into one transaction: file, store, judge, and note what is committed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select

from broker.messages import AlarmMessage, Event, Readings, Reply, Status, Wave
from clinical.records import Device, Encounter
from server.alarms.from_nodes import note_alarm, note_presence
from server.devices.service import Filing
from server.infusions import flow
from server.ingest.decode import Decoded, Poison
from server.ingest.evicted import ranges_of
from server.ingest.filing import Files
from server.ingest.follow import Follower, Layout, measured
from server.ingest.intervals import Intervals
from server.ingest.repeats import Repeats
from server.ingest.rollup import MinuteRollups, Stream
from server.ingest.sources import Sources, Strangers, uncertainty_of
from server.nodes import service as nodes
from server.observations.limits import LimitWatch
from server.storage import bulk, schema
from server.storage.codec import to_text
from server.storage.columns import micros
from server.storage.store import UnitOfWork
from server.storage.values import Layouts, pack

OutboxKey = tuple[str, str]  # node, outbox id
_SAMPLE = (
    "id", "device_id", "node", "outbox", "seq", "effective", "recorded", "encounter_id", "unassigned",
    "infusion_id", "generation", "clock", "uncertainty_ms", "layout", "vals", "validity",
)  # fmt: skip
_WAVE = (
    "id", "device_id", "node", "effective", "encounter_id", "unassigned", "code", "unit", "rate_hz", "gain",
    "base", "generation", "samples",
)  # fmt: skip
_INTERVAL = ("node", "outbox", "first", "last")
_MOST_UNCERTAIN_MS = 2**31 - 1
_CHUNK = 500


class Shown(NamedTuple):
    """One committed reading on its way to the screens, and the stay it is filed on."""

    stay: Encounter
    message: Readings
    layout: int


@dataclass(slots=True)
class Written:
    """What one committed batch means for nodes and screens."""

    intervals: dict[OutboxKey, Intervals] = field(default_factory=dict)
    touched: dict[OutboxKey, list[int]] = field(default_factory=dict)
    shown: dict[str, list[Shown]] = field(default_factory=dict)  # by ward
    waves: dict[str, list[tuple[Encounter, Wave]]] = field(default_factory=dict)  # by ward
    heard: set[tuple[str, str]] = field(default_factory=set)  # node, registered device
    nodes_changed: bool = False
    online: list[Status] = field(default_factory=list)
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unassigned: int = 0


IDLE = timedelta(minutes=2)
"""Silence after which the minute a stream was in is written without waiting for the next one."""


class BatchWriter:
    """Writes batches; keeps between them what each would otherwise have to ask the store for."""

    def __init__(self, watch: flow.FlowWatch, limits: LimitWatch | None = None) -> None:
        self.watch = watch
        self.limits = limits or LimitWatch(watch.policy)
        self.rollups = MinuteRollups()
        self.strangers = Strangers()
        self.repeats = Repeats()
        self.layouts = Layouts()
        self.follower = Follower()
        self.known: dict[OutboxKey, Intervals] = {}

    def begin_at(self, now: datetime) -> None:
        """Note when this process began: the minute it fell into was begun by another."""
        self.rollups.away_until(now)

    def end_idle(self, unit: UnitOfWork) -> None:
        """Write the minutes of streams that fell silent; now and then, on the writer's thread."""
        self.rollups.end_idle(unit, before=unit.now - IDLE)

    def intervals_of(self, key: OutboxKey) -> Intervals | None:
        """What is committed of an outbox, as far as this process has met it."""
        return self.known.get(key)

    def write(self, unit: UnitOfWork, batch: Iterable[Decoded | Poison]) -> Written:
        """Write one batch; everything or nothing."""
        one = _Batch(self, unit)
        one.write(batch)
        unit.after_commit(lambda: self.known.update(one.written.intervals))
        return one.written


class _Batch:
    """One batch on its way into one transaction."""

    def __init__(self, writer: BatchWriter, unit: UnitOfWork) -> None:
        self._writer, self._unit = writer, unit
        self._before: dict[OutboxKey, Intervals] = {}
        self.written = Written()

    def write(self, batch: Iterable[Decoded | Poison]) -> None:
        """Write everything."""
        good: list[Decoded] = []
        said: list[Status] = []
        for item in batch:
            if isinstance(item, Poison):
                _put_aside(self._unit, item)
                self.written.quarantined += 1
            elif isinstance(item.message, Status):
                said.append(item.message)
            else:
                good.append(item)
        self._meet(said, good)
        for status in said:
            self._note_status(status)
        fresh = self._new_ones(good)
        self._write_messages(fresh)
        self._write_intervals()

    def _note_status(self, status: Status) -> None:
        nodes.note_status(self._unit, status)
        note_presence(self._unit, status)
        self.written.nodes_changed = True
        if status.state == "online":
            self.written.online.append(status)

    def _new_ones(self, good: list[Decoded]) -> list[Decoded]:
        """Keep messages whose number is new in their outbox; the rest are repeats, acknowledged again."""
        fresh = []
        for item in good:
            message = item.message
            if isinstance(message, Status):
                continue
            key = (message.node, message.outbox)
            intervals = self.written.intervals.get(key) or self._open(key)
            self.written.touched.setdefault(key, []).append(message.seq)
            if message.seq in intervals:
                self.written.duplicates += 1
            else:
                intervals.add(message.seq)
                fresh.append(item)
        return fresh

    def _meet(self, said: list[Status], good: list[Decoded]) -> None:
        """Read what is committed of outboxes new to this process, all at once: after a start all are."""
        keys = {(item.message.node, item.message.outbox) for item in good}
        fresh = keys - self._writer.known.keys()
        names = {status.node for status in said} | {node for node, _ in fresh}
        if names:
            nodes.ensure_all(self._unit, names)
            self._writer.strangers.ask_again()
        self._before = read_intervals(self._unit, fresh)

    def _open(self, key: OutboxKey) -> Intervals:
        before = self._writer.known.get(key) or self._before[key]
        self._before[key] = before
        intervals = self.written.intervals[key] = before.copy()
        return intervals

    def _write_messages(self, fresh: list[Decoded]) -> None:
        unit, writer = self._unit, self._writer
        sources = Sources(unit, writer.strangers)
        files = Files(unit)
        writer.repeats.begin(unit)
        writer.rollups.begin()
        readings: list[Decoded] = []
        waves: list[Wave] = []
        for item in fresh:
            message = item.message
            if isinstance(message, Readings):
                readings.append(item)
            elif isinstance(message, Wave):
                waves.append(message)
            elif isinstance(message, AlarmMessage):
                self._note_alarm(files, sources, message)
            elif isinstance(message, Event | Reply):
                self._note_event(message)
        _ReadingsWriter(writer, unit, self.written, files, sources).write(readings)
        self._write_waves(files, sources, waves)
        writer.rollups.write(unit)
        sources.tell()

    def _note_alarm(self, files: Files, sources: Sources, message: AlarmMessage) -> None:
        if not sources.is_foreign(message):
            at = min(message.effective, self._unit.now)
            filing = files.file(message.device or "", at, message.generation, timedelta(0))
            note_alarm(self._unit, message, filing, self._writer.watch.policy)

    def _note_event(self, message: Event | Reply) -> None:
        event = message if isinstance(message, Event) else None
        event_id = event.id if event else f"{message.node}/{message.outbox}/{message.seq}"
        statement = self._unit.upsert("node_events").values(
            id=event_id,
            node=message.node,
            kind=event.kind if event else "reply",
            effective=event.effective if event else message.sent,
            recorded=self._unit.now,
            body=to_text(message),
        )
        self._unit.connection.execute(statement.on_conflict_do_nothing())
        if event is not None and event.kind == "evicted":
            intervals = self.written.intervals[message.node, message.outbox]
            for first, last in ranges_of(event):
                intervals.add(first, last)

    def _write_waves(self, files: Files, sources: Sources, waves: list[Wave]) -> None:
        unit, repeats, written = self._unit, self._writer.repeats, self.written
        doubtful = [wave for wave in waves if repeats.may_have_twin(unit, wave)]
        known = repeats.twins(unit, schema.waves, doubtful) if doubtful else set()
        rows = []
        for wave in waves:
            if wave.id in known:
                written.duplicates += 1
                continue
            known.add(wave.id)
            doubt = sources.doubt(wave, history=True)  # a wave alone does not show that a clock is right
            filing = files.file(wave.device, wave.effective, wave.generation, _EXACT, doubt)
            rows.append(_wave_row(wave, filing))
            stay = files.stay_of(filing)
            if stay is not None:
                written.waves.setdefault(stay.ward, []).append((stay, wave))
        bulk.append(unit.connection, "waves", _WAVE, rows)

    def _write_intervals(self) -> None:
        """Write what grew; an outbox whose intervals joined or split is written anew."""
        rows: list[bulk.Row] = []
        table = schema.ingest_intervals
        for key, after in self.written.intervals.items():
            before, ranges = self._before[key].ranges, after.ranges
            if before == ranges:
                continue
            if not _only_grew(before, ranges):
                mine = (table.c.node == key[0]) & (table.c.outbox == key[1])
                self._unit.connection.execute(delete(table).where(mine))
                before = []
            changed = ranges if len(ranges) == 1 else sorted(set(ranges) - set(before))
            rows += [(*key, first, last) for first, last in changed]
        bulk.upsert(self._unit.connection, "ingest_intervals", _INTERVAL[:3], _INTERVAL, rows)


_EXACT = timedelta(0)


class _ReadingsWriter:
    """The readings of one batch."""

    def __init__(
        self, writer: BatchWriter, unit: UnitOfWork, written: Written, files: Files, sources: Sources
    ) -> None:
        self._writer, self._unit, self._written = writer, unit, written
        self._files, self._sources = files, sources
        self._recorded = micros(unit.now)
        self._rows: list[bulk.Row] = []
        self._watched = writer.limits.watched(unit)

    def write(self, readings: list[Decoded]) -> None:
        """Store them, and let those that are filed be seen and judged."""
        unit, repeats, written = self._unit, self._writer.repeats, self._written
        messages = [item.message for item in readings if isinstance(item.message, Readings)]
        doubtful = [message for message in messages if repeats.may_have_twin(unit, message)]
        known = repeats.twins(unit, schema.samples, doubtful) if doubtful else set()
        for message, item in zip(messages, readings, strict=True):
            if not item.history and unit.get(Device, message.device) is not None:
                written.heard.add((message.node, message.device))
            if message.id in known:
                written.duplicates += 1  # another node heard the same sample
                continue
            known.add(message.id)
            self._one(message, history=item.history)
        bulk.append(unit.connection, "samples", _SAMPLE, self._rows)
        self._writer.follower.write(unit)
        written.stored += len(self._rows)

    def _one(self, message: Readings, *, history: bool) -> None:
        unit, writer = self._unit, self._writer
        uncertainty = uncertainty_of(message, unit.now, history=history)
        doubt = self._sources.doubt(message, history=history)
        filing = self._files.file(message.device, message.effective, message.generation, uncertainty, doubt)
        layout = writer.follower.layout_of(unit, writer.layouts, message)
        packed = pack(message.values)
        effective = micros(message.effective)
        association = filing.association
        self._rows.append((
            message.id, message.device, message.node, message.outbox, message.seq, effective, self._recorded,
            association.encounter_id if association else "", filing.unassigned,
            (association.infusion_id if association else "") or message.infusion or "",
            message.generation.value, message.clock.state,
            min(message.clock.uncertainty_ms, _MOST_UNCERTAIN_MS), layout.number, *packed,
        ))  # fmt: skip
        if not (history or layout.is_shown or (association and association.infusion_id)):
            drops = measured(message).drops
            writer.watch.stray.measured(unit, message.device, message.effective, drops, association)
        if association is None:
            self._written.unassigned += bool(filing.unassigned)
            return
        stream = Stream(association.encounter_id, message.device, layout.number, len(message.values))
        writer.rollups.note(stream, effective, packed)
        stay = self._files.stay_of(filing)
        if stay is not None:
            if association.infusion_id:
                writer.watch.measured(unit, association.infusion_id, measured(message))
            self._show(message, stay, layout, history=history)

    def _show(self, message: Readings, stay: Encounter, layout: Layout, *, history: bool) -> None:
        unit, writer = self._unit, self._writer
        if layout.is_shown:
            writer.follower.observe(unit, message, stay, layout)
            self._written.shown.setdefault(stay.ward, []).append(Shown(stay, message, layout.number))
        judged = stay.id in self._watched or layout.is_outside(message)
        if judged and not history:
            writer.limits.measured(unit, message, stay)


def _only_grew(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> bool:
    """Whether every interval of before still begins where it did."""
    if len(before) > len(after):
        return False
    return all(old[0] == new[0] for old, new in zip(before, after, strict=False))


def read_intervals(unit: UnitOfWork, keys: set[OutboxKey]) -> dict[OutboxKey, Intervals]:
    """Read what is committed of some outboxes."""
    table = schema.ingest_intervals
    found = {key: Intervals() for key in keys}
    names = sorted({node for node, _ in keys})
    for start in range(0, len(names), _CHUNK):
        some = names[start : start + _CHUNK]
        for row in unit.connection.execute(select(table).where(table.c.node.in_(some))):
            if (row.node, row.outbox) in found:
                found[row.node, row.outbox].add(row.first, row.last)
    return found


def _wave_row(wave: Wave, filing: Filing) -> bulk.Row:
    return (
        wave.id, wave.device, wave.node, micros(wave.effective),
        filing.association.encounter_id if filing.association else "", filing.unassigned, wave.code,
        wave.unit, wave.rate_hz, wave.gain, wave.offset, wave.generation.value, wave.samples,
    )  # fmt: skip


def _put_aside(unit: UnitOfWork, poison: Poison) -> None:
    digest = hashlib.sha256(poison.packet.topic.encode("utf-8", "replace") + b"\x00" + poison.packet.payload)
    statement = unit.upsert("ingest_quarantine").values(
        recorded=unit.now,
        topic=poison.packet.topic.replace("\x00", "")[:200],
        reason=poison.reason[:2000].replace("\x00", ""),
        digest=digest.hexdigest(),
        payload=poison.packet.payload,
    )
    unit.connection.execute(statement.on_conflict_do_nothing())
