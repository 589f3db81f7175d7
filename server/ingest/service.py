"""The ingest loop: packets in, one commit per tick, then PUBACKs, ``down/acks`` and the screens.

Nothing is acknowledged before it is on disk. When the store does not answer, the batch is kept and tried
again; the broker and the nodes' outboxes hold whatever comes meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from broker import topics
from broker.messages import Acks, Status, encode
from broker.topics import Down
from clinical.errors import UnavailableError
from server.ingest.commit import BatchWriter, OutboxKey, Written
from server.ingest.decode import Decoded, Poison, decode_packet
from server.ingest.intervals import Intervals
from server.ingest.port import Broker, Packet
from server.storage.store import Store

log = structlog.get_logger(__name__)
MAX_BATCH = 5_000
MAX_RANGES = 64
RETRY_S = 1.0
ASK_AFTER_S = 5.0
"""A gap this old is no longer just the backfill lane being slower than the live one."""
ASK_AGAIN_S = 15.0
ALARM_AFTER_S = 60.0
STALL_S = 10.0
"""Messages that wait this long without a commit: storing stands still."""


@dataclass(slots=True)
class Counts:
    """What the ledger tells of this process's ingest."""

    received: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    refused: int = 0
    failures: int = 0
    batches: int = 0
    resend_asked: int = 0


