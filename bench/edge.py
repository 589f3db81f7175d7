"""Measures one bedside node under load: 30 Bluetooth and 4 serial devices at 1 Hz, 2 waves at 250 samples/s.

A real node program runs against a real broker (TLS, QoS 1), a real D-Bus with a simulated BlueZ, and
pseudo-terminals; a stand-in for the server acknowledges what it gets. The devices are simulated in this
process, so that their work is not counted. Decoding is measured beside it: the median time of one frame
through each profile, from its own vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import edge_decoders
from broker.local import LocalBroker
from broker.messages import Readings
from broker.messages import decode as decode_message
from edge_node.settings import DripPeripheral, SerialInstrument, ble_uid
from edge_node.simulators.bluez import SimulatedBluez
from edge_node.simulators.drip_sensor import DripSensor
from edge_node.simulators.oximeter import Oximeter
from edge_node.simulators.private_bus import private_bus
from edge_node.simulators.pseudo_terminal import every
from firmware_profiles import registry, vectors
from firmware_profiles.decode import Context, decode
from tests.support.pki import Pki
from tests.support.ward_server import WardServer

NAME = "edge"
BLE_DEVICES = 30
SERIAL_DEVICES = 4
WAVES = 2
WAVE_HZ = 250
WAVE_PACKET = 25
ROUNDS = 15
NODE = "bench"
ROOT = Path(__file__).resolve().parents[1]
SETTLE_S = 5.0
CONNECT_S = 60.0
CPU_LIMIT, RSS_LIMIT_MIB = 25.0, 80.0


def decode_medians(rounds: int = ROUNDS) -> dict[str, float]:
    """Median microseconds of decoding one accepted frame, by profile."""
    found = {}
    for profile in registry.load():
        inputs = [
            (one.stream, vectors.payload(one), Context(mac=one.mac, key=bytes.fromhex(one.key)))
            for one in profile.vectors
            if one.reject is None
        ]
        times = []
        for _ in range(rounds):
            for stream, data, context in inputs:
                began = time.perf_counter_ns()
                decode(profile, stream, data, context)
                times.append(time.perf_counter_ns() - began)
        if times:
            found[profile.id] = round(statistics.median(times) / 1000, 1)
    return found


class FastOximeter(Oximeter):
    """An oximeter whose wave has 250 samples a second, to load a line as an electrocardiograph would."""

    async def run(self) -> None:
        """Send for ever, ten packets of 25 samples a second."""
        self.line.plug()
        try:
            while True:
                await every(WAVE_PACKET / WAVE_HZ)
                self.line.send(self.packet())
        finally:
            self.line.unplug()


class Room:
    """Every simulated device, in this process: its work is not the node's."""

    def __init__(self, directory: Path) -> None:
        now_s = asyncio.get_running_loop().time
        self.ports = directory / "ports"
        self.ports.mkdir()
        self.sensors = [
            DripSensor(DripPeripheral(kind="wardlink_drip", address=_address(number), seed=number), now_s)
            for number in range(BLE_DEVICES)
        ]
        for sensor in self.sensors:
            sensor.hang(1000, 60)
        self.oximeters = [
            (FastOximeter if number < WAVES else Oximeter)(
                SerialInstrument(kind="nonin_oem3", name=f"nonin-{number}", seed=number), self.ports, now_s
            )
            for number in range(SERIAL_DEVICES)
        ]
        self.bluez = SimulatedBluez(list(self.sensors))

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs while the room is open."""
        return [one.run_down() for one in self.sensors] + [one.run() for one in self.oximeters]


def _address(number: int) -> str:
    return f"C0:00:00:00:02:{number:02X}"


class Server(WardServer):
    """Notes how long each live message took from the frame's arrival to its own."""

    def __init__(self, pki: Pki, port: int) -> None:
        super().__init__(pki, port)
        self.delays_ms: list[float] = []
        self.values = 0

    def _received(self, client: object, data: object, message: Any) -> None:
        super()._received(client, data, message)
        if message.topic.endswith("/up/readings"):
            reading = decode_message(message.payload, Readings)
            self.values += len(reading.values)
            self.delays_ms.append((datetime.now(UTC) - reading.effective).total_seconds() * 1000)


