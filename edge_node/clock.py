"""Three clocks for every sample: the device's, the host's wall clock and the host's monotonic one.

The wall clock of a bedside node may be wrong (no network since power-on) or may jump. Nothing here
corrects it; each stamp says how far it may be trusted, and a jump is noticed and told.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from broker.messages import Clock

EARLIEST_PLAUSIBLE = datetime(2025, 1, 1, tzinfo=UTC)
"""A wall clock before this was never set: the product did not exist yet."""
STEP_S = 1.0
"""Change of (wall minus monotonic) between two looks that counts as a step rather than slewing."""
HOLDOVER_BASE_MS = 500
HOLDOVER_PPM = 50
"""Worst drift of a Raspberry Pi's crystal over temperature, in parts per million."""
LATENCY_LEAK = 100e-6
"""How fast the smallest seen latency is forgotten, in seconds per second: covers two crystals' drift."""
DEVICE_JUMP_S = 2.0
"""A device clock that disagrees by more than this was restarted."""

ClockState = Literal["synchronised", "holdover", "unset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One instant on the node's clocks."""

    utc: datetime
    mono_ns: int
    clock: Clock

    @property
    def mono_s(self) -> float:
        """The monotonic clock in seconds."""
        return self.mono_ns / 1e9


class NodeClock:
    """Stamps samples and judges the wall clock.

    Args:
        wall_ns: Nanoseconds since 1970, as ``time.time_ns``.
        mono_ns: Monotonic nanoseconds, as ``time.monotonic_ns``.
        kernel_synchronised: Whether the kernel's clock is disciplined now; None when it cannot say.
        boot_id: The kernel's id of this boot, so that monotonic times of two boots never mix.
    """

    def __init__(
        self,
        wall_ns: Callable[[], int],
        mono_ns: Callable[[], int],
        kernel_synchronised: Callable[[], bool | None],
        boot_id: str = "",
    ) -> None:
        self.boot_id = boot_id or str(uuid.uuid4())
        self._wall_ns = wall_ns
        self._mono_ns = mono_ns
        self._kernel_synchronised = kernel_synchronised
        self._offset_ns = wall_ns() - mono_ns()
        self._synchronised_at: float | None = None
        self._started_at = mono_ns() / 1e9
        self._clock = self._judge()

    def mono_s(self) -> float:
        """Seconds on the monotonic clock."""
        return self._mono_ns() / 1e9

    def now(self) -> Stamp:
        """Stamp this instant."""
        mono = self._mono_ns()
        utc = datetime.fromtimestamp(self._wall_ns() / 1e9, UTC)
        return Stamp(utc=utc, mono_ns=mono, clock=self._clock)

    def look(self) -> float:
        """Judge the wall clock again; call it about once a second.

        Returns:
            The step in seconds since the last look (positive: the wall clock was put forward), or 0.
        """
        offset = self._wall_ns() - self._mono_ns()
        step = (offset - self._offset_ns) / 1e9
        self._offset_ns = offset
        self._clock = self._judge()
        return step if abs(step) >= STEP_S else 0.0

    def _judge(self) -> Clock:
        now = self.mono_s()
        if datetime.fromtimestamp(self._wall_ns() / 1e9, UTC) < EARLIEST_PLAUSIBLE:
            return Clock(state="unset")
        if self._kernel_synchronised():
            self._synchronised_at = now
            return Clock(state="synchronised", uncertainty_ms=50)
        alone_s = now - (self._started_at if self._synchronised_at is None else self._synchronised_at)
        return Clock(state="holdover", uncertainty_ms=HOLDOVER_BASE_MS + int(alone_s * HOLDOVER_PPM / 1000))


class DeviceClock:
    """Maps a device's milliseconds since power-on to the node's monotonic seconds.

    Radio latency only ever adds, so the smallest difference seen is the best estimate; it is forgotten
    slowly to follow the drift of the two crystals.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_host_s = 0.0
        self._last_device_s = 0.0

    def synchronise(self, device_now_ms: int, host_s: float) -> None:
        """Learn from one report that carried the device's own time."""
        device_s = device_now_ms / 1000
        sample = host_s - device_s
        restarted = (
            self._offset_s is None
            or device_s < self._last_device_s
            or abs(sample - self._offset_s) > DEVICE_JUMP_S
        )
        if restarted or self._offset_s is None:
            self._offset_s = sample
        else:
            leak = (host_s - self._last_host_s) * LATENCY_LEAK
            self._offset_s = min(self._offset_s + leak, sample)
        self._last_host_s, self._last_device_s = host_s, device_s

    def host_s(self, device_ms: int) -> float:
        """Monotonic seconds of the node at which the device's clock showed ``device_ms``.

        Raises:
            ValueError: Nothing was learned yet.
        """
        if self._offset_s is None:
            raise ValueError("synchronise first")
        return device_ms / 1000 + self._offset_s
