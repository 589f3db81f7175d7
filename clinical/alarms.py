"""The alarm machine: pure functions from (alarm, event, now) to the next alarm and what has to be done.

Words are BICEPS and IEC 60601-1-8: *presence* (the condition holds), *signal* (``on``, ``off``, ``latched``,
``acknowledged``) and *acknowledgement* (who, when) are kept apart. An acknowledged alarm is silent but stays
visible until its condition ends; a latching one stays until a person has seen it, even when the condition is
over; one that goes on too long after an acknowledgement speaks again. Nothing here has a clock. To whom an
alarm has been escalated stands on the alarm itself (``params["escalated"]``), so that neither a restart nor a
late arrival nor a failed commit loses a step or tells it twice.

Source: IEC 60601-1-8 (clause 6.8 to 6.10, terms); delays and escalation are
proposals of the site policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from clinical.policy import AlarmTiming, SitePolicy
from clinical.records import Alarm, AlarmPriority, Generation

RANK: dict[AlarmPriority, int] = {
    AlarmPriority.NONE: 0,
    AlarmPriority.LOW: 1,
    AlarmPriority.MEDIUM: 2,
    AlarmPriority.HIGH: 3,
}
"""How priorities compare."""
TOLD = "escalated"
"""Parameter of an alarm: to whom it has been escalated since it began to sound, words with commas between."""
PERSONS = "told"
"""Parameter of an alarm: the ids of the persons told since it began to sound, with commas between."""
Persons = Callable[[str], tuple[str, ...]]


class EffectKind(StrEnum):
    """What has to be done after a step."""

    STARTED = "started"
    CHANGED = "changed"
    RAISED = "raised"  # to a higher priority: it sounds again, also when acknowledged
    ENDED = "ended"  # the condition is over
    ACKNOWLEDGED = "acknowledged"
    REALARMED = "realarmed"
    CLOSED = "closed"  # condition over and nothing left to see: off the screen
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing to do: publish, sound, tell the next person (``to``)."""

    kind: EffectKind
    to: str = ""
    persons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The alarm after an event, and the effects. ``alarm`` is None when it is closed."""

    alarm: Alarm | None
    effects: tuple[Effect, ...] = ()


def _step(alarm: Alarm | None, *kinds: EffectKind) -> Step:
    return Step(alarm=alarm, effects=tuple(Effect(kind=kind) for kind in kinds))


def raise_alarm(
    *, alarm_id: str, condition: str, kind: str, priority: AlarmPriority, now: datetime,
    params: dict[str, str | float] | None = None, encounter_id: str = "", patient_id: str = "", bed: str = "",
    device_id: str = "", infusion_id: str = "", generation: Generation = Generation.REAL,
) -> Step:  # fmt: skip
    """Begin an alarm: present, signal on, not acknowledged."""
    alarm = Alarm(
        id=alarm_id, condition=condition, kind=kind, priority=priority, present=True, signal="on",
        started_at=now, encounter_id=encounter_id, patient_id=patient_id, bed=bed, device_id=device_id,
        infusion_id=infusion_id, params=dict(params or {}), generation=generation,
    )  # fmt: skip
    return _step(alarm, EffectKind.STARTED)


def update(
    alarm: Alarm,
    now: datetime,
    *,
    priority: AlarmPriority | None = None,
    params: dict[str, str | float] | None = None,
) -> Step:
    """Take new values of a condition that holds.

    A higher priority breaks through an acknowledgement; a lower one never silences anything. A condition
    that had ended while the alarm was latched begins again and sounds. Whom it was escalated to is forgotten
    only when it begins again: one that was raised is told at once to those its new priority adds.
    """
    wanted = alarm.priority if priority is None else priority
    louder = RANK[wanted] > RANK[alarm.priority]
    again = not alarm.present
    values = _values(alarm, alarm.params if params is None else params, again=again)
    changed = replace(alarm, priority=wanted, params=values, present=True, ended_at=None)
    if louder or again:
        sounding = replace(
            changed, signal="on", acknowledged_by="", acknowledged_at=None,
            started_at=now if again else alarm.started_at,
        )  # fmt: skip
        return _step(sounding, EffectKind.RAISED if louder else EffectKind.STARTED)
    return _step(changed) if changed == alarm else _step(changed, EffectKind.CHANGED)


def _values(alarm: Alarm, params: Mapping[str, str | float], *, again: bool) -> dict[str, str | float]:
    """Return new parameters with the steps told so far, or without them where the clock starts anew."""
    values = {name: value for name, value in params.items() if name not in {TOLD, PERSONS}}
    kept = {} if again else {name: alarm.params[name] for name in (TOLD, PERSONS) if name in alarm.params}
    return values | kept


def clear(alarm: Alarm, now: datetime, *, latching: bool = False) -> Step:
    """End the condition. A latching alarm nobody has acknowledged stays, as ``latched``."""
    if not alarm.present:
        return _step(alarm)
    ended = replace(alarm, present=False, ended_at=now)
    if latching and not alarm.acknowledged_by:
        return _step(replace(ended, signal="latched"), EffectKind.ENDED)
    return _step(replace(ended, signal="off"), EffectKind.ENDED, EffectKind.CLOSED)


def acknowledge(alarm: Alarm, by: str, now: datetime) -> Step:
    """Record that a person has seen it and goes: silent at once, visible while the condition holds.

    Acknowledging twice keeps the first person and time.
    """
    if alarm.acknowledged_by or alarm.signal == "off":
        return _step(alarm)
    seen = replace(alarm, acknowledged_by=by, acknowledged_at=now)
    if alarm.present:
        return _step(replace(seen, signal="acknowledged"), EffectKind.ACKNOWLEDGED)
    return _step(replace(seen, signal="off"), EffectKind.ACKNOWLEDGED, EffectKind.CLOSED)


def tick(alarm: Alarm, now: datetime, policy: SitePolicy) -> Step:
    """Let time pass until ``now``: an acknowledged alarm whose condition goes on too long speaks again."""
    if not alarm.present or alarm.acknowledged_at is None:
        return _step(alarm)
    after = timing(alarm.condition, policy).realarm_s
    if now - alarm.acknowledged_at < timedelta(seconds=after):
        return _step(alarm)
    again = replace(
        alarm, signal="on", acknowledged_by="", acknowledged_at=None, started_at=now,
        params=_values(alarm, alarm.params, again=True),
    )  # fmt: skip
    return _step(again, EffectKind.REALARMED)


def _nobody(_to: str) -> tuple[str, ...]:
    return ()


def escalate(alarm: Alarm, now: datetime, policy: SitePolicy, persons: Persons = _nobody) -> Step:
    """Tell whoever is due to hear at ``now`` of an alarm that nobody has acknowledged.

    A step is due from its time on until it has been told, however late this is asked and however often; the
    answered alarm names everybody who has been told.

    Args:
        alarm: The alarm.
        now: The present.
        policy: Says who is told after how long.
        persons: The ids of those who stand behind a step's word, as far as they are known.
    """
    if not alarm.present or alarm.acknowledged_at is not None:
        return _step(alarm)
    told = told_of(alarm)
    due: list[str] = []
    for step in policy.escalation:
        late = alarm.started_at + timedelta(seconds=step.after_s) <= now
        if step.priority == alarm.priority.value and late and step.to not in {*told, *due}:
            due.append(step.to)
    if not due:
        return _step(alarm)
    effects = tuple(Effect(kind=EffectKind.ESCALATED, to=to, persons=persons(to)) for to in due)
    noted = replace(alarm, params={**alarm.params, TOLD: ",".join((*told, *due))})
    return Step(alarm=name_persons(noted, *(effect.persons for effect in effects)), effects=effects)


def name_persons(alarm: Alarm, *told: tuple[str, ...]) -> Alarm:
    """Note on an alarm which persons were told, each once and in that order."""
    known = str(alarm.params.get(PERSONS, ""))
    named = dict.fromkeys(
        name for name in (*known.split(","), *(one for some in told for one in some)) if name
    )
    return replace(alarm, params={**alarm.params, PERSONS: ",".join(named)}) if named else alarm


def told_of(alarm: Alarm) -> tuple[str, ...]:
    """To whom an alarm has been escalated since it began to sound, in that order."""
    return tuple(name for name in str(alarm.params.get(TOLD, "")).split(",") if name)


def timing(condition: str, policy: SitePolicy) -> AlarmTiming:
    """Return the delays of a condition; conditions the policy does not name begin and end at once."""
    return policy.alarms.get(condition, _AT_ONCE)


_AT_ONCE = AlarmTiming()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Delay before a condition counts and before its end counts, so that a touch on a probe is no alarm.

    ``holds`` is what counts; ``since`` is when the raw condition last began to differ from it.
    """

    delay_s: float = 0.0
    clear_s: float = 0.0
    holds: bool = False
    since: float | None = None

    def step(self, raw: bool, now_s: float) -> Gate:
        """Take the raw condition at ``now_s`` and return the gate after it."""
        if raw == self.holds:
            return self if self.since is None else replace(self, since=None)
        since = now_s if self.since is None else self.since
        wait = self.delay_s if raw else self.clear_s
        if now_s - since >= wait:
            return replace(self, holds=raw, since=None)
        return replace(self, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPause:
    """The sound is paused for a while; light and text stay, and something worse breaks through."""

    until: datetime
    since: datetime
    alarms: frozenset[str] = field(default_factory=frozenset)  # ids sounding when it was pressed
    highest: AlarmPriority = AlarmPriority.NONE

    @classmethod
    def begin(cls, alarms: Iterable[Alarm], now: datetime, seconds: float = 120.0) -> AudioPause:
        """Pause the sound of what sounds now."""
        sounding = [alarm for alarm in alarms if alarm.signal in {"on", "latched"}]
        highest = max(
            (alarm.priority for alarm in sounding), key=RANK.__getitem__, default=AlarmPriority.NONE
        )
        return cls(
            until=now + timedelta(seconds=seconds), since=now, highest=highest,
            alarms=frozenset(alarm.id for alarm in sounding),
        )  # fmt: skip


def audible(alarms: Iterable[Alarm], now: datetime, pause: AudioPause | None = None) -> AlarmPriority:
    """Return the priority that sounds now: the highest signal that is on, less what a pause covers.

    During a pause only a new alarm of at least the paused priority, or one raised above it, is heard.
    """
    loud = [alarm for alarm in alarms if alarm.signal == "on"]
    if pause is not None and now < pause.until:
        loud = [alarm for alarm in loud if _breaks_through(alarm, pause)]
    return max((alarm.priority for alarm in loud), key=RANK.__getitem__, default=AlarmPriority.NONE)


def _breaks_through(alarm: Alarm, pause: AudioPause) -> bool:
    if alarm.id in pause.alarms:
        return RANK[alarm.priority] > RANK[pause.highest]
    return RANK[alarm.priority] >= RANK[pause.highest]


def order_key(alarm: Alarm) -> tuple[int, int, float]:
    """Return the sorting key of a list of alarms: unacknowledged first, then priority, newest first."""
    return (alarm.signal == "acknowledged", -RANK[alarm.priority], -alarm.started_at.timestamp())
