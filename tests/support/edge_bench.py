"""An outbox on a real file and a clock that only a test moves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from broker.messages import Clock, Event, Readings, Value, Wave, decode
from broker.topics import Up
from clinical.records import Generation
from edge_node.adapters.sqlite_outbox import SqliteOutbox
from edge_node.clock import NodeClock
from edge_node.outbox import Budget, Draft, Outbox
from edge_node.ports import RowClass

NODE = "node-1"
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@dataclass
class Time:
    """A clock that only a test moves."""

    wall_ns: int = int(START.timestamp() * 1e9)
    mono_ns: int = 1_000_000_000_000
    synchronised: bool | None = True

    def pass_s(self, seconds: float) -> None:
        self.wall_ns += int(seconds * 1e9)
        self.mono_ns += int(seconds * 1e9)

    def clock(self, boot: str = "boot-1") -> NodeClock:
        return NodeClock(lambda: self.wall_ns, lambda: self.mono_ns, lambda: self.synchronised, boot)


@dataclass
class Bench:
    """An outbox on a real file, and ways to fill, crash and reopen it."""

    path: Path
    time: Time
    max_bytes: int = 1_000_000
    max_pages_bytes: int = 8_000_000
    made: list[SqliteOutbox] = field(default_factory=list)

    def open(self) -> Outbox:
        store = SqliteOutbox(self.path, max_bytes=self.max_pages_bytes, reserve_bytes=256 * 1024)
        self.made.append(store)
        budget = Budget(
            max_bytes=self.max_bytes,
            max_age=timedelta(hours=1),
            reserve_bytes=max(self.max_bytes // 10, 65536),
        )
        return Outbox(store, NODE, self.time.clock(), budget)

    def reading(self, outbox: Outbox, *, device: str = "ble:a", pad: int = 0) -> Draft:
        stamp = self.time.clock().now()
        name = str(uuid.uuid4())
        message = Readings(
            **outbox.envelope(),
            id=name,
            device=device,
            profile="p" + "x" * pad,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            clock=Clock(state="synchronised"),
            generation=Generation.DEMO,
            values=[Value(code="MDC_PULS_OXIM_SAT_O2", n=Decimal(97), unit="%")],
        )
        return Draft(
            message=message,
            kind=Up.READINGS,
            row_class=RowClass.NUMERIC,
            id=name,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            device=device,
        )

    def wave(self, outbox: Outbox) -> Draft:
        stamp = self.time.clock().now()
        name = str(uuid.uuid4())
        message = Wave(
            **outbox.envelope(),
            id=name,
            device="serial:a",
            effective=stamp.utc,
            code="MDC_PULS_OXIM_PLETH",
            unit="1",
            rate_hz=75,
            gain=1.0,
            generation=Generation.DEMO,
            samples=bytes(150),
        )
        return Draft(
            message=message,
            kind=Up.WAVES,
            row_class=RowClass.WAVE,
            id=name,
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            device="serial:a",
        )


def events(outbox: Outbox, kind: str) -> list[Event]:
    rows = outbox.store.span(1, outbox.store.last_seq, 10_000_000)
    found = [decode(row.payload, Event) for row in rows if row.kind is Up.EVENTS]
    return [event for event in found if event.kind == kind]
