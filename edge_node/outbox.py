"""Store and forward: nothing is forgotten before the server has it on disk.

Every message gets its number, its place on the disk and only then its way to the broker. A row goes
when ``down/acks`` says that the server has committed it, or when space runs out: then by class (waves
first, alarms never), and every number that was given up is declared in an ``evicted`` event that is
written in the same transaction, so that a crash cannot separate the two.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from broker.messages import (
    Acks,
    AlarmMessage,
    Event,
    Message,
    Readings,
    Reply,
    UpMessage,
    Wave,
    decode,
    encode,
)
from broker.topics import Up
from edge_node.clock import NodeClock
from edge_node.ports import Change, OutboxStore, Row, RowClass, StoreFullError
from edge_node.ranges import Range, collapse, text

ROW_OVERHEAD = 200
"""Bytes beside the payload that one row takes on the disk, columns and both indices."""
EXPECTED_PAYLOAD = 700
"""Bytes of an ordinary reading, for the look ahead; what was really written is counted afterwards."""
READINGS_KEY = "readings"
URGENT_IN_MEMORY = 1000
"""Alarms and events kept in memory when even the reserve is used up."""
SHORTAGE_ENDS_S = 60.0
"""Without a refusal for this long there is room again; at the brink each row would tell otherwise."""
EVICT_ROWS = 256
THIN_ROWS = 600
RANGES_PER_EVENT = 500
BUFFER_ROWS = 64
"""Most messages that wait for the next flush; the flush itself comes every 50 ms."""
Detail = dict[str, str | int | float]
"""What an event says beside its kind."""
KINDS: dict[Up, type[UpMessage]] = {
    Up.READINGS: Readings, Up.WAVES: Wave, Up.EVENTS: Event, Up.ALARMS: AlarmMessage, Up.REPLIES: Reply,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much may wait. ``reserve_bytes`` come on top and belong to the alarm class alone."""

    max_bytes: int
    max_age: timedelta
    reserve_bytes: int

    @staticmethod
    def of(max_bytes: int, max_age_h: float) -> Budget:
        """The budget for a configured size: a tenth more, at least 64 KiB, is kept for alarms."""
        return Budget(
            max_bytes=max_bytes,
            max_age=timedelta(hours=max_age_h),
            reserve_bytes=max(64 * 1024, max_bytes // 10),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message on its way into the outbox; its envelope is filled in when it is written.

    ``state`` is written in the same transaction, so that what the node remembers of an infusion and
    what it told of it never differ after a crash.
    """

    message: UpMessage
    kind: Up
    row_class: RowClass
    id: str
    effective: datetime
    mono_ns: int
    device: str = ""
    state: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AckOutcome:
    """What an acknowledgement meant: rows forgotten, ranges to send again, numbers that are not held."""

    forgotten: int = 0
    resend: tuple[Range, ...] = ()
    not_held: tuple[Range, ...] = ()
    problem: str = ""  # foreign-outbox, reversed-range, beyond-outbox


class Outbox:
    """The node's one outbox.

    Args:
        store: The disk.
        node: The node's id.
        clock: Stamps events and envelopes.
        budget: How much may wait.
    """

    def __init__(self, store: OutboxStore, node: str, clock: NodeClock, budget: Budget) -> None:
        self.store = store
        self.full = False
        self.refused = 0
        self.repeats = 0
        self.evicted = 0
        self.produced = 0
        self.readings = int(store.state(READINGS_KEY) or b"0")
        self.on_rows: Callable[[list[Row]], None] = lambda _rows: None
        self._node = node
        self._clock = clock
        self._budget = budget
        self._pending: list[Draft] = []
        self._refused_since: datetime | None = None
        self._refused_count = 0
        self._reserve_open = False
        self._short_at = 0.0
        usage = store.usage()
        self.depth = sum(rows for rows, _ in usage.values())
        self._bytes = sum(size for _, size in usage.values()) + self.depth * ROW_OVERHEAD

    @property
    def used_bytes(self) -> int:
        """Bytes that wait, overhead included."""
        return self._bytes

    def envelope(self) -> dict[str, Any]:
        """Fields of a message's envelope; number, outbox and time are filled in when it is written."""
        return {
            "node": self._node, "boot": self._clock.boot_id, "outbox": "pending", "seq": 1,
            "sent": self._clock.now().utc,
        }  # fmt: skip

    def event(self, kind: str, detail: Detail | None = None, *, device: str | None = None) -> None:
        """Tell what happened on the node; written at once."""
        self.put(self.event_draft(kind, device, detail or {}))

    def put(self, draft: Draft) -> None:
        """Take one message; the alarm class is on disk when this returns, the rest at the next flush."""
        self._pending.append(draft)
        if draft.row_class is RowClass.ALARM or len(self._pending) >= BUFFER_ROWS:
            self.flush()

    def remember(self, state: dict[str, bytes]) -> None:
        """Write part of the node's own memory at once; alarms' space may be used for it."""
        self.flush()
        if not self._attempt(lambda: self.store.commit(Change(state=state))):
            self._reserve_open = True
            self.store.release_reserve()
            self.store.commit(Change(state=state))

    def flush(self) -> None:
        """Write what waits in memory, making room for it if need be."""
        drafts, self._pending = self._fresh(self._pending), []
        if not drafts:
            return
        if self._reserve_open:
            self._reserve_open = not self.store.restore_reserve()
        try:
            self._fit(sum(ROW_OVERHEAD + EXPECTED_PAYLOAD for _ in drafts))
            self._write(drafts)
        except StoreFullError:
            self._write_short_of_room(drafts)
        else:
            self._end_of_shortage(drafts)

    def acknowledge(self, acks: Acks) -> AckOutcome:
        """Forget what the server has committed and find out what it wants again."""
        self.flush()
        ranges = [*acks.committed, *acks.resend]
        if acks.outbox != self.store.outbox_id:
            return AckOutcome(problem="foreign-outbox")
        if any(first > last for first, last in ranges):
            return AckOutcome(problem="reversed-range")
        if any(last > self.store.last_seq for _, last in ranges):
            return AckOutcome(problem="beyond-outbox")
        forgotten, size = self.store.forget(acks.committed) if acks.committed else (0, 0)
        self._count_out(forgotten, size)
        held = [row.seq for first, last in acks.resend for row in self.store.span(first, last, 10_000)]
        asked = {n for first, last in acks.resend for n in range(first, min(last, first + 9_999) + 1)}
        return AckOutcome(
            forgotten=forgotten, resend=tuple(collapse(held)), not_held=tuple(collapse(asked - set(held)))
        )

    def rotate(self, reason: str, extra: Sequence[Row] = ()) -> None:
        """Start a new outbox id and number everything that waits (and ``extra``) anew.

        Needed when the server knows numbers that this file never gave out: the file is an old copy, and
        its next rows would be taken for repeats.
        """
        self.flush()
        fresh, before = str(uuid.uuid4()), self.store.outbox_id
        waiting = [*extra, *self.store.span(1, self.store.last_seq, 10_000_000)]
        rows = [self._renumber(row, fresh, number) for number, row in enumerate(waiting, 1)]
        self.store.replace_all(fresh, rows)
        self._count_again()
        self.event("outbox-recreated", {"reason": reason, "before": before, "rows": len(rows)})

    def take_in(self, rows: Sequence[Row], reason: str) -> None:
        """Number rows saved from another outbox file anew and keep them."""
        self.rotate(reason, rows)

    def expire(self, now: datetime) -> None:
        """Give up ordinary rows that are older than the budget allows, and declare them."""
        oldest = now - self._budget.max_age
        for row_class in (RowClass.WAVE, RowClass.NUMERIC, RowClass.SUMMARY):
            rows = self.store.oldest(row_class, EVICT_ROWS)
            old = [row for row in rows if datetime.fromisoformat(row.effective) < oldest]
            if old:
                self._give_up(old, (), "age")

    # ---- writing
    def _fresh(self, drafts: list[Draft]) -> list[Draft]:
        seen: set[str] = set()
        fresh = []
        for draft in drafts:
            if draft.id in seen or self.store.has_id(draft.id):
                self.repeats += 1
                continue
            seen.add(draft.id)
            fresh.append(draft)
        return fresh

    def _write(
        self, drafts: Sequence[Draft], evict: Sequence[int] = (), summarise: Sequence[int] = ()
    ) -> None:
        rows = [self._row(draft, self.store.last_seq + number) for number, draft in enumerate(drafts, 1)]
        readings = self.readings + sum(draft.kind is Up.READINGS for draft in drafts)
        state = {key: value for draft in drafts for key, value in draft.state.items()}
        if readings != self.readings:
            state[READINGS_KEY] = str(readings).encode()
        self.store.commit(Change(rows=rows, state=state, evict=evict, summarise=summarise))
        self.readings = readings
        self.depth += len(rows)
        self.produced += len(rows)
        self._bytes += sum(len(row.payload) + ROW_OVERHEAD for row in rows)
        self.on_rows(rows)

    def _row(self, draft: Draft, seq: int) -> Row:
        message = msgspec.structs.replace(
            draft.message, outbox=self.store.outbox_id, seq=seq, sent=self._clock.now().utc
        )
        return Row(
            seq=seq, id=draft.id, row_class=draft.row_class, kind=draft.kind, device=draft.device,
            payload=encode(message), boot=self._clock.boot_id, mono_ns=draft.mono_ns,
            effective=draft.effective.isoformat(),
        )  # fmt: skip

    @staticmethod
    def _renumber(row: Row, outbox: str, seq: int) -> Row:
        message: Message = decode(row.payload, KINDS[row.kind])
        payload = encode(msgspec.structs.replace(message, outbox=outbox, seq=seq))
        return Row(
            seq=seq, id=row.id, row_class=row.row_class, kind=row.kind, device=row.device, payload=payload,
            boot=row.boot, mono_ns=row.mono_ns, effective=row.effective,
        )  # fmt: skip

    def event_draft(self, kind: str, device: str | None, detail: Detail) -> Draft:
        """An event, ready to be put or to be written with something else."""
        stamp = self._clock.now()
        name = str(uuid.uuid4())
        message = Event(
            **self.envelope(),
            id=name,
            kind=kind,
            effective=stamp.utc,
            device=device,
            detail=detail,
        )
        return Draft(
            message=message, kind=Up.EVENTS, row_class=RowClass.ALARM, id=name, effective=stamp.utc,
            mono_ns=stamp.mono_ns, device=device or "",
        )  # fmt: skip

    def _count_out(self, rows: int, size: int) -> None:
        self.depth -= rows
        self._bytes -= size + rows * ROW_OVERHEAD

    def _count_again(self) -> None:
        usage = self.store.usage()
        self.depth = sum(rows for rows, _ in usage.values())
        self._bytes = sum(size for _, size in usage.values()) + self.depth * ROW_OVERHEAD

    # ---- room
    def _fit(self, need: int) -> None:
        while self._bytes + need > self._budget.max_bytes:
            if not self._evict_some(self._bytes + need - self._budget.max_bytes):
                raise StoreFullError

    def _evict_some(self, need: int) -> bool:
        """Give up the least important rows; False when only the alarm class is left."""
        enough = max(need, self._budget.max_bytes // 64)
        if rows := self.store.oldest(RowClass.WAVE, EVICT_ROWS):
            self._give_up(_enough_of(rows, enough), (), "room")
        elif rows := self.store.oldest(RowClass.NUMERIC, THIN_ROWS):
            kept = _one_per_minute(rows)
            self._give_up([row for row in rows if row.seq not in kept], tuple(kept), "thinned")
        elif rows := self.store.oldest(RowClass.SUMMARY, EVICT_ROWS):
            self._give_up(_enough_of(rows, enough), (), "room")
        else:
            return False
        return True

    def _give_up(self, rows: Sequence[Row], summarise: Sequence[int], reason: str) -> None:
        ranges = collapse(row.seq for row in rows)
        parts = [ranges[at : at + RANGES_PER_EVENT] for at in range(0, len(ranges), RANGES_PER_EVENT)]
        drafts = [
            self.event_draft(
                "evicted",
                None,
                {
                    "reason": reason,
                    "class": rows[0].row_class.name.lower(),
                    "count": sum(last - first + 1 for first, last in part),
                    "ranges": text(part),
                },
            )
            for part in parts
        ]
        self._write(drafts, [row.seq for row in rows], summarise)
        self.evicted += len(rows)
        self._count_out(len(rows), sum(len(row.payload) for row in rows))

    def _write_short_of_room(self, drafts: Sequence[Draft]) -> None:
        """The disk said no: alarms may use the reserve, the rest only what eviction frees."""
        self.full, self._short_at = True, self._clock.mono_s()
        urgent = [draft for draft in drafts if draft.row_class is RowClass.ALARM]
        rest = [draft for draft in drafts if draft.row_class is not RowClass.ALARM]
        roomy = self._attempt(lambda: self._evict_some(self._budget.max_bytes // 16))
        if urgent and not self._attempt(lambda: self._write(urgent)):
            roomy = False
            self._reserve_open = True
            self.store.release_reserve()
            if not self._attempt(lambda: self._write(urgent)):
                self._pending = [*urgent, *self._pending][-URGENT_IN_MEMORY:]
        if rest and not (roomy and self._attempt(lambda: self._write(rest))):
            self._refused_since = self._refused_since or self._clock.now().utc
            self._refused_count += len(rest)
            self.refused += len(rest)

    @staticmethod
    def _attempt(work: Callable[[], bool | None]) -> bool:
        """Whether it went well; ``work`` may also say itself that it did not."""
        try:
            return work() is not False
        except StoreFullError:
            return False

    def _end_of_shortage(self, drafts: Sequence[Draft]) -> None:
        ordinary = any(draft.row_class is not RowClass.ALARM for draft in drafts)
        quiet_s = self._clock.mono_s() - self._short_at
        if not self.full or not ordinary or self._reserve_open or quiet_s < SHORTAGE_ENDS_S:
            return
        self.full = False
        if self._refused_since is not None:
            since, count = self._refused_since, self._refused_count
            self._refused_since, self._refused_count = None, 0
            detail: Detail = {"since": since.isoformat(), "count": count, "reason": "outbox-full"}
            self.event("not-stored", detail)


def _enough_of(rows: Sequence[Row], need: int) -> list[Row]:
    chosen: list[Row] = []
    freed = 0
    for row in rows:
        if freed >= need:
            break
        chosen.append(row)
        freed += len(row.payload) + ROW_OVERHEAD
    return chosen


def _one_per_minute(rows: Sequence[Row]) -> set[int]:
    """The first row of each device and minute."""
    kept: dict[tuple[str, str], int] = {}
    for row in rows:
        kept.setdefault((row.device, row.effective[:16]), row.seq)
    return set(kept.values())
