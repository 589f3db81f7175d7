"""The broker client: paho, MQTT 5, manual acknowledgement, persistent session."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker.acl import SERVER_USER
from broker.topics import EVERY_NODE
from server.ingest.port import OnPackets, Packet

log = structlog.get_logger(__name__)
_SESSION_S = 24 * 3600
_RECEIVE_MAXIMUM = 10_000  # at least twice the rate times the commit tick, and half of what may wait here


class PahoBroker:
    """Keeps one connection to the broker; what arrives is acknowledged only when told so."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        client_id: str = SERVER_USER,
        topics: Sequence[str] = EVERY_NODE,
    ) -> None:
        self._host, self._port, self._topics = host, port, topics
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.reconnect_delay_set(1, 10)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._connect_failed
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._message
        self._on_packets: OnPackets = lambda _packets: None
        self._on_connected: Callable[[], None] = lambda: None

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._client.is_connected()

    def start(self, on_packets: OnPackets, on_connected: Callable[[], None]) -> None:
        """Connect in the background, for as long as it takes."""
        self._on_packets, self._on_connected = on_packets, on_connected
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho does not annotate it
        properties.SessionExpiryInterval = _SESSION_S
        properties.ReceiveMaximum = _RECEIVE_MAXIMUM
        self._client.connect_async(
            self._host, self._port, keepalive=15, clean_start=False, properties=properties
        )
        self._client.loop_start()

    def acknowledge(self, packets: Sequence[Packet]) -> None:
        """Send the PUBACKs; a lost connection makes the broker send the messages again."""
        for packet in packets:
            mid, qos = packet.token
            if qos:
                self._client.ack(mid, qos)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Send one message down; while disconnected paho keeps it until the next connection."""
        answer = self._client.publish(topic, payload, qos=qos, retain=retain)
        if answer.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            log.warning("publish-failed", code=int(answer.rc))

    def hold(self, on: bool) -> None:
        """Do nothing: paho reads on, and what finds no room is sent again by its node."""

    def stop(self) -> None:
        """Disconnect and end the client's thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.error("broker-refused", reason=str(reason))
            return
        log.info("broker-connected")
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._topics])
        self._on_connected()

    @staticmethod
    def _connect_failed(_client: Client, _data: Any) -> None:
        log.warning("broker-unreachable")

    @staticmethod
    def _disconnected(_client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        log.warning("broker-disconnected", reason=str(reason))

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        token = (message.mid, message.qos)
        self._on_packets([Packet(message.topic, bytes(message.payload), bool(message.retain), token)])
