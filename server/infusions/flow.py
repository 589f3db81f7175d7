"""What really flows against what was started: the server's own judgement of each drip.

The node judges too; the server judges again with the same functions, so that a node with an old target or
none at all cannot hide a wrong rate. Both speak into the same alarm (:mod:`server.alarms.service`).
Runs on the writer's thread only.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from clinical.alarms import Gate, timing
from clinical.infusion import (
    FLOW_CONDITIONS,
    DropEstimator,
    FlowCondition,
    FlowGoal,
    FlowJudge,
    FlowJudgement,
    arithmetic,
)
from clinical.policy import FlowThresholds, SitePolicy
from clinical.records import FLOWING, AlarmPriority, Association, Flow, Infusion, InfusionState, Validity
from server.alarms import service as alarms
from server.infusions.unexpected import StrayFlow
from server.storage.store import UnitOfWork

_KEEP_EVERY = timedelta(milliseconds=500)  # nodes report once a second; a jitter of theirs must not delay one


class Measured(NamedTuple):
    """Numbers of one reading of a drip; None where the node gave none."""

    effective: datetime
    drops: int | None = None
    gtt_min: float | None = None
    rate_ml_h: float | None = None
    infused_ml: float | None = None
    remaining_ml: float | None = None
    time_left_min: float | None = None
    validity: Validity = Validity.VALID


class _Watch:
    """Estimator, judge and alarm gates of one bag."""

    def __init__(
        self, infusion: Infusion, thresholds: FlowThresholds, infused_ml: float, gates: dict[str, Gate]
    ) -> None:
        counted = round(infused_ml * infusion.drops_per_ml)
        self.estimator = DropEstimator(infusion.drops_per_ml, drops=counted)
        self.judge = FlowJudge(goal_of(infusion), thresholds)
        self.last: Measured | None = None
        self.gates = gates
        self.seen: dict[str, FlowCondition] = {}


class FlowWatch:
    """Follows every bag that hangs open."""

    def __init__(self, policy: SitePolicy) -> None:
        self.policy = policy
        self._watches: dict[str, _Watch] = {}
        self.stray = StrayFlow(policy)

    def measured(self, unit: UnitOfWork, infusion_id: str, reading: Measured) -> None:
        """Take a reading of a bag; an older one than the last changes nothing."""
        infusion = unit.get(Infusion, infusion_id)
        if infusion is None or infusion.state not in FLOWING:
            return
        watch = self._watch(unit, infusion, reading)
        if watch.last is not None and reading.effective <= watch.last.effective:
            return
        watch.last = reading
        if reading.drops is not None:
            watch.estimator.observe(reading.drops, reading.effective.timestamp())
        if reading.infused_ml is not None:
            # The node has counted this bag from its start; this server may have been away for a part of it.
            watch.estimator.correct(round(reading.infused_ml * infusion.drops_per_ml))
        self._judge(unit, infusion, watch, reading.effective)

    def tick(self, unit: UnitOfWork) -> None:
        """Judge silence: a drip that is not heard is stale, one that has stopped alarms by itself."""
        flowing = {one.id: one for one in unit.all(Infusion) if one.state in FLOWING}
        for gone in self._watches.keys() - flowing.keys():
            del self._watches[gone]
        for infusion in flowing.values():
            if infusion.device_id:
                self._judge(unit, infusion, self._watch(unit, infusion), unit.now)
        _unwatched(unit, flowing)
        self.stray.tick(unit)

    def _watch(self, unit: UnitOfWork, infusion: Infusion, reading: Measured | None = None) -> _Watch:
        """Return the watch of a bag; after a restart it goes on from what the node has counted."""
        watch = self._watches.get(infusion.id)
        # A watch only the ticker has seen knows nothing of the drops that fell while this server was away.
        if watch is None or (watch.last is None and reading is not None):
            known = unit.get(Flow, infusion.id)
            stated = reading.infused_ml if reading is not None else None
            infused = stated if stated is not None else (known.infused_ml or 0.0) if known else 0.0
            watch = _Watch(infusion, self.policy.flow, infused, self._gates(unit, infusion))
            self._watches[infusion.id] = watch
        watch.judge.retarget(goal_of(infusion))
        return watch

    def _judge(self, unit: UnitOfWork, infusion: Infusion, watch: _Watch, at: datetime) -> None:
        judgement = watch.judge.update(watch.estimator.estimate(at.timestamp()), at.timestamp())
        self._keep(unit, infusion, watch, judgement)
        holding = {one.condition: one for one in judgement.conditions}
        watch.seen |= holding
        for condition in FLOW_CONDITIONS:
            if condition not in holding and judgement.state == "stale":
                continue  # silence ends nothing
            gate = watch.gates[condition].step(condition in holding, at.timestamp())
            watch.gates[condition] = gate
            if not gate.holds:
                latching = timing(condition, self.policy).latching
                alarms.end_condition(unit, replace(_bare(infusion, condition, at), latching=latching))
            elif condition in watch.seen:
                alarms.begin(unit, _seen(unit, infusion, watch.seen[condition], at))

    def _gates(self, unit: UnitOfWork, infusion: Infusion) -> dict[str, Gate]:
        """Delays of the site policy; what already stands in the store holds from the start."""
        gates = {}
        for condition in FLOW_CONDITIONS:
            delays = timing(condition, self.policy)
            standing = alarms.present(unit, _bare(infusion, condition, unit.now))
            holds = standing is not None and standing.present
            gates[condition] = Gate(delay_s=delays.delay_s, clear_s=delays.clear_s, holds=holds)
        return gates

    def _keep(self, unit: UnitOfWork, infusion: Infusion, watch: _Watch, judgement: FlowJudgement) -> None:
        reading = watch.last
        if reading is None:
            return
        flow = _flow(infusion, reading, judgement)
        before = unit.get(Flow, infusion.id)
        loud = before is None or before.state != flow.state
        if loud or before is None or flow.effective - before.effective >= _KEEP_EVERY:
            unit.put(flow, quiet=not loud)


def _unwatched(unit: UnitOfWork, flowing: dict[str, Infusion]) -> None:
    """Say of a bag that goes on that its sensor was taken to another bag, or off: nobody counts its drops."""
    bound = {one.infusion_id for one in unit.all(Association) if one.end is None}
    for infusion in flowing.values():
        if not infusion.device_id:
            continue
        seen = replace(
            _bare(infusion, "device-lost", unit.now),
            priority=AlarmPriority.MEDIUM,
            params={"label": infusion.device_id},
            generation=alarms.generation_of(unit, infusion.patient_id),
        )
        if infusion.id not in bound:
            alarms.begin(unit, seen)
        else:
            alarms.end_condition(unit, seen)


def goal_of(infusion: Infusion) -> FlowGoal:
    """Return what an infusion should do."""
    return FlowGoal(
        rate_ml_h=float(infusion.rate_ml_h),
        drops_per_ml=float(infusion.drops_per_ml),
        volume_ml=float(infusion.volume_ml),
        state="paused" if infusion.state is InfusionState.PAUSED else "running",
    )


def _flow(infusion: Infusion, reading: Measured, judgement: FlowJudgement) -> Flow:
    """Join the node's numbers with the server's judgement; a stale drip has no countdown."""
    stale = judgement.state == "stale"
    remaining = reading.remaining_ml if reading.remaining_ml is not None else judgement.remaining_ml
    left = reading.time_left_min if reading.time_left_min is not None else judgement.time_left_min
    infused = reading.infused_ml
    if infused is None:
        infused = float(infusion.volume_ml) - judgement.remaining_ml
    return Flow(
        id=infusion.id,
        effective=reading.effective,
        validity=Validity.INVALID if stale else reading.validity,
        gtt_min=reading.gtt_min,
        rate_ml_h=reading.rate_ml_h,
        infused_ml=infused,
        remaining_ml=remaining,
        time_left_min=None if stale else left,
        state=judgement.state,
        deviation_percent=None if stale else _deviation(infusion, reading, judgement),
    )


def _deviation(infusion: Infusion, reading: Measured, judgement: FlowJudgement) -> float | None:
    """Return the deviation of the rate that is shown, once the judge has seen enough to speak of one."""
    if judgement.deviation_percent is None or reading.gtt_min is None:
        return judgement.deviation_percent
    return arithmetic.deviation_percent(reading.gtt_min, goal_of(infusion).gtt_min)


def _seen(unit: UnitOfWork, infusion: Infusion, condition: FlowCondition, at: datetime) -> alarms.Condition:
    params: dict[str, str | float] = dict(condition.params)
    return replace(
        _bare(infusion, condition.condition, at),
        priority=condition.priority,
        kind=condition.kind,
        params=params,
        generation=alarms.generation_of(unit, infusion.patient_id),
    )


def _bare(infusion: Infusion, condition: str, at: datetime) -> alarms.Condition:
    return alarms.Condition(
        condition=condition,
        priority=AlarmPriority.LOW,
        at=at,
        encounter_id=infusion.encounter_id,
        device_id=infusion.device_id,
        infusion_id=infusion.id,
    )
