"""Estimates the drip rate and the infused volume from a drop sensor's running total.

The rate is 60 over the median interval of the last nine reports that brought drops: in simulation with missed
and doubled drops it has the smallest error of the simple estimators, and tolerates four bad intervals of
nine. A report that brought several drops tells only their mean interval and weighs as many, so that a fast
drip is not judged by four or five reports (``docs/estimator-accuracy.md``). While nothing drops the shown
rate falls with the silence, so a stopped drip never shows its last rate.

Every reading costs O(1): nine reports are kept. There is no clock in here.

Source: drop factors of GB 8368 and ISO 8536-4; window and dead time are Wardlink design.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass
from itertools import accumulate

from clinical.infusion import arithmetic
from clinical.records import Validity

INTERVALS = 9
MOST_WEIGHT = INTERVALS // 2
"""One report never outvotes the five after it, however many drops it brought."""
DEAD_TIME_S = 0.1
"""Two drops cannot fall closer together than this: the second one is an echo (100 to 150 ms)."""
MIN_DROPS = 3
"""No rate is shown before so many drops."""
STALE_S = 10.0
_WRAP = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DropEstimate:
    """What the drops say now.

    ``gtt_min`` is None until three drops have fallen. ``since_last_s`` is the silence since the last drop
    and ``age_s`` the time since the sensor last reported at all; None before the first of each.
    """

    gtt_min: float | None
    rate_ml_h: float | None
    drops: int
    infused_ml: float
    since_last_s: float | None
    age_s: float | None
    validity: Validity


class DropEstimator:
    """Follows one drop sensor on one bag.

    Args:
        drops_per_ml: Drop factor of the set, from the order or the consumable, above 0.
        drops: Drops already counted for this bag, when the node restarts.
        total: The sensor's running total that belongs to ``drops``.
        at_s: When that total was read, on the clock that :meth:`observe` uses.
    """

    __slots__ = (
        "_at", "_drop_at", "_drops", "_drops_per_ml", "_heard", "_order", "_sorted", "_suspect", "_total",
    )  # fmt: skip

    def __init__(
        self, drops_per_ml: float, *, drops: int = 0, total: int | None = None, at_s: float | None = None
    ) -> None:
        if drops_per_ml <= 0:
            raise ValueError("drops_per_ml must be above 0")
        self._drops_per_ml = drops_per_ml
        self._drops = drops
        self._total = total
        self._at = at_s
        self._heard = at_s
        self._drop_at: float | None = at_s if total is not None else None
        self._order: deque[tuple[float, int]] = deque()
        self._sorted: list[tuple[float, int]] = []
        self._suspect = 0

    @property
    def drops(self) -> int:
        """Drops counted for this bag."""
        return self._drops

    @property
    def total(self) -> int | None:
        """The sensor's last running total, to be kept for a restart."""
        return self._total

    def observe(self, total_drops: int, at_s: float, heard_s: float | None = None) -> int:
        """Take one report of the sensor and return how many new drops it brought.

        The first report only sets the base. Several new drops in one report are spread evenly over the
        time since the last drop. A smaller total is a wrap of 32 bits or a sensor that restarted: drops it
        counted since its restart are taken when they can have fallen in the time.

        Args:
            total_drops: Drops since the sensor was switched on.
            at_s: Seconds on a clock that only goes forward; best the time of the last drop.
            heard_s: When the sensor said so, on the same clock, where ``at_s`` is the time of the drop:
                a sensor that reports without new drops is silent, not lost.
        """
        heard = at_s if heard_s is None else heard_s
        self._heard = heard if self._heard is None else max(heard, self._heard)
        if self._total is None or self._at is None:
            self._total, self._at = total_drops, at_s
            return 0
        new = self._new_drops(total_drops, self._total, max(at_s - self._at, 0.0))
        moved = at_s > self._at
        self._total = total_drops
        self._at = max(at_s, self._at)
        if new == 0:
            return 0
        return self._count(new, at_s) if moved else self._late(new)

    def correct(self, drops: int) -> None:
        """Take the word of a counter that has followed this bag without a gap; the rate is not touched.

        Args:
            drops: Drops of this bag so far, 0 or more.
        """
        self._drops = max(drops, 0)

    def _new_drops(self, total: int, old: int, span_s: float) -> int:
        possible = int(span_s * arithmetic.MAX_DROPS_PER_S) + 1
        new = (total - old) % _WRAP
        if new <= possible:
            return new
        self._suspect = INTERVALS
        return total if total < old and total <= possible else 0

    def _late(self, new: int) -> int:
        """Count drops of a report that is not newer: the volume is true, the timing is not."""
        self._drops += new
        self._suspect = INTERVALS
        return new

    def _count(self, new: int, at_s: float) -> int:
        if self._drop_at is None:
            self._drop_at = at_s
            self._drops += new
            return new
        interval = (at_s - self._drop_at) / new
        if new == 1 and interval < DEAD_TIME_S:
            return 0
        self._push(interval, new)
        self._drop_at = at_s
        self._drops += new
        self._suspect = max(self._suspect - new, 0)
        return new

    def _push(self, interval: float, drops: int) -> None:
        if drops >= INTERVALS:  # what came after a silence: older intervals say nothing about now
            self._order.clear()
            self._sorted.clear()
        elif len(self._order) == INTERVALS:
            self._sorted.remove(self._order.popleft())
        entry = (interval, min(drops, MOST_WEIGHT))
        self._order.append(entry)
        insort(self._sorted, entry)

    def _median(self) -> float | None:
        """Return the weighted median interval; None before so many drops as make a rate."""
        total = sum(weight for _, weight in self._order)
        if total < MIN_DROPS - 1:
            return None
        sums = list(accumulate(weight for _, weight in self._sorted))
        low, high = bisect_left(sums, total / 2), bisect_right(sums, total / 2)
        return (self._sorted[low][0] + self._sorted[high][0]) / 2

    def estimate(self, now_s: float) -> DropEstimate:
        """Return what is known at ``now_s``, on the clock that :meth:`observe` uses."""
        silence = None if self._drop_at is None else max(now_s - self._drop_at, 0.0)
        age = None if self._heard is None else max(now_s - self._heard, 0.0)
        gtt = self._rate(silence)
        return DropEstimate(
            gtt_min=gtt,
            rate_ml_h=None if gtt is None else arithmetic.ml_per_h(gtt, self._drops_per_ml),
            drops=self._drops,
            infused_ml=arithmetic.infused_ml(self._drops, self._drops_per_ml),
            since_last_s=silence,
            age_s=age,
            validity=self._validity(gtt, age),
        )

    def _rate(self, silence: float | None) -> float | None:
        middle = self._median()
        if silence is None or middle is None:
            return None
        rate = 60.0 / middle
        return min(rate, 60.0 / silence) if silence > middle else rate

    def _validity(self, gtt: float | None, age: float | None) -> Validity:
        if age is None:
            return Validity.NOT_AVAILABLE
        if age > STALE_S:
            return Validity.INVALID
        if self._suspect:
            return Validity.QUESTIONABLE
        return Validity.ONGOING if gtt is None else Validity.VALID
