"""A gravity drip whose truth is known, and a drop sensor and a load cell that see it as badly as real ones.

Every figure here is an assumption of this product: no public record of real drops exists. The kinds of error
are those that the published sensors report: uneven drops, a drop that was not seen, a splash that was
counted as a second drop, drops that a surfactant makes smaller, a weight that is noisy and is knocked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from broker.messages import Clock, FlowTarget, Targets
from clinical.policy import FlowThresholds
from edge_node.clock import Stamp
from edge_node.estimate import DropReport, FlowReport, FlowWatch

DROPS_PER_ML = 20
REPORT_S = 1.0
"""A drop sensor reports once a second, whenever the drops fell."""
LATENCY_S = 0.05
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DEVICE = "ble:c0-00-00-00-01-01"
SYNCHRONISED = Clock(state="synchronised")
NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How a drip and its sensors are less than ideal.

    ``jitter`` is the standard deviation of one interval and of one drop's volume, ``missed`` and ``doubled``
    the share of drops that are not seen or are followed by a splash which the sensor counts, ``drop_ml`` the
    true volume of a drop as a share of the nominal one.
    """

    jitter: float = 0.05
    missed: float = 0.0
    doubled: float = 0.0
    drop_ml: float = 1.0


EVEN = Noise()
USUAL = Noise(missed=0.02, doubled=0.02)
SHRUNK = Noise(missed=0.02, doubled=0.02, drop_ml=0.75)


class Drip:
    """One bag: what truly falls, and what the sensor counts."""

    def __init__(self, volume_ml: float, gtt_min: float, noise: Noise, seed: int) -> None:
        self.left_ml = volume_ml
        self.given_ml = 0.0
        self.counted = 0
        self.last_counted_s: float | None = None
        self.last_fell_s = 0.0
        self.gtt_min = gtt_min
        self._noise = noise
        self._chance = random.Random(seed)
        self._next_s = self._gap()
        self._splash_s = NEVER

    @property
    def rate_ml_h(self) -> float:
        """What truly flows."""
        return self.gtt_min * 60.0 / DROPS_PER_ML * self._noise.drop_ml if self.left_ml > 0.0 else 0.0

    def _gap(self) -> float:
        if self.gtt_min <= 0.0:
            return NEVER
        return 60.0 / self.gtt_min * max(0.2, self._chance.gauss(1.0, self._noise.jitter))

    def turn(self, gtt_min: float, now_s: float) -> None:
        """Turn the clamp; 0 closes it."""
        self.gtt_min = gtt_min
        self._next_s = now_s + self._gap()

    def advance(self, now_s: float) -> None:
        """Let time pass."""
        while min(self._next_s, self._splash_s) <= now_s:
            if self._splash_s < self._next_s:
                self._count(self._splash_s)
                self._splash_s = NEVER
            else:
                self._fall(self._next_s)

    def _fall(self, at_s: float) -> None:
        volume = self._noise.drop_ml / DROPS_PER_ML * max(0.2, self._chance.gauss(1.0, self._noise.jitter))
        volume = min(volume, self.left_ml)
        self.left_ml -= volume
        self.given_ml += volume
        self.last_fell_s = at_s
        if self._chance.random() >= self._noise.missed:
            self._count(at_s)
            if self._chance.random() < self._noise.doubled:
                self._splash_s = at_s + self._chance.uniform(0.1, 0.3)
        self._next_s = at_s + self._gap() if self.left_ml > 0.0 else NEVER

    def _count(self, at_s: float) -> None:
        self.counted += 1
        self.last_counted_s = at_s


class Bedside:
    """The node's own flow watch on one simulated drip, second by second.

    Args:
        drip: The truth.
        ordered_gtt_min: What was ordered.
        volume_ml: What the order says is in the bag.
        tells_drop_time: Whether the sensor says when the last drop fell, as ours does; otherwise it only
            counts, and every time is rounded to its report.
        thresholds: Of the judgement.
        seed: Of the radio's delay.
    """

    def __init__(
        self,
        drip: Drip,
        *,
        ordered_gtt_min: float,
        volume_ml: float,
        tells_drop_time: bool = True,
        thresholds: FlowThresholds | None = None,
        seed: int = 0,
    ) -> None:
        self.drip = drip
        self.now_s = 0.0
        self._tells = tells_drop_time
        self._chance = random.Random(seed)
        self._watch = FlowWatch(lambda: self._stamp(self.now_s))
        target = FlowTarget(
            infusion="bench", device=DEVICE, state="running", drops_per_ml=DROPS_PER_ML,
            rate_ml_h=Decimal(str(ordered_gtt_min * 60 / DROPS_PER_ML)),
            volume_ml=Decimal(str(volume_ml)), started=START,
        )  # fmt: skip
        limits = (thresholds or FlowThresholds()).as_mapping()
        self._watch.set_targets(Targets(version=1, targets=[target], thresholds=limits))
        self._observe()

    @staticmethod
    def _stamp(at_s: float) -> Stamp:
        return Stamp(utc=START + timedelta(seconds=at_s), mono_ns=int(at_s * 1e9), clock=SYNCHRONISED)

    def _observe(self) -> None:
        last = self.drip.last_counted_s
        report = DropReport(
            total=self.drip.counted,
            last_drop_ms=int((last or 0.0) * 1000) if self._tells else None,
            now_ms=int(self.now_s * 1000),
        )
        self._watch.observe(DEVICE, report, self._stamp(self.now_s + self._chance.uniform(0.0, LATENCY_S)))

    def second(self) -> FlowReport:
        """Let one report's time pass and judge."""
        self.now_s += REPORT_S
        self.drip.advance(self.now_s)
        self._observe()
        return self._watch.reports(self.now_s + LATENCY_S)[0]


class LoadCell:
    """A weight with noise, a resolution, a slow drift and a hand that knocks it now and then."""

    NOISE_G, RESOLUTION_G = 0.5, 0.1
    DRIFT_G_H = 0.4
    KNOCK_EVERY_S, KNOCK_S, KNOCK_G = 600.0, 4, 60.0

    def __init__(self, tare_g: float, seed: int) -> None:
        self.tare_g = tare_g
        self._chance = random.Random(seed)
        self._knocked = 0

    def weigh(self, left_ml: float, at_s: float) -> float:
        """What the cell says of a bag with this much left in it; a millilitre weighs a gram."""
        if self._knocked == 0 and self._chance.random() < REPORT_S / self.KNOCK_EVERY_S:
            self._knocked = self.KNOCK_S
        hand = 0.0
        if self._knocked:
            self._knocked -= 1
            hand = self._chance.uniform(-self.KNOCK_G, self.KNOCK_G)
        true = self.tare_g + left_ml + self.DRIFT_G_H * at_s / 3600.0 + hand
        noisy = true + self._chance.gauss(0.0, self.NOISE_G)
        return round(noisy / self.RESOLUTION_G) * self.RESOLUTION_G
