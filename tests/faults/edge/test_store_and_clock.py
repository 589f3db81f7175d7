"""Faults of power, broker and clock, on a real outbox file."""

from __future__ import annotations

import os
import random
import signal
import time as real_time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from broker.messages import Acks, FlowTarget, Readings, Targets, decode
from broker.topics import Up
from clinical.records import Generation
from edge_node import health
from edge_node.adapters.sqlite_outbox import open_or_recreate, salvage
from edge_node.node import Node
from edge_node.ports import Delivery, Frame, WireState
from edge_node.settings import DripPeripheral
from edge_node.simulators.drip_sensor import DripSensor
from firmware_profiles import registry
from tests.support.edge_bench import NODE, Bench, Time

DRIP = registry.load().get("wardlink_drip")
UID = "ble:c0-00-00-00-01-01"


class Wire:
    """A broker that can be away; what it took is kept by number of the row."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, int]] = []

    def publish(self, topic: str, payload: bytes, *, tag: int, retain: bool = False) -> None:
        assert retain == topic.endswith("status")
        if tag:
            self.sent.append((topic, payload, tag))

    async def run(self, *_: object) -> None:
        raise NotImplementedError


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def bench(tmp_path: Path, time: Time) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.db", time, max_bytes=20_000_000, max_pages_bytes=64_000_000)
    yield made
    for store in made.made:
        store.close()


class Rig:
    def __init__(self, bench: Bench) -> None:
        self.bench, self.wire = bench, Wire()
        self.outbox = bench.open()
        self.node = Node(
            node_id=NODE, version="1", generation=Generation.DEMO, clock=bench.time.clock(),
            outbox=self.outbox, wire=self.wire,
        )  # fmt: skip
        settings = DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:01:01")
        self.sensor = DripSensor(settings, lambda: bench.time.mono_ns / 1e9)
        self.session = self.node.session(UID, DRIP)

    def watch(self) -> None:
        target = FlowTarget(
            infusion="inf-1", device=UID, state="running", rate_ml_h=Decimal(180), drops_per_ml=20,
            volume_ml=Decimal(500), started=self.node.clock.now().utc - timedelta(seconds=1),
        )  # fmt: skip
        self.node.on_targets(Targets(version=1, targets=[target]))

    def stream(self, seconds: int) -> None:
        for _ in range(seconds):
            self.bench.time.pass_s(1)
            frame = Frame(stream="drops", data=self.sensor.frame(), stamp=self.node.clock.now())
            self.node.on_frame(self.session, DRIP, frame)
            self.node.second()
        self.outbox.flush()

    def readings(self) -> list[Readings]:
        rows = self.outbox.store.span(1, self.outbox.store.last_seq, 100_000)
        return [decode(row.payload, Readings) for row in rows if row.kind is Up.READINGS]


@pytest.mark.requirement("R-EDGE-29")
@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_jumps_a_day_neither_counts_nor_loses_a_drop(bench: Bench, days: int) -> None:
    rig = Rig(bench)
    rig.stream(2)
    rig.watch()
    rig.sensor.hang(500, 60)
    rig.stream(30)
    bench.time.wall_ns += days * 86_400 * 10**9
    rig.stream(30)
    last = {value.code: value.n for value in rig.readings()[-1].values}
    assert last["MDC_VOL_FLUID_DELIV_TOTAL"] == Decimal(rig.sensor.drip.total_drops) / 20
    assert float(last["MDCX_DROP_RATE"] or 0) == pytest.approx(60, rel=0.1)
    assert not [alarm for alarm in rig.node.alarms.standing if alarm.condition != "clock-unset"]


@pytest.mark.requirement("R-EDGE-30")
def test_an_hour_without_a_broker_loses_nothing(bench: Bench) -> None:
    bench.max_bytes = 20_000_000
    rig = Rig(bench)
    rig.node.uplink.on_state(WireState(connected=False, reason="broker-unreachable"))
    rig.stream(2)
    rig.watch()
    rig.sensor.hang(500, 60)
    rig.stream(3500)
    made = rig.outbox.store.last_seq
    held = {row.seq for row in rig.outbox.store.span(1, made, 100_000)}
    assert held == set(range(1, made + 1))
    rig.node.uplink.on_state(WireState(connected=True))
    arrived: dict[int, str] = {}
    for _ in range(made):
        taken, rig.wire.sent = rig.wire.sent, []
        for topic, _payload, tag in taken:
            rig.node.uplink.on_delivery(Delivery(tag=tag, code=0))
            assert tag not in arrived or arrived[tag] == topic
            arrived[tag] = topic
        if taken:
            done = [(tag, tag) for _, _, tag in taken]
            rig.node.uplink.on_message(
                f"wardlink/v1/{NODE}/down/acks", _acks(rig.outbox.store.outbox_id, done)
            )
        bench.time.pass_s(0.25)
        rig.node.uplink.tick()
        if rig.outbox.depth == 0:
            break
    assert set(arrived) >= set(range(1, made + 1))
    assert arrived[next(iter(arrived))].split("/")[-1] != "backfill"


def _settle(rig: Rig, *, committing: bool) -> set[int]:
    """Let a broker take everything, and a server commit it or not; the numbers that arrived."""
    arrived: set[int] = set()
    for _ in range(4000):
        taken, rig.wire.sent = rig.wire.sent, []
        for _topic, _payload, tag in taken:
            rig.node.uplink.on_delivery(Delivery(tag=tag, code=0))
        arrived |= {tag for *_, tag in taken}
        if taken and committing:
            told = _acks(rig.outbox.store.outbox_id, [(tag, tag) for *_, tag in taken])
            rig.node.uplink.on_message(f"wardlink/v1/{NODE}/down/acks", told)
        rig.bench.time.pass_s(0.25)
        rig.node.uplink.tick()
        if not rig.outbox.depth or not (taken or rig.wire.sent or committing):
            break
    return arrived


@pytest.mark.requirement("R-EDGE-34")
def test_a_broker_that_dies_right_after_it_acknowledged_loses_nothing(bench: Bench) -> None:
    rig = Rig(bench)
    rig.node.uplink.on_state(WireState(connected=True))
    rig.stream(2)
    rig.watch()
    rig.sensor.hang(500, 60)
    rig.stream(20)
    first = _settle(rig, committing=False)
    held = rig.outbox.store.last_seq
    assert first
    assert {row.seq for row in rig.outbox.store.span(1, held, 100_000)} == set(range(1, held + 1))
    rig.node.uplink.on_state(WireState(connected=False, reason="connection-lost"))
    rig.node.uplink.on_state(WireState(connected=True))
    assert _settle(rig, committing=True) >= set(range(1, held + 1))
    assert rig.outbox.depth == 0


@pytest.mark.requirement("R-EDGE-34")
def test_on_a_full_disk_the_node_says_so_still_alarms_and_recovers_by_itself(bench: Bench) -> None:
    bench.max_pages_bytes = 96 * 4096
    rig = Rig(bench)
    rig.node.uplink.on_state(WireState(connected=False, reason="broker-unreachable"))
    while not rig.outbox.full:
        rig.outbox.event("filler", {"text": "x" * 1000})
    rig.stream(3)
    assert "outbox-full" in {one["code"] for one in health.document(rig.node.health)["problems"]}
    assert [one.condition for one in rig.node.alarms.standing if one.condition == "outbox-full"]
    rig.node.uplink.on_state(WireState(connected=True))
    _settle(rig, committing=True)
    bench.time.pass_s(61)
    for _ in range(3):
        rig.stream(1)
    assert not rig.outbox.full
    assert not [one for one in rig.node.alarms.standing if one.condition == "outbox-full"]


@pytest.mark.requirement("R-EDGE-34")
def test_whichever_page_of_the_outbox_is_damaged_it_opens_and_gives_back_only_what_was_in_it(
    bench: Bench, tmp_path: Path
) -> None:
    outbox = bench.open()
    for _ in range(60):
        outbox.put(bench.reading(outbox))
    outbox.flush()
    original = {(row.seq, row.id) for row in outbox.store.span(1, 1000, 1000)}
    outbox.store.close()
    whole, chance = bench.path.read_bytes(), random.Random(1)
    for place in range(0, len(whole), 4096):
        path = tmp_path / f"damaged-{place}" / "outbox.db"
        path.parent.mkdir()
        path.write_bytes(whole[:place] + chance.randbytes(4096) + whole[place + 4096 :])
        store, aside = open_or_recreate(path, max_bytes=8_000_000, reserve_bytes=65536)
        bench.made.append(store)
        rows = list(store.span(1, 1000, 1000)) if aside is None else list(salvage(aside))
        assert {(row.seq, row.id) for row in rows} <= original
        assert aside is not None or {(row.seq, row.id) for row in rows} == original


@pytest.mark.requirement("R-EDGE-33")
def test_doubled_and_cut_notifications_neither_add_nor_lose_a_drop(bench: Bench) -> None:
    rig = Rig(bench)
    rig.stream(2)
    rig.watch()
    rig.sensor.hang(500, 60)
    for _ in range(40):
        rig.stream(1)
        frame = rig.sensor.frame()
        for data in [frame, frame, *(frame[:length] for length in range(len(frame)))]:
            rig.node.on_frame(rig.session, DRIP, Frame(stream="drops", data=data, stamp=rig.node.clock.now()))
    rig.stream(1)
    last = {value.code: value.n for value in rig.readings()[-1].values}
    assert last["MDC_VOL_FLUID_DELIV_TOTAL"] == Decimal(rig.sensor.drip.total_drops) / 20
    assert float(last["MDCX_DROP_RATE"] or 0) == pytest.approx(60, rel=0.1)
    assert rig.node.health.rejected() == 40 * len(frame)


def _acks(outbox: str, committed: list[tuple[int, int]]) -> bytes:
    from broker.messages import encode

    return encode(Acks(outbox=outbox, committed=committed))


def _write_until_killed(path: str, told: int) -> None:
    bench = Bench(Path(path), Time(), max_bytes=2_000_000_000, max_pages_bytes=4_000_000_000)
    outbox = bench.open()
    while True:
        for _ in range(random.randint(1, 6)):
            outbox.put(bench.reading(outbox))
        outbox.flush()
        os.write(told, outbox.store.last_seq.to_bytes(8, "little"))


@pytest.mark.parametrize("times", [10, pytest.param(200, marks=pytest.mark.full)])
@pytest.mark.slow
def test_a_writer_killed_at_random_instants_loses_nothing_it_had_told(bench: Bench, times: int) -> None:
    chance = random.Random(4)
    told = 0
    for _ in range(times):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:  # the child only writes and is killed
            os.close(reading)
            _write_until_killed(str(bench.path), writing)
        os.close(writing)
        told = max(told, int.from_bytes(os.read(reading, 8), "little"))
        real_time.sleep(chance.uniform(0.0, 0.05))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while data := os.read(reading, 8):
            told = int.from_bytes(data, "little")
        os.close(reading)
    rows = bench.open().store.span(1, 10_000_000, 10_000_000)
    numbers = [row.seq for row in rows]
    assert numbers == list(range(1, len(numbers) + 1))
    assert told <= numbers[-1]
    assert len({row.id for row in rows}) == len(rows)
