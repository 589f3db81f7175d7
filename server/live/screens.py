"""Wall screens that a ward relies on, and when each of them was last heard.

A screen says its registered name when it connects (``?screen=ID``) and answers every few seconds. What counts
is that the page itself answers: credits for waveform frames are given back by a worker that goes on when the
page hangs, so they prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from clinical.records import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class WallScreen:
    """One screen on a wall; ``ward`` is the one it shows."""

    id: str
    ward: str
    display: Label


class WallScreens:
    """The registered screens; heard on the event loop, judged on the writer's thread.

    Args:
        registered: Every screen somebody would miss.
    """

    def __init__(self, registered: Iterable[WallScreen] = ()) -> None:
        self.registered = tuple(registered)
        self._known = {(screen.ward, screen.id): screen for screen in self.registered}
        self._heard: dict[str, datetime] = {}

    def listener(self, ward: str, screen_id: str) -> Callable[[datetime], None] | None:
        """Return what notes that a screen was heard; None for a name this ward has not registered."""
        screen = self._known.get((ward, screen_id))
        if screen is None:
            return None

        def heard(at: datetime) -> None:
            self._heard[screen.id] = at

        return heard

    def last_heard(self, screen_id: str) -> datetime | None:
        """Return when a screen last answered; None when it never has since the server began."""
        return self._heard.get(screen_id)


def counts_as_answer(message: Mapping[str, object]) -> bool:
    """Tell whether a message shows that the page itself still works: a heartbeat, or changes it has drawn."""
    taken = message.get("m")
    drawn = isinstance(taken, int) and not isinstance(taken, bool) and taken > 0
    return message.get("t") == "hb" or (message.get("t") == "ack" and drawn)
