from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from edge_node.adapters.ble import BleRadio, Heard
from edge_node.adapters.ble_link import BleTransport, LinkPlan
from edge_node.ports import Frame
from edge_node.sessions import Backoff, Session, SessionState, Transition, keep
from edge_node.settings import DripPeripheral
from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.drip_sensor import DripSensor
from edge_node.simulators.private_bus import private_bus
from firmware_profiles import registry
from firmware_profiles.decode import decode
from firmware_profiles.plan import full_uuid
from tests.support.edge_bench import Time

ADDRESS = "C0:00:00:00:01:01"


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """A bus that few connections exhaust, so that a leaked one is noticed."""
    with private_bus(connections=24) as address:
        before = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
        yield address
        del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
        if before is not None:
            os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = before


class Room:
    """A radio, simulated sensors, and sessions with each of them."""

    def __init__(self, bus: str, sensors: int = 1) -> None:
        self.bus = bus
        self.addresses = [f"C0:00:00:00:01:{number:02X}" for number in range(1, sensors + 1)]
        now_s = asyncio.get_running_loop().time
        self.sensors = {
            address: DripSensor(DripPeripheral(kind="wardlink_drip", address=address), now_s)
            for address in self.addresses
        }
        self.bluez = self.new_bluez()
        self.steps: list[Transition] = []
        self.frames: dict[str, list[Frame]] = {address: [] for address in self.addresses}
        self.heard: list[Heard] = []
        self.radio_states: list[tuple[bool, str]] = []
        clock = Time().clock()
        self.radio = BleRadio(
            clock.now,
            adapter="",
            bound=self.addresses,
            on_heard=self.heard.append,
            on_radio=lambda on, why: self.radio_states.append((on, why)),
        )
        self.tasks: list[asyncio.Task[None]] = []

    def new_bluez(self) -> SimulatedBluez:
        return SimulatedBluez(list(self.sensors.values()), absent_connect_s=0.5)

    async def start(self) -> None:
        await self.bluez.start(self.bus)
        profile = registry.load().get("wardlink_drip")
        stream = profile.streams["drops"]
        self.tasks.append(asyncio.create_task(self.radio.run()))
        for address in self.addresses:
            plan = LinkPlan(streams={full_uuid(stream.characteristic or ""): "drops"})
            transport = BleTransport(self.radio, address, plan)
            session = Session(address, "wardlink_drip", self.steps.append)
            work = keep(
                session,
                transport,
                lambda one, frame: self.frames[one.device].append(frame),
                Backoff(random.Random(1)),
                3.0,
            )
            self.tasks.append(asyncio.create_task(work))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.bluez.stop()

    def states(self, address: str = ADDRESS) -> list[SessionState]:
        return [step.state for step in self.steps if step.device == address]

    async def until(self, what: Callable[[], bool], timeout_s: float = 12.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not what():  # noqa: ASYNC110 - what is waited for is any state of the room
                await asyncio.sleep(0.02)

    async def until_count(self, state: SessionState, count: int) -> None:
        await self.until(lambda: self.states().count(state) >= count)


@asynccontextmanager
async def room(bus: str, sensors: int = 1) -> AsyncIterator[Room]:
    made = Room(bus, sensors)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene()

    asyncio.run(main())


@pytest.mark.slow
def test_a_sensor_is_heard_connected_and_its_bytes_decode_through_its_profile(bus: str) -> None:
    async def scene() -> None:
        async with room(bus) as made:
            made.sensors[ADDRESS].hang(10, 120)
            await made.until(lambda: len(made.frames[ADDRESS]) >= 3)
            decoded = decode(registry.load().get("wardlink_drip"), "drops", made.frames[ADDRESS][-1].data)
            assert decoded.accepted
            assert int(str(decoded.values["drops"].value)) == made.sensors[ADDRESS].drip.total_drops
            assert made.heard[0].name == "WL-DRIP"
            assert made.states()[:4] == ["discovered", "connecting", "ready", "streaming"]

    play(scene)


@pytest.mark.slow
@pytest.mark.requirement("R-EDGE-11")
def test_after_link_losses_there_is_one_notify_session_and_no_value_comes_twice(bus: str) -> None:
    async def scene() -> None:
        async with room(bus) as made:
            peripheral = made.bluez.peripherals[ADDRESS]
            for losses in range(1, 5):
                await made.until_count(SessionState.STREAMING, losses)
                peripheral.lose_link()
                await made.until_count(SessionState.LOST, losses)
            await made.until(lambda: made.states().count(SessionState.STREAMING) >= 5)
            assert peripheral.sessions == 1
            data = [frame.data for frame in made.frames[ADDRESS]]
            assert len(data) == len(set(data))

    play(scene)


@pytest.mark.slow
def test_a_device_that_keeps_the_link_but_says_nothing_is_given_up(bus: str) -> None:
    async def scene() -> None:
        async with room(bus) as made:
            await made.until(lambda: SessionState.STREAMING in made.states())
            made.bluez.peripherals[ADDRESS].radio.muted = True
            await made.until(lambda: SessionState.LOST in made.states())
            assert made.steps[-1].reason == "quiet"
            made.bluez.peripherals[ADDRESS].radio.muted = False
            await made.until(lambda: made.states().count(SessionState.STREAMING) == 2)

    play(scene)


@pytest.mark.slow
def test_the_radio_goes_off_and_on_and_everything_comes_back(bus: str) -> None:
    async def scene() -> None:
        async with room(bus) as made:
            await made.until(lambda: SessionState.STREAMING in made.states())
            made.bluez.power(on=False)
            await made.until(lambda: SessionState.LOST in made.states())
            await made.until(lambda: (False, "radio-restarted") in made.radio_states)
            made.bluez.power(on=True)
            await made.until(lambda: made.states().count(SessionState.STREAMING) == 2)
            assert made.radio_states[-1] == (True, "")

    play(scene)


@pytest.mark.slow
def test_the_daemon_dies_and_a_new_one_is_used(bus: str) -> None:
    async def scene() -> None:
        async with room(bus) as made:
            await made.until(lambda: SessionState.STREAMING in made.states())
            await made.bluez.stop()
            await made.until(lambda: SessionState.LOST in made.states())
            made.bluez = made.new_bluez()
            await made.bluez.start(bus)
            await made.until(lambda: made.states().count(SessionState.STREAMING) == 2)

    play(scene)


@pytest.mark.slow
def test_failed_connects_are_tried_again_and_several_devices_connect_one_after_another(bus: str) -> None:
    async def scene() -> None:
        async with room(bus, sensors=5) as made:
            made.bluez.peripherals[ADDRESS].radio.connect_errors.extend(
                ["Software caused connection abort"] * 2
            )
            await made.until(lambda: all(made.frames.values()), timeout_s=25)
            assert made.states().count(SessionState.LOST) == 2

    play(scene)


async def given_back_when_cancelled(made: Room, steps: int) -> bool:
    """Open a link and cancel its reader twice, so many turns of the loop apart; is the link given back?"""
    profile = registry.load().get("wardlink_drip")
    uuid = full_uuid(profile.streams["drops"].characteristic or "")
    transport = BleTransport(made.radio, ADDRESS, LinkPlan(streams={uuid: "drops"}))
    peripheral, opened = made.bluez.peripherals[ADDRESS], asyncio.Event()

    async def read() -> None:
        async with transport.open() as link:
            opened.set()
            while True:
                await link.frames.get()

    await transport.available()
    reader = asyncio.create_task(read())
    await opened.wait()
    assert peripheral.connected
    reader.cancel()
    for _ in range(steps):
        await asyncio.sleep(0)
    reader.cancel()
    (outcome,) = await asyncio.gather(reader, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError)
    return not peripheral.connected


@pytest.mark.slow
@pytest.mark.requirement("R-EDGE-11")
def test_a_reader_that_is_cancelled_again_while_it_ends_gives_its_link_back_all_the_same(bus: str) -> None:
    async def scene() -> None:
        async with room(bus) as made:
            for task in made.tasks[1:]:  # the radio goes on; the session would take the device
                task.cancel()
            await asyncio.gather(*made.tasks[1:], return_exceptions=True)
            kept = [steps for steps in range(12) if not await given_back_when_cancelled(made, steps)]
            assert not kept

    play(scene)
