"""From the outbox to the broker and back: what is sent when, and what the server asks for.

Two lanes. What was just measured goes on its live topic. What had to wait goes on ``backfill``, alarms
and events first, so that old values never look new. A row is sent again after every reconnect, when the
server asks for it, and when the server is at work but has not committed it in time; it is deleted only
by ``down/acks``. A PUBACK is transport only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from broker import topics
from broker.messages import (
    Acks,
    Backfill,
    Command,
    Config,
    Message,
    Status,
    Targets,
    Wave,
    decode,
    encode,
)
from broker.topics import Down, Up
from clinical.errors import BadInputError
from edge_node.clock import NodeClock
from edge_node.outbox import Detail, Outbox
from edge_node.ports import Delivery, Row, RowClass, Wire, WireState
from edge_node.ranges import text

LIVE_S = 5.0
"""A row older than this is history."""
MAX_IN_FLIGHT = 64
"""Publishes without PUBACK at one time."""
MAX_UNCOMMITTED = 2000
"""Rows sent but not committed; beyond it only alarms go: a stopped server must not fill the broker."""
LIVE_WAITING = 256
RESEND_S = 15.0
RESEND_MAX_DOUBLINGS = 6
SERVER_AT_WORK_S = 5.0
"""An acknowledgement this recent shows that the server is committing."""
STATUS_S = 30.0
STATUS_MIN_S = 1.0
REFUSED_AGAIN_S = 60.0
REPORT_EVERY_S = 10.0
STATUS_TAG = 0
REFUSAL = 0x80
BACKLOG_START = (-1, 0)

log = structlog.get_logger()


@dataclass(slots=True)
class _Sent:
    at: float
    times: int
    delivered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DownHandlers:
    """What the rest of the node does with what it is told."""

    targets: Callable[[Targets], None]
    command: Callable[[Command], None]
    config: Callable[[Config], None]
    status: Callable[[], Status]
    alarm_active: Callable[[str], bool]
    refused: Callable[[bool], None]  # the broker refuses publishes (True) or takes them again (False)


class Uplink:
    """Decides which row is sent next. No I/O of its own and no clock but the one it is given.

    Args:
        wire: The MQTT connection.
        outbox: The rows.
        node: The node's id.
        clock: Monotonic time decides what is fresh.
        handlers: Receivers of what comes down.
    """

    def __init__(
        self, wire: Wire, outbox: Outbox, node: str, clock: NodeClock, handlers: DownHandlers
    ) -> None:
        self.state = WireState(connected=False, reason="starting")
        self.last_ack_at: float | None = None
        self.resent = 0
        self.sent_live = 0
        self.sent_backfill = 0
        self._wire = wire
        self._outbox = outbox
        self._node = node
        self._clock = clock
        self._handlers = handlers
        self._sent: dict[int, _Sent] = {}
        self._times: dict[int, int] = {}
        self._in_flight = 0
        self._live: deque[Row] = deque()
        self._again: deque[int] = deque()
        self._cursor = BACKLOG_START
        self._backlog_upto = 0
        self._page: deque[Row] = deque()
        self._refused_until: dict[int, float] = {}
        self._probed_at = -RESEND_S
        self._status_at = -STATUS_S
        self._status_sent: Status | None = None
        self._reported: dict[str, float] = {}
        outbox.on_rows = self.on_rows

    @property
    def waiting_for_commit(self) -> int:
        """Rows sent on this connection that the server has not committed yet."""
        return len(self._sent)

    # ---- events
    def on_rows(self, rows: list[Row]) -> None:
        """New rows are on disk: send them now if that is possible."""
        if not self.state.connected:
            return
        self._live.extend(rows)
        if len(self._live) > LIVE_WAITING:
            self._live.clear()
            self._reopen_backlog()
        self.pump()

    def on_state(self, state: WireState) -> None:
        """The connection came or went."""
        was, self.state = self.state, state
        if state.connected == was.connected:
            return
        self._sent.clear()
        self._live.clear()
        self._again.clear()
        self._in_flight = 0
        if state.connected:
            self._status_sent = None
            self._first_the_newest()
            self._reopen_backlog()
            self.pump()

    def on_delivery(self, delivery: Delivery) -> None:
        """The broker answered one publish."""
        if delivery.tag == STATUS_TAG:
            return
        self._in_flight = max(0, self._in_flight - 1)
        sent = self._sent.get(delivery.tag)
        if sent is None:
            return
        if 0 <= delivery.code < REFUSAL:
            sent.delivered = True
            if self._refused_until:
                self._refused_until.clear()
                self._handlers.refused(False)
        else:
            del self._sent[delivery.tag]
            if delivery.code >= REFUSAL:
                self._refuse(delivery)
        self.pump()

    def _refuse(self, delivery: Delivery) -> None:
        log.warning("publish-refused", reason_code=delivery.code)
        first = not self._refused_until
        self._refused_until[delivery.tag] = self._clock.mono_s() + REFUSED_AGAIN_S
        if first:
            self._handlers.refused(True)

    def on_message(self, topic: str, payload: bytes) -> None:
        """Something came down. What cannot be used is refused and reported, and changes nothing."""
        kind = ""
        try:
            kind = self._kind_for_this_node(topic)
            self._dispatch(Down(kind), payload)
        except BadInputError as error:
            reason = error.message[:200]
            self._report(
                "down-refused", kind or "topic", {"topic": kind, "code": error.code, "reason": reason}
            )

    def _kind_for_this_node(self, topic: str) -> str:
        node, direction, kind = topics.parse(topic)
        if node != self._node or direction != "down":
            raise BadInputError("topic", "this topic is not for this node")
        return kind

    def _dispatch(self, kind: Down, payload: bytes) -> None:
        match kind:
            case Down.ACKS:
                self._acknowledged(decode(payload, Acks))
            case Down.TARGETS:
                self._handlers.targets(decode(payload, Targets))
            case Down.COMMANDS:
                self._handlers.command(decode(payload, Command))
            case Down.CONFIG:
                self._handlers.config(decode(payload, Config))

    def _report(self, event: str, what: str, detail: Detail) -> None:
        """Tell it as an event, at most once in a while: a broken sender must not fill the outbox."""
        now = self._clock.mono_s()
        log.warning(event, about=what)
        if now - self._reported.get(event + what, -REPORT_EVERY_S) >= REPORT_EVERY_S:
            self._reported[event + what] = now
            self._outbox.event(event, detail)

    def _acknowledged(self, acks: Acks) -> None:
        outcome = self._outbox.acknowledge(acks)
        if outcome.problem == "beyond-outbox":
            log.error("outbox-rotated", reason=outcome.problem)
            self._outbox.rotate(outcome.problem)
            self.on_rotated()
            return
        if outcome.problem:
            self._report("acks-refused", outcome.problem, {"reason": outcome.problem})
            return
        self.last_ack_at = self._clock.mono_s()
        for first, last in acks.committed:
            for seq in [seq for seq in self._sent if first <= seq <= last]:
                del self._sent[seq]
                self._times.pop(seq, None)
        for first, last in outcome.resend:
            self._again.extend(seq for seq in range(first, last + 1) if seq not in self._again)
        if outcome.not_held:
            self._report("not-held", text(outcome.not_held[:20]), {"ranges": text(outcome.not_held[:100])})
        self.pump()

    def on_rotated(self) -> None:
        """All numbers are new: forget what was sent under the old ones."""
        self._sent.clear()
        self._times.clear()
        self._live.clear()
        self._again.clear()
        self._refused_until.clear()
        self._reopen_backlog()

    # ---- choosing
    def tick(self) -> None:
        """Look after what time alone brings: rows to send again, and the status; several times a second."""
        if not self.state.connected:
            return
        now = self._clock.mono_s()
        self._find_overdue(now)
        self._publish_status(now)
        if self._backlog_upto == 0 and self._skipped():
            self._reopen_backlog()
        self.pump()

    def _skipped(self) -> bool:
        """Whether rows wait that were never sent on this connection and can be sent now."""
        known = len(self._sent) + len(self._live)
        return len(self._sent) < MAX_UNCOMMITTED // 2 and self._outbox.depth > known

    def pump(self) -> None:
        """Send what may be sent."""
        while self.state.connected and self._in_flight < MAX_IN_FLIGHT:
            row = self._next()
            if row is None:
                return
            self._send(row)

    def _next(self) -> Row | None:
        while self._live:
            row = self._live.popleft()
            if self._sendable(row):
                return row
        while self._again:
            seq = self._again.popleft()
            rows = self._outbox.store.span(seq, seq, 1)
            if rows:
                self._sent.pop(seq, None)
                self.resent += 1
                return rows[0]
        return self._next_of_backlog()

    def _next_of_backlog(self) -> Row | None:
        while self._backlog_upto:
            if not self._page:
                page = self._outbox.store.rows(self._cursor, self._backlog_upto, 100)
                if not page:
                    self._backlog_upto = 0
                    return None
                self._page.extend(page)
            row = self._page[0]
            if len(self._sent) >= MAX_UNCOMMITTED and row.row_class is not RowClass.ALARM:
                return None
            self._page.popleft()
            self._cursor = (int(row.row_class), row.seq)
            if self._sendable(row):
                return row
        return None

    def _sendable(self, row: Row) -> bool:
        if row.seq in self._sent:
            return False
        if self._refused_until.get(row.seq, 0.0) > self._clock.mono_s():
            return False
        return row.row_class is RowClass.ALARM or len(self._sent) < MAX_UNCOMMITTED

    def _reopen_backlog(self) -> None:
        self._page.clear()
        self._cursor = BACKLOG_START
        self._backlog_upto = self._outbox.store.last_seq

    def _first_the_newest(self) -> None:
        last = self._outbox.store.last_seq
        newest = self._outbox.store.span(max(1, last - LIVE_WAITING // 2), last, LIVE_WAITING)
        self._live.extend(row for row in newest if self._is_fresh(row))

    def _find_overdue(self, now: float) -> None:
        at_work = self.last_ack_at is not None and now - self.last_ack_at < SERVER_AT_WORK_S
        if not at_work and now - self._probed_at < RESEND_S:
            return  # one row is enough to find out whether anybody answers
        for seq, sent in self._sent.items():
            if now - sent.at < RESEND_S * 2 ** min(sent.times - 1, RESEND_MAX_DOUBLINGS):
                continue
            sent.at = now
            self._again.append(seq)
            if not at_work:
                self._probed_at = now
                return

    # ---- sending
    def _is_fresh(self, row: Row) -> bool:
        age_s = self._clock.mono_s() - row.mono_ns / 1e9
        return row.boot == self._clock.boot_id and age_s < LIVE_S

    def _goes_live(self, row: Row) -> bool:
        if row.kind is Up.REPLIES or self._is_fresh(row):
            return True
        return row.kind is Up.ALARMS and self._handlers.alarm_active(row.id.partition(":")[0])

    def _send(self, row: Row) -> None:
        now = self._clock.mono_s()
        times = self._times.get(row.seq, 0) + 1
        self._times[row.seq] = times
        self._sent[row.seq] = _Sent(at=now, times=times)
        self._in_flight += 1
        if self._goes_live(row):
            self.sent_live += 1
            self._wire.publish(topics.up(self._node, row.kind), row.payload, tag=row.seq)
        else:
            self.sent_backfill += 1
            self._wire.publish(topics.up(self._node, Up.BACKFILL), self._as_history(row), tag=row.seq)

    def _as_history(self, row: Row) -> bytes:
        body = row.payload
        if row.kind is Up.WAVES:
            body = msgspec.json.encode(decode(row.payload, Wave))
        message: Message = Backfill(
            node=self._node,
            boot=row.boot,
            outbox=self._outbox.store.outbox_id,
            seq=row.seq,
            sent=self._clock.now().utc,
            kind=row.kind.value,  # type: ignore[arg-type]  # replies never come here
            body=msgspec.Raw(body),
        )
        return encode(message)

    def _publish_status(self, now: float) -> None:
        age = now - self._status_at
        if age < STATUS_MIN_S and self._status_sent is not None:
            return
        status = self._handlers.status()
        before = self._status_sent
        same = before is not None and (before.devices, before.outbox, before.state) == (
            status.devices, status.outbox, status.state,
        )  # fmt: skip
        if same and age < STATUS_S:
            return
        self._status_at, self._status_sent = now, status
        self._wire.publish(topics.status(self._node), encode(status), tag=STATUS_TAG, retain=True)
