"""Flow: from a sensor's running total to rate, infused and remaining volume of the bag it watches.

Everything is counted from the sensor's cumulative counter, never from notifications, so a lost link, a
repeated frame or a restarted node neither loses nor doubles a drop. What a bag has had so far is remembered
on disk in the same transaction as the reading that told it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from broker.messages import FlowTarget, Targets, Value, decode, encode
from clinical.codes import DROP_RATE, FLOW_RATE, INFUSED, REMAINING, TIME_LEFT
from clinical.errors import BadInputError
from clinical.infusion import DropEstimate, DropEstimator, FlowGoal, FlowJudge, FlowJudgement
from clinical.policy import FlowThresholds
from clinical.records import Validity
from edge_node.clock import DeviceClock, Stamp

TARGETS_KEY = "targets"
PROGRESS_KEY = "progress"
HISTORY = 300
"""Totals remembered per sensor, one a second: covers the time between a start and its arrival here."""
AFTER_S = 1e-4
"""A new drop fell after the report that did not count it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropReport:
    """One report of a drop sensor: its counter, and its own clock in milliseconds since power-on."""

    total: int
    last_drop_ms: int | None
    now_ms: int


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What one bag has had so far, as it survives a restart."""

    device: str
    drops: int
    total: int
    utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowReport:
    """What is known of one infusion now."""

    infusion: str
    device: str
    estimate: DropEstimate
    judgement: FlowJudgement
    expected_gtt_min: float

    def values(self) -> list[Value]:
        """The values of a reading; nothing is invented when there is no rate yet."""
        estimate, judgement = self.estimate, self.judgement
        validity = estimate.validity
        return [
            _value(DROP_RATE, estimate.gtt_min, "{gtt}/min", validity, "0.1"),
            _value(FLOW_RATE, estimate.rate_ml_h, "mL/h", validity, "0.1"),
            _value(INFUSED, estimate.infused_ml, "mL", Validity.VALID, "0.01"),
            _value(REMAINING, judgement.remaining_ml, "mL", Validity.VALID, "0.01"),
            _value(TIME_LEFT, judgement.time_left_min, "min", validity, "0.1"),
        ]


def _value(code: str, number: float | None, unit: str, validity: Validity, step: str) -> Value:
    if number is None:
        known = validity if validity is not Validity.VALID else Validity.NOT_AVAILABLE
        return Value(code=code, n=None, unit=unit, validity=known)
    return Value(code=code, n=Decimal(str(number)).quantize(Decimal(step)), unit=unit, validity=validity)


class _Sensor:
    """What is remembered of one drop sensor."""

    def __init__(self) -> None:
        self.clock = DeviceClock()
        self.history: deque[tuple[float, int]] = deque(maxlen=HISTORY)

    @property
    def reported_s(self) -> float | None:
        return self.history[-1][0] if self.history else None

    def total_at(self, mono_s: float) -> tuple[float, int] | None:
        """The last report at or before an instant; the oldest known one when all are later."""
        before = [known for known in self.history if known[0] <= mono_s]
        if before:
            return before[-1]
        return self.history[0] if self.history else None


class _Bag:
    """One infusion that is being watched."""

    def __init__(self, target: FlowTarget, estimator: DropEstimator, thresholds: FlowThresholds) -> None:
        self.target = target
        self.estimator = estimator
        self.judge = FlowJudge(_goal(target), thresholds)

    def report(self, now_s: float) -> FlowReport:
        estimate = self.estimator.estimate(now_s)
        return FlowReport(
            infusion=self.target.infusion,
            device=self.target.device,
            estimate=estimate,
            judgement=self.judge.update(estimate, now_s),
            expected_gtt_min=self.judge.target.gtt_min,
        )


def _goal(target: FlowTarget) -> FlowGoal:
    return FlowGoal(
        rate_ml_h=float(target.rate_ml_h),
        drops_per_ml=float(target.drops_per_ml),
        volume_ml=float(target.volume_ml),
        state=target.state,
    )


class FlowWatch:
    """Follows every infusion this node was told to watch.

    Args:
        now: Stamps; used to place a target's start on the monotonic clock.
    """

    def __init__(self, now: Callable[[], Stamp]) -> None:
        self._now = now
        self._bags: dict[str, _Bag] = {}
        self._sensors: dict[str, _Sensor] = {}
        self._thresholds = FlowThresholds()
        self.version = -1

    @property
    def targets(self) -> list[FlowTarget]:
        """What is watched now."""
        return [bag.target for bag in self._bags.values()]

    def restore(self, targets: bytes | None, progress: bytes | None) -> None:
        """Go on where the node stopped.

        Raises:
            BadInputError: What was saved cannot be read; nothing is watched then until new targets come.
        """
        saved = decode(targets, Targets) if targets else None
        try:
            had = msgspec.json.decode(progress or b"{}", type=dict[str, Progress])
        except msgspec.DecodeError as error:
            raise BadInputError("progress", "the saved progress of the infusions cannot be read") from error
        if saved is not None:
            self._take(saved, had)

    def set_targets(self, targets: Targets) -> dict[str, bytes]:
        """Take the complete new set; returns what to write to disk.

        Raises:
            BadInputError: Thresholds or a target cannot be used; nothing was changed.
        """
        for target in targets.targets:
            if target.rate_ml_h < 0 or target.volume_ml <= 0:
                raise BadInputError("target", "a target needs a rate of 0 or more and a volume above 0")
        self._take(targets, {})
        return {TARGETS_KEY: encode(targets), PROGRESS_KEY: self.progress()}

    def _take(self, targets: Targets, had: dict[str, Progress]) -> None:
        thresholds = FlowThresholds.from_mapping(targets.thresholds)
        same = thresholds == self._thresholds
        self._thresholds, self.version = thresholds, targets.version
        before, self._bags = self._bags, {}
        for target in targets.targets:
            known = before.get(target.infusion)
            if known is not None and same and _same_line(known.target, target):
                known.target = target
                known.judge.retarget(_goal(target))
                self._bags[target.infusion] = known
            else:
                estimator = self._estimator(target, known, had.get(target.infusion))
                self._bags[target.infusion] = _Bag(target, estimator, thresholds)

    def _estimator(self, target: FlowTarget, known: _Bag | None, had: Progress | None) -> DropEstimator:
        """Where to begin to count: go on, go on after a restart, or at the start of the bag."""
        now = self._now()
        if known is not None and known.target.drops_per_ml == target.drops_per_ml:
            if known.target.device == target.device:
                return known.estimator
            return DropEstimator(target.drops_per_ml, drops=known.estimator.drops)
        if had is not None and had.device == target.device:
            at_s = now.mono_s - max((now.utc - had.utc).total_seconds(), 0.0)
            return DropEstimator(target.drops_per_ml, drops=had.drops, total=had.total, at_s=at_s)
        sensor = self._sensors.get(target.device)
        started_s = now.mono_s - (now.utc - target.started).total_seconds()
        base = sensor.total_at(started_s) if sensor else None
        if base is None or sensor is None:
            return DropEstimator(target.drops_per_ml)
        estimator = DropEstimator(target.drops_per_ml, total=base[1], at_s=base[0])
        for at_s, total in sensor.history:
            if at_s > base[0]:
                estimator.observe(total, at_s)
        return estimator

    def observe(self, device: str, report: DropReport, stamp: Stamp) -> None:
        """Take one report of a drop sensor."""
        sensor = self._sensors.setdefault(device, _Sensor())
        sensor.clock.synchronise(report.now_ms, stamp.mono_s)
        before = sensor.reported_s
        at_s = max(sensor.clock.host_s(report.now_ms), (before or 0.0) + AFTER_S)
        fell_s = at_s if report.last_drop_ms is None else sensor.clock.host_s(report.last_drop_ms)
        fell_s = min(max(fell_s, (before or fell_s) + AFTER_S), at_s)
        sensor.history.append((at_s, report.total))
        for bag in self._of(device):
            if report.total != bag.estimator.total:
                bag.estimator.observe(report.total, fell_s)
            bag.estimator.observe(report.total, at_s)

    def reports(self, now_s: float, device: str | None = None) -> list[FlowReport]:
        """Judge now: all infusions whose sensor has reported to this node, or those on one sensor.

        A sensor that another node holds must not look like one that stands still.
        """
        bags = self._bags.values() if device is None else self._of(device)
        return [bag.report(now_s) for bag in bags if bag.target.device in self._sensors]

    def progress(self) -> bytes:
        """What every bag has had so far, to be written with the reading that tells it."""
        utc = self._now().utc.astimezone(UTC)
        had = {
            infusion: Progress(
                device=bag.target.device, drops=bag.estimator.drops, total=bag.estimator.total, utc=utc
            )
            for infusion, bag in self._bags.items()
            if bag.estimator.total is not None
        }
        return msgspec.json.encode(had)

    def _of(self, device: str) -> list[_Bag]:
        return [bag for bag in self._bags.values() if bag.target.device == device]


def _same_line(old: FlowTarget, new: FlowTarget) -> bool:
    return old.device == new.device and old.drops_per_ml == new.drops_per_ml
