"""A node at many times its speed, a schedule of faults around it, and what it holds after each round."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from broker import topics
from broker.local import LocalBroker
from broker.messages import Acks
from broker.topics import Down, Up
from edge_node.adapters import outbox_tool
from edge_node.settings import DripPeripheral, GlucosePeripheral, SerialInstrument, SimulationSettings
from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.world import World
from tests.support.edge_programs import DRIP, DRIP_UID, ROOT
from tests.support.pki import Pki
from tests.support.ward_server import WardServer

METER = "C0:00:00:00:02:01"
PORT = "nonin-1"
PAUSE_S = 0.25
"""Real seconds between two faults: at 50 times the speed the node lives a quarter of a minute."""
STEADY_S = 20.0
SAMPLES = 8
DEVICES = SimulationSettings(
    peripherals=(
        DripPeripheral(kind="wardlink_drip", address=DRIP),
        GlucosePeripheral(kind="sig_glucose", address=METER),
    ),
    serials=(SerialInstrument(kind="nonin_oem3", name=PORT),),
)


class Ledger(WardServer):
    """A server that remembers only numbers: it can run for hours."""

    def __init__(self, pki: Pki, port: int) -> None:
        super().__init__(pki, port)
        self.numbers: dict[str, set[int]] = {}
        self.twice = 0
        self._guard = threading.Lock()

    def _received(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        node, direction, kind = topics.parse(message.topic)
        if direction == "status":
            return
        body = self._body(Up(kind), bytes(message.payload))
        with self._guard:
            known = self.numbers.setdefault(body.outbox, set())
            self.twice += body.seq in known
            known.add(body.seq)
        if self.acking:
            self.tell(node, Down.ACKS, Acks(outbox=body.outbox, committed=[(body.seq, body.seq)]))

    @property
    def got_count(self) -> int:
        """Messages that came at least once."""
        return sum(len(known) for known in self.numbers.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the node's process holds in a quiet moment."""

    descriptors: int
    tasks: int
    threads: int
    dbus: int
    rss_kib: int


