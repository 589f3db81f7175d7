"""The node's own alarms, which need no network: flow, vital limits, lost devices, and the node itself.

A condition passes a gate (its delay) before it counts; then the alarm machine of :mod:`clinical.alarms`
decides, and each step is written to the outbox. Alarms that stand are written with it, so that after a
restart the same alarm goes on or ends, and none is left standing on a screen for ever.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from broker.messages import AlarmMessage, Value
from broker.topics import Up
from clinical import alarms, limits
from clinical.alarms import EffectKind, Gate, Step
from clinical.infusion import FLOW_CONDITIONS
from clinical.limits import ADULT
from clinical.policy import SitePolicy
from clinical.records import USABLE, Alarm, AlarmPriority, Generation
from edge_node.clock import Stamp
from edge_node.estimate import FlowReport
from edge_node.outbox import Draft
from edge_node.ports import RowClass
from firmware_profiles.schema import AlarmRule
from firmware_profiles.values import DecodedValue

STATE_KEY = "alarms"
CHANGE_EVERY_S = 10.0
"""Changed numbers of a standing alarm are told no more often than this."""
RESTORED_CLEAR_S = 20.0
"""After a restart a standing alarm waits this long for its condition to be seen again."""
ALARM_DEVICE_LOST = "device-lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an alarm is about; one alarm per condition and subject."""

    device: str = ""
    infusion: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition as just observed."""

    name: str
    subject: Subject
    holds: bool
    priority: AlarmPriority = AlarmPriority.MEDIUM
    kind: str = "physiological"
    params: dict[str, str | float] = field(default_factory=dict)


class _Standing(msgspec.Struct, frozen=True, kw_only=True):
    alarm: Alarm
    code: str = ""


@dataclass(slots=True)
class _Watch:
    gate: Gate
    seen: Condition
    alarm: Alarm | None = None
    told_s: float = 0.0


class LocalAlarms:
    """Every condition this node watches.

    Args:
        put: Takes each message into the outbox.
        envelope: Fields of a message's envelope.
        now: Stamps.
        policy: Delays and re-alarm times.
        generation: Of the node: Demo never mixes with Real.
    """

    def __init__(
        self,
        put: Callable[[Draft], None],
        envelope: Callable[[], dict[str, Any]],
        now: Callable[[], Stamp],
        policy: SitePolicy,
        generation: Generation,
    ) -> None:
        self._put = put
        self._envelope = envelope
        self._now = now
        self._policy = policy
        self._generation = generation
        self._watched: dict[tuple[str, Subject], _Watch] = {}

    @property
    def standing(self) -> list[Alarm]:
        """Alarms that are not closed, most pressing first."""
        found = [watch.alarm for watch in self._watched.values() if watch.alarm is not None]
        return sorted(found, key=alarms.order_key)

    def is_active(self, alarm_id: str) -> bool:
        """Whether this alarm stands now."""
        return any(alarm.id == alarm_id for alarm in self.standing)

    # ---- what is observed
    def observe(self, condition: Condition) -> None:
        """Take one condition, true or not."""
        key = (condition.name, condition.subject)
        watch = self._watched.get(key)
        if watch is None:
            if not condition.holds:
                return
            timing = alarms.timing(condition.name, self._policy)
            watch = _Watch(Gate(delay_s=timing.delay_s, clear_s=timing.clear_s), condition)
            self._watched[key] = watch
        if condition.holds:
            watch.seen = condition
        elif watch.seen.holds:
            watch.seen = _ended(watch.seen)
        self._advance(key, watch, self._now())

    def flow(self, report: FlowReport) -> None:
        """Take the judgement of one infusion: what it does not name does not hold.

        A sensor that is not heard says nothing: what stood stands on, and ``device-lost`` tells the rest.
        """
        if report.judgement.state == "stale":
            return
        subject = Subject(device=report.device, infusion=report.infusion)
        found = {condition.condition: condition for condition in report.judgement.conditions}
        for name in FLOW_CONDITIONS:
            condition = found.get(name)
            if condition is None:
                self.observe(Condition(name=name, subject=subject, holds=False))
            else:
                self.observe(
                    Condition(
                        name=name,
                        subject=subject,
                        holds=True,
                        priority=condition.priority,
                        kind=condition.kind,
                        params=dict(condition.params),
                    )
                )

    def vitals(self, device: str, values: Iterable[Value]) -> None:
        """Compare values with the limits of adults; what is not valid is not judged."""
        for value in values:
            limit = ADULT.get(value.code)
            if limit is None or value.n is None or value.validity not in USABLE or value.unit != limit.unit:
                continue
            self._judge_limit(device, value.code, value.n)

    def _judge_limit(self, device: str, code: str, number: Decimal) -> None:
        limit = ADULT[code]
        subject = Subject(device=device, code=code)
        names = (limits.LOW, limits.HIGH)
        standing = next((name for name in names if self._holds(name, subject)), "")
        verdict = limit.judge(number, standing=standing)
        for name in names:
            self.observe(
                Condition(
                    name=name,
                    subject=subject,
                    holds=verdict == name,
                    priority=limits.priority(limit, name, number),
                    params=limits.params(limit, name, number),
                )
            )

    def device_rules(
        self, device: str, rules: Iterable[AlarmRule], facts: Mapping[str, DecodedValue]
    ) -> None:
        """Compare what a device says of itself with its profile's own alarm rules."""
        for rule in rules:
            fact = facts.get(rule.value)
            if fact is None or rule.kind == "absence":
                continue
            params: dict[str, str | float] = {"value": rule.value}
            if isinstance(fact.value, int | Decimal) and not isinstance(fact.value, bool):
                params["measured"] = float(fact.value)
            self.observe(
                Condition(
                    name="device-fault" if rule.kind == "technical" else "device-limit",
                    subject=Subject(device=device, code=rule.value),
                    holds=_rule_holds(rule, fact),
                    priority=AlarmPriority(rule.priority),
                    kind="technical",
                    params=params,
                )
            )

    def _holds(self, name: str, subject: Subject) -> bool:
        watch = self._watched.get((name, subject))
        return watch is not None and watch.gate.holds

    def device_lost(self, device: str, *, lost: bool, reason: str = "", watched: bool = False) -> None:
        """A device went or came; what it measured is no longer known, so its limits end."""
        if lost:
            self.withdraw(lambda subject: subject.device == device and bool(subject.code))
        self.observe(
            Condition(
                name=ALARM_DEVICE_LOST,
                subject=Subject(device=device),
                holds=lost,
                priority=AlarmPriority.MEDIUM if watched else AlarmPriority.LOW,
                kind="technical",
                params={"reason": reason},
            )
        )

    def node(
        self, name: str, *, holds: bool, priority: AlarmPriority = AlarmPriority.LOW, **params: str | float
    ) -> None:
        """Take a condition of the node itself, such as a full outbox."""
        self.observe(
            Condition(
                name=name, subject=Subject(), holds=holds, priority=priority, kind="technical", params=params
            )
        )

    def withdraw(self, about: Callable[[Subject], bool]) -> None:
        """End at once every alarm about subjects that are no longer watched."""
        stamp = self._now()
        for key in [key for key in self._watched if about(key[1])]:
            watch = self._watched.pop(key)
            if watch.alarm is not None and watch.alarm.present:
                self._tell(alarms.clear(watch.alarm, stamp.utc), watch, stamp)

    def acknowledge(self, alarm_id: str, by: str) -> bool:
        """A person has seen it; False when no such alarm stands here."""
        stamp = self._now()
        for key, watch in list(self._watched.items()):
            if watch.alarm is not None and watch.alarm.id == alarm_id:
                step = alarms.acknowledge(watch.alarm, by, stamp.utc)
                watch.alarm = step.alarm
                self._tell(step, watch, stamp)
                self._drop_closed(key, watch)
                return True
        return False

    def tick(self) -> None:
        """Let time pass: delays, and alarms that speak again; about once a second."""
        stamp = self._now()
        for key, watch in list(self._watched.items()):
            self._advance(key, watch, stamp)
            if watch.alarm is not None:
                step = alarms.tick(watch.alarm, stamp.utc, self._policy)
                watch.alarm = step.alarm
                self._tell(step, watch, stamp)

    # ---- across restarts
    def restore(self, saved: bytes | None) -> None:
        """Take back the alarms that stood when the node stopped."""
        for standing in msgspec.json.decode(saved or b"[]", type=list[_Standing]):
            alarm = standing.alarm
            subject = Subject(device=alarm.device_id, infusion=alarm.infusion_id, code=standing.code)
            seen = Condition(
                name=alarm.condition, subject=subject, holds=False, priority=alarm.priority, kind=alarm.kind,
                params=alarm.params,
            )  # fmt: skip
            gate = Gate(clear_s=RESTORED_CLEAR_S, holds=alarm.present)
            self._watched[alarm.condition, subject] = _Watch(gate, seen, alarm)

    def _saved(self) -> bytes:
        return msgspec.json.encode(
            [
                _Standing(alarm=watch.alarm, code=subject.code)
                for (_, subject), watch in self._watched.items()
                if watch.alarm is not None
            ]
        )

    # ---- steps
    def _advance(self, key: tuple[str, Subject], watch: _Watch, stamp: Stamp) -> None:
        watch.gate = watch.gate.step(watch.seen.holds, stamp.mono_s)
        seen, alarm = watch.seen, watch.alarm
        if watch.gate.holds and alarm is None:
            step = self._begin(seen, stamp)
        elif watch.gate.holds and alarm is not None and seen.holds:
            step = alarms.update(alarm, stamp.utc, priority=_louder(alarm, seen), params=seen.params)
        elif not watch.gate.holds and alarm is not None and alarm.present:
            latching = alarms.timing(seen.name, self._policy).latching
            step = alarms.clear(alarm, stamp.utc, latching=latching)
        else:
            self._drop_closed(key, watch)
            return
        watch.alarm = step.alarm
        self._tell(step, watch, stamp)
        self._drop_closed(key, watch)

    def _begin(self, seen: Condition, stamp: Stamp) -> Step:
        return alarms.raise_alarm(
            alarm_id=str(uuid.uuid4()),
            condition=seen.name,
            kind=seen.kind,
            priority=seen.priority,
            now=stamp.utc,
            params=seen.params,
            device_id=seen.subject.device,
            infusion_id=seen.subject.infusion,
            generation=self._generation,
        )

    def _drop_closed(self, key: tuple[str, Subject], watch: _Watch) -> None:
        if watch.alarm is not None and watch.alarm.signal == "off":
            watch.alarm = None
        if watch.alarm is None and not watch.gate.holds and not watch.seen.holds:
            self._watched.pop(key, None)

    def _tell(self, step: Step, watch: _Watch, stamp: Stamp) -> None:
        if step.alarm is None:
            return
        kinds = {effect.kind for effect in step.effects}
        changed_only = kinds == {EffectKind.CHANGED}
        if not kinds or (changed_only and stamp.mono_s - watch.told_s < CHANGE_EVERY_S):
            return
        watch.told_s = stamp.mono_s
        self._put(self._draft(step.alarm, _phase(kinds), stamp))

    def _draft(self, alarm: Alarm, phase: str, stamp: Stamp) -> Draft:
        params = dict(alarm.params)
        if alarm.acknowledged_by:
            params["acknowledged_by"] = alarm.acknowledged_by
        message = AlarmMessage(
            **self._envelope(),
            id=alarm.id,
            condition=alarm.condition,
            kind=alarm.kind,  # type: ignore[arg-type]
            priority=alarm.priority,
            phase=phase,  # type: ignore[arg-type]
            effective=stamp.utc,
            device=alarm.device_id or None,
            infusion=alarm.infusion_id or None,
            generation=alarm.generation,
            params=params,
        )
        return Draft(
            message=message,
            kind=Up.ALARMS,
            row_class=RowClass.ALARM,
            id=f"{alarm.id}:{phase}:{uuid.uuid4().hex[:12]}",
            effective=stamp.utc,
            mono_ns=stamp.mono_ns,
            device=alarm.device_id,
            state={STATE_KEY: self._saved()},
        )


def _phase(kinds: set[EffectKind]) -> str:
    if EffectKind.STARTED in kinds:
        return "start"
    return "end" if EffectKind.ENDED in kinds else "update"


def _louder(alarm: Alarm, seen: Condition) -> AlarmPriority:
    """A standing alarm may get louder, never softer."""
    return max(alarm.priority, seen.priority, key=alarms.RANK.__getitem__)


def _rule_holds(rule: AlarmRule, fact: DecodedValue) -> bool:
    if rule.kind == "technical":
        return bool(fact.value)
    if isinstance(fact.value, bool) or not isinstance(fact.value, int | Decimal):
        return False
    low = rule.lo is not None and fact.value < rule.lo
    return low or (rule.hi is not None and fact.value > rule.hi)


def _ended(condition: Condition) -> Condition:
    return Condition(
        name=condition.name, subject=condition.subject, holds=False, priority=condition.priority,
        kind=condition.kind, params=condition.params,
    )  # fmt: skip
