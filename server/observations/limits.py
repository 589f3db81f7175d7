"""The server's own judgement of vital signs against the default limits of adults.

The node judges too. The server judges again, so that a node with an old policy, or a device that speaks
through a node which cannot judge, hides nothing. Both speak into one alarm (:mod:`server.alarms.service`).
Delays are the site policy's. Runs on the writer's thread only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from broker.messages import Readings, Value
from clinical import limits
from clinical.alarms import Gate, timing
from clinical.limits import ADULT, CONTINUOUS, Limit
from clinical.policy import SitePolicy
from clinical.records import PRESENT, USABLE, Alarm, AlarmPriority, Encounter, Generation, Patient
from server.alarms import service as alarms
from server.alarms import store as sources
from server.storage.store import UnitOfWork

CONDITIONS = (limits.LOW, limits.HIGH)
SILENT = timedelta(seconds=30)
NEWEST = timedelta(seconds=60)
"""A reading older than this when it comes is history, whichever lane it came on."""


class _Key(NamedTuple):
    encounter_id: str
    device_id: str
    code: str


@dataclass(slots=True)
class _Watch:
    """One value of one device on one stay: what was last judged, and what the alarm was told of it."""

    gates: dict[str, Gate]
    heard: datetime
    effective: datetime
    verdict: str = ""
    priority: AlarmPriority = AlarmPriority.MEDIUM
    params: dict[str, str | float] = field(default_factory=dict)
    generation: Generation = Generation.REAL
    told: dict[str, AlarmPriority] = field(default_factory=dict)  # condition → priority, once it is on disk

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to watch."""
        return not (self.verdict or self.told or any(gate.holds for gate in self.gates.values()))

    def note(self, condition: str, priority: AlarmPriority | None) -> None:
        """Note what is on disk now; None when its end is."""
        self.told.pop(condition, None)
        if priority is not None:
            self.told[condition] = priority


class LimitWatch:
    """Follows every value that is, or just was, outside its limits."""

    def __init__(self, policy: SitePolicy) -> None:
        self._policy = policy
        self._watches: dict[_Key, _Watch] = {}
        self._resumed = False

    def measured(self, unit: UnitOfWork, message: Readings, stay: Encounter) -> None:
        """Judge the values of one live reading that is filed on a stay."""
        self._resume(unit)
        if not _may_judge(unit, message, stay):
            return
        for value in message.values:
            limit = ADULT.get(value.code)
            if limit is not None and value.unit == limit.unit and value.validity in USABLE:
                self._judge(unit, _Key(stay.id, message.device, value.code), limit, message, value)

    def watched(self, unit: UnitOfWork) -> set[str]:
        """Stays with a value that is, or just was, outside its limits."""
        self._resume(unit)
        return {key.encounter_id for key in self._watches}

    def tick(self, unit: UnitOfWork) -> None:
        """Let delays pass; what is no longer heard, or whose patient has left, alarms no longer."""
        self._resume(unit)
        for key, watch in list(self._watches.items()):
            stay = unit.get(Encounter, key.encounter_id)
            if stay is None or stay.status not in PRESENT:
                del self._watches[key]
                continue
            if key.code in CONTINUOUS and unit.now - watch.heard > SILENT:
                watch.verdict = ""
                watch.gates = self._gates()
            self._advance(unit, key, watch)
            if watch.is_over:
                del self._watches[key]

    def _judge(self, unit: UnitOfWork, key: _Key, limit: Limit, message: Readings, value: Value) -> None:
        watch = self._watches.get(key)
        if value.n is None or (watch is not None and message.effective <= watch.effective):
            return
        standing = next((name for name in CONDITIONS if watch and watch.gates[name].holds), "")
        verdict = limit.judge(value.n, standing=standing)
        if watch is None:
            if not verdict:
                return
            watch = self._watches[key] = self._new(unit.now, message.effective)
        watch.heard, watch.effective, watch.verdict = unit.now, message.effective, verdict
        watch.priority, watch.generation = limits.priority(limit, verdict, value.n), message.generation
        if verdict:
            watch.params = limits.params(limit, verdict, value.n)
        self._advance(unit, key, watch)

    def _gates(self) -> dict[str, Gate]:
        delays = {name: timing(name, self._policy) for name in CONDITIONS}
        return {name: Gate(delay_s=one.delay_s, clear_s=one.clear_s) for name, one in delays.items()}

    def _new(self, now: datetime, effective: datetime) -> _Watch:
        return _Watch(gates=self._gates(), heard=now, effective=effective)

    def _advance(self, unit: UnitOfWork, key: _Key, watch: _Watch) -> None:
        for name in CONDITIONS:
            gate = watch.gates[name] = watch.gates[name].step(watch.verdict == name, unit.now.timestamp())
            if gate.holds:
                self._begin(unit, key, watch, name)
            elif name in watch.told:
                self._end(unit, key, watch, name)

    @staticmethod
    def _begin(unit: UnitOfWork, key: _Key, watch: _Watch, name: str) -> None:
        """Say it until it is on disk, and again when it gets worse."""
        priority = watch.priority if watch.verdict == name else AlarmPriority.MEDIUM
        if watch.told.get(name) in {priority, AlarmPriority.HIGH}:
            return
        alarms.begin(unit, _seen(unit, key, watch, name, priority))
        unit.after_commit(lambda: watch.note(name, priority))

    def _end(self, unit: UnitOfWork, key: _Key, watch: _Watch, name: str) -> None:
        latching = timing(name, self._policy).latching
        alarms.end_condition(unit, _seen(unit, key, watch, name, AlarmPriority.MEDIUM, latching=latching))
        unit.after_commit(lambda: watch.note(name, None))

    def _resume(self, unit: UnitOfWork) -> None:
        """After a restart go on from the alarms this server had raised, so that each of them can end."""
        if self._resumed:
            return
        self._resumed = True
        for alarm in unit.all(Alarm):
            own = alarm.present and alarm.condition in CONDITIONS and alarm.encounter_id
            if own and sources.is_noted(unit.connection, alarm.id, alarms.SERVER, ""):
                self._take_up(alarm, unit.now)

    def _take_up(self, alarm: Alarm, now: datetime) -> None:
        key = _Key(alarm.encounter_id, alarm.device_id, str(alarm.params.get("code", "")))
        watch = self._watches.setdefault(key, self._new(now, alarm.started_at))
        gate = watch.gates[alarm.condition]
        watch.gates[alarm.condition] = Gate(delay_s=gate.delay_s, clear_s=gate.clear_s, holds=True)
        watch.verdict, watch.params, watch.generation = alarm.condition, dict(alarm.params), alarm.generation
        watch.told[alarm.condition] = alarm.priority


def _may_judge(unit: UnitOfWork, message: Readings, stay: Encounter) -> bool:
    """Whether a reading is of now, and its patient an adult as far as anybody knows."""
    late = message.clock.state != "unset" and unit.now - message.effective > NEWEST
    patient = unit.get(Patient, stay.patient_id)
    if late or patient is None or stay.status not in PRESENT:
        return False
    return limits.is_adult(patient.birth_date, unit.now.date())


def _seen(
    unit: UnitOfWork, key: _Key, watch: _Watch, name: str, priority: AlarmPriority, *, latching: bool = False
) -> alarms.Condition:
    return alarms.Condition(
        condition=name,
        kind="physiological",
        priority=priority,
        at=unit.now,
        encounter_id=key.encounter_id,
        device_id=key.device_id,
        params={**watch.params, "code": key.code},
        generation=watch.generation,
        latching=latching,
    )
