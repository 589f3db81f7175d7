"""Timed rules, each in a transaction of its own: one that fails stops none of the others.

A rule that fails three times in a row raises a technical alarm, and health names it; the alarm ends with the
rule's next success. What a rule could not do, it does with the next second: rules judge what is due by what
is stored, never by when they last ran.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from clinical.errors import UnavailableError
from clinical.records import Alarm, AlarmPriority
from server.alarms import service as alarms
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)
FAILED = "timed-rule-failed"
"""Condition of the alarm and reason in health."""
ALARM_AFTER = 3
"""Failures in a row (proposal)."""
STUCK_AFTER = timedelta(seconds=30)
"""Without any turn for so long time does not pass for the ward any more (proposal)."""
_LOG_EVERY = 60
_SILENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that happens because time passes.

    ``every`` is the least time between two successes; none is every second.
    """

    name: str
    apply: Callable[[UnitOfWork], object]
    every: timedelta = timedelta(0)


class Timed:
    """Gives rules their turns, in order. Used by one task of the event loop."""

    def __init__(self, rules: Sequence[Rule], began: datetime) -> None:
        self._rules = tuple(rules)
        self._done = {rule.name: began for rule in rules}
        self._failed = dict.fromkeys(self._done, 0)
        self._turned = began

    def due(self, now: datetime) -> tuple[Rule, ...]:
        """Return the rules whose turn it is; a clock that was set back makes every rule due."""
        return tuple(
            rule for rule in self._rules if not timedelta(0) <= now - self._done[rule.name] < rule.every
        )

    async def turn(self, store: Store) -> None:
        """Give every rule that is due its transaction; a store that answers two in a row no more ends it."""
        silent = 0
        for rule in self.due(store.clock()):
            try:
                await store.write_async(rule.apply)
            except UnavailableError as error:
                self._note_failure(rule.name, error)
                silent += 1
                if silent == _SILENT:
                    return
            except Exception as error:  # noqa: BLE001 - whatever it is, the next rule has its turn
                self._note_failure(rule.name, error)
                silent = 0
            else:
                self._done[rule.name], self._failed[rule.name], silent = store.clock(), 0, 0
        self._turned = store.clock()
        await self._tell(store)

    def apply_all(self, unit: UnitOfWork) -> None:
        """Give every rule that is due its turn in one transaction, for a ward that runs in fast time.

        Raises:
            WardlinkError: Whatever a rule raises; nothing of this turn counts then.
        """
        due = self.due(unit.now)
        for rule in due:
            rule.apply(unit)
        for rule in due:
            self._done[rule.name] = unit.now

    def state(self, now: datetime) -> dict[str, Any]:
        """Say for health which rules fail, and how long ago each has last done its work, in seconds."""
        failing = sorted(name for name, count in self._failed.items() if count)
        stuck = now - self._turned > STUCK_AFTER
        state: dict[str, Any] = {
            "ok": not failing and not stuck,
            "failing": len(failing),
            "rules": {name: round(max(0.0, (now - at).total_seconds())) for name, at in self._done.items()},
        }
        if failing:
            state |= {"reason": FAILED, "failing_rules": failing}
        elif stuck:
            state["reason"] = "timed-rules-stuck"
        return state

    def _note_failure(self, name: str, error: Exception) -> None:
        """Log the first failure of a row and then one a minute: type and place, never what it held."""
        if self._failed[name] % _LOG_EVERY == 0:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error(FAILED, rule=name, error=type(error).__name__, at=f"{frame.name}:{frame.lineno}")
        self._failed[name] += 1

    async def _tell(self, store: Store) -> None:
        """Begin the alarm of every rule that has stopped, and end those of rules that work again."""
        stopped = {name for name, count in self._failed.items() if count >= ALARM_AFTER}
        standing = {alarm.params.get("subject") for alarm in store.picture.all(Alarm) if _is_standing(alarm)}
        if standing == stopped:
            return
        try:
            await store.write_async(lambda unit: _begin_and_end(unit, stopped))
        except UnavailableError:
            log.warning("timed-alarm-waits")


def _begin_and_end(unit: UnitOfWork, stopped: set[str]) -> None:
    for alarm in [one for one in unit.all(Alarm) if _is_standing(one)]:
        if alarm.params.get("subject") not in stopped:
            alarms.end(unit, alarm, unit.now)
    for name in sorted(stopped):
        seen = alarms.Condition(
            condition=FAILED,
            priority=AlarmPriority.MEDIUM,
            at=unit.now,
            params={"rule": name},
            subject=name,
        )
        alarms.begin(unit, seen)


def _is_standing(alarm: Alarm) -> bool:
    return alarm.condition == FAILED and alarm.present
