from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import hl7
import pytest
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from broker.local import free_ports
from clinical.errors import UnavailableError
from server.his.mllp import MllpClient, MllpSettings, serve
from server.his.port import AdministrationFact, GivenItem, MessageState
from server.his.sender import Backoff, Sender
from server.his.stand_in import StandIn
from tests.support.hospital import MemoryMessages

START = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)


def fact(number: int = 1, **changes: object) -> AdministrationFact:
    base = AdministrationFact(
        event_id=f"E{number}", mrn="P1", visit_number="V1", name="张三", placer_id=f"O{number}", filler_id="",
        items=(GivenItem(code="D", text="药", amount=Decimal(1), unit="g"),), route="PO", start=START,
        operator_id="N1", operator_name="王丽", outcome="given",
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


@dataclass
class Wire:
    """A link that answers as it is told: a code, a code with an HL7 error, or nothing."""

    say: Callable[[str, int], str] = lambda control_id, _n: f"MSA|AA|{control_id}\r"
    sent: list[str] = field(default_factory=list)
    closed: int = 0

    async def exchange(self, message: bytes) -> bytes:
        control_id = str(hl7.parse(message.decode())["MSH"][0][10])
        self.sent.append(control_id)
        body = self.say(control_id, len(self.sent))
        if not body:
            raise UnavailableError("his-unreachable", "nobody there")
        return f"MSH|^~\\&|HIS|H|W|1|20261125||ACK|A1|P|2.6\r{body}".encode()

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


def sender(store: MemoryMessages, wire: Wire, clock: Clock | None = None, **options: object) -> Sender:
    return Sender(store=store, link=wire, clock=clock or Clock(), **options)  # type: ignore[arg-type]


def states(store: MemoryMessages) -> list[str]:
    return [row.state.value for row in store.rows]


@pytest.mark.requirement("R-HIS-12")
def test_administrations_are_sent_in_order_and_their_answers_kept(store: MemoryMessages) -> None:
    wire = Wire()
    one = sender(store, wire)
    for number in (1, 2, 3):
        one.administered(fact(number))
    assert asyncio.run(one.send_due()) is None
    assert wire.sent == [row.control_id for row in store.rows]
    assert states(store) == ["accepted"] * 3
    assert b"MSA|AA" in store.rows[0].ack
    assert (one.state, one.last) == ("ok", START)


@pytest.mark.requirement("R-HIS-12")
def test_telling_the_same_act_twice_is_told_once_and_a_correction_again(store: MemoryMessages) -> None:
    one = sender(store, Wire())
    one.administered(fact())
    one.administered(fact())
    one.administered(fact(action="U"))
    assert len(store.rows) == 2


@pytest.mark.requirement("R-HIS-12")
def test_while_the_hospital_is_down_the_queue_waits_in_order_and_longer_each_time(
    store: MemoryMessages,
) -> None:
    wire, clock = Wire(say=lambda _id, _n: ""), Clock()
    one = sender(store, wire, clock)
    one.administered(fact(1))
    pauses = []
    for _ in range(8):
        pauses.append(asyncio.run(one.send_due()))
        clock.now += timedelta(seconds=pauses[-1] or 0)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (one.state, store.rows[0].attempts, store.rows[0].error_code) == ("error", 8, "his-unreachable")


@pytest.mark.hazard("H-HIS-07")
def test_a_later_message_never_overtakes_one_that_waits(store: MemoryMessages) -> None:
    down = True
    wire, clock = Wire(say=lambda cid, _n: "" if down else f"MSA|AA|{cid}\r"), Clock()
    one = sender(store, wire, clock)
    one.administered(fact(1))
    asyncio.run(one.send_due())
    one.administered(fact(2))
    down = False
    assert asyncio.run(one.send_due()) == 1.0  # the first one's pause is not over
    assert states(store) == ["queued", "queued"]
    clock.now += timedelta(seconds=1)
    asyncio.run(one.send_due())
    assert wire.sent == [store.rows[0].control_id] * 2 + [store.rows[1].control_id]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("MSA|AR|{id}\rERR|||200^x|E", "his-ar-200"),
        ("MSA|AE|{id}|wrong\rERR|||204^x|E|||| patient unknown", "his-ae-204"),
        ("MSA|CR|{id}\r", "his-cr-"),
        ("MSA|AE|{id}\rERR|PID^1^3^101", "his-ae-101"),
    ],
)
@pytest.mark.requirement("R-HIS-12")
def test_a_refusal_goes_to_the_worklist_and_does_not_block_the_next(
    store: MemoryMessages, body: str, code: str
) -> None:
    wire = Wire(say=lambda cid, n: body.format(id=cid) if n == 1 else f"MSA|CA|{cid}\r")
    one = sender(store, wire)
    one.administered(fact(1))
    one.administered(fact(2))
    asyncio.run(one.send_due())
    assert states(store) == ["rejected", "accepted"]
    assert [(row.id, row.error_code) for row in store.worklist()] == [(store.rows[0].id, code)]


