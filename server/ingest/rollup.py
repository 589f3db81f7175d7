"""Minutes as they fill: what a trend over days reads instead of every sample.

A minute of a stream (one stay, one device, one layout) is written when the next one begins, in the same
transaction as the sample that began it. What comes late, and the minutes during which a server was killed,
are noted as due and made again from the stored samples (:mod:`server.storage.keeper`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from server.storage import bulk
from server.storage.columns import micros
from server.storage.unit import UnitOfWork
from server.storage.values import stats_of

MINUTE = timedelta(minutes=1)
_MINUTE_US = 60_000_000
_MOST_ROWS = 600
"""Samples of one minute kept in memory; a stream that sends more is made from its stored samples."""
COLUMNS = ("encounter_id", "minute", "device_id", "layout", "stats")
KEYS = COLUMNS[:4]


class Stream(NamedTuple):
    """Values of one layout that one device measures on one stay; ``width`` is how many."""

    encounter_id: str
    device_id: str
    layout: int
    width: int


Packed = tuple[bytes, bytes]


@dataclass(slots=True)
class _Filling:
    """The minute that a stream is in."""

    minute: int
    rows: list[Packed] = field(default_factory=list)


class MinuteRollups:
    """Collects the samples of a batch; used on the writer's thread."""

    def __init__(self) -> None:
        self._filling: dict[Stream, _Filling] = {}
        self._noted: dict[Stream, list[tuple[int, Packed]]] = {}
        self._away_until = 0

    def away_until(self, at: datetime) -> None:
        """Minutes up to this one began before this process did: they are made from their samples."""
        self._away_until = micros(at) // _MINUTE_US * _MINUTE_US

    def begin(self) -> None:
        """Start a batch; what a failed one noted is forgotten."""
        self._noted = {}

    def note(self, stream: Stream, effective_us: int, packed: Packed) -> None:
        """Take one stored sample."""
        minute = effective_us // _MINUTE_US * _MINUTE_US
        self._noted.setdefault(stream, []).append((minute, packed))

    def write(self, unit: UnitOfWork) -> None:
        """Write the minutes that this batch ended, and note what it came too late for."""
        rows: list[bulk.Row] = []
        due: set[tuple[str, int]] = set()
        after: list[tuple[Stream, int, list[Packed]]] = []
        for stream, noted in self._noted.items():
            after.append(self._step(stream, noted, rows, due))
        self._write(unit, rows, due)
        unit.after_commit(lambda: self._apply(after))

    def _step(
        self,
        stream: Stream,
        noted: list[tuple[int, Packed]],
        rows: list[bulk.Row],
        due: set[tuple[str, int]],
    ) -> tuple[Stream, int, list[Packed]]:
        """Return the minute a stream is in after this batch, and which rows of it are new."""
        filling = self._filling.get(stream)
        minute, new = (filling.minute, []) if filling is not None else (noted[0][0], [])
        kept = filling.rows if filling is not None else []
        for at, packed in noted:
            if at < minute:
                due.add((stream.encounter_id, at))
            elif at == minute:
                new.append(packed)
            else:
                self._close(stream, minute, [*kept, *new], rows, due)
                minute, kept, new = at, [], [packed]
        return stream, minute, new

    def _close(
        self,
        stream: Stream,
        minute: int,
        packed: list[Packed],
        rows: list[bulk.Row],
        due: set[tuple[str, int]],
    ) -> None:
        if minute <= self._away_until or len(packed) >= _MOST_ROWS:
            due.add((stream.encounter_id, minute))
        elif packed:
            stats = stats_of(packed, stream.width)
            rows.append((stream.encounter_id, minute, stream.device_id, stream.layout, stats))

    def _apply(self, after: list[tuple[Stream, int, list[Packed]]]) -> None:
        for stream, minute, new in after:
            filling = self._filling.get(stream)
            if filling is None or filling.minute != minute:
                filling = self._filling[stream] = _Filling(minute)
            filling.rows += new[: _MOST_ROWS - len(filling.rows)]

    def end_idle(self, unit: UnitOfWork, *, before: datetime) -> None:
        """Write the minutes of streams that have fallen silent, and forget the streams."""
        limit = micros(before) - _MINUTE_US
        rows: list[bulk.Row] = []
        due: set[tuple[str, int]] = set()
        idle = [stream for stream, filling in self._filling.items() if filling.minute < limit]
        for stream in idle:
            filling = self._filling[stream]
            self._close(stream, filling.minute, filling.rows, rows, due)
        self._write(unit, rows, due)
        unit.after_commit(lambda: self._forget(idle))

    def _forget(self, idle: list[Stream]) -> None:
        for stream in idle:
            self._filling.pop(stream, None)

    @staticmethod
    def _write(unit: UnitOfWork, rows: list[bulk.Row], due: set[tuple[str, int]]) -> None:
        bulk.upsert(unit.connection, "rollups", KEYS, COLUMNS, rows)
        note_due(unit, due)


def note_due(unit: UnitOfWork, due: set[tuple[str, int]]) -> None:
    """Note minutes (encounter id, microseconds) that are to be made again from their samples."""
    if due:
        columns = ("encounter_id", "minute")
        bulk.add_missing(unit.connection, "rollups_due", columns, sorted(due))
