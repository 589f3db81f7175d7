"""Meters that are downloaded, sensors that only broadcast, and devices that are not the bound one."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from broker.messages import Event, Readings, decode
from broker.topics import Up
from clinical.records import Generation
from edge_node import bound
from edge_node.adapters.ble import BleRadio, Heard
from edge_node.adapters.ble_link import AdvertTransport
from edge_node.node import Node
from edge_node.outbox import Outbox
from edge_node.ports import Transport
from edge_node.sessions import Backoff, SessionState, keep
from edge_node.settings import BoundDevice, DripAdvertPeripheral, GlucosePeripheral
from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.drip_sensor import BroadcastDripSensor
from edge_node.simulators.glucose_meter import GlucoseMeter
from edge_node.simulators.private_bus import private_bus
from firmware_profiles import registry
from tests.support.edge_bench import NODE, Bench, events

pytestmark = pytest.mark.slow

ADDRESS = "C0:00:00:00:03:01"
UID = "ble:c0-00-00-00-03-01"
KEY = "00112233445566778899aabbccddeeff"
SERIAL = "GM-0001"


@pytest.fixture(scope="module", autouse=True)
def bus() -> Iterator[str]:
    with private_bus(connections=24) as address:
        before = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
        yield address
        del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
        if before is not None:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = before


class Quick(Backoff):
    def next_s(self, kind: str) -> float:
        return min(super().next_s(kind), 0.3)


class Ward:
    """One device, one real radio stack, one node."""

    def __init__(self, bench: Bench, device: Any, binding: BoundDevice) -> None:
        self.device = device
        self.bluez = SimulatedBluez([device])
        self.clock = bench.time.clock()
        self.outbox: Outbox = bench.open()
        self.node = Node(
            node_id=NODE,
            version="1",
            generation=Generation.DEMO,
            clock=self.clock,
            outbox=self.outbox,
            wire=None,  # type: ignore[arg-type]  # no broker here
        )
        self.node.restore()
        self.profile = registry.load().get(binding.profile)
        bound.check(binding, self.profile)
        self.session = self.node.session(UID, self.profile, bound.context(binding))
        self.listener: AdvertTransport | None = None
        self.radio = BleRadio(
            self.clock.now,
            adapter="",
            bound=[ADDRESS],
            on_heard=self._heard,
            on_radio=lambda _on, _why: None,
        )
        transport: Transport
        if bound.broadcasts(self.profile):
            transport = self.listener = bound.listened_to(self.clock.now, self.profile)
        else:
            transport = bound.connected(self.radio, binding, self.profile, self.node.records)
        self.work = [
            self.radio.run(),
            keep(
                self.session,
                transport,
                lambda session, frame: self.node.on_frame(session, self.profile, frame),
                Quick(random.Random(1)),
                self.profile.file.link.max_quiet_s,
            ),
        ]

    def _heard(self, heard: Heard) -> None:
        if self.listener is not None:
            self.listener.heard(heard)

    def readings(self) -> list[Readings]:
        self.outbox.flush()
        rows = self.outbox.store.span(1, self.outbox.store.last_seq, 10_000)
        return [decode(row.payload, Readings) for row in rows if row.kind is Up.READINGS]

    def told(self, kind: str) -> list[Event]:
        return events(self.outbox, kind)

    async def until(self, what: Callable[[], Any], timeout_s: float = 12.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not what():  # noqa: ASYNC110 - what is waited for is any state of the room
                await asyncio.sleep(0.02)


@asynccontextmanager
async def ward(bus: str, bench: Bench, device: Any, binding: BoundDevice) -> AsyncIterator[Ward]:
    made = Ward(bench, device, binding)
    await made.bluez.start(bus)
    tasks = [asyncio.ensure_future(work) for work in made.work]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await made.bluez.stop()
        made.outbox.store.close()


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene()

    asyncio.run(main())


def meter(records: int = 5) -> GlucoseMeter:
    return GlucoseMeter(
        GlucosePeripheral(kind="sig_glucose", address=ADDRESS, serial=SERIAL, records=records)
    )


def meter_binding(serial: str = SERIAL) -> BoundDevice:
    return BoundDevice(uid=UID, profile="sig_glucose", address=ADDRESS, serial=serial)


@pytest.mark.requirement("R-EDGE-21")
def test_a_meter_is_read_once_then_only_what_is_new_and_nothing_is_deleted(bus: str, bench: Bench) -> None:
    device = meter()

    async def first() -> None:
        async with ward(bus, bench, device, meter_binding()) as made:
            made.bluez.peripherals[ADDRESS].bond()
            await made.until(lambda: len(made.readings()) == 5)
            await made.until(lambda: made.session.state is SessionState.SEARCHING and made.session.reason)
            assert made.session.reason == "done"
            assert not made.node.alarms.standing
            assert made.readings()[0].id == f"{UID}/measurement/1@2026-03-01T06:30:00"

    async def again() -> None:
        device.measure()
        async with ward(bus, bench, device, meter_binding()) as made:
            made.bluez.peripherals[ADDRESS].bond()
            await made.until(lambda: len(made.readings()) == 6)
            await made.until(lambda: made.session.reason == "done")

    play(first)
    play(again)
    assert device.requests[0] == bytes.fromhex("0101")
    assert bytes.fromhex("0103010500") in device.requests
    assert all(request[0] == 1 for request in device.requests)
    assert len(device.records) == 6


@pytest.mark.requirement("R-EDGE-21")
def test_a_meter_whose_memory_was_cleared_is_read_from_its_beginning(bus: str, bench: Bench) -> None:
    device = meter(3)

    async def scene() -> None:
        async with ward(bus, bench, device, meter_binding()) as made:
            made.bluez.peripherals[ADDRESS].bond()
            await made.until(lambda: made.session.reason == "done")
            device.reset()
            for _ in range(4):
                device.measure()
            await made.until(lambda: len({one.id for one in made.readings()}) == 3 + 5)

    play(scene)


def test_a_link_lost_in_the_middle_of_a_download_loses_no_record(bus: str, bench: Bench) -> None:
    device = meter(8)

    async def scene() -> None:
        async with ward(bus, bench, device, meter_binding()) as made:
            peripheral = made.bluez.peripherals[ADDRESS]
            peripheral.bond()
            device.stop_after = 3
            await made.until(lambda: len(made.readings()) == 3)
            device.stop_after = None
            peripheral.lose_link()
            await made.until(lambda: len(made.readings()) == 8)
            numbers = [one.id.split("/")[2].split("@")[0] for one in made.readings()]
            assert numbers == [str(number) for number in range(1, 9)]

    play(scene)


@pytest.mark.requirement("R-EDGE-20")
@pytest.mark.parametrize(
    ("serial", "bonded", "reason"), [("OTHER", True, "wrong-serial"), (SERIAL, False, "not-bonded")]
)
def test_a_device_that_does_not_prove_to_be_the_bound_one_gives_nothing(
    bus: str, bench: Bench, serial: str, bonded: bool, reason: str
) -> None:
    async def scene() -> None:
        async with ward(bus, bench, meter(), meter_binding(serial)) as made:
            if bonded:
                made.bluez.peripherals[ADDRESS].bond()
            await made.until(lambda: made.told("device-refused"))
            assert made.told("device-refused")[0].detail == {"reason": reason}
            await asyncio.sleep(0.5)
            assert len(made.told("device-refused")) == 1
            assert made.readings() == []

    play(scene)


@pytest.mark.parametrize("pairs", [True, False])
def test_a_profile_that_wants_pairing_pairs_or_says_that_it_failed(
    bus: str, bench: Bench, pairs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = registry.load().get("sig_glucose")
    link = type(profile.file.link)(mode="on-advert", pairing="just-works", bond="per-session", max_quiet_s=5)
    import msgspec

    changed = replace(profile, file=msgspec.structs.replace(profile.file, link=link))

    async def scene() -> None:
        monkeypatch.setattr(registry.load(), "_profiles", {"sig_glucose": changed})
        device = meter(2)
        async with ward(bus, bench, device, meter_binding()) as made:
            made.bluez.peripherals[ADDRESS].radio.pairs = pairs
            if pairs:
                await made.until(lambda: made.session.reason == "done")
                assert len(made.readings()) == 2
                assert not made.bluez.peripherals[ADDRESS].object.properties["Paired"]
            else:
                await made.until(lambda: made.told("device-refused"))
                assert made.told("device-refused")[0].detail == {"reason": "pairing-failed"}

    play(scene)


@pytest.mark.requirement("R-EDGE-22")
def test_a_sensor_that_only_broadcasts_is_counted_and_its_loss_is_noticed(
    bus: str, bench: Bench, tmp_path: Any
) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    binding = BoundDevice(uid=UID, profile="wardlink_drip_advert", address=ADDRESS, key_file=tmp_path / "key")

    async def scene() -> None:
        now_s = asyncio.get_running_loop().time
        device = BroadcastDripSensor(
            DripAdvertPeripheral(kind="wardlink_drip_advert", address=ADDRESS, key=KEY), now_s
        )
        device.hang(10, 240)
        async with ward(bus, bench, device, binding) as made:
            await made.until(lambda: made.session.frames >= 3)
            first = made.readings()[0]
            assert {value.code for value in first.values} == {"MDCX_DROP_COUNT", "MDC_ATTR_VAL_BATT_CHARGE"}
            assert made.session.state is SessionState.STREAMING
            assert made.bluez.peripherals[ADDRESS].connects == 0
            assert made.node.collector.counters[UID] >= 3

    play(scene)
