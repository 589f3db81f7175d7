"""The handheld's own clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux and Android: the ordinary one stands still in sleep, and facts would look as young as before it."""


class SystemClock:
    """Wall time and a time that never jumps, from the operating system."""

    def now(self) -> datetime:
        """Return aware UTC wall time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never jump and go on while the device sleeps, where the system tells them."""
        return time.clock_gettime(_CLOCK) if _CLOCK is not None else time.monotonic()
