"""What happens to the simulated devices over time, written down in TOML and played from a seed.

A scenario holds the devices (as in a simulation file) and events. An event names a moment, a device and
one of the words of :data:`WORDS`; ``spread_s`` shifts its moment at random, always alike for one seed.
Everything that is played is simulated and marked as demonstration.
"""

from __future__ import annotations

import asyncio
import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clinical.errors import BadInputError
from edge_node.settings import SimulationSettings

Word = Literal[
    "drip", "rate", "occlusion", "free-flow", "empty", "bag-change", "sensor-off", "sensor-on",
    "vitals", "desaturation", "recovery", "artefact", "out-of-range", "in-range", "mute", "unmute",
    "drop-link", "radio-off", "radio-on", "unplug", "plug", "measure",
]  # fmt: skip
FREE_FLOW_GTT_MIN = 240.0
DESATURATED, DESATURATED_PULSE = 84, 118
RESTED, RESTED_PULSE = 97, 72
ARTEFACT_S = 4.0


class Event(BaseModel):
    """One thing that happens; ``every_s`` and ``times`` repeat it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: Annotated[float, Field(ge=0)]
    do: Word
    device: str = ""
    gtt_min: Annotated[float, Field(ge=0, le=600)] | None = None
    volume_ml: Annotated[float, Field(ge=0, le=5000)] | None = None
    spo2: Annotated[int, Field(ge=0, le=100)] | None = None
    pulse: Annotated[int, Field(ge=18, le=321)] | None = None
    spread_s: Annotated[float, Field(ge=0)] = 0.0
    every_s: Annotated[float, Field(gt=0)] | None = None
    times: Annotated[int, Field(ge=1, le=100_000)] = 1


class ScenarioFile(BaseModel):
    """A whole scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int = 1
    devices: SimulationSettings = SimulationSettings()
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request to the simulated devices, at its moment in seconds since the beginning."""

    at_s: float
    event: str
    request: Mapping[str, Any]


class Stage(Protocol):
    """Where a scenario is played: the simulated devices."""

    def do(self, request: object) -> dict[str, Any]:
        """Do one thing."""


class Scenario:
    """A scenario, ready to be played: the same file gives the same steps, always."""

    def __init__(self, file: ScenarioFile) -> None:
        self.name = file.name
        self.devices = file.devices
        self.steps = tuple(sorted(_steps(file), key=lambda step: step.at_s))

    async def play(
        self, stage: Stage, speed: float = 1.0, told: Callable[[dict[str, Any]], None] = lambda _event: None
    ) -> None:
        """Play to the end.

        Args:
            stage: The devices.
            speed: How much faster than written the events follow each other.
            told: Called with each step that was played.

        Raises:
            BadInputError: A step has a wrong value.
            NotFoundError: A step names a device that is not there.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        for step in self.steps:
            await asyncio.sleep(max(began + step.at_s / speed - loop.time(), 0))
            stage.do(dict(step.request))
            told({"at_s": round(step.at_s, 3), "event": step.event, **step.request, "generation": "Demo"})


def load_scenario(path: Path) -> Scenario:
    """Read a scenario.

    Raises:
        BadInputError: Missing, not TOML, or a key is unknown or wrong; one line with file and key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return Scenario(ScenarioFile(**raw))
    except OSError as error:
        raise BadInputError("scenario-missing", f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise BadInputError("scenario-syntax", f"{path} is not a scenario: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
        )
        raise BadInputError("scenario", f"{path}: {wrong}") from error


def _steps(file: ScenarioFile) -> Iterator[Step]:
    chance = random.Random(file.seed)
    for event in file.events:
        for turn in range(event.times):
            shift = chance.uniform(-event.spread_s, event.spread_s)
            at_s = max(event.at_s + turn * (event.every_s or 0.0) + shift, 0.0)
            for delay_s, request in _requests(event):
                yield Step(at_s=at_s + delay_s, event=event.do, request=request)


def _requests(event: Event) -> list[tuple[float, dict[str, Any]]]:
    """What one word means to the devices, and after how many seconds."""
    on = {"device": event.device}
    match event.do:
        case "drip" | "bag-change":
            hung = {"gtt_min": event.gtt_min or 0.0, "volume_ml": event.volume_ml or 0.0}
            return [(0.0, {"do": "drip", **on, **hung})]
        case "rate" | "free-flow" | "occlusion":
            usual = {"rate": 0.0, "occlusion": 0.0, "free-flow": FREE_FLOW_GTT_MIN}[event.do]
            rate = usual if event.gtt_min is None else event.gtt_min
            return [(0.0, {"do": "rate", **on, "gtt_min": rate})]
        case "empty":
            return [(0.0, {"do": "drip", **on, "gtt_min": 0.0, "volume_ml": 0.0})]
        case "vitals" | "desaturation" | "recovery" | "artefact":
            return _vitals(event)
        case _:
            return [(0.0, _link_request(event))]


def _vitals(event: Event) -> list[tuple[float, dict[str, Any]]]:
    request: dict[str, Any] = {"do": "vitals", "device": event.device}
    rested = {**request, "spo2": RESTED, "pulse": RESTED_PULSE}
    match event.do:
        case "desaturation":
            low = {"spo2": event.spo2 or DESATURATED, "pulse": event.pulse or DESATURATED_PULSE}
            return [(0.0, {**request, **low})]
        case "recovery":
            return [(0.0, rested)]
        case "artefact":
            return [(0.0, {**request, "spo2": None, "pulse": None}), (ARTEFACT_S, rested)]
        case _:
            given = {"spo2": event.spo2, "pulse": event.pulse}
            return [(0.0, {**request, **{name: value for name, value in given.items() if value is not None}})]


LINK_WORDS: Mapping[str, dict[str, Any]] = {
    "sensor-off": {"do": "detach", "on": True},
    "sensor-on": {"do": "detach", "on": False},
    "mute": {"do": "mute", "on": True},
    "unmute": {"do": "mute", "on": False},
    "out-of-range": {"do": "range", "in": False},
    "in-range": {"do": "range", "in": True},
    "drop-link": {"do": "drop-link"},
    "radio-off": {"do": "power", "on": False},
    "radio-on": {"do": "power", "on": True},
    "unplug": {"do": "unplug"},
    "plug": {"do": "plug"},
    "measure": {"do": "measure"},
}
"""What the words about links, cables and meters mean."""


def _link_request(event: Event) -> dict[str, Any]:
    request = dict(LINK_WORDS[event.do])
    return request if request["do"] == "power" else {**request, "device": event.device}