class Soak:
    """The node's program, its devices and its broker, and what can befall them."""

    def __init__(
        self, directory: Path, world: World, bus: str, broker: LocalBroker, ledger: Ledger, speed: float
    ) -> None:
        self.world, self.bus, self.broker, self.ledger = world, bus, broker, ledger
        self.outbox = directory / "state" / "outbox.db"
        self._directory, self._speed = directory, speed
        self._chance = random.Random(20)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.faults: tuple[Callable[[], Awaitable[None]], ...] = (
            self._link_lost, self._connects_fail, self._radio_off, self._out_of_range, self._mute,
            self._replugged, self._noise, self._odd_notifications, self._measure, self._clock_jumps,
            self._server_silent, self._broker_killed, self._daemon_restarted,
        )  # fmt: skip

    # ---- the program
    def start(self, health_port: int) -> None:
        """Start the node at its speed, with the settings that were written to ``node.toml``."""
        self._port = health_port
        path = self._directory / "node.toml"
        with (self._directory / "node.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.edge_fast_time", str(path), str(self._speed)],
                cwd=ROOT, stderr=log,
            )  # fmt: skip

    async def stop(self) -> int:
        """End it as systemd would, while its devices still answer; returns its exit status."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.terminate()
        try:
            return await asyncio.to_thread(process.wait, 20)
        finally:
            process.kill()
            process.wait(5)

    @property
    def pid(self) -> int:
        """Of the node."""
        assert self._process is not None
        return self._process.pid

    async def health(self) -> dict[str, Any]:
        """The health document; one that says nothing while the node does not answer in time."""
        return await asyncio.to_thread(self._health)

    def _health(self) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._port}/health"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                found = json.load(error)
        except (OSError, ValueError):
            found = {"ok": False, "devices": [], "problems": []}
        return found

    # ---- faults, one after another
    async def round(self) -> None:
        """Let everything befall the node once."""
        for fault in self.faults:
            await fault()
            await pause(PAUSE_S)

    async def _link_lost(self) -> None:
        self.world.do({"do": "drop-link", "device": DRIP})

    async def _connects_fail(self) -> None:
        errors = self.world.bluez.peripherals[DRIP].radio.connect_errors
        errors.extend(("le-connection-abort-by-local", "br-connection-canceled", "In Progress"))
        await self._link_lost()

    async def _radio_off(self) -> None:
        self.world.do({"do": "power", "on": False})
        await pause(PAUSE_S)
        self.world.do({"do": "power", "on": True})

    async def _out_of_range(self) -> None:
        self.world.do({"do": "range", "device": DRIP, "in": False})
        await pause(PAUSE_S)
        self.world.do({"do": "range", "device": DRIP, "in": True})

    async def _mute(self) -> None:
        self.world.do({"do": "mute", "device": DRIP, "on": True})
        await pause(PAUSE_S)
        self.world.do({"do": "mute", "device": DRIP, "on": False})

    async def _replugged(self) -> None:
        """Out and in again under another name of the same pattern, then back."""
        line = self.world.oximeters[PORT].line
        own = line.path
        for path in (own.with_name("nonin-2"), own):
            line.unplug()
            await pause(PAUSE_S)
            line.path = path
            line.plug()
            await pause(PAUSE_S)

    async def _noise(self) -> None:
        self.world.oximeters[PORT].line.send(self._chance.randbytes(500))

    async def _odd_notifications(self) -> None:
        peripheral, sensor = self.world.bluez.peripherals[DRIP], self.world.sensors[DRIP]
        peripheral.radio.repeat = 2
        uuid = sensor.services[1].characteristics[0].uuid
        frame = sensor.frame()
        for length in range(len(frame)):
            peripheral._notify(uuid, frame[:length])
        await pause(PAUSE_S)
        peripheral.radio.repeat = 1

    async def _measure(self) -> None:
        self.world.do({"do": "measure", "device": METER})

    async def _clock_jumps(self) -> None:
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            os.kill(self.pid, number)
            await pause(PAUSE_S)

    async def _server_silent(self) -> None:
        self.ledger.acking = False
        await pause(2 * PAUSE_S)
        self.ledger.acking = True

    async def _broker_killed(self) -> None:
        await asyncio.to_thread(self.broker.kill)
        await pause(PAUSE_S)
        await asyncio.to_thread(self.broker.start)

    async def _daemon_restarted(self) -> None:
        """A new daemon that knows nothing but the bond, which it keeps on disk."""
        await self.world.bluez.stop()
        await pause(PAUSE_S)
        self.world.bluez = SimulatedBluez([*self.world.sensors.values(), *self.world.meters.values()])
        await self.world.bluez.start(self.bus)
        self.world.bluez.peripherals[METER].bond()

    # ---- what is left
    async def steady(self) -> Held:
        """Wait until the node is well again, and tell the least it holds in a few looks."""
        until = time.monotonic() + STEADY_S
        while not self._is_well(found := await self.health()):
            assert time.monotonic() < until, (found["problems"], found["devices"])
            await pause(0.1)
        await pause(1.0)
        looks = [await self._held() for _ in range(SAMPLES)]
        return Held(
            descriptors=min(one.descriptors for one in looks), tasks=min(one.tasks for one in looks),
            threads=min(one.threads for one in looks), dbus=min(one.dbus for one in looks),
            rss_kib=min(one.rss_kib for one in looks),
        )  # fmt: skip

    @staticmethod
    def _is_well(health: dict[str, Any]) -> bool:
        states = {device["uid"]: device["state"] for device in health["devices"]}
        needed = {states.get(DRIP_UID), states.get(f"serial:{PORT}")}
        return needed == {"streaming"} and not [
            one for one in health["problems"] if one["code"] != "clock-unset"
        ]

    async def _held(self) -> Held:
        await pause(0.1)
        while "process" not in (document := await self.health()):
            await pause(0.1)
        figures = document["process"]
        return Held(
            descriptors=figures["descriptors"], tasks=figures["tasks"], threads=figures["threads"],
            dbus=await self._dbus_connections(), rss_kib=figures["resident_kib"],
        )  # fmt: skip

    async def _dbus_connections(self) -> int:
        bus = await MessageBus(bus_address=self.bus).connect()
        try:
            names = (await _ask(bus, "ListNames"))[0]
            return len([name for name in names if name.startswith(":") and await self._is_ours(bus, name)])
        finally:
            bus.disconnect()

    async def _is_ours(self, bus: MessageBus, name: str) -> bool:
        answer = await _ask(bus, "GetConnectionUnixProcessID", name)
        return bool(answer) and answer[0] == self.pid

    def missing(self) -> set[int]:
        """Numbers that neither the server got nor the outbox still holds, after the node has ended."""
        (outbox,) = self.ledger.numbers
        got = self.ledger.numbers[outbox] | {row["seq"] for row in outbox_tool.export(self.outbox)}
        return set(range(1, max(got) + 1)) - got


async def _ask(bus: MessageBus, member: str, *body: str) -> list[Any]:
    daemon = "org.freedesktop.DBus"
    reply = await bus.call(
        Message(
            destination=daemon, path="/org/freedesktop/DBus", interface=daemon, member=member,
            signature="s" * len(body), body=list(body),
        )
    )  # fmt: skip
    return reply.body if reply is not None and reply.message_type is MessageType.METHOD_RETURN else []


async def pause(real_s: float) -> None:
    """Wait real seconds in a loop whose seconds are shorter."""
    await asyncio.to_thread(threading.Event().wait, real_s)
