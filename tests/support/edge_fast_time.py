"""A bedside node whose time runs faster: every pause, timeout and clock of it, but not the world it talks to.

The event loop, the monotonic clock and the wall clock run ``speed`` times as fast as those of the machine, so
that hours of pauses, retries and watchdogs pass in minutes. D-Bus, the pseudo-terminals and the broker answer
as fast as they do; only the wait for the broker's answer to CONNECT keeps its real length.

``python -m tests.support.edge_fast_time NODE.toml SPEED`` runs such a node. SIGUSR1 puts its wall clock one
day forward, SIGUSR2 one day back.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_node import main
from edge_node.adapters import kernel, mqtt
from edge_node.settings import EdgeSettings, load

DAY_NS = 86_400 * 10**9


class _FastSelector(selectors.DefaultSelector):
    """Waits a fraction of what it is told to."""

    speed = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout / self.speed if timeout is not None and timeout > 0 else timeout)


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds are shorter."""

    def __init__(self, speed: float) -> None:
        selector = _FastSelector()
        selector.speed = speed
        self._speed, self._began = speed, time.monotonic()
        super().__init__(selector)

    def time(self) -> float:
        return self._began + (time.monotonic() - self._began) * self._speed


class FastTime:
    """Stands in for the module ``time`` where the node reads its clocks."""

    def __init__(self, speed: float) -> None:
        self.jumped_ns = 0
        self._speed = speed
        self._mono, self._wall = time.monotonic_ns(), time.time_ns()

    def monotonic_ns(self) -> int:
        return self._mono + int((time.monotonic_ns() - self._mono) * self._speed)

    def time_ns(self) -> int:
        return self._wall + int((time.monotonic_ns() - self._mono) * self._speed) + self.jumped_ns


def _figures(own: Callable[[], dict[str, int]]) -> dict[str, int]:
    return {**own(), "tasks": len(asyncio.all_tasks()), "threads": threading.active_count()}


def run(config: Path, speed: float) -> None:
    """Run one node until it is told to stop."""
    fast, own = FastTime(speed), kernel.process_figures
    patched: Any = main
    patched.time = fast
    patched.kernel.process_figures = lambda: _figures(own)
    mqtt.CONNECT_TIMEOUT_S *= speed
    settings = load(config, EdgeSettings)
    main.configure_logging()
    os.environ[main.BUS_VARIABLE] = settings.bluetooth.bus

    def jump(number: int, _frame: object) -> None:
        fast.jumped_ns += DAY_NS if number == signal.SIGUSR1 else -DAY_NS

    signal.signal(signal.SIGUSR1, jump)
    signal.signal(signal.SIGUSR2, jump)
    with asyncio.Runner(loop_factory=lambda: FastLoop(speed)) as runner:
        runner.run(main._until_signal(main.App(settings, "soak")))


if __name__ == "__main__":
    run(Path(sys.argv[1]), float(sys.argv[2]))
