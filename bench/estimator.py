"""Compares the drip estimators and the judgement of flow with a simulated truth, at 10 to 120 drops a minute.

What runs is the node's own flow watch, fed once a second as a drop sensor feeds it. Everything is seeded: the
same version gives the same figures on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from bench import estimator_report
from bench.estimator_world import DROPS_PER_ML, EVEN, SHRUNK, USUAL, Bedside, Drip, LoadCell, Noise
from clinical.infusion.weight import WeightEstimator, disagreement, drop_volume
from clinical.policy import FlowThresholds
from edge_node.estimate import FlowReport

RATES = (10, 20, 30, 40, 60, 80, 100, 120)
SEEDS = 3
TRIALS = 20
STEADY_S = 3600
WARM_S = 120.0
PLENTY_ML = 5000.0
BAG_ML = 100.0
TARE_G = 40.0
LONGEST_S = 900
FREE_FLOW = 3.0
"""Free flow is simulated as a clamp that was opened to three times the ordered rate."""
QUICK = replace(
    FlowThresholds(), no_flow_min_s=10.0, free_flow_factor=1.5, free_flow_s=5.0, deviation_window_s=60.0
)
"""Quicker thresholds of the literature, beside the proposal that the product ships with."""
THRESHOLDS = {"site-policy": FlowThresholds(), "quick": QUICK}
BIAS_LIMIT, P95_LIMIT = 2.0, 10.0
"""Percent; what the rate shown to a nurse may be off with the usual faults of a sensor."""


@dataclass
class Errors:
    """Signed errors in percent."""

    found: list[float] = field(default_factory=list)

    def add(self, value: float, true: float) -> None:
        """Take one pair."""
        self.found.append(100.0 * (value - true) / true)

    def figures(self) -> dict[str, float]:
        """Mean, and the size that 95 of 100 do not exceed."""
        return {
            "bias_percent": round(fmean(self.found), 1),
            "p95_error_percent": round(percentile([abs(one) for one in self.found], 0.95), 1),
        }


def percentile(values: list[float], part: float) -> float:
    """The value that ``part`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def rates(noise: Noise, name: str, *, tells: bool, gtts: tuple[int, ...] = RATES) -> Iterator[dict[str, Any]]:
    """Rate and volume in steady flow; the rate against what falls, the volume against what truly ran in."""
    for gtt in gtts:
        rate, volume, shown = Errors(), Errors(), []
        for seed in range(SEEDS):
            bed = _bed(gtt, noise, seed, tells=tells)
            first: float | None = None
            for _ in range(STEADY_S):
                told = bed.second().estimate
                if told.gtt_min is None:
                    continue
                first = bed.now_s if first is None else first
                if bed.now_s >= WARM_S:
                    rate.add(told.gtt_min, gtt)
            volume.add(told.infused_ml, bed.drip.given_ml)
            shown.append(first or float(STEADY_S))
        yield {
            "id": f"rate/{name}/{gtt}", "gtt_min": gtt, **rate.figures(),
            "volume_bias_percent": round(fmean(volume.found), 1), "first_shown_s": round(max(shown)),
        }  # fmt: skip


def _bed(gtt: float, noise: Noise, seed: int, *, tells: bool = True, volume_ml: float = PLENTY_ML,
         thresholds: FlowThresholds | None = None) -> Bedside:  # fmt: skip
    drip = Drip(volume_ml, gtt, noise, seed)
    return Bedside(
        drip, ordered_gtt_min=gtt, volume_ml=volume_ml, tells_drop_time=tells, thresholds=thresholds,
        seed=seed,
    )  # fmt: skip


def _until(bed: Bedside, condition: str, longest_s: int = LONGEST_S) -> float | None:
    """Go on until a condition holds; None when it does not come."""
    for _ in range(longest_s):
        if condition in _conditions(bed.second()):
            return bed.now_s
    return None


def _conditions(report: FlowReport) -> set[str]:
    return {one.condition for one in report.judgement.conditions}


def _change(gtt: float, thresholds: FlowThresholds, condition: str, new_gtt: float) -> dict[str, Any]:
    """How long a change of the clamp goes unnoticed, over trials that begin at different moments."""
    delays, missed = [], 0
    for trial in range(TRIALS):
        bed = _bed(gtt, USUAL, trial, thresholds=thresholds)
        for _ in range(600 + trial):
            bed.second()
        turned = bed.now_s
        since = bed.drip.last_fell_s if new_gtt == 0.0 else turned
        bed.drip.turn(new_gtt, turned)
        found = _until(bed, condition)
        if found is None:
            missed += 1
        else:
            delays.append(found - since)
    return {
        "median_s": round(percentile(delays, 0.5)) if delays else None,
        "p95_s": round(percentile(delays, 0.95)) if delays else None,
        "not_noticed": missed,
    }


def _end(gtt: float, thresholds: FlowThresholds) -> dict[str, Any]:
    """When the end of a bag was told, against when it should have been, and how soon it was called empty."""
    errors, empty = [], []
    for trial in range(TRIALS // 4):
        bed = _bed(gtt, USUAL, trial, volume_ml=BAG_ML, thresholds=thresholds)
        due = max(thresholds.near_end_min, BAG_ML * thresholds.near_end_percent / 100 / (gtt / DROPS_PER_ML))
        if _until(bed, "near-end", 10**5) is not None:
            errors.append(bed.drip.left_ml / (bed.drip.rate_ml_h / 60.0) - due)
        if _until(bed, "empty", 10**5) is not None:
            empty.append(bed.now_s - bed.drip.last_fell_s if bed.drip.left_ml <= 0.0 else 0.0)
    return {
        "near_end_due_min": round(due, 1),
        "near_end_bias_min": round(fmean(errors), 2),
        "near_end_p95_error_min": round(percentile([abs(one) for one in errors], 0.95), 2),
        "empty_p95_s": round(percentile(empty, 0.95)),
    }


def _false(gtt: float, thresholds: FlowThresholds) -> dict[str, float]:
    """False alarms in a day of steady flow as ordered, by condition, counted as they begin."""
    begun: dict[str, int] = {"no-flow": 0, "free-flow": 0, "rate-deviation": 0}
    for seed in range(SEEDS):
        bed = _bed(gtt, USUAL, 100 + seed, thresholds=thresholds)
        before: set[str] = set()
        for _ in range(STEADY_S):
            now = _conditions(bed.second())
            for name in begun:
                begun[name] += name in now and name not in before
            before = now
    days = SEEDS * STEADY_S / 86400.0
    return {
        f"false_{name.replace('-', '_')}_per_day": round(count / days, 1) for name, count in begun.items()
    }


def detection(name: str, gtts: tuple[int, ...] = RATES) -> Iterator[dict[str, Any]]:
    """How soon what goes wrong is noticed, and how often nothing was wrong."""
    limits = THRESHOLDS[name]
    for gtt in gtts:
        yield {
            "id": f"detection/{name}/{gtt}", "gtt_min": gtt,
            "no_flow": _change(gtt, limits, "no-flow", 0.0),
            "free_flow": _change(gtt, limits, "free-flow", gtt * FREE_FLOW),
            **_end(gtt, limits), **_false(gtt, limits),
        }  # fmt: skip


def weights(noise: Noise, name: str, gtts: tuple[int, ...] = RATES) -> Iterator[dict[str, Any]]:
    """The weight channel beside the drops: its own errors, the calibrated drop, and when the two disagree."""
    for gtt in gtts:
        rate, calibrated, nominal = Errors(), Errors(), Errors()
        left: list[float] = []
        noticed: list[float | None] = []
        for seed in range(SEEDS):
            bed = _bed(gtt, noise, seed)
            found = _weighed(bed, LoadCell(TARE_G, seed), rate, left)
            volume = drop_volume(DROPS_PER_ML, bed.drip.counted, found.by_weight_ml)
            calibrated.add(volume.ml * bed.drip.counted, bed.drip.given_ml)
            nominal.add(bed.drip.counted / DROPS_PER_ML, bed.drip.given_ml)
            noticed.append(found.disagreed_s)
        seen = [one for one in noticed if one is not None]
        yield {
            "id": f"weight/{name}/{gtt}", "gtt_min": gtt, **rate.figures(),
            "remaining_p95_error_ml": round(percentile(left, 0.95), 1),
            "nominal_volume_bias_percent": round(fmean(nominal.found), 1),
            "calibrated_volume_bias_percent": round(fmean(calibrated.found), 1),
            "disagreement_min": round(max(seen) / 60.0, 1) if seen else None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What the weight said at the end of an hour, and when it first contradicted the drops."""

    by_weight_ml: float
    disagreed_s: float | None


def _weighed(bed: Bedside, cell: LoadCell, rate: Errors, left: list[float]) -> Weighed:
    estimator = WeightEstimator(cell.tare_g)
    disagreed: float | None = None
    for _ in range(STEADY_S):
        drops = bed.second().estimate
        estimator.observe(cell.weigh(bed.drip.left_ml, bed.now_s), bed.now_s)
        told = estimator.estimate(bed.now_s)
        if told.remaining_ml is not None:
            left.append(abs(told.remaining_ml - bed.drip.left_ml))
        if told.rate_ml_h is not None and bed.now_s > LONGEST_S:
            rate.add(told.rate_ml_h, bed.drip.rate_ml_h)
        if disagreed is None and disagreement(drops.infused_ml, told.infused_ml) is not None:
            disagreed = bed.now_s
    return Weighed(by_weight_ml=told.infused_ml, disagreed_s=disagreed)


PARTS: tuple[Callable[[], Iterator[dict[str, Any]]], ...] = (
    lambda: rates(EVEN, "even", tells=True),
    lambda: rates(USUAL, "usual", tells=True),
    lambda: rates(USUAL, "counter-only", tells=False),
    lambda: rates(SHRUNK, "shrunk", tells=True),
    lambda: detection("site-policy"),
    lambda: detection("quick"),
    lambda: weights(USUAL, "usual"),
    lambda: weights(SHRUNK, "shrunk"),
)


def measure() -> list[dict[str, Any]]:
    """Every figure; the limits hold for the rate with the usual faults."""
    results = [result for part in PARTS for result in part()]
    for result in results:
        if result["id"].startswith("rate/usual/"):
            fine = abs(result["bias_percent"]) <= BIAS_LIMIT and result["p95_error_percent"] <= P95_LIMIT
            result["ok"] = fine
    return results


def render(results: list[dict[str, Any]]) -> str:
    """The committed document."""
    return estimator_report.render(results)
