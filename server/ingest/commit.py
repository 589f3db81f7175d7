"""One batch into one transaction: file, store, judge, and note what is committed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Table, delete, insert, select

from broker.messages import AlarmMessage, Event, Readings, Reply, Status, Value, Wave
from clinical.records import Association, Device, Encounter, Generation, Observation, Patient, Validity
from server.alarms.from_nodes import note_alarm, note_presence
from server.devices.service import AssociationIndex, Filing
from server.infusions import flow
from server.ingest.decode import Decoded, Poison
from server.ingest.evicted import ranges_of
from server.ingest.intervals import Intervals
from server.ingest.sources import Sources, uncertainty_of
from server.live.vitals import Shown
from server.nodes import service as nodes
from server.observations.limits import LimitWatch
from server.observations.service import keep_newest, observation_id
from server.storage import schema
from server.storage.codec import to_text
from server.storage.store import UnitOfWork

OutboxKey = tuple[str, str]  # node, outbox id
_OBSERVE_EVERY = timedelta(seconds=5)
_CHUNK = 500


@dataclass(slots=True)
class Written:
    """What one committed batch means for nodes and screens."""

    intervals: dict[OutboxKey, Intervals] = field(default_factory=dict)
    touched: dict[OutboxKey, list[int]] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    waves: list[tuple[str, Wave]] = field(default_factory=list)  # encounter id, chunk
    heard: set[tuple[str, str]] = field(default_factory=set)  # node, registered device
    nodes_changed: bool = False
    online: list[Status] = field(default_factory=list)
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unassigned: int = 0


class BatchWriter:
    """Writes batches; keeps the committed intervals in memory between them."""

    def __init__(self, watch: flow.FlowWatch, limits: LimitWatch | None = None) -> None:
        self._watch = watch
        self._limits = limits or LimitWatch(watch.policy)
        self._known: dict[OutboxKey, Intervals] = {}

    def intervals_of(self, key: OutboxKey) -> Intervals | None:
        """What is committed of an outbox, as far as this process has met it."""
        return self._known.get(key)

    def write(self, unit: UnitOfWork, batch: Iterable[Decoded | Poison]) -> Written:
        """Write one batch; everything or nothing."""
        written = Written()
        good: list[Decoded] = []
        for item in batch:
            if isinstance(item, Poison):
                _put_aside(unit, item)
                written.quarantined += 1
            elif isinstance(item.message, Status):
                self._note_status(unit, item.message, written)
            else:
                good.append(item)
        self._write_messages(unit, self._new_ones(unit, good, written), written)
        self._write_intervals(unit, written)
        unit.after_commit(lambda: self._known.update(written.intervals))
        return written

    @staticmethod
    def _note_status(unit: UnitOfWork, status: Status, written: Written) -> None:
        nodes.ensure(unit, status.node)
        nodes.note_status(unit, status)
        note_presence(unit, status)
        written.nodes_changed = True
        if status.state == "online":
            written.online.append(status)

    def _new_ones(self, unit: UnitOfWork, good: list[Decoded], written: Written) -> list[Decoded]:
        """Keep messages whose number is new in their outbox; the rest are repeats, acknowledged again."""
        fresh = []
        for item in good:
            message = item.message
            if isinstance(message, Status):
                continue
            key = (message.node, message.outbox)
            intervals = self._open(unit, key, written)
            written.touched.setdefault(key, []).append(message.seq)
            if message.seq in intervals:
                written.duplicates += 1
            else:
                intervals.add(message.seq)
                fresh.append(item)
        return fresh

    def _open(self, unit: UnitOfWork, key: OutboxKey, written: Written) -> Intervals:
        intervals = written.intervals.get(key)
        if intervals is None:
            known = self._known.get(key)
            intervals = known.copy() if known is not None else read_intervals(unit, key)
            if known is None:
                nodes.ensure(unit, key[0])
            written.intervals[key] = intervals
        return intervals

    def _write_messages(self, unit: UnitOfWork, fresh: list[Decoded], written: Written) -> None:
        files, sources = _Files(unit), Sources(unit)
        readings: list[tuple[Readings, bool]] = []
        waves: list[Wave] = []
        for item in fresh:
            message = item.message
            match message:
                case Readings():
                    readings.append((message, item.history))
                case Wave():
                    waves.append(message)
                case AlarmMessage():
                    if not sources.is_foreign(message):
                        at = min(message.effective, unit.now)
                        filing = files.file(message.device or "", at, message.generation, timedelta(0))
                        note_alarm(unit, message, filing, self._watch.policy)
                case Event() | Reply():
                    self._note_event(unit, message, written)
                case _:
                    continue
        self._write_readings(unit, files, sources, readings, written)
        self._write_waves(unit, files, sources, waves, written)
        sources.tell()

    def _note_event(self, unit: UnitOfWork, message: Event | Reply, written: Written) -> None:
        event = message if isinstance(message, Event) else None
        event_id = event.id if event else f"{message.node}/{message.outbox}/{message.seq}"
        statement = unit.upsert("node_events").values(
            id=event_id,
            node=message.node,
            kind=event.kind if event else "reply",
            effective=event.effective if event else message.sent,
            recorded=unit.now,
            body=to_text(message),
        )
        unit.connection.execute(statement.on_conflict_do_nothing())
        if event is not None and event.kind == "evicted":
            intervals = written.intervals[message.node, message.outbox]
            for first, last in ranges_of(event):
                intervals.add(first, last)

    def _write_readings(
        self,
        unit: UnitOfWork,
        files: _Files,
        sources: Sources,
        readings: list[tuple[Readings, bool]],
        written: Written,
    ) -> None:
        known = _known_ids(unit, schema.samples, [message.id for message, _ in readings])
        rows = []
        for message, history in readings:
            if not history and unit.get(Device, message.device) is not None:
                written.heard.add((message.node, message.device))
            if message.id in known:
                written.duplicates += 1  # another node heard the same sample
                continue
            known.add(message.id)
            uncertainty = uncertainty_of(message, unit.now, history=history)
            doubt = sources.doubt(message, history=history)
            filing = files.file(message.device, message.effective, message.generation, uncertainty, doubt)
            rows.append(_sample_row(unit, message, filing))
            written.unassigned += bool(filing.unassigned)
            if filing.association is not None:
                self._follow(unit, message, filing.association, written)
                self._limit(unit, message, filing.association, history=history)
        if rows:
            unit.connection.execute(insert(schema.samples), rows)
        written.stored += len(rows)

    def _follow(
        self, unit: UnitOfWork, message: Readings, association: Association, written: Written
    ) -> None:
        stay = unit.get(Encounter, association.encounter_id)
        if stay is None:
            return
        if association.infusion_id:
            self._watch.measured(unit, association.infusion_id, _measured(message))
        for value in message.values:
            if value.code not in flow.CODES:
                _observe(unit, message, value, stay)
                written.shown.append(_shown(message, value, stay.id))

    def _limit(self, unit: UnitOfWork, message: Readings, association: Association, *, history: bool) -> None:
        stay = unit.get(Encounter, association.encounter_id)
        if stay is not None and not history:
            self._limits.measured(unit, message, stay)

    @staticmethod
    def _write_waves(
        unit: UnitOfWork, files: _Files, sources: Sources, waves: list[Wave], written: Written
    ) -> None:
        known = _known_ids(unit, schema.waves, [wave.id for wave in waves])
        rows = []
        for wave in waves:
            if wave.id in known:
                written.duplicates += 1
                continue
            known.add(wave.id)
            doubt = sources.doubt(wave, history=True)  # a wave alone does not show that a clock is right
            filing = files.file(wave.device, wave.effective, wave.generation, timedelta(0), doubt)
            rows.append(_wave_row(wave, filing))
            if filing.association is not None:
                written.waves.append((filing.association.encounter_id, wave))
        if rows:
            unit.connection.execute(insert(schema.waves), rows)

    @staticmethod
    def _write_intervals(unit: UnitOfWork, written: Written) -> None:
        table = schema.ingest_intervals
        for (node, outbox), intervals in written.intervals.items():
            unit.connection.execute(delete(table).where(table.c.node == node, table.c.outbox == outbox))
            rows = [
                {"node": node, "outbox": outbox, "first": first, "last": last}
                for first, last in intervals.ranges
            ]
            if rows:
                unit.connection.execute(insert(table), rows)


class _Files:
    """Where the readings of one batch belong."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._index = AssociationIndex(unit.all(Association))

    def file(
        self,
        device_id: str,
        effective: datetime,
        generation: Generation,
        uncertainty: timedelta,
        doubt: str = "",
    ) -> Filing:
        """Find the association; what is in doubt or not real never reaches a real patient."""
        if doubt:
            return Filing(unassigned=doubt)
        filing = self._index.file(device_id, effective, uncertainty)
        if filing.association is None:
            return filing
        stay = self._unit.get(Encounter, filing.association.encounter_id)
        patient = self._unit.get(Patient, stay.patient_id) if stay else None
        if patient is None:
            return Filing(unassigned="unknown-encounter")
        device = self._unit.get(Device, device_id)
        real = generation is Generation.REAL and (device is None or device.generation is Generation.REAL)
        if not real and patient.generation is Generation.REAL:
            return Filing(unassigned="not-real")
        return filing


