"""An MQTT 5 client for tests: connects with a certificate and keeps what it hears."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from broker.local import LocalBroker
from broker.tls import client_context
from tests.support.pki import Pair

WAIT_S = 5.0


@dataclass
class Peer:
    """One MQTT 5 client with a certificate; keeps what it hears."""

    client: mqtt.Client
    received: queue.Queue[tuple[str, bytes]] = field(default_factory=queue.Queue)
    acknowledged: queue.Queue[ReasonCode] = field(default_factory=queue.Queue)
    connected: queue.Queue[ReasonCode] = field(default_factory=queue.Queue)
    subscribed: queue.Queue[list[ReasonCode]] = field(default_factory=queue.Queue)

    def publish(self, topic: str, payload: bytes = b"{}") -> ReasonCode:
        """Publish with QoS 1 and return the broker's reason code."""
        self.client.publish(topic, payload, qos=1)
        return self.acknowledged.get(timeout=WAIT_S)

    def subscribe(self, topic: str) -> list[ReasonCode]:
        self.client.subscribe(topic, qos=1)
        return self.subscribed.get(timeout=WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def connect(broker: LocalBroker, identity: Pair, ca_file: Path) -> Peer:
    """Connect one peer; the caller closes it."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set_context(client_context(ca_file, identity.cert, identity.key))
    peer = Peer(client)

    def connected(_c: mqtt.Client, _u: object, _f: object, code: ReasonCode, _p: Properties | None) -> None:
        peer.connected.put(code)

    def heard(_c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
        peer.received.put((message.topic, message.payload))

    def published(_c: mqtt.Client, _u: object, _m: int, code: ReasonCode, _p: Properties) -> None:
        peer.acknowledged.put(code)

    def subscribed(
        _c: mqtt.Client, _u: object, _m: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        peer.subscribed.put(codes)

    client.on_connect = connected
    client.on_message = heard
    client.on_publish = published
    client.on_subscribe = subscribed
    client.connect("localhost", broker.port)
    client.loop_start()
    peer.connected.get(timeout=WAIT_S)
    return peer
