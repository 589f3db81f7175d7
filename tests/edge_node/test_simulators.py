from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.errors import BadInputError, NotFoundError, UnavailableError
from edge_node.settings import DripPeripheral, SerialInstrument, SimulationSettings
from edge_node.simulators import private_bus as bus_module
from edge_node.simulators.drip import COUNTER_MODULUS, Drip
from edge_node.simulators.drip_sensor import DripSensor
from edge_node.simulators.oximeter import Oximeter
from edge_node.simulators.pseudo_terminal import SerialLine
from edge_node.simulators.world import World, running
from firmware_profiles import registry
from firmware_profiles.decode import decode
from firmware_profiles.framing import Framer

DRIP = "C0:00:00:00:01:01"
SETTINGS = SimulationSettings(
    peripherals=(DripPeripheral(kind="wardlink_drip", address=DRIP, serial="0001"),),
    serials=(SerialInstrument(kind="nonin_oem3", name="nonin-1"),),
)


@given(rate=st.integers(5, 240), volume=st.floats(0, 20), seed=st.integers(0, 99), jitter=st.floats(0, 0.3))
def test_a_bag_gives_exactly_its_drops_and_then_nothing(
    rate: int, volume: float, seed: int, jitter: float
) -> None:
    drip = Drip(drops_per_ml=20, jitter=jitter, seed=seed)
    drip.hang(volume, rate, 0)
    last = 0
    for now in range(0, 20_000, 97):
        drip.advance(now)
        assert drip.total_drops >= last
        last = drip.total_drops
    assert drip.total_drops == int(volume * 20)
    assert drip.state.remaining_ml == 0
    assert drip.state.gtt_min == 0


def test_the_same_seed_gives_the_same_drops_however_often_one_looks() -> None:
    times = []
    for step in (0.1, 7.0):
        drip = Drip(drops_per_ml=20, jitter=0.1, seed=3)
        drip.hang(50, 60, 0)
        now = 0.0
        while now < 70:
            now += step
            drip.advance(now)
        drip.advance(70.0)
        times.append(drip.last_drop_s)
    assert times[0] == times[1]


def test_a_closed_clamp_lets_nothing_through_and_an_opened_one_goes_on() -> None:
    drip = Drip(drops_per_ml=20, jitter=0, seed=1)
    drip.hang(10, 60, 0)
    drip.set_rate(0, 10.5)
    assert drip.total_drops == 10
    drip.advance(100)
    assert drip.total_drops == 10
    drip.set_rate(120, 100)
    drip.advance(105.1)
    assert drip.total_drops == 20


def test_the_counter_wraps_as_32_bits_do() -> None:
    drip = Drip(drops_per_ml=20, jitter=0, seed=1)
    drip.total_drops = COUNTER_MODULUS - 1
    drip.hang(1, 60, 0)
    drip.advance(2.5)
    assert drip.total_drops == 1


def test_the_sensors_bytes_say_what_its_physics_did() -> None:
    now = [100.0]
    sensor = DripSensor(SETTINGS.peripherals[0], lambda: now[0])
    sensor.hang(5, 60)
    now[0] += 30
    values = decode(registry.load().get("wardlink_drip"), "drops", sensor.frame()).values
    assert values["drops"].value == sensor.drip.total_drops
    assert int(str(values["now"].value)) == 30_000
    assert values["battery"].value == 95


def test_the_oximeters_bytes_pass_the_framer_and_hold_pulse_saturation_and_a_wave(tmp_path: Path) -> None:
    profile = registry.load().get("nonin_oem3")
    oximeter = Oximeter(SETTINGS.serials[0], tmp_path, lambda: 0.0)
    framer = Framer(profile, "packet")
    frames = [frame for _ in range(6) for frame in framer.feed(oximeter.packet())]
    found = [decode(profile, "packet", frame) for frame in frames]
    assert len(found) == 6
    assert {str(one.values["spo2"].value) for one in found} == {"97"}
    wave = [sample for one in found for sample in one.values["pleth"].value or ()]  # type: ignore[union-attr]
    assert max(wave) - min(wave) > 100
    oximeter.spo2 = oximeter.pulse = None
    off = decode(profile, "packet", oximeter.packet())
    assert off.values["spo2"].value is None


def test_a_line_that_is_pulled_out_ends_for_its_reader_and_can_be_plugged_again(tmp_path: Path) -> None:
    line = SerialLine(tmp_path / "port")
    line.plug()
    reader = os.open(tmp_path / "port", os.O_RDONLY | os.O_NOCTTY)
    line.send(b"hello")
    assert os.read(reader, 10) == b"hello"
    line.unplug()
    line.unplug()
    line.send(b"lost")
    assert os.read(reader, 10) == b""
    os.close(reader)
    assert not (tmp_path / "port").exists()
    line.plug()
    assert line.plugged
    line.unplug()


def test_what_nobody_reads_is_lost_and_never_blocks(tmp_path: Path) -> None:
    line = SerialLine(tmp_path / "port")
    line.plug()
    for _ in range(2000):
        line.send(b"x" * 100)
    line.unplug()


def world(tmp_path: Path) -> World:
    async def make() -> World:
        return World(SETTINGS, tmp_path)

    return asyncio.run(make())


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ([], BadInputError),
        ({"do": "dance"}, NotFoundError),
        ({"do": "drip", "device": DRIP}, BadInputError),
        ({"do": "drip", "device": DRIP, "gtt_min": -1, "volume_ml": 1}, BadInputError),
        ({"do": "rate", "device": DRIP, "gtt_min": -1}, BadInputError),
        ({"do": "rate", "device": "C0:00:00:00:99:99", "gtt_min": 1}, NotFoundError),
        ({"do": "vitals", "device": "nobody", "spo2": 1}, NotFoundError),
    ],
)
def test_a_wrong_order_to_the_devices_is_refused(
    tmp_path: Path, request_: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        world(tmp_path).do(request_)


def test_the_control_socket_moves_the_devices_and_answers_nonsense_kindly() -> None:
    async def scene() -> list[dict[str, Any]]:
        async with running(SETTINGS) as (devices, address):
            assert address.startswith("unix:path=")
            reader, writer = await asyncio.open_unix_connection(devices.control_path)
            lines = [
                json.dumps({"do": "drip", "device": DRIP, "gtt_min": 60, "volume_ml": 2}).encode(),
                json.dumps({"do": "vitals", "device": "serial:nonin-1", "spo2": 88, "pulse": None}).encode(),
                json.dumps({"do": "unplug", "device": "nonin-1"}).encode(),
                json.dumps({"do": "plug", "device": "nonin-1"}).encode(),
                json.dumps({"do": "range", "device": DRIP, "in": False}).encode(),
                json.dumps({"do": "power", "on": False}).encode(),
                b"nonsense",
                json.dumps({"do": "dance"}).encode(),
                json.dumps({"do": "state"}).encode(),
            ]
            replies = []
            for line in lines:
                writer.write(line + b"\n")
                replies.append(json.loads(await reader.readline()))
            writer.close()
            await writer.wait_closed()
            return replies

    *_, nonsense, dance, state = asyncio.run(scene())
    assert (nonsense["code"], dance["code"]) == ("control-json", "control-action")
    assert state["serials"]["nonin-1"] == {"spo2": 88, "pulse": None, "plugged": True}
    assert state["drips"][DRIP]["remaining_ml"] <= 2
    assert state["powered"] is False


def test_without_a_dbus_daemon_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module.shutil, "which", lambda _name: None)
    with pytest.raises(UnavailableError, match="apt-get install"), bus_module.private_bus():
        pass
