"""Several adapters, devices that lack some characteristics, and types of writes, on the simulated BlueZ."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edge_node import bound
from edge_node.adapters.ble import BleRadio
from edge_node.adapters.ble_pool import BleRadios
from edge_node.ports import Frame, LinkLostError
from edge_node.records import RecordBook
from edge_node.settings import BoundDevice
from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.peripherals import Characteristic, GattService, Notify
from edge_node.simulators.private_bus import private_bus
from firmware_profiles import registry
from tests.support.edge_bench import Time

pytestmark = pytest.mark.slow

ADDRESS = "C0:00:00:00:04:01"
PLX = bytes.fromhex("0061004800")


@pytest.fixture(scope="module", autouse=True)
def bus() -> Iterator[str]:
    with private_bus(connections=24) as address, pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


class Thing:
    """A peripheral made of the given services, that notifies one frame again and again."""

    def __init__(
        self, *services: GattService, address: str = ADDRESS, uuid: str = "", frame: bytes = b""
    ) -> None:
        self.address, self.name, self.services = address, "THING", services
        self._uuid, self._frame = uuid, frame

    async def talk(self, notify: Notify) -> None:
        while True:
            await asyncio.sleep(0.05)
            notify(self._uuid, self._frame)


def oximeter(address: str = ADDRESS) -> Thing:
    """A device that has only one of the two characteristics of its service."""
    plx = GattService(uuid="1822", characteristics=(Characteristic(uuid="2A5F", flags=("notify",)),))
    return Thing(plx, address=address, uuid="2A5F", frame=PLX)


@asynccontextmanager
async def room(bus: str, things: list[Thing], adapters: tuple[str, ...]) -> AsyncIterator[Any]:
    bluez = SimulatedBluez(things, adapters=adapters, absent_connect_s=0.3)
    held: set[str] = set()
    clock = Time().clock()
    radios = BleRadios(
        [
            BleRadio(
                clock.now, adapter=name, bound=[one.address for one in things], on_heard=lambda _heard: None,
                on_radio=lambda _on, _why: None, held=held,
            )
            for name in adapters
        ]
    )  # fmt: skip
    await bluez.start(bus)
    running = asyncio.ensure_future(radios.run())
    try:
        yield bluez, radios
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bluez.stop()


def transport(radios: BleRadios, profile: str = "sig_plx", address: str = ADDRESS) -> Any:
    device = BoundDevice(uid="ble:" + address.lower().replace(":", "-"), profile=profile, address=address)
    return bound.connected(radios, device, registry.load().get(profile), RecordBook())


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 - what is waited for is any state of the room
            await asyncio.sleep(0.02)


def placed(device: Any, **strengths: int) -> None:
    """Say how strongly each adapter hears a device, without shaking."""
    device.radio.rssi_shakes, device.radio.rssi_at = 0, strengths


def strengths(radios: BleRadios) -> list[float]:
    """How well each adapter hears the device, in dB; nothing has failed yet."""
    return [one.score(ADDRESS) for one in radios._radios]


@pytest.mark.requirement("R-EDGE-43")
def test_a_device_is_reached_through_the_adapter_that_hears_it_best(bus: str) -> None:
    async def scene() -> None:
        async with room(bus, [oximeter()], ("hci0", "hci1")) as (bluez, radios):
            first, second = (bluez.adapters[name].peripherals[ADDRESS] for name in ("hci0", "hci1"))
            placed(first, hci0=-85, hci1=-50)
            way = transport(radios)
            await until(lambda: strengths(radios) == [-85, -50])
            async with way.open() as link:
                item = await link.frames.get()
                assert isinstance(item, Frame)
                assert (item.stream, item.data) == ("continuous", PLX)
                assert (first.connects, second.connects) == (0, 1)
                await asyncio.sleep(0.2)
                assert second.connected  # the other adapter does not take it for an orphan

    asyncio.run(scene())


@pytest.mark.requirement("R-EDGE-43")
def test_when_one_adapter_fails_the_other_takes_over(bus: str) -> None:
    async def scene() -> None:
        async with room(bus, [oximeter()], ("hci0", "hci1")) as (bluez, radios):
            first = bluez.adapters["hci0"].peripherals[ADDRESS]
            placed(first, hci0=-50, hci1=-60)
            way = transport(radios)
            await until(lambda: strengths(radios) == [-50, -60])
            async with way.open() as link:
                await link.frames.get()
                bluez.power(on=False)
                while not isinstance(await link.frames.get(), LinkLostError):
                    pass
            await way.available()
            async with way.open() as link:
                await link.frames.get()
                assert bluez.adapters["hci1"].peripherals[ADDRESS].connects == 1

    asyncio.run(scene())


def test_failed_connects_make_another_adapter_better(bus: str) -> None:
    async def scene() -> None:
        async with room(bus, [oximeter()], ("hci0", "hci1")) as (bluez, radios):
            peripheral = bluez.adapters["hci0"].peripherals[ADDRESS]
            placed(peripheral, hci0=-50, hci1=-54)
            peripheral.radio.connect_errors.extend(["Input/output error"] * 2)
            way = transport(radios)
            await until(lambda: strengths(radios) == [-50, -54])
            for _ in range(2):
                await until(lambda: all(one.heard(ADDRESS) for one in radios._radios))
                with pytest.raises(LinkLostError, match="connect-failed"):
                    async with way.open():
                        pass
            await until(lambda: all(one.heard(ADDRESS) for one in radios._radios))
            async with way.open():
                assert bluez.adapters["hci1"].peripherals[ADDRESS].connects == 1

    asyncio.run(scene())


def test_a_device_of_another_kind_is_refused(bus: str) -> None:
    async def scene() -> None:
        async with room(bus, [oximeter()], ("hci0",)) as (_bluez, radios):
            way = transport(radios, "sig_weight")
            await way.available()
            with pytest.raises(LinkLostError, match="wrong-device"):
                async with way.open():
                    pass

    asyncio.run(scene())


def test_what_is_only_there_to_be_read_is_read(bus: str) -> None:
    about = GattService(
        uuid="180A", characteristics=(Characteristic(uuid="2A24", flags=("read",), value=b"UA-651"),)
    )

    async def scene() -> None:
        async with room(bus, [Thing(about)], ("hci0",)) as (_bluez, radios):
            way = transport(radios, "sig_device_information")
            await way.available()
            async with way.open() as link:
                item = await link.frames.get()
                assert isinstance(item, Frame)
                assert item.data == b"UA-651"

    asyncio.run(scene())


@pytest.mark.parametrize(("flags", "started"), [(("write",), True), (("write-without-response",), False)])
def test_a_stream_is_started_by_the_write_that_its_profile_names(
    bus: str, flags: tuple[str, ...], started: bool
) -> None:
    written: list[bytes] = []
    base = "fb005c8{}-02e7-f387-1cad-8acd2d8df0c8"
    pmd = GattService(
        uuid=base.format(0),
        characteristics=(
            Characteristic(uuid=base.format(1), flags=flags, written=written.append),
            Characteristic(uuid=base.format(2), flags=("notify",)),
        ),
    )
    frame = bytes.fromhex("00 00 CA 9A 3B 00 00 00 00 00 64 00 00")

    async def scene() -> None:
        async with room(bus, [Thing(pmd, uuid=base.format(2), frame=frame)], ("hci0",)) as (_bluez, radios):
            way = transport(radios, "polar_h10")
            await way.available()
            async with way.open() as link:
                await link.frames.get()
                await asyncio.sleep(0.1)
        assert written == ([bytes.fromhex("02 00 00 01 82 00 01 01 0E 00")] if started else [])

    asyncio.run(scene())
