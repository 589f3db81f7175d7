from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clinical.errors import BadInputError, NotFoundError
from edge_node.settings import SimulationSettings
from edge_node.simulators.scenario import LINK_WORDS, Scenario, ScenarioFile, Word, load_scenario
from edge_node.simulators.world import World

DRIP = "C0:00:00:00:01:01"
SHIFT = f"""
name = "one bag, with everything that can go wrong"
seed = 7
[[devices.peripherals]]
kind = "wardlink_drip"
address = "{DRIP}"
[[devices.serials]]
kind = "nonin_oem3"
name = "nonin-1"
[[events]]
at_s = 0
do = "drip"
device = "{DRIP}"
gtt_min = 60
volume_ml = 100
[[events]]
at_s = 60
do = "occlusion"
device = "{DRIP}"
spread_s = 5
[[events]]
at_s = 120
do = "free-flow"
device = "{DRIP}"
[[events]]
at_s = 130
do = "bag-change"
device = "{DRIP}"
gtt_min = 40
volume_ml = 250
[[events]]
at_s = 140
do = "desaturation"
device = "serial:nonin-1"
[[events]]
at_s = 150
do = "artefact"
device = "serial:nonin-1"
every_s = 20
times = 3
spread_s = 4
"""


class Recorder:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def do(self, request: object) -> dict[str, Any]:
        assert isinstance(request, dict)
        self.requests.append(request)
        return {"ok": True}


@pytest.fixture
def shift(tmp_path: Path) -> Path:
    path = tmp_path / "shift.toml"
    path.write_text(SHIFT)
    return path


@pytest.mark.requirement("R-EDGE-26")
def test_the_same_seed_plays_the_same_shift(shift: Path) -> None:
    assert load_scenario(shift).steps == load_scenario(shift).steps
    other = shift.with_name("other.toml")
    other.write_text(SHIFT.replace("seed = 7", "seed = 8"))
    assert load_scenario(other).steps != load_scenario(shift).steps


def test_a_shift_is_played_in_order_and_each_step_says_that_it_is_a_demonstration(shift: Path) -> None:
    stage, told = Recorder(), []
    asyncio.run(load_scenario(shift).play(stage, 10_000, told.append))
    assert [one["event"] for one in told][:5] == [
        "drip",
        "occlusion",
        "free-flow",
        "bag-change",
        "desaturation",
    ]
    assert len(told) == 5 + 3 * 2
    assert {one["generation"] for one in told} == {"Demo"}
    assert stage.requests[0] == {"do": "drip", "device": DRIP, "gtt_min": 60.0, "volume_ml": 100.0}
    assert stage.requests[1] == {"do": "rate", "device": DRIP, "gtt_min": 0.0}
    assert stage.requests[2]["gtt_min"] == 240


def test_every_word_does_something_that_the_simulated_devices_know(tmp_path: Path) -> None:
    devices = SimulationSettings.model_validate(
        {
            "peripherals": [
                {"kind": "wardlink_drip", "address": DRIP},
                {"kind": "sig_glucose", "address": "C0:00:00:00:01:02"},
            ],
            "serials": [{"kind": "nonin_oem3", "name": "nonin-1"}],
        }
    )
    of_oximeters = {"vitals", "desaturation", "recovery", "artefact", "unplug", "plug"}

    def device(word: str) -> str:
        if word == "measure":
            return "C0:00:00:00:01:02"
        return "nonin-1" if word in of_oximeters else DRIP

    async def scene() -> None:
        world = World(devices, tmp_path)
        for word in Word.__args__:  # type: ignore[attr-defined]
            event = {"at_s": 0, "do": word, "device": device(word), "spo2": 90}
            file = ScenarioFile.model_validate({"name": "x", "events": [event]})
            await Scenario(file).play(world, 10_000)
        for line in world.oximeters.values():
            line.line.unplug()

    asyncio.run(scene())
    assert set(LINK_WORDS) < set(Word.__args__)  # type: ignore[attr-defined]


def test_a_sensor_that_fell_off_counts_none_of_the_drops_that_fall_meanwhile(tmp_path: Path) -> None:
    async def scene() -> None:
        devices = SimulationSettings.model_validate(
            {"peripherals": [{"kind": "wardlink_drip", "address": DRIP}]}
        )
        world = World(devices, tmp_path)
        sensor = world.sensors[DRIP]
        clock = [0.0]
        sensor._now_s = lambda: clock[0]
        sensor._on_s = 0.0
        world.do({"do": "drip", "device": DRIP, "gtt_min": 60, "volume_ml": 10})
        clock[0] = 20
        world.do({"do": "detach", "device": DRIP, "on": True})
        before = sensor.counted
        clock[0] = 40
        sensor.frame()
        assert sensor.counted == before == pytest.approx(20, abs=2)
        world.do({"do": "detach", "device": DRIP, "on": False})
        clock[0] = 60
        sensor.frame()
        assert sensor.counted == pytest.approx(before + 20, abs=2)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name = ", "scenario-syntax"),
        ("name = 'x'\n[[events]]\nat_s = -1\ndo = 'drip'", "scenario"),
        ("name = 'x'\n[[events]]\nat_s = 1\ndo = 'dance'", "scenario"),
        ("name = 'x'\nevents = []\ncolour = 1", "scenario"),
    ],
)
def test_a_wrong_scenario_says_where(tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(BadInputError) as caught:
        load_scenario(path)
    assert caught.value.code == code
    with pytest.raises(BadInputError, match="cannot read"):
        load_scenario(tmp_path / "none.toml")


def test_a_step_for_a_device_that_is_not_there_stops_the_play(tmp_path: Path) -> None:
    async def scene() -> None:
        world = World(SimulationSettings(), tmp_path)
        event = {"at_s": 0, "do": "measure", "device": "C0:00:00:00:01:02"}
        await Scenario(ScenarioFile.model_validate({"name": "x", "events": [event]})).play(world)

    with pytest.raises(NotFoundError):
        asyncio.run(scene())


@pytest.mark.slow
def test_the_simulator_plays_a_scenario_as_a_program(shift: Path) -> None:
    program = subprocess.Popen(
        [
            sys.executable, "-m", "deploy.cli", "edge", "simulate",
            "--scenario", str(shift), "--speed", "200",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert program.stdout is not None
    lines = [json.loads(program.stdout.readline()) for _ in range(12)]
    program.terminate()
    assert program.wait(10) == 0
    program.stdout.close()
    assert lines[0]["ready"]
    assert [line["event"] for line in lines[1:3]] == ["drip", "occlusion"]