class Ingest:
    """Drains what the broker brings, on the event loop; commits on the writer's thread."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        writer: BatchWriter,
        on_written: Callable[[Written], None],
        *,
        batch_s: float = 0.1,
        max_buffered: int = 20_000,
        unassigned: int = 0,
    ) -> None:
        self.counts = Counts()
        self._store, self._broker, self._writer, self._on_written = store, broker, writer, on_written
        self._batch_s, self._max_buffered = batch_s, max_buffered
        self._packets: deque[Packet] = deque()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._gap_since: dict[tuple[OutboxKey, int], float] = {}
        self._asked_at: dict[OutboxKey, float] = {}
        self._stopping = False
        self._committed_at = self._waiting_since = self._loop.time()
        self.storing = True
        self.unassigned = unassigned  # readings on the worklist

    def received(self, packet: Packet) -> None:
        """Take a packet (client's thread); one that finds the buffer full is not acknowledged."""
        if len(self._packets) >= self._max_buffered:
            self.counts.refused += 1
            return
        if not self._packets:
            self._waiting_since = self._loop.time()
        self._packets.append(packet)
        self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Commit batches until :meth:`stop`."""
        while not self._stopping or self._packets:
            await self._wake.wait()
            self._wake.clear()
            while self._packets:
                began = self._loop.time()
                await self._commit_some()
                rest = self._batch_s - (self._loop.time() - began)
                await asyncio.sleep(0 if self._stopping else max(0.0, rest))

    def stop(self) -> None:
        """Commit what is here, then end."""
        self._stopping = True
        self._wake.set()

    def state(self) -> dict[str, Any]:
        """Counts and health for the ledger."""
        counts = {name: getattr(self.counts, name) for name in Counts.__slots__}
        return {"ok": self.storing and not self._stalls(), "waiting": len(self._packets), **counts}

    def _stalls(self) -> bool:
        """Whether messages wait though nothing was committed for a while, for whatever reason."""
        return (
            bool(self._packets) and self._loop.time() - max(self._committed_at, self._waiting_since) > STALL_S
        )

    async def _commit_some(self) -> None:
        count = min(MAX_BATCH, len(self._packets))
        packets = list(itertools.islice(self._packets, count))
        batch = [_decoded(packet) for packet in packets]
        written = await self._write(packets, batch)
        if written is None:
            return
        for _ in range(count):
            self._packets.popleft()
        self._broker.acknowledge(packets)
        self._count(count, written)
        self._tell_nodes(written)
        self._on_written(written)

    async def _write(self, packets: Sequence[Packet], batch: list[Decoded | Poison]) -> Written | None:
        try:
            written = await self._store.write_async(lambda unit: self._writer.write(unit, batch))
        except UnavailableError:
            self.storing = False
            self.counts.failures += 1
            await asyncio.sleep(0 if self._stopping else RETRY_S)
            if self._stopping:
                self._packets.clear()  # not acknowledged: broker and outboxes still hold them
            return None
        except Exception as error:  # noqa: BLE001 - whatever one message does to the writer, it stops no other
            return await self._write_singly(packets, batch, error)
        self.storing = True
        self._committed_at = self._loop.time()
        return written

    async def _write_singly(
        self, packets: Sequence[Packet], batch: list[Decoded | Poison], error: Exception
    ) -> Written | None:
        """Find the message the store cannot take and put it aside; the others go in."""
        if len(batch) == 1 and isinstance(batch[0], Poison):
            raise error  # not even its bytes can be put aside: that is the store's fault, not the message's
        if len(batch) == 1:
            reason = type(error.orig if isinstance(error, DBAPIError) else error).__name__
            log.error("message-unstorable", reason=reason)
            return await self._write(packets, [Poison(packets[0], f"it cannot be stored: {reason}")])
        middle = len(batch) // 2
        first = await self._write(packets[:middle], batch[:middle])
        second = await self._write(packets[middle:], batch[middle:]) if first is not None else None
        return _joined(first, second) if first is not None and second is not None else None

    def _count(self, received: int, written: Written) -> None:
        self.counts.received += received
        self.counts.batches += 1
        self.counts.stored += written.stored
        self.counts.duplicates += written.duplicates
        self.counts.quarantined += written.quarantined
        self.unassigned += written.unassigned

    def _tell_nodes(self, written: Written) -> None:
        for key, seqs in written.touched.items():
            self._publish_acks(key, written.intervals[key], seqs)
        for status in written.online:
            self._greet(status)

    def _publish_acks(self, key: OutboxKey, intervals: Intervals, seqs: list[int]) -> None:
        committed = [
            (first, last) for first, last in intervals.ranges if any(first <= seq <= last for seq in seqs)
        ]
        resend = self._gaps_to_ask(key, intervals)
        message = Acks(outbox=key[1], committed=committed[-MAX_RANGES:], resend=resend)
        self._broker.publish(topics.down(key[0], Down.ACKS), encode(message))

    def _gaps_to_ask(self, key: OutboxKey, intervals: Intervals) -> list[tuple[int, int]]:
        now, gaps = self._loop.time(), intervals.gaps
        begun = {(key, first) for first, _ in gaps}
        for old in [one for one in self._gap_since if one[0] == key and one not in begun]:
            del self._gap_since[old]
        for one in begun:
            self._gap_since.setdefault(one, now)
        old_enough = [gap for gap in gaps if now - self._gap_since[key, gap[0]] >= ASK_AFTER_S]
        if not old_enough or now - self._asked_at.get(key, -ASK_AGAIN_S) < ASK_AGAIN_S:
            return []
        self._asked_at[key] = now
        self.counts.resend_asked += 1
        return old_enough[:MAX_RANGES]

    def ask_for_gaps(self) -> None:
        """Ask for gaps of nodes that send nothing new just now; called by the ticker."""
        for key in {key for key, _ in self._gap_since}:
            intervals = self._writer.intervals_of(key)
            resend = self._gaps_to_ask(key, intervals) if intervals is not None else []
            if resend:
                message = Acks(outbox=key[1], committed=[], resend=resend)
                self._broker.publish(topics.down(key[0], Down.ACKS), encode(message))

    def old_gaps(self) -> frozenset[OutboxKey]:
        """Outboxes with a gap that asking again has not closed for a while: a person should know."""
        now = self._loop.time()
        return frozenset(key for (key, _), since in self._gap_since.items() if now - since >= ALARM_AFTER_S)

    def _greet(self, status: Status) -> None:
        """Tell a node that came back what is committed, so that it need not send that again."""
        intervals = self._writer.intervals_of((status.node, status.outbox)) if status.outbox else None
        ranges = intervals.ranges[-MAX_RANGES:] if intervals is not None else []
        if ranges:
            message = Acks(outbox=status.outbox, committed=ranges)
            self._broker.publish(topics.down(status.node, Down.ACKS), encode(message))


def _decoded(packet: Packet) -> Decoded | Poison:
    try:
        return decode_packet(packet)
    except Exception as error:  # noqa: BLE001 - whatever one payload does to the reader, it stops no other
        log.error("message-unreadable", reason=type(error).__name__)  # noqa: TRY400 - a trace may hold the payload
        return Poison(packet, f"it cannot be read: {type(error).__name__}")


def _joined(first: Written, second: Written) -> Written:
    first.intervals.update(second.intervals)
    for key, seqs in second.touched.items():
        first.touched.setdefault(key, []).extend(seqs)
    first.shown += second.shown
    first.waves += second.waves
    first.online += second.online
    first.heard |= second.heard
    first.nodes_changed = first.nodes_changed or second.nodes_changed
    first.stored += second.stored
    first.duplicates += second.duplicates
    first.quarantined += second.quarantined
    first.unassigned += second.unassigned
    return first