def _settings(directory: Path, room: Room, bus: str, broker: LocalBroker, pki: Pki) -> Path:
    pair = pki.client(NODE)
    bound = "".join(
        f'[[devices]]\nuid = "{ble_uid(one.address)}"\nprofile = "wardlink_drip"\naddress = "{one.address}"\n'
        for one in room.sensors
    )
    path = directory / "node.toml"
    path.write_text(
        f"""
[node]
id = "{NODE}"
state_dir = "{directory / "state"}"
generation = "Demo"
[mqtt]
host = "127.0.0.1"
port = {broker.port}
ca_file = "{pki.ca_file}"
cert_file = "{pair.cert}"
key_file = "{pair.key}"
[bluetooth]
bus = "{bus}"
[serial]
directory = "{room.ports}"
[[serial.ports]]
glob = "nonin*"
profile = "nonin_oem3"
{bound}"""
    )
    return path


@dataclass(frozen=True)
class Used:
    """What a process has taken so far."""

    cpu_s: float
    rss_mib: float

    @staticmethod
    def of(pid: int) -> Used:
        """Read it from the kernel."""
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return Used(
            cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
            rss_mib=pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20),
        )


async def load(directory: Path, seconds: float) -> dict[str, Any]:
    """Run a real node program on a real broker and D-Bus, and watch it."""
    pki = Pki(directory / "pki")
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(
            LocalBroker(directory / "broker", pki.ca_file, pki.server.cert, pki.server.key)
        )
        bus = stack.enter_context(private_bus())
        server = Server(pki, broker.port)
        server.start()
        stack.callback(server.stop)
        room = Room(directory)
        await room.bluez.start(bus)
        stack.push_async_callback(room.bluez.stop)
        working = [asyncio.ensure_future(one) for one in room.work()]
        config = _settings(directory, room, bus, broker, pki)
        with (directory / "node.log").open("w") as log:
            node = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "deploy.cli", "edge", "--config", str(config), cwd=ROOT, stderr=log
            )
        try:
            return await _watched(node.pid, room, server, seconds)
        finally:
            node.terminate()
            await node.wait()
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


async def _watched(pid: int, room: Room, server: Server, seconds: float) -> dict[str, Any]:
    connected_s = await _all_connected(room)
    await asyncio.sleep(SETTLE_S)
    server.delays_ms, server.values = [], 0
    before, began = Used.of(pid), time.monotonic()
    await asyncio.sleep(seconds)
    after, wall = Used.of(pid), time.monotonic() - began
    delays = sorted(server.delays_ms)
    return {
        "cpu_percent": round(100 * (after.cpu_s - before.cpu_s) / wall, 1),
        "rss_mib": round(after.rss_mib, 1),
        "readings_per_s": round(len(delays) / wall, 1),
        "values_per_s": round(server.values / wall, 1),
        "connect_all_s": round(connected_s, 1),
        "first_byte_to_publish_ms": {
            "p50": round(delays[len(delays) // 2], 1),
            "p99": round(delays[int(len(delays) * 0.99)], 1),
        },
    }


async def _all_connected(room: Room) -> float:
    began = time.monotonic()
    async with asyncio.timeout(CONNECT_S):
        while not all(one.connected for one in room.bluez.peripherals.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return time.monotonic() - began


def document(seconds: float = 20.0) -> dict[str, Any]:
    """Everything, as one document."""
    with tempfile.TemporaryDirectory(prefix="wardlink-bench-") as directory:
        loaded = asyncio.run(load(Path(directory), seconds))
    return {
        "ble_devices": BLE_DEVICES,
        "serial_devices": SERIAL_DEVICES,
        "waves": f"{WAVES} at {WAVE_HZ} samples/s",
        "seconds": seconds,
        **loaded,
        "ok": loaded["cpu_percent"] <= CPU_LIMIT and loaded["rss_mib"] <= RSS_LIMIT_MIB,
        "limits": {"cpu_percent": CPU_LIMIT, "rss_mib": RSS_LIMIT_MIB},
        "decode_us_median": decode_medians(),
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Entry of a bench registry; ``args.seconds`` may say how long the load lasts."""
    return document(float(getattr(args, "seconds", None) or 20.0))


def measure() -> list[dict[str, Any]]:
    """The load of one node, and its decoding beside that of TheengsDecoder, as ``wardlink bench`` prints."""
    return [{"id": "edge-node-load", **document()}, *edge_decoders.compare()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    print(json.dumps(run(parser.parse_args()), indent=2))
