"""The server's own MQTT client against a real Mosquitto, and against brokers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from broker import topics
from broker.acl import SERVER_USER
from broker.local import LocalBroker
from broker.tls import client_context
from broker.topics import Down, Up
from server.ingest import mqtt5, reader
from server.ingest.port import Packet
from server.ingest.reader import AsyncioBroker
from tests.support.pki import Pki
from tests.support.server_process import NodeStandIn

pytestmark = [pytest.mark.requirement("R-SRV-63"), pytest.mark.hazard("H-SRV-01")]
NODE = "bed-01"


@dataclass
class Desk:
    """One reader and what it brought."""

    client: AsyncioBroker
    packets: list[Packet] = field(default_factory=list)
    greetings: int = 0

    def take(self, packets: Sequence[Packet]) -> None:
        self.packets += packets

    def greet(self) -> None:
        self.greetings += 1

    @property
    def payloads(self) -> list[bytes]:
        return [packet.payload for packet in self.packets]

    def start(self) -> None:
        self.client.start(self.take, self.greet)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of real parts, which set no event
            await asyncio.sleep(0.01)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def mosquitto(tmp_path: Path, pki: Pki) -> Iterator[LocalBroker]:
    with LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key) as broker:
        yield broker


@pytest.fixture
def node(mosquitto: LocalBroker, pki: Pki) -> Iterator[NodeStandIn]:
    pair = pki.client(NODE)
    tls = client_context(pki.ca_file, pair.cert, pair.key)
    stand_in = NodeStandIn(NODE, "o", "127.0.0.1", mosquitto.port, tls)
    yield stand_in
    stand_in.stop()


@contextlib.asynccontextmanager
async def desk_at(
    mosquitto: LocalBroker, pki: Pki, filters: Sequence[str] = topics.EVERY_NODE
) -> AsyncIterator[Desk]:
    mine = pki.client(SERVER_USER)
    tls = client_context(pki.ca_file, mine.cert, mine.key)
    desk = Desk(AsyncioBroker("127.0.0.1", mosquitto.port, tls, topics=filters))
    desk.start()
    try:
        await until(lambda: desk.client.connected)
        yield desk
    finally:
        desk.client.stop()
        await asyncio.sleep(0.05)


async def say(node: NodeStandIn, *payloads: bytes) -> None:
    for payload in payloads:
        await asyncio.to_thread(node.publish, topics.up(NODE, Up.READINGS), payload)


def test_messages_arrive_in_order_and_go_down_with_both_qualities(
    mosquitto: LocalBroker, node: NodeStandIn, pki: Pki
) -> None:
    async def script() -> None:
        async with desk_at(mosquitto, pki) as desk:
            await asyncio.sleep(0.2)
            await say(node, *[b"%d" % number for number in range(50)])
            await until(lambda: len(desk.packets) >= 50)
            assert desk.payloads == [b"%d" % number for number in range(50)]
            assert {packet.topic for packet in desk.packets} == {topics.up(NODE, Up.READINGS)}
            desk.client.acknowledge(desk.packets)
            acks = b'{"v":1,"outbox":"o","committed":[[1,1]]}'
            desk.client.publish(topics.down(NODE, Down.ACKS), acks, qos=0)
            await asyncio.to_thread(desk.client.publish, topics.down(NODE, Down.ACKS), acks)
            await until(lambda: len(node.acks) == 2)
            assert desk.greetings == 1

    asyncio.run(script())


@pytest.mark.requirement("R-SRV-62")
def test_a_server_of_some_wards_hears_each_of_their_many_nodes_and_no_other(
    mosquitto: LocalBroker, node: NodeStandIn, pki: Pki
) -> None:
    names = [f"n{number:04}" for number in range(1000)]

    async def script() -> None:
        async with desk_at(mosquitto, pki, topics.of_nodes(names)) as desk:
            await asyncio.sleep(0.2)
            await say(node, b"of another ward")
        async with desk_at(mosquitto, pki, topics.of_nodes([*names, NODE])) as desk:
            await asyncio.sleep(0.2)
            await say(node, b"ours")
            await until(lambda: desk.packets)
            assert desk.payloads == [b"ours"]

    asyncio.run(script())


def test_what_was_not_acknowledged_comes_again_on_the_next_connection(
    mosquitto: LocalBroker, node: NodeStandIn, pki: Pki
) -> None:
    async def script() -> None:
        async with desk_at(mosquitto, pki) as desk:
            await asyncio.sleep(0.2)
            await say(node, b"1", b"2", b"3")
            await until(lambda: len(desk.packets) == 3)
            desk.client.acknowledge(desk.packets[:1])
            await asyncio.sleep(0.2)
        async with desk_at(mosquitto, pki) as desk:
            await until(lambda: len(desk.packets) == 2)
            assert desk.payloads == [b"2", b"3"]
            desk.client.acknowledge([packet._replace(token=(packet.token[0], 99)) for packet in desk.packets])
            await asyncio.sleep(0.2)
        async with desk_at(mosquitto, pki) as desk:
            await until(lambda: len(desk.packets) == 2)  # an old connection's numbers acknowledge nothing
            desk.client.acknowledge(desk.packets)
            await asyncio.sleep(0.2)
        async with desk_at(mosquitto, pki) as desk:
            await asyncio.sleep(0.3)
            assert desk.packets == []

    asyncio.run(script())


@pytest.mark.slow
def test_a_broker_that_is_killed_is_found_again_and_gets_what_waited(
    mosquitto: LocalBroker, node: NodeStandIn, pki: Pki
) -> None:
    async def script() -> None:
        async with desk_at(mosquitto, pki) as desk:
            await asyncio.to_thread(mosquitto.kill)
            await until(lambda: not desk.client.connected)
            acks = b'{"v":1,"outbox":"o","committed":[[1,7]]}'
            desk.client.publish(topics.down(NODE, Down.ACKS), acks, retain=True)
            desk.client.publish(topics.down(NODE, Down.ACKS), b"lost, and said again anyway", qos=0)
            await asyncio.to_thread(mosquitto.start)
            await until(lambda: desk.greetings == 2, 20)
            await until(lambda: node.acks, 20)
            assert [acks.committed for acks in node.acks] == [[(1, 7)]]

    asyncio.run(script())


def test_a_reader_that_holds_reads_nothing_until_it_goes_on(
    mosquitto: LocalBroker, node: NodeStandIn, pki: Pki
) -> None:
    async def script() -> None:
        async with desk_at(mosquitto, pki) as desk:
            await asyncio.sleep(0.2)
            desk.client.hold(True)
            await asyncio.sleep(0.05)
            await say(node, b"1")
            await asyncio.sleep(0.2)
            assert desk.packets == []
            desk.client.hold(False)
            await until(lambda: desk.payloads == [b"1"])

    asyncio.run(script())


Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def against(play: Play, script: Callable[[Desk], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a reader against a broker that the test plays in the clear."""
    monkeypatch.setattr(reader, "_FIRST_WAIT_S", 0.05)

    served: set[asyncio.Task[None]] = set()

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        try:
            await play(incoming, outgoing)
        finally:
            outgoing.close()
            with contextlib.suppress(ConnectionError):
                await outgoing.wait_closed()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        desk = Desk(AsyncioBroker("127.0.0.1", server.sockets[0].getsockname()[1], None))
        desk.start()
        try:
            await script(desk)
        finally:
            desk.client.stop()
            server.close()
            await asyncio.gather(*served)

    asyncio.run(run())


