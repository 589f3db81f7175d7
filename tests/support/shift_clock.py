"""A shift's clock: it stands still until the shift moves it, and everybody on the ward reads the same one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 5, 4, 0, 0, tzinfo=UTC)
"""08:00 on the ward, a Monday: the day shift begins."""


class ShiftClock:
    """The clock port of server and handhelds: called for the time, or asked as the handheld's clock is."""

    def __init__(self, start: datetime = START) -> None:
        self.start = self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return self._now

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return self()

    def monotonic(self) -> float:
        """Seconds since the shift began."""
        return (self() - self.start).total_seconds()

    def move_to(self, at: datetime) -> None:
        """Let the time come; it never goes back."""
        with self._lock:
            assert at >= self._now, "a shift's time only goes on"
            self._now = at

    def at(self, minute: float) -> datetime:
        """The moment so many minutes into the shift."""
        return self.start + timedelta(minutes=minute)
