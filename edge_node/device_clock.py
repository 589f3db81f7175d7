"""How wrong a device's own clock is, how fast it drifts, and whether it may be put right.

What a device shows is never corrected: it stays in the sample as read. Here it is only compared with the
node's clock, so that an engineer sees it and a cuff or a meter that was never set does not date its results
in the year 2000.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from edge_node.clock import Stamp
from firmware_profiles.schema import Clock

DRIFT_AFTER_S = 3600.0
"""Clocks show whole seconds: over less than an hour a drift would be mostly rounding."""
TELL_S = 5.0
"""An offset that moved by this much since it was told is told again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReport:
    """One comparison; ``offset_s`` is positive when the device is fast.

    ``drift_ppm`` is how fast the offset grows since it was first seen (or the clock was set), if that is long
    enough ago. ``was_set`` says that the device's clock was put right because of this offset.
    """

    offset_s: float
    drift_ppm: float | None = None
    was_set: bool = False

    def detail(self) -> dict[str, str | int | float]:
        """As it is told."""
        found: dict[str, str | int | float] = {"offset_s": round(self.offset_s, 1)}
        if self.drift_ppm is not None:
            found["drift_ppm"] = round(self.drift_ppm)
        return found


class ClockWatch:
    """The clock of one device.

    Args:
        rules: What its profile says of it.
        now: The node's clock.
        tell: Called with what was found, when it is worth telling.
    """

    def __init__(self, rules: Clock, now: Callable[[], Stamp], tell: Callable[[ClockReport], None]) -> None:
        self.rules = rules
        self.report: ClockReport | None = None
        self._now = now
        self._tell = tell
        self._first: tuple[float, float] | None = None
        self._told_s: float | None = None

    def device_now(self) -> datetime:
        """What the device's clock should show now, in its own zone, without a zone."""
        now = self._now().utc
        return (now.astimezone(UTC) if self.rules.zone == "utc" else now.astimezone()).replace(tzinfo=None)

    def compare(self, shown: datetime) -> ClockReport:
        """Take what the device's clock shows now."""
        mono_s = self._now().mono_s
        offset_s = (shown - self.device_now()).total_seconds()
        if self._first is None:
            self._first = (mono_s, offset_s)
        since_s = mono_s - self._first[0]
        drift = (offset_s - self._first[1]) / since_s * 1e6 if since_s >= DRIFT_AFTER_S else None
        self.report = ClockReport(offset_s=offset_s, drift_ppm=drift)
        if self._told_s is None or abs(offset_s - self._told_s) >= TELL_S:
            self._told_s = offset_s
            self._tell(self.report)
        return self.report

    def should_be_set(self) -> bool:
        """Whether to set it: allowed, wrong by more than allowed, and this node knows the time itself."""
        if self.rules.set == "never" or self._now().clock.state != "synchronised":
            return False
        return self.report is None or abs(self.report.offset_s) > self.rules.max_drift_s

    def was_set(self) -> None:
        """It was put right: what was seen before says nothing of its drift now."""
        offset_s = self.report.offset_s if self.report is not None else 0.0
        self._first, self._told_s = None, 0.0
        self.report = ClockReport(offset_s=offset_s, was_set=True)
        self._tell(self.report)