def read_intervals(unit: UnitOfWork, key: OutboxKey) -> Intervals:
    """Read what is committed of an outbox."""
    table = schema.ingest_intervals
    rows = unit.connection.execute(
        select(table.c.first, table.c.last).where(table.c.node == key[0], table.c.outbox == key[1])
    )
    return Intervals((row.first, row.last) for row in rows)


def _known_ids(unit: UnitOfWork, table: Table, ids: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        known |= set(unit.connection.scalars(select(table.c.id).where(table.c.id.in_(part))))
    return known


def _sample_row(unit: UnitOfWork, message: Readings, filing: Filing) -> dict[str, object]:
    association = filing.association
    return {
        "id": message.id,
        "device_id": message.device,
        "node": message.node,
        "outbox": message.outbox,
        "seq": message.seq,
        "effective": message.effective,
        "recorded": unit.now,
        "encounter_id": association.encounter_id if association else "",
        "unassigned": filing.unassigned,
        "infusion_id": (association.infusion_id if association else "") or message.infusion or "",
        "generation": message.generation.value,
        "clock": message.clock.state,
        "uncertainty_ms": min(message.clock.uncertainty_ms, 2**31 - 1),
        "codes": to_text(
            {value.code: (value.n, value.unit, value.validity.value) for value in message.values}
        ),
    }


def _wave_row(wave: Wave, filing: Filing) -> dict[str, object]:
    return {
        "id": wave.id,
        "device_id": wave.device,
        "node": wave.node,
        "effective": wave.effective,
        "encounter_id": filing.association.encounter_id if filing.association else "",
        "unassigned": filing.unassigned,
        "code": wave.code,
        "unit": wave.unit,
        "rate_hz": wave.rate_hz,
        "gain": wave.gain,
        "base": wave.offset,
        "generation": wave.generation.value,
        "samples": wave.samples,
    }


def _measured(message: Readings) -> flow.Measured:
    by_code = {value.code: value for value in message.values}

    def number(code: str) -> float | None:
        value = by_code.get(code)
        usable = value is not None and value.n is not None and value.validity is not Validity.INVALID
        return float(value.n) if usable and value is not None and value.n is not None else None

    drops, rate = number(flow.DROPS), by_code.get(flow.DROP_RATE)
    return flow.Measured(
        effective=message.effective,
        drops=int(drops) if drops is not None and drops >= 0 else None,
        gtt_min=number(flow.DROP_RATE),
        rate_ml_h=number(flow.RATE),
        infused_ml=number(flow.INFUSED),
        remaining_ml=number(flow.REMAINING),
        time_left_min=number(flow.TIME_LEFT),
        validity=rate.validity if rate is not None else Validity.ONGOING,
    )


def _observe(unit: UnitOfWork, message: Readings, value: Value, stay: Encounter) -> None:
    """Keep the newest value for handhelds, every few seconds or when its validity changes."""
    record_id = observation_id(stay.patient_id, value.code)
    before = unit.get(Observation, record_id)
    young = before is not None and message.effective - before.effective < _OBSERVE_EVERY
    if before is not None and young and before.validity is value.validity:
        return
    keep_newest(
        unit,
        Observation(
            id=record_id,
            patient_id=stay.patient_id,
            code=value.code,
            value=value.n,
            unit=value.unit,
            effective=message.effective,
            validity=value.validity,
            device_id=message.device,
            generation=message.generation,
        ),
    )


def _shown(message: Readings, value: Value, encounter_id: str) -> Shown:
    return Shown(
        encounter_id=encounter_id,
        code=value.code,
        value=value.n,
        unit=value.unit,
        validity=value.validity,
        effective=message.effective,
        generation=message.generation,
    )


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
