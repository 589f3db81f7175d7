"""One scenario for simulated and real BlueZ: what an unmodified bleak and a second D-Bus client see.

``python -m tests.support.vm_contract simulated`` anywhere, ``… real`` inside the emulated machine. Every
observation is one JSON line; two runs are compared by :mod:`tests.support.vm_compare`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from dbus_fast import Variant

from edge_node.simulators.private_bus import private_bus
from tests.support.vm_contract_faults import absent, daemon, keyless, keys, link_loss, power, removal
from tests.support.vm_probe import Beacon, Probe
from tests.support.vm_rooms import BluetoothdRoom, Room, SimulatedRoom
from tests.support.vm_spy import ADAPTER_PATH, Notebook, Spy

PATH = f"{ADAPTER_PATH}/dev_{Probe.address.replace(':', '_')}"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
DEVICE = "org.bluez.Device1"
SCAN_S = 5.0
NOWHERE = f"{ADAPTER_PATH}/dev_00_00_00_00_00_00"


class Scene:
    """The scenario's hands and eyes."""

    def __init__(self, room: Room, probe: Probe, spy: Spy) -> None:
        self.room = room
        self.probe = probe
        self.spy = spy
        self.path = PATH
        self.book = Notebook()
        self.got: list[str] = []

    def take(self, _from: object, value: bytearray) -> None:
        """Be the callback of a subscription."""
        self.got.append(bytes(value).hex())

    async def said(self, uuid: str, *values: bytes) -> list[str]:
        """Let the device say something, and return what arrived."""
        self.got.clear()
        for value in values:
            self.probe.says(uuid, value)
            await self.spy.settle()
        return list(self.got)

    async def find(self) -> BLEDevice:
        """Scan until the device is heard."""
        device = await BleakScanner.find_device_by_address(Probe.address, timeout=20)
        if device is None:
            raise LookupError("the device of the scenario was not heard")
        return device

    async def call(self, client: BleakClient, uuid: str, member: str, *more: Any) -> Any:
        """Call a method of a characteristic from the other client."""
        found = client.services.get_characteristic(uuid)
        if found is None:
            raise LookupError(uuid)
        return await self.spy.call(found.obj[0], CHARACTERISTIC, member, *more)


async def scan(scene: Scene) -> None:
    """Adverts, and what becomes of a device that is heard."""
    spy, book = scene.spy, scene.book
    heard: dict[str, list[AdvertisementData]] = {}
    scanner = BleakScanner(lambda device, data: heard.setdefault(device.address, []).append(data))
    spy.take()
    await scanner.start()
    await asyncio.sleep(SCAN_S)
    log = spy.take()
    await scanner.stop()
    await spy.settle()
    book.note("scan: signals of the start", [line for line in log if "added" in line or "Discov" in line])
    book.note("scan: signals of the stop", spy.take(forgotten=True))
    advert, beacon = heard[Probe.address][-1], heard[Beacon.address][-1]
    book.note("advert: name", advert.local_name)
    book.note("advert: services", sorted(one[4:8] for one in advert.service_uuids))
    book.note("advert: maker's data and power", [len(advert.manufacturer_data), advert.tx_power])
    book.note("advert: strength is a plausible number", -127 < advert.rssi < 20)
    book.note(
        "advert: data of a broadcaster", {key[4:8]: one.hex() for key, one in beacon.service_data.items()}
    )
    book.note("advert: a broadcaster repeats itself", len(heard[Beacon.address]) > 5)
    book.note("advert: a constant advert is told again and again", len(heard[Probe.address]) > 5)
    tree = await spy.objects()
    device = tree[PATH]["Device1"]
    book.note("device: properties", sorted(device))
    told = ("Address", "AddressType", "Name", "Alias", "Paired", "Bonded", "Trusted", "Blocked", "Connected")
    book.note("device: values", {name: device.get(name) for name in told})
    book.note("device: UUIDs before connecting", sorted(one[4:8] for one in device["UUIDs"]))
    book.note("device: interfaces", sorted(tree[PATH]))
    book.note("adapter: properties", sorted(tree[ADAPTER_PATH]["Adapter1"]))
    book.note("adapter: roles", sorted(tree[ADAPTER_PATH]["Adapter1"]["Roles"]))
    book.note("adapter: interfaces", sorted(tree[ADAPTER_PATH]))


