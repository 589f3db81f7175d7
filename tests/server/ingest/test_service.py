"""The ingest loop over a broker that the test plays: nothing is acknowledged before it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event

from broker import topics
from broker.messages import Acks, Clock, Readings, Value, decode, encode
from broker.topics import Down, Up
from clinical.records import Generation
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter
from server.ingest.port import OnPackets, Packet
from server.ingest.service import Ingest


class PlayedBroker:
    """Hands packets in and keeps what is acknowledged and published."""

    connected = True

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.published: list[tuple[str, bytes]] = []
        self.held: list[bool] = []

    def start(self, on_packets: OnPackets, on_connected: Callable[[], None]) -> None:
        del on_packets, on_connected

    def acknowledge(self, packets: Sequence[Packet]) -> None:
        self.acknowledged += [packet.token[0] for packet in packets]

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        del retain, qos
        self.published.append((topic, payload))

    def hold(self, on: bool) -> None:
        self.held.append(on)

    def stop(self) -> None:
        return None


def packet(ward: Any, seq: int) -> Packet:
    message = Readings(
        node="bed-01",
        boot="b",
        outbox="o",
        seq=seq,
        sent=ward.clock(),
        id=f"r{seq}",
        device="d",
        profile="p",
        effective=ward.clock(),
        mono_ns=0,
        clock=Clock(state="synchronised"),
        generation=Generation.DEMO,
        values=[Value(code="MDC_TEMP_BODY", n=Decimal("36.6"), unit="Cel")],
    )
    return Packet(topics.up("bed-01", Up.READINGS), encode(message), retained=False, token=(seq, 1))


def play(ward: Any, script: Callable[[Ingest], Any], **said: Any) -> tuple[Ingest, PlayedBroker]:
    broker = PlayedBroker()

    async def run() -> Ingest:
        writer = BatchWriter(FlowWatch(ward.site.policy))
        ingest = Ingest(ward.store, broker, writer, lambda _written: None, batch_s=0.01, **said)
        task = asyncio.create_task(ingest.run())
        await script(ingest)
        ingest.stop()
        await asyncio.wait_for(task, 10)
        return ingest

    return asyncio.run(run()), broker


@pytest.mark.requirement("R-SRV-02")
@pytest.mark.hazard("H-SRV-01")
def test_a_store_that_refuses_for_a_while_delays_the_acknowledgement_and_loses_nothing(ward: Any) -> None:
    full = {"now": True}

    def refuse(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        import sqlite3

        if full["now"] and statement.startswith("INSERT INTO samples"):
            raise sqlite3.OperationalError("database or disk is full")

    event.listen(ward.store.engine, "before_cursor_execute", refuse)

    async def script(ingest: Ingest) -> None:
        ingest.received([packet(ward, 1)])
        await asyncio.sleep(0.3)
        assert ingest.counts.failures == 1
        assert not ingest.storing
        full["now"] = False
        await asyncio.sleep(1.2)

    ingest, broker = play(ward, script)
    assert (broker.acknowledged, ingest.counts.stored, ingest.storing) == ([1], 1, True)
    event.remove(ward.store.engine, "before_cursor_execute", refuse)


def test_acknowledgement_and_committed_ranges_follow_the_commit(ward: Any) -> None:
    async def script(ingest: Ingest) -> None:
        for seq in (1, 2, 4):
            ingest.received([packet(ward, seq)])
        await asyncio.sleep(0.2)

    _, broker = play(ward, script)
    assert broker.acknowledged == [1, 2, 4]
    topic, payload = broker.published[-1]
    assert topic == topics.down("bed-01", Down.ACKS)
    assert decode(payload, Acks).committed[-1] == (4, 4)


@pytest.mark.requirement("R-SRV-02")
@pytest.mark.hazard("H-SRV-01")
def test_a_full_buffer_leaves_the_rest_with_the_broker(ward: Any) -> None:
    async def script(ingest: Ingest) -> None:
        for seq in range(1, 11):
            ingest.received([packet(ward, seq)])
        await asyncio.sleep(0.2)

    ingest, broker = play(ward, script, max_buffered=4)
    assert broker.acknowledged == [1, 2, 3, 4]
    assert ingest.counts.refused == 6


@pytest.mark.requirement("R-SRV-63")
@pytest.mark.hazard("H-SRV-01")
def test_a_buffer_that_fills_holds_the_broker_back_until_it_has_drained(ward: Any) -> None:
    async def script(ingest: Ingest) -> None:
        ingest.received([packet(ward, seq) for seq in range(1, 9)])
        await asyncio.sleep(0.3)

    ingest, broker = play(ward, script, max_buffered=10)
    assert broker.held == [True, False]
    assert (ingest.counts.stored, ingest.counts.refused) == (8, 0)


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_one_message_the_store_cannot_take_is_put_aside_and_the_others_go_in(ward: Any) -> None:
    import sqlite3

    def refuse(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO samples") and "r2" in repr(parameters):
            raise sqlite3.DataError("cannot be stored")

    event.listen(ward.store.engine, "before_cursor_execute", refuse)

    async def script(ingest: Ingest) -> None:
        for seq in (1, 2, 3):
            ingest.received([packet(ward, seq)])
        await asyncio.sleep(0.4)

    ingest, broker = play(ward, script)
    event.remove(ward.store.engine, "before_cursor_execute", refuse)
    assert sorted(broker.acknowledged) == [1, 2, 3]
    assert (ingest.counts.stored, ingest.counts.quarantined) == (2, 1)


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_a_message_that_breaks_the_writer_is_put_aside_and_the_others_go_in(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.ingest import commit

    uncertainty = commit.uncertainty_of

    def breaks(message: Any, *rest: Any, **said: Any) -> Any:
        if message.id == "r2":
            raise OverflowError("days too large")
        return uncertainty(message, *rest, **said)

    monkeypatch.setattr(commit, "uncertainty_of", breaks)

    async def script(ingest: Ingest) -> None:
        for seq in (1, 2, 3):
            ingest.received([packet(ward, seq)])
        await asyncio.sleep(0.4)

    ingest, broker = play(ward, script)
    assert sorted(broker.acknowledged) == [1, 2, 3]
    assert (ingest.counts.stored, ingest.counts.quarantined) == (2, 1)


@pytest.mark.requirement("R-SRV-12")
@pytest.mark.hazard("H-SRV-07")
def test_storing_that_stands_still_is_told_while_messages_wait(
    ward: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ingest.service.STALL_S", 0.1)

    async def script(ingest: Ingest) -> None:
        await asyncio.sleep(0.2)
        assert ingest.state()["ok"]  # nothing waits: silence is no fault
        release = asyncio.Event()
        write = ingest._store.write_async

        async def held(use_case: Any) -> Any:
            await release.wait()
            return await write(use_case)

        monkeypatch.setattr(ingest._store, "write_async", held)
        ingest.received([packet(ward, 1)])
        await asyncio.sleep(0.3)
        assert not ingest.state()["ok"]
        release.set()
        await asyncio.sleep(0.2)
        assert ingest.state()["ok"]

    play(ward, script)