CONNACK = b"\x20\x06\x01\x00\x03\x21\x00\x02"  # session present, at most two under way


def test_no_more_is_under_way_than_the_broker_allows_and_the_rest_follows_its_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    async def play(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        frames = mqtt5.Frames()
        while data := await incoming.read(4096):
            for kind, flags, body in frames.feed(data):
                if kind == 1:
                    outgoing.write(CONNACK)
                elif kind == 8:
                    outgoing.write(b"\x90\x05" + body[:2] + b"\x00\x01\x01")
                elif kind == mqtt5.PUBLISH:
                    seen.append(mqtt5.read_publish(flags, body)[2])
                    if len(seen) in {2, 4}:
                        await asyncio.sleep(0.1)
                        assert len(seen) in {2, 4}
                        outgoing.write(mqtt5.pubacks(seen[-2:]))

    async def script(desk: Desk) -> None:
        await until(lambda: desk.client.connected)
        for number in range(5):
            desk.client.publish("t", b"%d" % number)
        await until(lambda: len(seen) == 5)

    against(play, script, monkeypatch)
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"\x20\x03\x00\x87\x00", "0x87"),  # not authorised
        (b"\x20\x03\x00\x00\x00\x90\x04\x00\x01\x00\x87", "subscription"),
        (b"\x20\x03\x00\x00\x00\x34\x06\x00\x01t\x00\x01\x00", "QoS 2"),
        (b"\x20\x03\x00\x00\x00\x10\x00", "never asked for"),
        (b"\x20\x03\x00\x00\x00\xe0\x01\x8e", "0x8e"),  # session taken over
    ],
)
def test_a_broker_that_refuses_or_misbehaves_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: bytes, told: str
) -> None:
    calls: list[int] = []

    async def play(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        calls.append(1)
        await incoming.read(4096)
        outgoing.write(answer)
        await asyncio.sleep(0.1)

    async def script(desk: Desk) -> None:
        await until(lambda: len(calls) >= 2)

    against(play, script, monkeypatch)
    captured = capsys.readouterr()
    assert told in captured.out + captured.err


def test_a_broker_that_is_not_there_or_says_nothing_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_CONNECT_S", 0.1)
    calls: list[int] = []

    async def play(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        calls.append(1)
        await incoming.read(4096)
        await asyncio.sleep(0.3)

    async def script(desk: Desk) -> None:
        await until(lambda: len(calls) >= 2)
        assert not desk.client.connected

    against(play, script, monkeypatch)


def test_a_silent_broker_is_left_and_what_it_did_not_answer_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "KEEPALIVE_S", 0.1)
    published: list[bytes] = []

    async def play(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        frames = mqtt5.Frames()
        with contextlib.suppress(ConnectionError):
            while data := await incoming.read(4096):
                for kind, flags, body in frames.feed(data):
                    if kind == 1:
                        outgoing.write(CONNACK)
                    elif kind == mqtt5.PUBLISH:
                        published.append(bytes([flags]) + mqtt5.read_publish(flags, body)[1])

    async def script(desk: Desk) -> None:
        await until(lambda: desk.client.connected)
        desk.client.publish("t", b"x")
        await until(lambda: len(published) >= 2)

    # CONNECT carries whole seconds; the server's own patience is what is tested here.
    monkeypatch.setattr(mqtt5, "connect", lambda *_words, **_said: b"\x10\x00")
    against(play, script, monkeypatch)
    assert published[:2] == [b"\x02x", b"\x0ax"]