async def connect(scene: Scene) -> BleakClient:
    """A link and the tree of services."""
    spy, book = scene.spy, scene.book
    client = BleakClient(await scene.find())
    spy.take()
    await book.attempt("connect", client.connect())
    await asyncio.sleep(1)
    log = spy.take()
    book.note("connect: signals", [line for line in log if " added " not in line])
    book.note("connect: objects added", len([line for line in log if " added " in line]))
    book.note("services", sorted(one.uuid[4:8] for one in client.services))
    tree = await spy.objects()
    for uuid in ("2A5F", "2A60", "2A21", "2A52"):
        found = client.services.get_characteristic(uuid)
        assert found is not None
        book.note(f"characteristic {uuid}: flags", found.properties)
        book.note(f"characteristic {uuid}: properties", sorted(tree[found.obj[0]]["GattCharacteristic1"]))
        book.note(f"characteristic {uuid}: descriptors", [one.uuid[4:8] for one in found.descriptors])
        book.note(f"characteristic {uuid}: handle", found.handle)
    first = client.services.get_characteristic("2A5F")
    assert first is not None
    book.note("characteristic 2A5F: longest command", first.max_write_without_response_size)
    book.note("service: properties", sorted(tree[first.obj[0].rpartition("/")[0]]["GattService1"]))
    device = tree[PATH]["Device1"]
    told = ("Connected", "ServicesResolved", "Paired", "Trusted")
    book.note("device: values when connected", {name: device[name] for name in told})
    book.note("device: UUIDs when connected", sorted(one[4:8] for one in device["UUIDs"]))
    return client


async def values(scene: Scene, client: BleakClient) -> None:
    """Reads, writes, and how each is refused."""
    spy, book = scene.spy, scene.book
    await book.attempt("read", client.read_gatt_char("2A24"))
    spy.take()
    await book.attempt("read: another", client.read_gatt_char("2A60"))
    await spy.settle()
    book.note("read: signals", spy.take())
    await book.attempt("read: not allowed", client.read_gatt_char("2A5F"))
    await book.attempt("write: not allowed", client.write_gatt_char("2A60", b"\x01", response=True))
    spy.take()
    await book.attempt("write", client.write_gatt_char("2A21", b"\x05\0", response=True))
    await spy.settle()
    book.note("write: signals", spy.take())
    book.note("write: what the device got", [one.hex() for one in scene.probe.written])
    scene.probe.written.clear()
    command = client.write_gatt_char("2A21", b"\x06\0", response=False)
    await book.attempt("write: a command where only requests are allowed", command)
    await spy.settle()
    book.note("write: what the device got of that command", [one.hex() for one in scene.probe.written])
    refused = client.write_gatt_char("2A52", b"\x01\x01", response=True)
    await book.attempt("write: refused by the device itself", refused)
    found = client.services.get_characteristic("2A5F")
    assert found is not None
    switch = found.descriptors[0].obj[0]
    answer = await spy.call(switch, DESCRIPTOR, "WriteValue", "aya{sv}", b"\x01\0", {})
    book.note("write: the subscription switch", answer)
    book.note("read: the subscription switch", await spy.call(switch, DESCRIPTOR, "ReadValue", "a{sv}", {}))


async def refusals(scene: Scene, client: BleakClient) -> None:
    """Calls that make no sense."""
    spy, book = scene.spy, scene.book
    book.note("refused: stop without a session", await scene.call(client, "2A5F", "StopNotify"))
    book.note("refused: subscribe to what is only read", await scene.call(client, "2A60", "StartNotify"))
    book.note("refused: unknown device", await spy.call(NOWHERE, DEVICE, "Connect"))
    book.note("refused: unknown method", await spy.call(PATH, DEVICE, "Nonsense"))
    book.note("connect: while connected", await spy.call(PATH, DEVICE, "Connect"))
    setting = ("org.freedesktop.DBus.Properties", "Set", "ssv", DEVICE, "Connected", Variant("b", False))
    book.note("refused: set what is only read", await spy.call(PATH, *setting))
    adapter = "org.bluez.Adapter1"
    book.note("refused: stop a scan not begun", await spy.call(ADAPTER_PATH, adapter, "StopDiscovery"))
    unknown = await spy.call(ADAPTER_PATH, adapter, "RemoveDevice", "o", NOWHERE)
    book.note("refused: remove an unknown device", unknown)
    scanner = BleakScanner()
    await scanner.start()
    await book.attempt("refused: a second scan of one client", BleakScanner().start())
    await scanner.stop()


