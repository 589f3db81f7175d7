"""A simulated Nonin OEM III on a serial line: three packets of 25 frames a second, with a pulse wave.

The bytes of each packet are made by the profile that reads them; the wave follows the set pulse rate, and a
little seeded noise makes the numbers live.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

from edge_node.settings import SerialInstrument
from edge_node.simulators.pseudo_terminal import SerialLine, every
from firmware_profiles import registry
from firmware_profiles.encode import encode

PROFILE = "nonin_oem3"
RATE_HZ = 75
FRAMES = 25
MIDDLE = 128
SWING = 90
WANDER_S = 20.0
PULSE_VALUES = ("pr", "pr_d", "e_pr", "e_pr_d")
SPO2_VALUES = ("spo2", "spo2_d", "spo2_fast", "spo2_beat", "e_spo2", "e_spo2_d")


class Oximeter:
    """One oximeter on one finger.

    Args:
        settings: Name and first values.
        directory: Where the port's link is made.
    """

    def __init__(self, settings: SerialInstrument, directory: Path, now_s: Callable[[], float]) -> None:
        self.name = settings.name
        self.spo2: int | None = settings.spo2
        self.pulse: int | None = settings.pulse
        self.rested = (settings.spo2, settings.pulse)
        self.line = SerialLine(directory / settings.name)
        self._profile = registry.load().get(PROFILE)
        self._stream = next(iter(self._profile.streams.values()))
        self._chance = random.Random(settings.seed)
        self._phase = 0.0
        self._now_s = now_s

    def packet(self) -> bytes:
        """The next 25 frames: every average the instrument sends says the same."""
        pulse = self._lively(self.pulse)
        values: dict[str, int | list[int] | None] = {"pleth": [self._sample(pulse) for _ in range(FRAMES)]}
        values |= dict.fromkeys(PULSE_VALUES, pulse) | dict.fromkeys(SPO2_VALUES, self.spo2)
        return encode(self._profile, self._stream.id, values)

    def _lively(self, pulse: int | None) -> int | None:
        if pulse is None:
            return None
        return pulse + round(math.sin(self._now_s() * 2 * math.pi / WANDER_S))

    def _sample(self, pulse: int | None) -> int:
        """One point of a pulse wave: a steep rise, a notch, a slow fall."""
        if pulse is None:
            return 0
        self._phase = (self._phase + pulse / 60 / RATE_HZ) % 1.0
        rise = math.sin(2 * math.pi * self._phase)
        notch = 0.35 * math.sin(4 * math.pi * self._phase + 0.6)
        level = MIDDLE + SWING * (rise + notch) / 1.35 + self._chance.gauss(0, 1)
        return max(0, min(255, int(level)))

    async def run(self) -> None:
        """Send for ever, three packets a second, while plugged."""
        self.line.plug()
        try:
            while True:
                await every(FRAMES / RATE_HZ)
                self.line.send(self.packet())
        finally:
            self.line.unplug()
