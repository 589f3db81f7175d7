"""Judges a measured drip against its order: slow, fast, stopped, free, nearly empty, empty, or not known.

One judge follows one bag. It keeps a short window of drop counts and a few timers, costs O(1) an update and
has no clock. Thresholds come from the site policy, the same on node and server.

A stale drip has no countdown: when the sensor is not heard, the judgement is ``stale`` and the time left is
unknown, whatever the last rate was. A stop of flow near the end of the bag is ``empty``, before that it is
``no-flow``. While uncalibrated, deviations are shown and not sounded; free flow and no flow always sound.

Source: bc-1 §5.8 (INF-RATE-DEV, INF-FREE-FLOW, INF-NO-FLOW, INF-NEAR-END); alarm priorities
by the harm of IEC 60601-1-8, table 1.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical.infusion import arithmetic
from clinical.infusion.drops import DropEstimate
from clinical.records import AlarmPriority

if TYPE_CHECKING:
    from clinical.policy import FlowThresholds

FLOW_CONDITIONS = ("no-flow", "free-flow", "rate-deviation", "near-end", "empty")
"""Conditions a judge can find while its sensor is heard, each with an alarm of its own."""
CLEAR_FRACTION = 0.8
"""A deviation ends only below this part of the warning threshold, so that it does not flicker."""
_PAUSED_DROPS = 5
"""So many drops while paused mean that the clamp is not closed."""
STILL_S = 10.0
"""A paused drip without a drop for so long is closed."""
_SAMPLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowGoal:
    """What the order asks of one bag. ``volume_ml`` is what was in the bag at its start."""

    rate_ml_h: float
    drops_per_ml: float
    volume_ml: float
    state: str = "running"  # running, paused

    @property
    def gtt_min(self) -> float:
        """The ordered rate in drops per minute."""
        return arithmetic.gtt_per_min(self.rate_ml_h, self.drops_per_ml)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCondition:
    """One alarm condition that holds now; the alarm machine decides about delay and sound."""

    condition: str  # no-flow, free-flow, rate-deviation, near-end, empty, stale
    priority: AlarmPriority
    kind: str = "physiological"
    params: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowJudgement:
    """The state of one drip as ``records.Flow`` words it, with everything that speaks for it."""

    state: str
    remaining_ml: float
    time_left_min: float | None = None
    deviation_percent: float | None = None
    conditions: tuple[FlowCondition, ...] = ()


class FlowJudge:
    """Follows one bag from its start to its end.

    Args:
        target: The ordered rate, drop factor and volume.
        thresholds: Site policy for flow.
    """

    __slots__ = (
        "_base", "_free_since", "_level", "_near", "_since", "_target", "_thresholds", "_window",
    )  # fmt: skip

    def __init__(self, target: FlowGoal, thresholds: FlowThresholds) -> None:
        self._target = target
        self._thresholds = thresholds
        self._since: float | None = None
        self._restart()

    def _restart(self) -> None:
        """Forget timers and window; the next update starts them."""
        self._since = None
        self._base = 0
        self._window: deque[tuple[float, int]] = deque()
        self._free_since: float | None = None
        self._level = 0
        self._near = False

    @property
    def target(self) -> FlowGoal:
        """The goal that is judged against now."""
        return self._target

    def retarget(self, target: FlowGoal) -> None:
        """Take a changed order (rate, pause, resume): what was measured before no longer counts."""
        if target != self._target:
            self._target = target
            self._restart()

    def update(self, estimate: DropEstimate, now_s: float) -> FlowJudgement:
        """Judge the newest estimate.

        Args:
            estimate: What the drops say at ``now_s``.
            now_s: Seconds on the estimator's clock.
        """
        if self._since is None:
            self._since, self._base = now_s, estimate.drops
        remaining = max(self._target.volume_ml - estimate.infused_ml, 0.0)
        if self._is_stale(estimate, now_s):
            self._window.clear()
            self._free_since = None
            return _stale(remaining, estimate)
        self._remember(now_s, estimate.drops)
        if self._target.state == "paused":
            return self._paused(estimate, remaining)
        return self._running(estimate, remaining, now_s)

    def _is_stale(self, estimate: DropEstimate, now_s: float) -> bool:
        waited = now_s - (self._since or 0.0)
        age = waited if estimate.age_s is None else estimate.age_s
        return age > self._thresholds.stale_s

    def _remember(self, now_s: float, drops: int) -> None:
        if not self._window or now_s - self._window[-1][0] >= _SAMPLE_S:
            self._window.append((now_s, drops))
        limit = self._thresholds.deviation_window_s
        while len(self._window) > 1 and now_s - self._window[0][0] > limit:
            self._window.popleft()

    def _paused(self, estimate: DropEstimate, remaining: float) -> FlowJudgement:
        dripping = estimate.drops - self._base >= _PAUSED_DROPS and _moves(estimate)
        if not dripping:
            return FlowJudgement(state="no-flow", remaining_ml=remaining)
        condition = FlowCondition(
            condition="rate-deviation",
            priority=AlarmPriority.MEDIUM,
            params=(("ordered", 0.0), _rate(estimate)),
        )
        return FlowJudgement(state="fast", remaining_ml=remaining, conditions=(condition,))

    def _running(self, estimate: DropEstimate, remaining: float, now_s: float) -> FlowJudgement:
        empty = self._empty(estimate, remaining, now_s)
        deviation = self._deviation(now_s, estimate)
        left = None if empty else _time_left(remaining, estimate)
        conditions = [empty] if empty else self._flow_conditions(estimate, deviation, remaining, left, now_s)
        found = tuple(condition for condition in conditions if condition is not None)
        return FlowJudgement(
            state=self._state(found, estimate, deviation),
            remaining_ml=remaining,
            time_left_min=0.0 if empty else left,
            deviation_percent=deviation,
            conditions=found,
        )

    def _flow_conditions(
        self,
        estimate: DropEstimate,
        deviation: float | None,
        remaining: float,
        left: float | None,
        now_s: float,
    ) -> list[FlowCondition | None]:
        stopped = self._no_flow(estimate, now_s)
        free = self._free_flow(estimate, now_s)
        return [
            free,
            stopped,
            None if free or stopped else self._rate_deviation(deviation, estimate),
            self._near_end(remaining, left),
        ]

    def _silence(self, estimate: DropEstimate, now_s: float) -> float:
        """Return seconds without a drop, counted from the start of watching when none has fallen since."""
        watched = now_s - (self._since or now_s)
        return watched if estimate.since_last_s is None else min(estimate.since_last_s, watched)

    def _period(self) -> float:
        gtt = self._target.gtt_min
        return 60.0 / gtt if gtt > 0.0 else 60.0

    def _empty(self, estimate: DropEstimate, remaining: float, now_s: float) -> FlowCondition | None:
        limits, volume = self._thresholds, self._target.volume_ml
        infused = 100.0 * estimate.infused_ml / volume if volume > 0.0 else 100.0
        silent = self._silence(estimate, now_s) > limits.empty_silence_periods * self._period()
        if remaining > 0.0 and not (silent and infused >= limits.empty_infused_percent):
            return None
        return FlowCondition(
            condition="empty",
            priority=AlarmPriority.MEDIUM,
            params=(("infused_ml", round(estimate.infused_ml, 1)),),
        )

    def _no_flow(self, estimate: DropEstimate, now_s: float) -> FlowCondition | None:
        limits = self._thresholds
        silence = self._silence(estimate, now_s)
        if silence <= max(limits.no_flow_min_s, limits.no_flow_periods * self._period()):
            return None
        return FlowCondition(
            condition="no-flow", priority=AlarmPriority.HIGH, params=(("silent_s", round(silence)),)
        )

    def _free_flow(self, estimate: DropEstimate, now_s: float) -> FlowCondition | None:
        ordered = self._target.gtt_min
        limit = ordered * self._thresholds.free_flow_factor
        fast = estimate.gtt_min is not None and estimate.gtt_min > limit
        if ordered <= 0.0 or not (fast or self._still_fast(estimate, now_s, limit)):
            self._free_since = None
            return None
        if self._free_since is None:
            self._free_since = now_s
        if now_s - self._free_since < self._thresholds.free_flow_s:
            return None
        return FlowCondition(
            condition="free-flow",
            priority=AlarmPriority.HIGH,
            params=(("ordered", round(ordered, 1)), _rate(estimate)),
        )

    def _still_fast(self, estimate: DropEstimate, now_s: float, limit: float) -> bool:
        """Tell whether the mean since a fast flow began is still fast: one drop not seen does not end it."""
        if self._free_since is None:
            return False
        since = max(self._free_since, now_s - self._thresholds.free_flow_s)
        then, drops = next((known for known in self._window if known[0] >= since), self._window[-1])
        span = now_s - then
        return span > 0.0 and (estimate.drops - drops) * 60.0 / span > limit

    def _deviation(self, now_s: float, estimate: DropEstimate) -> float | None:
        """Return the deviation of the mean over the window in percent; None until it means something."""
        limits, (then, drops) = self._thresholds, self._window[0]
        span = now_s - then
        if span <= 0.0 or span < limits.deviation_window_s / 3.0:
            return None
        counted, expected = estimate.drops - drops, self._target.gtt_min * span / 60.0
        watched = (now_s - (self._since or now_s)) / 3600.0
        given = max(estimate.infused_ml, self._target.rate_ml_h * watched)
        if max(counted, expected) < limits.deviation_min_drops or given < limits.deviation_min_ml:
            return None
        return arithmetic.deviation_percent(counted * 60.0 / span, self._target.gtt_min)

    def _rate_deviation(self, deviation: float | None, estimate: DropEstimate) -> FlowCondition | None:
        limits = self._thresholds
        size = abs(deviation) if deviation is not None else 0.0
        alarm_ends = CLEAR_FRACTION * limits.deviation_alarm_percent if self._level == 2 else None
        if size > limits.deviation_alarm_percent or (alarm_ends is not None and size > alarm_ends):
            self._level = 2
        elif size > limits.deviation_warn_percent or (
            self._level and size > CLEAR_FRACTION * limits.deviation_warn_percent
        ):
            self._level = 1
        else:
            self._level = 0
        if deviation is None or not self._level or (self._level == 1 and not limits.calibrated):
            return None
        sounded = self._level == 2 and limits.calibrated
        return FlowCondition(
            condition="rate-deviation",
            priority=AlarmPriority.MEDIUM if sounded else AlarmPriority.LOW,
            params=(
                ("ordered", round(self._target.gtt_min, 1)),
                _rate(estimate),
                ("percent", round(deviation, 1)),
            ),
        )

    def _near_end(self, remaining: float, left: float | None) -> FlowCondition | None:
        limits = self._thresholds
        low = remaining <= self._target.volume_ml * limits.near_end_percent / 100.0
        soon = left is not None and left <= limits.near_end_min
        self._near = self._near or low or soon
        if not self._near:
            return None
        params = (
            ("remaining_ml", round(remaining, 1)),
            *((("minutes", round(left, 1)),) if left is not None else ()),
        )
        return FlowCondition(condition="near-end", priority=AlarmPriority.MEDIUM, params=params)

    def _state(
        self, conditions: tuple[FlowCondition, ...], estimate: DropEstimate, deviation: float | None
    ) -> str:
        names = {condition.condition for condition in conditions}
        for state in ("empty", "free-flow", "no-flow"):
            if state in names:
                return state
        if self._level and deviation is not None:
            return "slow" if deviation < 0.0 else "fast"
        if "near-end" in names:
            return "near-end"
        return "flowing" if estimate.gtt_min is not None else "unknown"


def _moves(estimate: DropEstimate) -> bool:
    return estimate.since_last_s is not None and estimate.since_last_s < STILL_S


def _rate(estimate: DropEstimate) -> tuple[str, float]:
    return ("measured", round(estimate.gtt_min or 0.0, 1))


def _time_left(remaining: float, estimate: DropEstimate) -> float | None:
    return None if estimate.rate_ml_h is None else arithmetic.minutes_left(remaining, estimate.rate_ml_h)


def _stale(remaining: float, estimate: DropEstimate) -> FlowJudgement:
    condition = FlowCondition(
        condition="stale", priority=AlarmPriority.MEDIUM, kind="technical",
        params=(("age_s", round(estimate.age_s or 0.0)),),
    )  # fmt: skip
    return FlowJudgement(state="stale", remaining_ml=remaining, conditions=(condition,))
