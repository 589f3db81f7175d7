"""A part of the demo ward as a program of its own, tied to the life of the demo.

Each part runs in its own session, so that Ctrl-C reaches only the demo, which then stops the parts in
order. Should the demo itself be killed, the kernel ends its parts (``PR_SET_PDEATHSIG``).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from clinical.errors import UnavailableError

_PR_SET_PDEATHSIG = 1


class Program:
    """One ``wardlink`` command running beside the demo, its log in a file."""

    def __init__(self, name: str, arguments: list[str], log: Path, *, pipe: bool = False) -> None:
        """Prepare to run.

        Args:
            name: How messages call it.
            arguments: What follows ``wardlink``.
            log: Where its stderr (and stdout, unless piped) is appended.
            pipe: Whether stdout is read by :meth:`first_line`.
        """
        self.name = name
        self.log = log
        self._arguments = arguments
        self._pipe = pipe
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the program lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, environment: dict[str, str] | None = None) -> None:
        """Start it (again)."""
        with self.log.open("ab") as log:
            output: int | IO[bytes] = subprocess.PIPE if self._pipe else log
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.demo.program", str(os.getpid()), *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )

    def first_line(self, within_s: float) -> str:
        """Wait for the first line on stdout.

        Raises:
            UnavailableError: The program ended or said nothing in time; the log's end is in the text.
        """
        if self._process is None or self._process.stdout is None:
            raise self.failed()
        os.set_blocking(self._process.stdout.fileno(), False)
        deadline = time.monotonic() + within_s
        line = b""
        while not line.endswith(b"\n"):
            line += self._process.stdout.read() or b""
            ended = self._process.poll() is not None and not line
            if ended or time.monotonic() > deadline:
                raise self.failed()
            time.sleep(0.02)
        return line.decode()

    def failed(self) -> UnavailableError:
        """Say that it did not do its work, with the end of its log."""
        tail = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
        message = "\n".join([f"{self.name} did not start; its log ends:", *tail])
        return UnavailableError("part-failed", message)

    def kill(self) -> None:
        """End it the hard way (SIGKILL), as a power cut would."""
        self._end(signal.SIGKILL, within_s=5)

    def stop(self, within_s: float = 10) -> None:
        """Ask it to end (SIGTERM); after ``within_s`` seconds it is killed."""
        self._end(signal.SIGTERM, within_s=within_s)

    def _end(self, how: signal.Signals, *, within_s: float) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
        if process.stdout is not None:
            process.stdout.close()


def main() -> int:
    """Tie this process to the demo's, then become the asked command."""
    parent, *arguments = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):
        return 1  # the demo ended before the kernel knew of the tie
    from deploy.cli import main as wardlink

    return wardlink(arguments)


if __name__ == "__main__":
    sys.exit(main())
