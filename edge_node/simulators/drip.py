"""The physics of a gravity drip: a bag, a clamp and drops that fall one by one.

No clock of its own: :meth:`Drip.advance` is told how late it is. The same seed gives the same drops.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

MIN_GAP = 0.2
"""A drop never follows the last one sooner than this share of the mean interval."""
COUNTER_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DripState:
    """What one can see of a drip."""

    gtt_min: float
    remaining_ml: float
    total_drops: int


class Drip:
    """One bag on one drip chamber.

    Args:
        drops_per_ml: Drop factor of the set.
        jitter: Standard deviation of one interval, as a share of the mean.
        seed: Makes the intervals repeatable.
    """

    def __init__(self, *, drops_per_ml: int, jitter: float, seed: int) -> None:
        self.total_drops = 0
        self.last_drop_s: float | None = None
        self.last_interval_s: float | None = None
        self.gtt_min = 0.0
        self._drops_per_ml = drops_per_ml
        self._jitter = jitter
        self._chance = random.Random(seed)
        self._drops_left = 0
        self._now_s = 0.0
        self._next_s: float | None = None

    @property
    def state(self) -> DripState:
        """What one can see now."""
        return DripState(
            gtt_min=self.gtt_min if self._drops_left else 0.0,
            remaining_ml=self._drops_left / self._drops_per_ml,
            total_drops=self.total_drops,
        )

    def hang(self, volume_ml: float, gtt_min: float, now_s: float) -> None:
        """Hang a bag with this much in it and open the clamp."""
        self.advance(now_s)
        self._drops_left = int(volume_ml * self._drops_per_ml)
        self._set_rate(gtt_min)

    def set_rate(self, gtt_min: float, now_s: float) -> None:
        """Turn the clamp; 0 closes it."""
        self.advance(now_s)
        self._set_rate(gtt_min)

    def _set_rate(self, gtt_min: float) -> None:
        self.gtt_min = gtt_min
        self._next_s = self._now_s + self._interval_s() if gtt_min > 0 else None

    def _interval_s(self) -> float:
        mean = 60 / self.gtt_min
        return mean * max(MIN_GAP, self._chance.gauss(1.0, self._jitter))

    def advance(self, now_s: float) -> int:
        """Let time pass until ``now_s``; returns how many drops fell. An empty bag lets none fall."""
        fallen = 0
        while self._next_s is not None and self._next_s <= now_s and self._drops_left:
            if self.last_drop_s is not None:
                self.last_interval_s = self._next_s - self.last_drop_s
            self.last_drop_s = self._next_s
            self.total_drops = (self.total_drops + 1) % COUNTER_MODULUS
            self._drops_left -= 1
            fallen += 1
            self._next_s += self._interval_s()
        if not self._drops_left:
            self._next_s = None
        self._now_s = max(self._now_s, now_s)
        return fallen
