from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable

import hl7
import hl7.client
import pytest

from clinical.errors import BadInputError, UnavailableError
from server.his.frames import frame
from server.his.mllp import MllpClient, MllpServer, MllpSettings, serve
from server.his.port import AdmitPatient
from server.his.receiver import Receiver
from tests.support.hospital import MemoryMessages, RememberedFacts

Build = Callable[..., bytes]


def echo(raw: bytes, peer: str, too_long: bool) -> tuple[bytes, ...]:
    return (b"cut" if too_long else raw,)


async def with_server(receiver: Receiver, work: Callable[[int], object]) -> object:
    server = await serve(MllpSettings(), receiver.handle)
    try:
        return await asyncio.to_thread(work, server.port)
    finally:
        await server.close()


@pytest.mark.requirement("R-HIS-01")
def test_an_independent_client_delivers_a_message_and_reads_its_answer(
    receiver: Receiver, facts: RememberedFacts, admit: Build
) -> None:
    def work(port: int) -> bytes:
        with hl7.client.MLLPClient("127.0.0.1", port) as client:
            answer: bytes = client.send_message(admit())
            return answer

    answer = asyncio.run(with_server(receiver, work))
    assert isinstance(answer, bytes)
    assert b"\rMSA|AA|C1" in answer
    assert isinstance(facts.applied[0], AdmitPatient)


