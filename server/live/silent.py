"""Registered wall screens that say nothing: a wall that nobody can read is no second display.

A screen that is switched off, has lost its network, or shows a page that hangs: none of them answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from clinical.records import Alarm, AlarmPriority, Generation
from server.alarms import service as alarms
from server.live.screens import WallScreen, WallScreens
from server.storage.store import UnitOfWork

SILENT = "screen-silent"


class SilentScreens:
    """Begins a technical alarm for every registered screen that is silent, and ends it when it speaks.

    Args:
        screens: The registered screens.
        generations: Ward → what its data are; a demo ward's screen alarms as a demo.
        limit: How long a screen may say nothing.
        since: When this server began to listen; nobody is silent for what came before.
    """

    def __init__(
        self, screens: WallScreens, generations: Mapping[str, Generation], limit: timedelta, since: datetime
    ) -> None:
        self._screens, self._generations, self._limit, self._since = screens, generations, limit, since

    def tick(self, unit: UnitOfWork) -> None:
        """Judge every registered screen."""
        silent = {screen.id: screen for screen in self._screens.registered if self._is_silent(screen, unit)}
        unsure = {screen.id for screen in self._screens.registered if self._last(screen) is None}
        for alarm in [one for one in unit.all(Alarm) if one.condition == SILENT and one.present]:
            # One that was silent before the server began again is over when the screen speaks, not earlier.
            if alarm.params.get("subject") not in silent.keys() | unsure:
                alarms.end(unit, alarm, unit.now)
        for screen in silent.values():
            alarms.begin(unit, self._condition(screen, unit.now))

    def _last(self, screen: WallScreen) -> datetime | None:
        return self._screens.last_heard(screen.id)

    def _is_silent(self, screen: WallScreen, unit: UnitOfWork) -> bool:
        return unit.now - max(self._last(screen) or self._since, self._since) > self._limit

    def _condition(self, screen: WallScreen, at: datetime) -> alarms.Condition:
        return alarms.Condition(
            condition=SILENT,
            priority=AlarmPriority.MEDIUM,
            at=at,
            params={"screen": screen.id, "zh": screen.display.zh, "en": screen.display.en},
            generation=self._generations.get(screen.ward, Generation.REAL),
            subject=screen.id,
        )
