"""A stand-in for the ward server on a real broker: stores what nodes send, acknowledges like the real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import tls, topics
from broker.messages import Acks, Backfill, Message, Status, UpMessage, Wave, decode, encode
from broker.topics import Down, Up
from clinical.errors import WardlinkError
from edge_node.outbox import KINDS
from edge_node.ranges import collapse
from tests.support.pki import Pki

SERVER = "wardlink-server"


class WardServer:
    """Everything it got, by outbox and number. ``acking`` may be switched off: a server that is down."""

    def __init__(self, pki: Pki, port: int) -> None:
        pair = pki.client(SERVER)
        self.acking = True
        self.got: dict[tuple[str, int], UpMessage] = {}
        self.copies = 0
        self.topics: dict[tuple[str, int], str] = {}
        self.statuses: list[Status] = []
        self._lock = threading.Lock()
        self._port = port
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=SERVER,
            protocol=paho.MQTTv5,  # type: ignore[attr-defined]
        )
        self._client.tls_set_context(tls.client_context(pki.ca_file, pair.cert, pair.key))
        self._client.on_connect = self._connected
        self._client.on_message = self._received

    def start(self) -> None:
        self._client.connect("127.0.0.1", self._port, clean_start=True)
        self._client.reconnect_delay_set(1, 1)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, *_: object) -> None:
        one = SubscribeOptions(qos=1)
        client.subscribe([("wardlink/v1/+/up/#", one), ("wardlink/v1/+/status", one)])

    def _received(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        node, direction, kind = topics.parse(message.topic)
        if direction == "status":
            self.statuses.append(decode(message.payload, Status))
            return
        body = self._body(Up(kind), message.payload)
        key = (body.outbox, body.seq)
        with self._lock:
            before = self.got.get(key)
            if before is None:
                self.got[key] = body
                self.topics[key] = kind
            else:
                self.copies += 1
                assert msgspec.structs.asdict(before) == msgspec.structs.asdict(body)
        if self.acking:
            self.acknowledge(node, body.outbox)

    @staticmethod
    def _body(kind: Up, payload: bytes) -> UpMessage:
        if kind is not Up.BACKFILL:
            return decode(payload, KINDS[kind])
        wrapped = decode(payload, Backfill)
        inner = KINDS[Up(wrapped.kind)]
        return (
            msgspec.json.decode(bytes(wrapped.body), type=inner)
            if inner is Wave
            else decode(bytes(wrapped.body), inner)
        )

    def acknowledge(self, node: str, outbox: str) -> None:
        ranges = collapse(seq for known, seq in self.got if known == outbox)
        self.tell(node, Down.ACKS, Acks(outbox=outbox, committed=ranges))

    def acknowledge_all(self, node: str) -> None:
        for outbox in {known for known, _ in self.got}:
            self.acknowledge(node, outbox)

    def tell(self, node: str, kind: Down, message: Message, *, retain: bool = False) -> None:
        self._client.publish(topics.down(node, kind), encode(message), qos=1, retain=retain)

    def tell_raw(self, node: str, kind: Down, payload: bytes) -> None:
        self._client.publish(topics.down(node, kind), payload, qos=1)

    def of(self, kind: type[UpMessage]) -> list[UpMessage]:
        with self._lock:
            found = sorted(self.got.items(), key=lambda item: item[0][1])
        return [message for _, message in found if type(message) is kind]


def until(what: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait until ``what`` is true, or fail."""
    end = time.monotonic() + timeout_s
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.05)


def waiting(outbox: Path) -> int:
    """Rows that wait in an outbox file; none while it is still being made."""
    from edge_node.adapters import outbox_tool

    try:
        return int(outbox_tool.inspect(outbox)["waiting"])
    except WardlinkError:
        return 0
