"""The edge node's own way from a radio to readings, over simulated and over real BlueZ.

``python -m tests.support.vm_node simulated`` anywhere, ``… real`` inside the emulated machine. The devices
say a fixed script; each reading that the node stores is one JSON line, in the order of devices.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from broker.messages import Readings, decode
from broker.topics import Up
from clinical.records import Generation
from edge_node import bound
from edge_node.adapters.ble import BleRadio
from edge_node.clock import NodeClock
from edge_node.node import Node
from edge_node.outbox import Outbox
from edge_node.ports import Frame
from edge_node.sessions import Backoff, Session, keep
from edge_node.settings import BoundDevice, DripPeripheral, ble_uid
from edge_node.simulators.drip_sensor import DripSensor
from edge_node.simulators.peripherals import Characteristic, GattService, Notify
from edge_node.simulators.private_bus import private_bus
from firmware_profiles import registry
from firmware_profiles.plan import StreamPlan
from tests.support.edge_bench import NODE, START, Bench, Time
from tests.support.vm_rooms import BluetoothdRoom, Room, SimulatedRoom
from tests.support.vm_spy import Notebook

GAP_S = 0.3
FRAMES = 6
WAIT_S = 90.0
SERIAL_NUMBER = "VM-1"
STEP_NS = 1_500_000_000
"""The node's clock steps by this each time it is read, so that no reading is thinned away."""
SCRIPTED = {"sig_thermometer": "temperature", "sig_plx": "continuous"}


class Scripted:
    """A device that says a list of frames once, to whoever subscribes."""

    def __init__(self, address: str, stream: StreamPlan, frames: Sequence[bytes]) -> None:
        self.address = address
        self.name = f"WL-{stream.rule.id.upper()[:5]}"
        self.frames = list(frames)
        self._uuid = stream.rule.characteristic or ""
        said = Characteristic(uuid=self._uuid, flags=(stream.rule.mode or "notify",))
        self.services = (
            GattService(
                uuid="180A",
                characteristics=(Characteristic(uuid="2A25", flags=("read",), value=SERIAL_NUMBER.encode()),),
            ),
            GattService(uuid=stream.rule.service or "", characteristics=(said,)),
        )

    async def talk(self, notify: Notify) -> None:
        """See :class:`edge_node.simulators.peripherals.Device`."""
        for frame in self.frames:
            while not notify(self._uuid, frame):  # noqa: ASYNC110 - nobody has subscribed yet
                await asyncio.sleep(GAP_S)
            await asyncio.sleep(GAP_S)
        await asyncio.Event().wait()


def room_of_devices() -> dict[str, Scripted]:
    """A thermometer, an oximeter and a drip sensor, by profile: their vectors, and simulated physics."""
    profiles = registry.load()
    found: dict[str, Scripted] = {}
    for number, (name, stream) in enumerate(SCRIPTED.items(), start=1):
        profile = profiles.get(name)
        tests = [one for one in profile.file.test if one.stream == stream and one.reject is None]
        frames = [bytes.fromhex(one.hex) for one in tests if one.hex]
        found[name] = Scripted(f"C0:00:00:00:05:{number:02X}", profile.plan(stream), frames[:FRAMES])
    seconds = itertools.count()
    sensor = DripSensor(
        DripPeripheral(kind="wardlink_drip", address="C0:00:00:00:05:09"), lambda: float(next(seconds))
    )
    sensor.hang(10, 60)
    plan = next(one for one in profiles.get("wardlink_drip").plans.values() if one.rule.source == "gatt")
    found["wardlink_drip"] = Scripted(sensor.address, plan, [sensor.frame() for _ in range(FRAMES)])
    return found


def new_node(directory: Path) -> tuple[Node, Outbox]:
    """A node on a real outbox, with a clock that steps."""
    ticks = itertools.count(1_000_000_000_000, STEP_NS)
    walls = itertools.count(int(START.timestamp() * 1e9), STEP_NS)
    clock = NodeClock(lambda: next(walls), lambda: next(ticks), lambda: True, "boot-1")
    outbox = Bench(directory / "outbox.db", Time()).open()
    node = Node(
        node_id=NODE,
        version="1",
        generation=Generation.DEMO,
        clock=clock,
        outbox=outbox,
        wire=None,  # type: ignore[arg-type]  # no broker here
    )
    node.restore()
    return node, outbox


def stored(outbox: Outbox, device: str) -> list[dict[str, Any]]:
    """What the outbox holds of one device, without what depends on when it was heard."""
    outbox.flush()
    rows = outbox.store.span(1, outbox.store.last_seq, 10_000)
    readings = [decode(row.payload, Readings) for row in rows if row.kind is Up.READINGS]
    return [
        {
            "device_time": one.device_time,
            "generation": one.generation,
            "profile": one.profile,
            "values": [[value.code, str(value.n), value.unit, value.validity] for value in one.values],
        }
        for one in readings
        if one.device == device
    ]


def kept(node: Node, radio: BleRadio, name: str, device: Scripted) -> Coroutine[Any, Any, None]:
    """Bind a device by its serial number; the returned work keeps a session with it."""
    profile = registry.load().get(name)
    binding = BoundDevice(
        uid=ble_uid(device.address), profile=name, address=device.address, serial=SERIAL_NUMBER
    )
    session = node.session(binding.uid, profile)
    transport = bound.connected(radio, binding, profile, node.records)

    def deliver(one: Session, frame: Frame) -> None:
        node.on_frame(one, profile, frame)

    return keep(session, transport, deliver, Backoff(random.Random(1)), WAIT_S)


async def collect(room: Room, devices: dict[str, Scripted], directory: Path) -> None:
    """Bind, connect and collect until every frame has come, and write down what was stored."""
    node, outbox = new_node(directory)
    book = Notebook()
    radio = BleRadio(
        node.clock.now,
        adapter="",
        bound=[one.address for one in devices.values()],
        on_heard=lambda _heard: None,
        on_radio=lambda _on, _why: None,
    )
    await room.start()
    work = [asyncio.ensure_future(radio.run())]
    work += [asyncio.ensure_future(kept(node, radio, name, one)) for name, one in devices.items()]
    uids = {name: ble_uid(one.address) for name, one in devices.items()}
    async with asyncio.timeout(WAIT_S):
        while any(node.sessions[uids[name]].frames < len(one.frames) for name, one in devices.items()):  # noqa: ASYNC110
            await asyncio.sleep(GAP_S)
    for name, uid in uids.items():
        for number, reading in enumerate(stored(outbox, uid), start=1):
            book.note(f"reading: {name} {number}", reading)
        book.note(f"frames: {name}", node.sessions[uid].frames)
    book.note("frames refused", sum(node.collector.rejected.values()))
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    outbox.store.close()


async def main(kind: str, bus: str) -> None:
    """Collect in a room of this kind."""
    devices = room_of_devices()
    listed = list(devices.values())
    room: Room = (
        BluetoothdRoom(listed, Path("/run/out/bluetoothd-node.log"))
        if kind == "real"
        else SimulatedRoom(listed, bus)
    )
    with tempfile.TemporaryDirectory(prefix="wl-vm-node-") as directory:
        try:
            await collect(room, devices, Path(directory))
        finally:
            await room.stop()


if __name__ == "__main__":
    with private_bus() as address:
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
        asyncio.run(main(sys.argv[1], address))
