"""The broker client of the server: MQTT 5 on the event loop, batches in, batches out.

Does what :class:`server.ingest.mqtt.PahoBroker` does at less cost per message (``bench path --reader`` tells
how much): packets that came with one read are handed on together, and what is written within one turn of the
loop goes out as one write.
A session of a day, acknowledgement only when told so, numbers of an old connection never acknowledged on a
new one, and reading stops while the ingest is full, so that the broker holds the rest.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence

import structlog

from broker.acl import SERVER_USER
from broker.topics import EVERY_NODE
from server.ingest import mqtt5
from server.ingest.port import OnPackets, Packet

log = structlog.get_logger(__name__)
SESSION_S = 24 * 3600
KEEPALIVE_S = 15
RECEIVE_MAXIMUM = 10_000  # at least twice the rate times the commit tick, and half of what may wait here
_CONNECT_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 10.0
_MOST_HELD = 20_000
_MOST_TOPICS = 100_000
_FILTERS_A_PACKET = 500


class AsyncioBroker:
    """Keeps one connection to the broker, on the event loop that :meth:`start` is called on.

    Args:
        host: The broker's name or address.
        port: Its TLS port.
        tls: Our certificate and whom we trust; None speaks in the clear.
        client_id: The name of our session: the common name of our certificate.
        topics: What to subscribe to.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        client_id: str = SERVER_USER,
        topics: Sequence[str] = EVERY_NODE,
    ) -> None:
        self._host, self._port, self._tls, self._client_id = host, port, tls, client_id
        self._topics = topics
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._on_packets: OnPackets = lambda _packets: None
        self._on_connected: Callable[[], None] = lambda: None
        self._line: _Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._number = 0  # of the connection; tokens carry it
        self._mid = 0
        self._held: deque[tuple[str, bytes, bool]] = deque()  # waiting to be sent
        self._under_way: dict[int, bytes] = {}  # sent, not acknowledged
        self._holding = False

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._line is not None and self._line.accepted is not None

    def start(self, on_packets: OnPackets, on_connected: Callable[[], None]) -> None:
        """Connect in the background, for as long as it takes."""
        self._on_packets, self._on_connected = on_packets, on_connected
        self._task = self._loop.create_task(self._keep_connected())

    def acknowledge(self, packets: Sequence[Packet]) -> None:
        """Send the PUBACKs; what an older connection brought, the broker has sent again since."""
        if self._line is not None:
            mids = [packet.token[0] for packet in packets if packet.token[1] == self._number]
            self._line.write(mqtt5.pubacks(mid for mid in mids if mid))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Send one message down; with QoS 1 it is kept until the broker has it."""
        if threading.get_ident() == self._thread:
            self._publish(topic, payload, retain, qos)
        else:
            self._loop.call_soon_threadsafe(self._publish, topic, payload, retain, qos)

    def hold(self, on: bool) -> None:
        """Stop reading, or go on; called on the event loop."""
        self._holding = on
        if self._line is not None:
            self._line.hold(on)

    def stop(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._line is not None:
            self._line.close(goodbye=True)
            self._line = None

    def _publish(self, topic: str, payload: bytes, retain: bool, qos: int) -> None:
        if qos == 0:
            if self.connected and self._line is not None:
                self._line.write(mqtt5.publish(topic, payload, retain=retain))
            return
        if len(self._held) >= _MOST_HELD:
            self._held.popleft()
            log.warning("publish-dropped")
        self._held.append((topic, payload, retain))
        self._send_held()

    def _send_held(self) -> None:
        line = self._line
        if line is None or line.accepted is None:
            return
        while self._held and len(self._under_way) < line.accepted.receive_maximum:
            topic, payload, retain = self._held.popleft()
            mid = self._free_number()
            sent = self._under_way[mid] = mqtt5.publish(topic, payload, mid=mid, retain=retain)
            line.write(sent)

    def _free_number(self) -> int:
        while True:
            self._mid = self._mid % 65_535 + 1
            if self._mid not in self._under_way:
                return self._mid

    async def _keep_connected(self) -> None:
        wait = _FIRST_WAIT_S
        while True:
            line = await self._connect()
            if line is not None:
                self._line = line
                wait = _FIRST_WAIT_S
                await line.ended
                self._line = None
                log.warning("broker-disconnected", reason=line.reason)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    async def _connect(self) -> _Line | None:
        """Open a connection and wait for its CONNACK."""
        self._number += 1
        number = self._number
        line: _Line | None = None
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, line = await self._loop.create_connection(
                    lambda: _Line(self, number), self._host, self._port, ssl=self._tls
                )
                hello = mqtt5.connect(
                    self._client_id,
                    keepalive_s=KEEPALIVE_S,
                    session_s=SESSION_S,
                    receive_maximum=RECEIVE_MAXIMUM,
                )
                line.write(hello)
                await line.answered
        except (OSError, TimeoutError):
            if line is not None:
                line.close()
            log.warning("broker-unreachable")
            return None
        if line.accepted is None:
            log.error("broker-refused", reason=line.reason)
            line.close()
            return None
        return line

    def greeted(self, line: _Line, accepted: mqtt5.Accepted) -> None:
        """Go on after CONNACK: subscribe, and send again what the broker may not have."""
        self._line = line
        log.info("broker-connected")
        for first in range(0, len(self._topics), _FILTERS_A_PACKET):
            some = self._topics[first : first + _FILTERS_A_PACKET]
            line.write(mqtt5.subscribe(self._free_number(), some))
        for sent in self._under_way.values():
            line.write(mqtt5.again(sent) if accepted.session_present else sent)
        line.hold(self._holding)
        self._send_held()
        self._on_connected()

    def brought(self, packets: list[Packet]) -> None:
        """Hand on what came."""
        self._on_packets(packets)

    def answered(self, mid: int, reason: int) -> None:
        """Forget a message the broker has, or will never take."""
        if self._under_way.pop(mid, None) is not None and reason >= mqtt5.FAILURE:
            log.error("publish-refused", reason=f"0x{reason:02x}")
        self._send_held()


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: AsyncioBroker, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.accepted: mqtt5.Accepted | None = None
        self.answered: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.reason = ""
        self._loop, self._owner, self._number = loop, owner, number
        self._frames = mqtt5.Frames()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._topics: dict[bytes, str] = {}
        self._heard_at = loop.time()
        self._holding = False
        self._beat: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._beat = self._loop.call_later(KEEPALIVE_S / 2, self._keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reason = self.reason or (type(exc).__name__ if exc is not None else "closed")
        if self._beat is not None:
            self._beat.cancel()
        for future in (self.answered, self.ended):
            if not future.done():
                future.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        packets: list[Packet] = []
        try:
            for frame in self._frames.feed(data):
                if frame.kind == mqtt5.PUBLISH:
                    packets.append(self._packet(mqtt5.read_publish(frame.flags, frame.body)))
                else:
                    self._take(frame)
        except mqtt5.ProtocolError as error:
            self.reason = str(error)
            log.error("broker-protocol", reason=self.reason)  # noqa: TRY400 - a trace would hold the bytes
            self.close()
        if packets:
            self._owner.brought(packets)

    def _packet(self, said: mqtt5.Published) -> Packet:
        topic = self._topics.get(said.topic)
        if topic is None:
            topic = said.topic.decode("utf-8", "replace")
            if len(self._topics) < _MOST_TOPICS:
                self._topics[said.topic] = topic
        return Packet(topic, said.payload, said.retained, (said.mid, self._number))

    def _take(self, frame: mqtt5.Frame) -> None:
        if frame.kind == mqtt5.PUBACK:
            self._owner.answered(*mqtt5.read_answer(frame.body))
        elif frame.kind == mqtt5.CONNACK:
            self._take_connack(mqtt5.read_connack(frame.body))
        elif frame.kind == mqtt5.SUBACK:
            refused = [reason for reason in mqtt5.read_suback(frame.body) if reason >= mqtt5.FAILURE]
            if refused:
                raise mqtt5.ProtocolError(f"the broker refuses a subscription: 0x{refused[0]:02x}")
        elif frame.kind == mqtt5.DISCONNECT:
            self.reason = f"0x{frame.body[0]:02x}" if frame.body else "the broker says goodbye"
        elif frame.kind != mqtt5.PINGRESP:
            raise mqtt5.ProtocolError("the broker sends what was never asked for")

    def _take_connack(self, accepted: mqtt5.Accepted) -> None:
        if accepted.reason >= mqtt5.FAILURE:
            self.reason = f"0x{accepted.reason:02x}"
        elif self.accepted is None:
            self.accepted = accepted
            self._owner.greeted(self, accepted)
        if not self.answered.done():
            self.answered.set_result(None)

    def write(self, data: bytes) -> None:
        """Write with whatever else is written in this turn of the loop."""
        if not data:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def hold(self, on: bool) -> None:
        """Stop reading, or go on."""
        if self._transport is None or on == self._holding or self._transport.is_closing():
            return
        self._holding = on
        if on:
            self._transport.pause_reading()
        else:
            self._heard_at = self._loop.time()
            self._transport.resume_reading()

    def _keep_alive(self) -> None:
        self._beat = self._loop.call_later(KEEPALIVE_S / 2, self._keep_alive)
        if not self._holding and self._loop.time() - self._heard_at > 2 * KEEPALIVE_S:
            self.reason = "the broker is silent"
            self.close()
            return
        self.write(mqtt5.PINGREQ)

    def close(self, *, goodbye: bool = False) -> None:
        """End the connection."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if goodbye:
            self.write(mqtt5.GOODBYE)
            self._flush()
            transport.close()
        else:
            transport.abort()
