"""The second half of the fidelity scenario: lost links, an absent device, the radio off, keys, the end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bleak import BleakClient, BleakScanner

from tests.support.vm_probe import Probe
from tests.support.vm_spy import ADAPTER_PATH

if TYPE_CHECKING:
    from tests.support.vm_contract import Scene

ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
ANSWER_S = (38.0, 46.0)
"""Between these bluetoothd gives up to connect to a device that is not there."""


async def link_loss(scene: Scene, client: BleakClient) -> None:
    """The link breaks, and the client goes on without giving it back first."""
    spy, book = scene.spy, scene.book
    spy.take()
    await scene.room.drop(Probe.address)
    await asyncio.sleep(2)
    book.note("link loss: signals", spy.take())
    book.note("link loss: the client believes that it is connected", client.is_connected)
    tree = await spy.objects()
    kept = [path for path in tree if path.startswith(scene.path + "/")]
    book.note("link loss: services stay on the bus", bool(kept))
    read = client.read_gatt_char("2A24")
    await book.attempt("link loss: read afterwards", read)
    await book.attempt("reconnect: the same client, never disconnected", client.connect())
    await asyncio.sleep(1)
    spy.take()
    await scene.said("2A5F", b"\0\x0d")
    book.note("reconnect: signals of a value before subscribing", spy.take())
    await client.start_notify("2A5F", scene.take)
    book.note("reconnect: copies of one value", len(await scene.said("2A5F", b"\0\x0e")))
    spy.take()
    began = time.monotonic()
    await book.attempt("disconnect", client.disconnect())
    book.note("disconnect: takes about two seconds", 1.5 < time.monotonic() - began < 5)
    await spy.settle()
    book.note("disconnect: signals", spy.take())
    again = await spy.call(scene.path, DEVICE, "Disconnect")
    book.note("disconnect: when not connected", again)


async def absent(scene: Scene) -> None:
    """Connect to a device that went."""
    spy, book = scene.spy, scene.book
    await scene.find()
    await scene.room.absent(Probe.address, gone=True)
    await asyncio.sleep(1)
    spy.take()
    began = time.monotonic()
    book.note("absent: answer", await spy.call(scene.path, DEVICE, "Connect"))
    took = time.monotonic() - began
    book.note("absent: the answer takes 38 to 46 s", ANSWER_S[0] < took < ANSWER_S[1])
    book.note("absent: signals", spy.take())
    await scene.room.absent(Probe.address, gone=False)
    await asyncio.sleep(1)


async def power(scene: Scene) -> None:
    """The radio goes off under a link and a scan, and on again."""
    spy, book = scene.spy, scene.book
    gone: list[int] = []
    client = BleakClient(await scene.find(), disconnected_callback=lambda _client: gone.append(1))
    await book.attempt("power: connect before", client.connect())
    scanner = BleakScanner()
    await scanner.start()
    await asyncio.sleep(1)
    spy.take()
    book.note("power off", await spy.power(on=False))
    await asyncio.sleep(2)
    book.note("power off: signals", spy.take(forgotten=True))
    book.note("power off: the client is told", [len(gone), client.is_connected])
    await client.disconnect()
    await book.attempt("power off: scan", BleakScanner().start())
    book.note("power off: begin a scan", await spy.call(ADAPTER_PATH, ADAPTER, "StartDiscovery"))
    book.note("power off: connect", await spy.call(scene.path, DEVICE, "Connect"))
    book.note("power off: off again", await spy.power(on=False))
    spy.take()
    book.note("power on", await spy.power(on=True))
    await asyncio.sleep(1)
    book.note("power on: signals", spy.take())
    await book.attempt("power on: stop the scan that lived through it", scanner.stop())
    await scene.find()
    book.note("power on: the device is heard again", True)


async def keys(scene: Scene) -> None:
    """A value that only a paired client may read, and pairing for it."""
    spy, book = scene.spy, scene.book
    client = BleakClient(await scene.find())
    await client.connect()
    await asyncio.sleep(1)
    spy.take()
    await book.attempt("keys: pair", client.pair())
    await spy.settle(1)
    book.note("keys: signals of pairing", spy.take())
    device = (await spy.objects())[scene.path]["Device1"]
    book.note("keys: state afterwards", {name: device[name] for name in ("Paired", "Bonded", "Trusted")})
    await book.attempt("keys: read after pairing", client.read_gatt_char("2A9D"))
    await client.disconnect()
    again = BleakClient(await scene.find())
    await book.attempt("keys: connect again with keys", again.connect())
    await book.attempt("keys: read after reconnecting", again.read_gatt_char("2A9D"))
    await again.disconnect()


async def keyless(scene: Scene) -> None:
    """The same value without keys, after the daemon forgot the device."""
    spy, book = scene.spy, scene.book
    client = BleakClient(await scene.find())
    await client.connect()
    await asyncio.sleep(1)
    spy.take()
    await book.attempt("keys: read without having paired", client.read_gatt_char("2A9D"))
    await spy.settle(1)
    book.note("keys: signals of that read", [line for line in spy.take() if "Paired" in line])
    await client.disconnect()


async def removal(scene: Scene) -> None:
    """The daemon forgets the device."""
    spy, book = scene.spy, scene.book
    device = await scene.find()
    spy.take()
    answer = await spy.call(ADAPTER_PATH, ADAPTER, "RemoveDevice", "o", scene.path)
    book.note("remove", answer)
    await spy.settle(1)
    log = [line for line in spy.take() if "removed" in line]
    book.note("remove: first signal", log[:1])
    book.note("remove: last signal", log[-1:])
    book.note("remove: the tree goes too", len(log) > 10)
    await book.attempt("remove: connect to what was removed", BleakClient(device).connect())
    found = await scene.find()
    book.note("remove: heard anew", found.address)


async def daemon(scene: Scene) -> None:
    """The daemon is told to end while a device is connected."""
    spy, book = scene.spy, scene.book
    gone: list[int] = []
    client = BleakClient(await scene.find(), disconnected_callback=lambda _client: gone.append(1))
    await client.connect()
    await asyncio.sleep(1)
    spy.take()
    await scene.room.end_daemon()
    await asyncio.sleep(3)
    log = [line for line in spy.take() if " removed " not in line]
    book.note("daemon ends: signals", log)
    book.note("daemon ends: the client is told", [len(gone), client.is_connected])
