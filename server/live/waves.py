"""Waveform lanes and frames: one frame per committed chunk, as the screens' canvas reads it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from broker.messages import Wave
from clinical.limits import ADULT
from clinical.records import PRESENT, Encounter
from server.live.hub import Hub
from server.storage.picture import Picture

_HEAD = struct.Struct("<BBHIdH")
_TYPE, _VERSION = 1, 1
_AXES = {"MDC_PULS_OXIM_PLETH": (0.0, 255.0)}


class Lanes:
    """Numbers the lanes of a ward and sends their frames."""

    def __init__(self, hub: Hub, ward: str) -> None:
        self._hub, self._ward = hub, ward
        self._numbers: dict[str, int] = {}
        self._frames: dict[int, int] = {}

    def show(self, picture: Picture, waves: Iterable[tuple[Encounter, Wave]]) -> None:
        """Send chunks, each with the stay it is filed on; nothing is made of them while no screen watches."""
        if not self._hub.is_watched:
            return
        for filed, wave in waves:
            stay = picture.get(Encounter, filed.id)
            if stay is not None and stay.ward == self._ward and stay.status in PRESENT:
                lane = self._lane(stay.bed, wave)
                self._frames[lane] = self._frames.get(lane, 0) + 1
                self._hub.wave(frame(lane, self._frames[lane], wave))

    def _lane(self, bed: str, wave: Wave) -> int:
        key = f"{bed}/{wave.code}"
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        self._hub.set_lane(_lane_row(number, bed, wave))
        return number


def _lane_row(number: int, bed: str, wave: Wave) -> dict[str, Any]:
    limit = ADULT.get(wave.code)
    lo, hi = _AXES.get(wave.code, (0.0, 1.0))
    if limit is not None:
        lo, hi = float(limit.absolute_low), float(limit.absolute_high)
    return {
        "id": number,
        "bed": bed,
        "code": wave.code,
        "unit": wave.unit,
        "rate_hz": wave.rate_hz,
        "gain": wave.gain,
        "offset": wave.offset,
        "lo": lo,
        "hi": hi,
    }


def frame(lane: int, seq: int, wave: Wave) -> bytes:
    """Build one binary frame: head, then int16 samples, little-endian."""
    started_ms = wave.effective.timestamp() * 1000.0
    head = _HEAD.pack(_TYPE, _VERSION, lane, seq & 0xFFFFFFFF, started_ms, len(wave.samples) // 2)
    return head + wave.samples