async def notifications(scene: Scene, client: BleakClient) -> None:
    """Subscriptions, and what two of them do."""
    spy, book = scene.spy, scene.book
    spy.take()
    await client.start_notify("2A5F", scene.take)
    await spy.settle()
    book.note("subscribe: signals", spy.take())
    book.note("notify: three values", await scene.said("2A5F", b"\0\x01", b"\0\x02", b"\0\x03"))
    book.note("notify: the same value twice", await scene.said("2A5F", b"\0\x09", b"\0\x09"))
    book.note("notify: signals", spy.take())
    book.note("subscribe: another client", await scene.call(client, "2A5F", "StartNotify"))
    book.note("subscribe: again the same client", await scene.call(client, "2A5F", "StartNotify"))
    await spy.settle()
    book.note("subscribe: signals of another client", spy.take())
    book.note("notify: copies with two sessions", await scene.said("2A5F", b"\0\x0a"))
    acquired = await scene.call(client, "2A5F", "AcquireNotify", "a{sv}", {})
    book.note("subscribe: acquire while subscribed", acquired)
    book.note("unsubscribe: another client", await scene.call(client, "2A5F", "StopNotify"))
    await spy.settle()
    spy.take()
    await client.stop_notify("2A5F")
    await spy.settle()
    book.note("unsubscribe: signals", spy.take())
    book.note("notify: nobody subscribed", await scene.said("2A5F", b"\0\x0b"))
    await client.start_notify("2A5F", scene.take)
    book.note("notify: subscribed again", await scene.said("2A5F", b"\0\x0c"))


async def records(scene: Scene, client: BleakClient) -> None:
    """Indications, and a download of records."""
    spy, book = scene.spy, scene.book
    await client.start_notify("2A18", scene.take)
    await client.start_notify("2A52", scene.take)
    scene.got.clear()
    await book.attempt("records: ask", client.write_gatt_char("2A52", b"\x01\x01", response=True))
    await asyncio.sleep(1)
    book.note("records: answers in order", list(scene.got))
    spy.take()
    await client.start_notify("2A21", scene.take)
    await spy.settle()
    book.note("indicate: signals of the subscription", spy.take())
    book.note("indicate: two values", await scene.said("2A21", b"\x07\0", b"\x08\0"))
    scene.got.clear()
    await client.read_gatt_char("2A21")
    await spy.settle()
    book.note("read: of what is subscribed also calls back", len(scene.got))


async def scenario(room: Room, probe: Probe) -> None:
    """Everything, in order."""
    async with Spy(PATH) as spy:
        scene = Scene(room, probe, spy)
        await scan(scene)
        client = await connect(scene)
        await values(scene, client)
        await refusals(scene, client)
        await notifications(scene, client)
        await records(scene, client)
        await link_loss(scene, client)
        for fault in (absent, power, keys, removal, keyless, daemon):
            await fault(scene)


async def main(kind: str, bus: str) -> None:
    """Run the scenario in a room of this kind."""
    probe = Probe()
    devices = (probe, Beacon())
    room: Room = (
        BluetoothdRoom(devices, Path("/run/out/bluetoothd.log"))
        if kind == "real"
        else SimulatedRoom(devices, bus)
    )
    began = time.monotonic()
    await room.start()
    try:
        await scenario(room, probe)
    finally:
        await room.stop()
    sys.stderr.write(f"{kind}: {time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    with private_bus() as address:
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = address
        asyncio.run(main(sys.argv[1], address))
