"""The node's connection to its broker: paho, MQTT 5, QoS 1, TLS with the node's own certificate.

MQTT 5 and nothing older: with 3.1.1 a refused publish is acknowledged as a success. Each connection is
a new paho client, because an old one would re-send its own queue beside the outbox; so paho's own
reconnecting, which has no jitter, is off.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import tls, topics
from broker.topics import Down
from clinical.errors import BadInputError
from edge_node.ports import Delivery, WireState

KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 10.0
SESSION_EXPIRY_S = 3600
"""Commands that come while the node is away wait this long in the broker."""
PAHO_IN_FLIGHT = 128
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0
NOT_AUTHORISED = {0x86, 0x87, 0x8C}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is and who this node is there."""

    host: str
    port: int
    ca_file: Path
    cert_file: Path
    key_file: Path


class _Ended(Exception):  # noqa: N818 - an outcome of every connection, not an error of the program
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class PahoWire:
    """See :class:`edge_node.ports.Wire`.

    Args:
        address: The broker.
        node: The node's id; the client id and the common name in the certificate.
        will: Payload of the Last Will on the status topic.
        chance: Spreads the retries.
    """

    def __init__(self, address: BrokerAddress, node: str, will: bytes, chance: random.Random) -> None:
        self._address = address
        self._node = node
        self._will = will
        self._chance = chance
        self._client: paho.Client | None = None
        self._tags: dict[int, int] = {}

    def publish(self, topic: str, payload: bytes, *, tag: int, retain: bool = False) -> None:
        """Hand one message to paho; silently nothing while disconnected, as the outbox still has it."""
        if self._client is None:
            return
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._tags[info.mid] = tag

    async def say_goodbye(self, topic: str, payload: bytes, timeout_s: float = 2.0) -> None:
        """Publish a last retained message and wait for it, so that watchers need not wait for the will."""
        if self._client is None:
            return
        info = self._client.publish(topic, payload, qos=1, retain=True)
        if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            await asyncio.to_thread(info.wait_for_publish, timeout_s)

    async def run(
        self,
        on_state: Callable[[WireState], None],
        on_delivery: Callable[[Delivery], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            ended = await self._one_connection(on_state, on_delivery, on_message)
            failures = 0 if ended.reason == "connection-lost" else failures + 1
            on_state(WireState(connected=False, reason=ended.reason, detail=ended.detail))
            log.warning("broker-disconnected", reason=ended.reason, detail=ended.detail)
            ceiling = min(RETRY_FIRST_S * 2.0 ** min(failures, 10), RETRY_MAX_S)
            await asyncio.sleep(ceiling * (0.5 + self._chance.random() / 2))

    async def _one_connection(
        self,
        on_state: Callable[[WireState], None],
        on_delivery: Callable[[Delivery], None],
        on_message: Callable[[str, bytes], None],
    ) -> _Ended:
        loop = asyncio.get_running_loop()
        up: asyncio.Future[None] = loop.create_future()
        down: asyncio.Future[_Ended] = loop.create_future()
        client: paho.Client | None = None
        try:
            client = self._make_client()
            _wire_callbacks(client, loop, _Events(up, down, self._delivered(on_delivery), on_message))
            await asyncio.to_thread(_connect, client, self._address)
            client.loop_start()
            either: set[asyncio.Future[Any]] = {up, down}
            await asyncio.wait(either, timeout=CONNECT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if down.done():
                return down.result()
            if not up.done():
                return _Ended("broker-silent", "no answer to the connection request")
            self._subscribe(client)
            self._client = client
            on_state(WireState(connected=True))
            return await down
        except _Ended as ended:
            return ended
        finally:
            self._client = None
            self._tags.clear()
            if client is not None:
                client.disconnect()
                await asyncio.shield(asyncio.to_thread(client.loop_stop))

    def _delivered(self, on_delivery: Callable[[Delivery], None]) -> Callable[[int, int], None]:
        def delivered(mid: int, code: int) -> None:
            tag = self._tags.pop(mid, None)
            if tag is not None:
                on_delivery(Delivery(tag=tag, code=code))

        return delivered

    def _make_client(self) -> paho.Client:
        address = self._address
        try:
            name, _left = tls.check_identity(address.ca_file, address.cert_file)
            context = tls.client_context(address.ca_file, address.cert_file, address.key_file)
        except BadInputError as error:
            raise _Ended(error.code, error.message) from error
        if name != self._node:
            raise _Ended("certificate-name", f"the certificate names {name}, but this node is {self._node}")
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._node,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.tls_set_context(context)
        client.max_inflight_messages_set(PAHO_IN_FLIGHT)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.will_set(topics.status(self._node), self._will, qos=1, retain=True)
        return client

    def _subscribe(self, client: paho.Client) -> None:
        options = SubscribeOptions(qos=1)
        client.subscribe([(topics.down(self._node, kind), options) for kind in Down])


@dataclass(frozen=True, slots=True)
class _Events:
    up: asyncio.Future[None]
    down: asyncio.Future[_Ended]
    delivered: Callable[[int, int], None]
    message: Callable[[str, bytes], None]

    def connected(self, reason: ReasonCode) -> None:
        if not reason.is_failure:
            if not self.up.done():
                self.up.set_result(None)
            return
        word = "not-authorised" if reason.value in NOT_AUTHORISED else "connection-refused"
        self.ended(_Ended(word, str(reason)))

    def closed(self, reason: ReasonCode) -> None:
        if self.up.done():
            self.ended(_Ended("connection-lost", str(reason)))
        else:
            self.ended(
                _Ended(
                    "certificate-refused",
                    "the broker closed the connection before answering; is this node's certificate "
                    "from the broker's authority, and not revoked?",
                )
            )

    def ended(self, outcome: _Ended) -> None:
        if not self.down.done():
            self.down.set_result(outcome)


def _wire_callbacks(client: paho.Client, loop: asyncio.AbstractEventLoop, events: _Events) -> None:
    """Bring paho's callbacks, which run in its own thread, into the event loop, in order."""
    context = contextvars.copy_context()  # a thread has none of its own, and logs would lose the node

    def post(call: Callable[..., None], *values: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(call, *values, context=context)

    client.on_connect = lambda _c, _u, _flags, reason, _p: post(events.connected, reason)
    client.on_disconnect = lambda _c, _u, _flags, reason, _p: post(events.closed, reason)
    client.on_publish = lambda _c, _u, mid, reason, _p: post(events.delivered, mid, reason.value)
    client.on_message = lambda _c, _u, message: post(events.message, message.topic, bytes(message.payload))


def _connect(client: paho.Client, address: BrokerAddress) -> None:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped in paho
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    try:
        client.connect(
            address.host, address.port, keepalive=KEEPALIVE_S, clean_start=False, properties=properties
        )
    except ssl.SSLCertVerificationError as error:
        raise _Ended(
            "broker-certificate", f"the broker's certificate is not trusted: {error.verify_message}"
        ) from error
    except ssl.SSLError as error:
        raise _Ended("tls-handshake", f"no TLS with the broker: {error.reason}") from error
    except (OSError, ValueError) as error:
        raise _Ended("broker-unreachable", f"the broker does not answer: {error}") from error
