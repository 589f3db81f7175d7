"""What the real bluetoothd showed and the simulated one must show too, because the edge node relies on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from bleak import BleakClient, BleakScanner

from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.private_bus import private_bus
from tests.support.vm_probe import Probe
from tests.support.vm_spy import ADAPTER_PATH, Spy

pytestmark = pytest.mark.slow

PATH = f"{ADAPTER_PATH}/dev_{Probe.address.replace(':', '_')}"
DEVICE = "org.bluez.Device1"


class Room:
    """The probe on the simulated radio, and a client of it."""

    def __init__(self, bluez: SimulatedBluez, probe: Probe, spy: Spy, client: BleakClient) -> None:
        self.bluez = bluez
        self.probe = probe
        self.spy = spy
        self.client = client
        self.got: list[bytes] = []

    async def subscribe(self) -> None:
        await self.client.start_notify("2A5F", lambda _from, value: self.got.append(bytes(value)))
        await self.spy.settle(0.1)

    async def says(self, value: bytes) -> list[bytes]:
        self.got.clear()
        self.probe.says("2A5F", value)
        await self.spy.settle(0.1)
        return list(self.got)


@asynccontextmanager
async def connected() -> AsyncIterator[Room]:
    probe = Probe()
    bluez = SimulatedBluez([probe])
    await bluez.start(os.environ["DBUS_SYSTEM_BUS_ADDRESS"])
    try:
        async with Spy(PATH) as spy:
            device = await BleakScanner.find_device_by_address(Probe.address, timeout=5)
            assert device is not None
            async with BleakClient(device) as client:
                await spy.objects()
                yield Room(bluez, probe, spy, client)
    finally:
        await bluez.stop()


@pytest.fixture(scope="module", autouse=True)
def bus() -> Iterator[None]:
    with private_bus() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield


def play(scene: Callable[[Room], Awaitable[None]]) -> None:
    async def main() -> None:
        async with connected() as room:
            await scene(room)

    asyncio.run(main())


async def subscribe_too(room: Room) -> None:
    """Subscribe a second time, from a connection that stays: what a client does that never gives back."""
    found = room.client.services.get_characteristic("2A5F")
    assert found is not None
    assert await room.spy.call(found.obj[0], "org.bluez.GattCharacteristic1", "StartNotify") == []
    await room.spy.settle(0.1)


@pytest.mark.requirement("R-EDGE-11")
def test_a_subscription_that_was_never_given_back_outlives_the_link_and_doubles_every_value() -> None:
    async def scene(room: Room) -> None:
        await subscribe_too(room)
        room.bluez.peripherals[Probe.address].lose_link()
        await room.client.disconnect()
        await room.client.connect()
        await room.subscribe()
        assert len(await room.says(b"\2")) == 2

    play(scene)


@pytest.mark.requirement("R-EDGE-11")
def test_a_client_that_gave_back_its_lost_link_gets_every_value_once() -> None:
    async def scene(room: Room) -> None:
        await room.subscribe()
        room.bluez.peripherals[Probe.address].lose_link()
        await room.client.disconnect()
        await room.spy.settle(0.1)
        await room.client.connect()
        await room.subscribe()
        assert len(await room.says(b"\2")) == 1

    play(scene)


def test_a_lost_link_says_nothing_about_subscriptions() -> None:
    async def scene(room: Room) -> None:
        await room.subscribe()
        room.spy.take()
        room.bluez.peripherals[Probe.address].lose_link()
        await room.spy.settle(0.1)
        lost = '~ changed [Connected, ServicesResolved] {"Connected": false, "ServicesResolved": false}'
        assert room.spy.take() == [lost]

    play(scene)


def test_a_second_subscriber_changes_nothing_that_others_see() -> None:
    async def scene(room: Room) -> None:
        await room.subscribe()
        room.spy.take()
        await subscribe_too(room)
        assert room.spy.take() == []

    play(scene)


def test_disconnecting_what_is_not_connected_succeeds() -> None:
    async def scene(room: Room) -> None:
        room.bluez.peripherals[Probe.address].lose_link()
        assert await room.spy.call(PATH, DEVICE, "Disconnect") == []

    play(scene)


def test_a_static_random_address_is_called_random() -> None:
    async def scene(room: Room) -> None:
        assert (await room.spy.objects())[PATH]["Device1"]["AddressType"] == "random"

    play(scene)
