"""Faults between a device and its node."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import structlog

from clinical.errors import ConflictError
from clinical.records import Generation
from edge_node import health
from edge_node.adapters.ble import Heard
from edge_node.adapters.serial_port import LineSettings, SerialDirectory, SerialTransport
from edge_node.main import App
from edge_node.node import Node
from edge_node.ports import Frame, Wire
from edge_node.sessions import Backoff, Session, keep
from edge_node.settings import SerialInstrument
from edge_node.simulators.oximeter import Oximeter
from firmware_profiles import registry
from firmware_profiles.decode import decode
from firmware_profiles.framing import Framer
from firmware_profiles.load import parse
from firmware_profiles.match import Advertisement, match
from firmware_profiles.registry import Registry
from tests.support.edge_bench import NODE, Bench, Time, events

NONIN = registry.load().get("nonin_oem3")


def packets(count: int, tmp_path: Path) -> bytes:
    made = Oximeter(SerialInstrument(kind="nonin_oem3", name="x"), tmp_path, lambda: 0.0)
    return b"".join(made.packet() for _ in range(count))


def at_wrong_speed(data: bytes, factor: float, seed: int) -> bytes:
    """What a receiver makes of a line whose bits last ``factor`` times as long as it thinks."""
    bits = []
    for byte in data:
        bits += [0, *((byte >> place) & 1 for place in range(8)), 1]
    chance, found, at = random.Random(seed), bytearray(), 0.0
    while at + 10 < len(bits) * factor:
        start = int(at / factor)
        if start < len(bits) and bits[start]:
            at += chance.uniform(0.2, 0.4)
            continue
        value = 0
        for place in range(8):
            sample = int((at + place + 1.5) / factor)
            value |= (bits[sample] if sample < len(bits) else 1) << place
        found.append(value)
        at += 10
    return bytes(found)


@pytest.mark.requirement("R-EDGE-29")
@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0, 12.0])
@pytest.mark.parametrize("seed", range(5))
def test_at_a_wrong_line_speed_no_value_is_invented(tmp_path: Path, factor: float, seed: int) -> None:
    framer = Framer(NONIN, "packet")
    noise = at_wrong_speed(packets(20, tmp_path), factor, seed)
    frames = framer.feed(noise)
    assert [frame for frame in frames if decode(NONIN, "packet", frame).accepted] == []
    assert framer.discarded > len(noise) // 2


@pytest.mark.requirement("R-EDGE-29")
@pytest.mark.slow
def test_a_cable_replugged_under_another_name_goes_on(tmp_path: Path) -> None:
    clock, frames = Time().clock(), {"nonin-a": 0, "nonin-b": 0}

    async def scene() -> None:
        directory = SerialDirectory(tmp_path, [("nonin*", "nonin_oem3")], 0.05)
        tasks = []

        def attach(name: str, _profile: str) -> None:
            transport = SerialTransport(
                directory, name, tmp_path / name, LineSettings(baud=9600), "packet",
                lambda: Framer(NONIN, "packet"), clock.now,
            )  # fmt: skip

            def count(_session: Session, _frame: Frame) -> None:
                frames[name] += 1

            session = Session(f"serial:{name}", "nonin_oem3", lambda _step: None)
            tasks.append(
                asyncio.ensure_future(keep(session, transport, count, Backoff(random.Random(1)), 2.0))
            )

        tasks.append(asyncio.ensure_future(directory.run(attach, lambda _name: None)))
        try:
            for name in list(frames):
                oximeter = Oximeter(
                    SerialInstrument(kind="nonin_oem3", name=name), tmp_path, asyncio.get_running_loop().time
                )
                running = asyncio.ensure_future(oximeter.run())
                async with asyncio.timeout(10):
                    while frames[name] < 2:  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scene())
    assert min(frames.values()) >= 2


TWIN = """
schema = 1
[profile]
id = "{name}"
vendor = "x"
model = "x"
kind = "x"
transport = "ble-advert"
trust = "own"
sources = ["this test"]
[[match]]
name_regex = "^TWIN"
[[stream]]
id = "s"
source = "advert"
mode = "manufacturer-data"
field = [{{ name = "f", type = "u8" }}]
value = [{{ name = "v", source = "f" }}]
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.db", Time())
    yield made
    for store in made.made:
        store.close()


@pytest.fixture
def twins() -> Registry:
    return Registry({name: parse(TWIN.format(name=name), path=name) for name in ("one", "two")})


@pytest.mark.requirement("R-EDGE-28")
def test_an_advert_that_two_profiles_claim_is_left_alone_and_told_once(twins: Registry, bench: Bench) -> None:
    with pytest.raises(ConflictError, match="one, two"):
        match(twins, Advertisement(name="TWIN-1"))
    node = Node(
        node_id=NODE, version="1", generation=Generation.DEMO, clock=bench.time.clock(),
        outbox=bench.open(), wire=cast("Wire", None),
    )  # fmt: skip
    app = App.__new__(App)
    app._profiles, app._listeners, app.node = twins, {}, node
    app._settings = type("NoDevices", (), {"devices": ()})()
    heard = Heard(
        address="C0:00:00:00:00:01", name="TWIN-1", service_uuids=(), manufacturer_data={},
        service_data={}, rssi=-50,
    )  # fmt: skip
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            app._heard(heard)
    assert [(one["event"], one["profiles"]) for one in logs] == [("device-ambiguous", ["one", "two"])]
    (shown,) = health.document(node.health)["ambiguous"]
    assert (shown["uid"], shown["profiles"]) == ("ble:c0-00-00-00-00-01", ["one", "two"])
    assert shown["text"]["zh"] != shown["text"]["en"]
    assert events(node.outbox, "device-unknown") == []
    assert [one.detail["profiles"] for one in events(node.outbox, "device-ambiguous")] == ["one, two"]