@pytest.mark.requirement("R-HIS-03")
def test_answers_come_in_the_order_of_the_messages_of_a_connection(receiver: Receiver, admit: Build) -> None:
    def work(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            frames = b"".join(frame(admit(control_id=f"N{number:02d}")) for number in range(20))
            for at in range(0, len(frames), 777):
                link.sendall(frames[at : at + 777])
            got = b""
            while got.count(b"\x1c\r") < 20:
                got += link.recv(65536)
            return got

    got = asyncio.run(with_server(receiver, work))
    assert isinstance(got, bytes)
    ids = [part.split(b"|")[2][:3] for part in got.split(b"\rMSA")[1:]]
    assert ids == [f"N{number:02d}".encode() for number in range(20)]


@pytest.mark.requirement("R-HIS-06")
def test_garbage_on_one_connection_leaves_the_others_alone(
    receiver: Receiver, store: MemoryMessages, admit: Build
) -> None:
    def work(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as noisy:
            noisy.sendall(b"GET / HTTP/1.1\r\n\r\n" + b"\x00\xff" * 500 + frame(b"\xff\xfe"))
            noisy.settimeout(5)
            assert b"MSA|AR" in noisy.recv(4096)
            with hl7.client.MLLPClient("127.0.0.1", port) as client:
                answer: bytes = client.send_message(admit())
            noisy.sendall(b"\x0bhalf a message")
        return answer

    answer = asyncio.run(with_server(receiver, work))
    assert isinstance(answer, bytes)
    assert b"MSA|AA" in answer
    assert store.counts() == {"in-rejected": 1, "in-applied": 1}


def test_a_slow_message_of_one_connection_does_not_hold_up_another() -> None:
    gate = threading.Event()

    def slow(raw: bytes, peer: str, too_long: bool) -> tuple[bytes, ...]:
        if raw == b"slow":
            gate.wait(5)
        return (raw,)

    async def scenario() -> bytes:
        server = await serve(MllpSettings(), slow)
        first, second = (MllpClient("127.0.0.1", server.port) for _ in range(2))
        await first.send(b"slow")
        answer = await second.exchange(b"quick")
        gate.set()
        await first.receive()
        await first.close()
        await second.close()
        await server.close()
        return answer

    assert asyncio.run(scenario()) == b"quick"


@pytest.mark.requirement("R-HIS-10")
def test_a_message_over_the_limit_is_answered_and_the_connection_goes_on() -> None:
    async def scenario() -> list[bytes]:
        server = await serve(MllpSettings(max_message_bytes=2000), echo)
        client = MllpClient("127.0.0.1", server.port)
        answers = [await client.exchange(b"x" * 10_000), await client.exchange(b"small")]
        await client.close()
        await server.close()
        return answers

    assert asyncio.run(scenario()) == [b"cut", b"small"]


def test_a_frame_that_does_not_go_on_ends_its_connection() -> None:
    async def scenario() -> bytes:
        server = await serve(MllpSettings(frame_timeout_s=0.2), echo)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x0bstuck")
        rest = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await server.close()
        return rest

    assert asyncio.run(scenario()) == b""


@pytest.mark.requirement("R-HIS-10")
def test_only_named_senders_are_heard() -> None:
    async def heard(senders: tuple[str, ...]) -> bytes:
        server = await serve(MllpSettings(senders=senders), echo)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(frame(b"hello"))
            return await asyncio.wait_for(reader.read(9), 5)
        except ConnectionError:
            return b""
        finally:
            writer.close()
            await server.close()

    assert asyncio.run(heard(("10.9.8.0/24",))) == b""
    assert asyncio.run(heard(("10.9.8.0/24", "127.0.0.1"))) == frame(b"hello")


@pytest.mark.parametrize("settings", [MllpSettings(host="::"), MllpSettings(senders=("hospital",))])
@pytest.mark.requirement("R-HIS-10")
@pytest.mark.hazard("H-HIS-06")
def test_listening_to_everybody_is_refused(settings: MllpSettings) -> None:
    with pytest.raises(BadInputError):
        asyncio.run(serve(settings, echo))


def test_no_more_than_the_allowed_connections_are_served() -> None:
    async def scenario() -> bytes:
        server = await serve(MllpSettings(max_connections=1), echo)
        first = MllpClient("127.0.0.1", server.port)
        await first.exchange(b"one")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        rest = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await first.close()
        await server.close()
        return rest

    assert asyncio.run(scenario()) == b""


def test_a_taken_port_is_told_plainly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UnavailableError) as error:
            asyncio.run(serve(MllpSettings(port=taken.getsockname()[1]), echo))
    assert error.value.code == "mllp-port"


def test_a_listener_that_is_not_there_and_one_that_says_nothing_are_told_apart() -> None:
    async def scenario(port: int) -> str:
        client = MllpClient("127.0.0.1", port, timeout_s=0.3)
        try:
            await client.exchange(b"hello")
        except UnavailableError as error:
            return error.code
        finally:
            await client.close()
        return ""

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert asyncio.run(scenario(port)) == "his-unreachable"
        silent.listen()
        assert asyncio.run(scenario(port)) == "his-no-answer"


@pytest.mark.requirement("R-HIS-10")
@pytest.mark.hazard("H-HIS-06")
def test_mutual_tls_takes_known_clients_and_refuses_others(
    receiver: Receiver, admit: Build, tls_pair: tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]
) -> None:
    listening, known, stranger = tls_pair

    async def code(server: MllpServer, tls: ssl.SSLContext) -> str:
        client = MllpClient("localhost", server.port, tls=tls, timeout_s=5)
        try:
            return "AA" if b"MSA|AA" in await client.exchange(admit()) else "?"
        except UnavailableError as error:
            return error.code
        finally:
            await client.close()

    async def scenario() -> tuple[str, str]:
        server = await serve(MllpSettings(), receiver.handle, tls=listening)
        codes = await code(server, known), await code(server, stranger)
        await server.close()
        return codes

    assert asyncio.run(scenario()) == ("AA", "his-no-answer")


@pytest.mark.slow
def test_one_connection_carries_hundreds_of_messages_a_second(receiver: Receiver, admit: Build) -> None:
    async def scenario() -> float:
        server = await serve(MllpSettings(), receiver.handle)
        client = MllpClient("127.0.0.1", server.port)
        begun = time.perf_counter()
        for number in range(400):
            await client.exchange(admit(control_id=f"T{number}"))
        took = time.perf_counter() - begun
        await client.close()
        await server.close()
        return 400 / took

    assert asyncio.run(scenario()) > 100
