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
from functools import lru_cache
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
Range = tuple[int, int]
MAX_BATCH = 5_000
MAX_RANGES = 64
RETRY_S = 1.0
ASK_AFTER_S = 5.0
"""A gap this old is no longer just the backfill lane being slower than the live one."""
ASK_AGAIN_S = 15.0
ALARM_AFTER_S = 60.0
_HOLD_ABOVE, _GO_ON_BELOW = 0.75, 0.25
"""Parts of the buffer at which the broker is told to hold, and to go on."""
STALL_S = 10.0
"""Messages that wait this long without a commit: storing stands still."""


@lru_cache(maxsize=65_536)
def _acks_topic(node: str) -> str:
    return topics.down(node, Down.ACKS)


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
        self._gap_since: dict[OutboxKey, dict[int, float]] = {}  # first number of a gap → since when
        self._asked_at: dict[OutboxKey, float] = {}
        self._stopping = self._holding = False
        self._committed_at = self._waiting_since = self._loop.time()
        self.storing = True
        self.unassigned = unassigned  # readings on the worklist

    def received(self, packets: Sequence[Packet]) -> None:
        """Take packets (any thread); what finds the buffer full is not acknowledged."""
        room = self._max_buffered - len(self._packets)
        if room < len(packets):
            self.counts.refused += len(packets) - max(0, room)
            packets = packets[: max(0, room)]
        if not packets:
            return
        begins = not self._packets
        if begins:
            self._waiting_since = self._loop.time()
        self._packets.extend(packets)
        if begins or not self._wake.is_set():
            self._loop.call_soon_threadsafe(self._wake.set)
        if not self._holding and len(self._packets) > self._max_buffered * _HOLD_ABOVE:
            self._holding = True
            self._broker.hold(True)

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
        if self._holding and len(self._packets) < self._max_buffered * _GO_ON_BELOW:
            self._holding = False
            self._broker.hold(False)
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
        ranges = intervals.ranges
        resend: list[tuple[int, int]] = []
        if len(ranges) == 1 and ranges[0][0] == 1:  # nearly always: all there from the first on
            self._gap_since.pop(key, None)
        else:
            ranges = [one for one in ranges if any(one[0] <= seq <= one[1] for seq in seqs)][-MAX_RANGES:]
            resend = self._gaps_to_ask(key, intervals)
        self._send_acks(key, ranges, resend)

    def _send_acks(self, key: OutboxKey, committed: list[Range], resend: list[Range]) -> None:
        """Tell a node. One that misses it is told again with its next message, or when it comes back."""
        message = Acks(outbox=key[1], committed=committed, resend=resend)
        self._broker.publish(_acks_topic(key[0]), encode(message), qos=0)

    def _gaps_to_ask(self, key: OutboxKey, intervals: Intervals) -> list[Range]:
        now, gaps = self._loop.time(), intervals.gaps
        before = self._gap_since.pop(key, {})
        if not gaps:
            return []
        since = self._gap_since[key] = {first: before.get(first, now) for first, _ in gaps}
        old_enough = [gap for gap in gaps if now - since[gap[0]] >= ASK_AFTER_S]
        if not old_enough or now - self._asked_at.get(key, -ASK_AGAIN_S) < ASK_AGAIN_S:
            return []
        self._asked_at[key] = now
        self.counts.resend_asked += 1
        return old_enough[:MAX_RANGES]

    def ask_for_gaps(self) -> None:
        """Ask for gaps of nodes that send nothing new just now; called by the ticker."""
        for key in list(self._gap_since):
            intervals = self._writer.intervals_of(key)
            resend = self._gaps_to_ask(key, intervals) if intervals is not None else []
            if resend:
                self._send_acks(key, [], resend)

    def old_gaps(self) -> frozenset[OutboxKey]:
        """Outboxes with a gap that asking again has not closed for a while: a person should know."""
        now = self._loop.time()
        return frozenset(
            key for key, since in self._gap_since.items() if now - min(since.values()) >= ALARM_AFTER_S
        )

    def _greet(self, status: Status) -> None:
        """Tell a node that came back what is committed, so that it need not send that again."""
        intervals = self._writer.intervals_of((status.node, status.outbox)) if status.outbox else None
        ranges = intervals.ranges[-MAX_RANGES:] if intervals is not None else []
        if ranges:
            self._send_acks((status.node, status.outbox), ranges, [])


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
    for ward, shown in second.shown.items():
        first.shown.setdefault(ward, []).extend(shown)
    for ward, waves in second.waves.items():
        first.waves.setdefault(ward, []).extend(waves)
    first.online += second.online
    first.heard |= second.heard
    first.nodes_changed = first.nodes_changed or second.nodes_changed
    first.stored += second.stored
    first.duplicates += second.duplicates
    first.quarantined += second.quarantined
    first.unassigned += second.unassigned
    return first
