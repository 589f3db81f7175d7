"""A simulated New Era syringe pump on a serial line: it answers questions, and remembers what it was told.

Its bytes are made by the profile that reads them. A command that would drive it is obeyed by no simulator: it
is kept in ``commands``, so that a test sees that none was ever sent.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from edge_node.simulators.pseudo_terminal import SerialLine
from firmware_profiles import registry
from firmware_profiles.encode import Given, encode

PROFILE = "new_era_ne1000"
QUESTIONS = {b"0RAT": "rate", b"0DIS": "dispensed", b"0": "status"}


class Pump:
    """One pump.

    Args:
        path: The link that the node opens.
        rate_ml_h: What it pumps.
    """

    def __init__(self, path: Path, rate_ml_h: Decimal) -> None:
        self.line = SerialLine(path)
        self.rate_ml_h = rate_ml_h
        self.volume_ml = Decimal("1.250")
        self.silent = False
        self.asked: list[bytes] = []
        self.commands: list[bytes] = []
        self._profile = registry.load().get(PROFILE)
        self._heard = bytearray()

    def _answer(self, question: bytes) -> None:
        stream = QUESTIONS.get(question)
        if stream is None:
            self.commands.append(question)
            return
        self.asked.append(question)
        if self.silent:
            return
        state: dict[str, Given] = {"state": "infusing", "address": 0}
        values: dict[str, dict[str, Given]] = {
            "rate": {**state, "rate": (self.rate_ml_h, "mL/h")},
            "dispensed": {
                "state": "infusing", "volume": (self.volume_ml, "mL"), "withdrawn": (Decimal("0.000"), "mL")
            },
            "status": state,
        }  # fmt: skip
        self.line.send(encode(self._profile, stream, values[stream]))

    async def run(self) -> None:
        """Answer for ever while plugged."""
        self.line.plug()
        try:
            while True:
                self._heard += await self.line.receive()
                while b"\r" in self._heard:
                    question, _, rest = bytes(self._heard).partition(b"\r")
                    self._heard[:] = rest
                    self._answer(question)
        finally:
            self.line.unplug()