def test_an_error_that_may_pass_is_tried_again_and_then_given_up(store: MemoryMessages) -> None:
    wire, clock = Wire(say=lambda cid, _n: f"MSA|AE|{cid}\rERR|||207^internal|E"), Clock()
    one = sender(store, wire, clock, backoff=Backoff(application_tries=3))
    one.administered(fact())
    for _ in range(3):
        pause = asyncio.run(one.send_due())
        clock.now += timedelta(seconds=pause or 0)
    assert (states(store), store.rows[0].attempts) == (["rejected"], 3)


@pytest.mark.parametrize("body", ["MSA|AA|SOMEONE-ELSE\r", "PID|1\r", "\x00"])
@pytest.mark.hazard("H-HIS-07")
def test_an_answer_for_another_message_is_not_taken_and_the_connection_is_renewed(
    store: MemoryMessages, body: str
) -> None:
    wire = Wire(say=lambda cid, n: body if n == 1 else f"MSA|AA|{cid}\r")
    one = sender(store, wire)
    one.administered(fact())
    asyncio.run(one.send_due())
    assert (states(store), wire.closed) == (["queued"], 1)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - the state is another task's, seen from outside
            await asyncio.sleep(0.02)


@pytest.mark.requirement("R-HIS-12")
@pytest.mark.hazard("H-HIS-07")
def test_a_hospital_that_comes_up_later_receives_everything_once_over_a_real_connection(
    store: MemoryMessages, tmp_path: Path
) -> None:
    port = free_ports(1)[0]
    one = Sender(
        store=store, link=MllpClient("127.0.0.1", port), backoff=Backoff(first_s=0.05, longest_s=0.1)
    )

    async def scenario() -> None:
        work = asyncio.create_task(one.run(poll_s=0.1))
        await asyncio.to_thread(lambda: [one.administered(fact(number)) for number in range(3)])
        await until(lambda: store.rows[0].attempts >= 2)
        assert one.state == "error"
        hospital = await serve(MllpSettings(port=port), StandIn(store=tmp_path).handle)
        await until(lambda: states(store) == ["accepted"] * 3)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await hospital.close()

    asyncio.run(scenario())
    files = sorted(tmp_path.glob("*.hl7"))
    assert [file.read_bytes() for file in files] == [row.raw for row in store.rows]


@pytest.mark.requirement("R-HIS-11")
def test_an_independent_server_takes_our_messages(store: MemoryMessages) -> None:
    heard: list[str] = []

    async def process(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        while not writer.is_closing():
            try:
                message = await reader.readmessage()
            except asyncio.IncompleteReadError:
                break
            heard.append(str(message["PID"][0][5][0][0]))
            writer.writemessage(message.create_ack())
            await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await start_hl7_server(process, port=0, host="127.0.0.1", encoding="utf-8") as server:
            link = MllpClient("127.0.0.1", server.sockets[0].getsockname()[1])
            one = Sender(store=store, link=link)
            one.administered(fact())
            assert await one.send_due() is None
            await link.close()
            await asyncio.sleep(0.05)

    asyncio.run(scenario())
    assert (heard, states(store)) == (["张三"], ["accepted"])


def test_a_store_that_does_not_answer_is_waited_for() -> None:
    class Broken(MemoryMessages):
        tries = 0

        def due(self, now: datetime, *, limit: int) -> Sequence[object]:  # type: ignore[override]
            Broken.tries += limit
            raise UnavailableError("store", str(now))

    one = sender(Broken(), Wire())

    async def scenario() -> None:
        work = asyncio.create_task(one.run(poll_s=0.05))
        await until(lambda: Broken.tries >= 100)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(scenario())
    assert one.state == "error"


def test_facts_told_from_many_threads_are_all_queued(store: MemoryMessages) -> None:
    one = sender(store, Wire())
    threads = [threading.Thread(target=one.administered, args=(fact(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {row.state for row in store.rows} == {MessageState.QUEUED}
    assert len(store.rows) == 20
