"""Follows a hanging bag by its weight: a second channel beside the drops.

A Kalman filter with two states, mass in grams and flow in grams per second, takes one weight after another.
A bump, a pull or a new bag is not flow: while the weight jumps or shakes the filter holds its state and says
so; a step that stays asks a person whether the bag was changed. Every reading costs O(1), and there is no
clock in here.

Two channels that disagree are shown both and never averaged.

Source: Wardlink design (Kalman filter); the noise figures are of this product and have to be confirmed on a
gravimetric bench.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import sqrt
from statistics import pstdev

from clinical.infusion.judgement import FlowCondition
from clinical.records import AlarmPriority, Validity

STEP_G = 20.0
"""A jump by more than this is a hand or a new bag."""
SETTLE_S = 5.0
"""A jump that has stayed for so long is a step, not a bump."""
SHAKE_G = 3.0
SHAKE_S = 2.0
STILL_G = 0.5
STILL_S = 30.0
STALE_S = 3.0
MEASURE_VARIANCE = 0.25
"""Variance of one weight, in square grams."""
DRIFT = 1e-8
"""How fast the flow itself may wander, in square grams per cubic second."""
_MAX_SAMPLES = 40
DISAGREE_ML, DISAGREE_PART = 5.0, 0.10
DISAGREEMENT = "channel-disagreement"
MIN_CALIBRATION_DROPS = 30
CALIBRATION_CLAMP = 0.20


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightEstimate:
    """What the weight says now.

    ``rate_ml_h`` is None until the flow is known better than ``rate_sd_ml_h`` allows; ``still`` is whether
    the weight has not moved for half a minute, None before that; ``step_ml`` is a jump that waits for a
    person to say whether the bag was changed.
    """

    remaining_ml: float | None
    rate_ml_h: float | None
    rate_sd_ml_h: float | None
    infused_ml: float
    still: bool | None
    step_ml: float | None
    age_s: float | None
    validity: Validity


class WeightEstimator:
    """Follows one load cell with one bag.

    Args:
        tare_g: Weight of the empty bag and its hook, 0 or more.
        density: Grams per millilitre, 1.00 to 1.05 for infusions.
    """

    __slots__ = (
        "_at", "_density", "_ff", "_first", "_flow", "_heard", "_held_since", "_mass", "_mf", "_mm",
        "_recent", "_step", "_tare", "_track",
    )  # fmt: skip

    def __init__(self, tare_g: float, *, density: float = 1.0) -> None:
        if density <= 0.0 or tare_g < 0.0:
            raise ValueError("density must be above 0 and tare at least 0")
        self._tare, self._density = tare_g, density
        self._heard: float | None = None
        self._recent: deque[tuple[float, float]] = deque(maxlen=_MAX_SAMPLES)
        self._forget()

    def _forget(self) -> None:
        self._at: float | None = None
        self._mass = self._flow = self._first = 0.0
        self._mm, self._mf, self._ff = MEASURE_VARIANCE, 0.0, 1e-2
        self._held_since: float | None = None
        self._step: float | None = None
        self._track: deque[tuple[float, float]] = deque()

    def accept_bag(self) -> None:
        """Start anew with the next weight: a person said that the bag was changed."""
        self._forget()
        self._recent.clear()

    def observe(self, mass_g: float, at_s: float) -> None:
        """Take one weight.

        Args:
            mass_g: Gross weight in grams.
            at_s: Seconds on a clock that only goes forward; an older reading is left out.
        """
        if self._heard is not None and at_s <= self._heard:
            return
        self._heard = at_s
        self._recent.append((at_s, mass_g))
        if self._at is None:
            self._at, self._mass, self._first = at_s, mass_g, mass_g
            return
        if self._is_disturbed(mass_g, at_s):
            self._hold(mass_g, at_s)
            return
        self._held_since = self._step = None
        self._filter(mass_g, at_s, at_s - self._at)

    def _is_disturbed(self, mass_g: float, at_s: float) -> bool:
        recent = [mass for moment, mass in self._recent if at_s - moment <= SHAKE_S]
        expected = self._mass + self._flow * (at_s - (self._at or at_s))
        return abs(mass_g - expected) > STEP_G or pstdev(recent) > SHAKE_G

    def _hold(self, mass_g: float, at_s: float) -> None:
        if self._held_since is None:
            self._held_since = at_s
        settled = at_s - self._held_since >= SETTLE_S
        jump = mass_g - self._mass
        self._step = jump / self._density if settled and abs(jump) > STEP_G else None

    def _filter(self, mass_g: float, at_s: float, dt: float) -> None:
        """Predict by the time passed, then correct by the weight: the usual two by two Kalman step."""
        mass = self._mass + self._flow * dt
        mm = self._mm + 2.0 * dt * self._mf + dt * dt * self._ff + DRIFT * dt**3 / 3.0
        mf = self._mf + dt * self._ff + DRIFT * dt**2 / 2.0
        ff = self._ff + DRIFT * dt
        total = mm + MEASURE_VARIANCE
        gain_mass, gain_flow = mm / total, mf / total
        surprise = mass_g - mass
        self._mass, self._flow = mass + gain_mass * surprise, self._flow + gain_flow * surprise
        self._mm, self._mf, self._ff = (1.0 - gain_mass) * mm, (1.0 - gain_mass) * mf, ff - gain_flow * mf
        self._at = at_s
        if not self._track or at_s - self._track[-1][0] >= 1.0:
            self._track.append((at_s, self._mass))
        while at_s - self._track[0][0] > STILL_S + 1.0:
            self._track.popleft()

    def estimate(self, now_s: float) -> WeightEstimate:
        """Return what is known at ``now_s``, on the clock that :meth:`observe` uses."""
        age = None if self._heard is None else max(now_s - self._heard, 0.0)
        known = self._at is not None
        rate, sd = -self._flow * 3600.0 / self._density, sqrt(self._ff) * 3600.0 / self._density
        sure = known and len(self._track) > 1 and sd < max(abs(rate), 20.0) / 2.0
        return WeightEstimate(
            remaining_ml=max(self._mass - self._tare, 0.0) / self._density if known else None,
            rate_ml_h=max(rate, 0.0) if sure else None,
            rate_sd_ml_h=sd if sure else None,
            infused_ml=max(self._first - self._mass, 0.0) / self._density,
            still=self._is_still(),
            step_ml=self._step,
            age_s=age,
            validity=self._validity(age, sure=sure),
        )

    def _is_still(self) -> bool | None:
        if len(self._track) < 2 or self._track[-1][0] - self._track[0][0] < STILL_S - 1.0:
            return None
        return abs(self._track[-1][1] - self._track[0][1]) < STILL_G

    def _validity(self, age: float | None, *, sure: bool) -> Validity:
        if age is None:
            return Validity.NOT_AVAILABLE
        if age > STALE_S:
            return Validity.INVALID
        if self._held_since is not None:
            return Validity.QUESTIONABLE
        return Validity.VALID if sure else Validity.ONGOING


def disagreement(by_drops_ml: float, by_weight_ml: float) -> FlowCondition | None:
    """Return a technical condition when two channels differ by more than 5 mL and 10 %; both are shown."""
    larger = max(abs(by_drops_ml), abs(by_weight_ml))
    if abs(by_drops_ml - by_weight_ml) <= max(DISAGREE_ML, DISAGREE_PART * larger):
        return None
    return FlowCondition(
        condition=DISAGREEMENT, priority=AlarmPriority.MEDIUM, kind="technical",
        params=(("by_drops_ml", round(by_drops_ml, 1)), ("by_weight_ml", round(by_weight_ml, 1))),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DropVolume:
    """Millilitres per drop of the set in use, with one standard deviation; nominal until calibrated."""

    ml: float
    sd_ml: float
    calibrated: bool


NOMINAL_PART = 0.10
"""Usual claim of a set's drop volume: plus or minus ten percent."""


def drop_volume(drops_per_ml: float, drops: int, by_weight_ml: float) -> DropVolume:
    """Return the drop volume from both channels running together, kept within 20 % of the nominal one.

    Args:
        drops_per_ml: Nominal drop factor, above 0.
        drops: Drops counted while both channels were undisturbed.
        by_weight_ml: Volume that the weight lost in that time.
    """
    nominal = 1.0 / drops_per_ml
    if drops < MIN_CALIBRATION_DROPS or by_weight_ml <= 0.0:
        return DropVolume(ml=nominal, sd_ml=NOMINAL_PART * nominal, calibrated=False)
    least, most = (1.0 - CALIBRATION_CLAMP) * nominal, (1.0 + CALIBRATION_CLAMP) * nominal
    measured = min(max(by_weight_ml / drops, least), most)
    sd = sqrt(2.0 * MEASURE_VARIANCE) / drops + measured / drops
    return DropVolume(ml=measured, sd_ml=sd, calibrated=True)
