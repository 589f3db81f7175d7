"""What the peers of ``bench peers`` have in common."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

Started = tuple[subprocess.Popen[bytes], Callable[[], int]]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program that takes readings from MQTT.

    Attributes:
        name: Its name in the report.
        install: What installs it.
        messages: Messages of each bed that it can take, a second.
        find: Says how it is started, or None when it is not installed.
        start: Starts it; returns its process and what counts the messages that went through.
    """

    name: str
    install: str
    messages: int
    find: Callable[[Path], list[str] | None]
    start: Callable[[list[str], Path, int, ExitStack], Started]


def process_of(
    command: list[str], home: Path, stack: ExitStack, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a peer with nothing of our environment; its words go to ``peer.log``."""
    log = stack.enter_context((home / "peer.log").open("wb"))
    process = subprocess.Popen(
        command,
        cwd=home,
        stdout=log,
        stderr=log,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), **environment},
    )

    def end() -> None:
        process.kill()
        process.wait(20)

    stack.callback(end)
    return process
