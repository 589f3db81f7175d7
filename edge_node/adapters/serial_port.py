"""Serial instruments through pyserial, found by the names in one directory.

The directory is polled: in production ``/dev/serial/by-id``, whose names survive a re-plug while the tty
behind them changes, so name and target are both compared.
"""

from __future__ import annotations

import asyncio
import fnmatch
import termios
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import serial
import serial_asyncio_fast
import structlog

from edge_node.clock import Stamp
from edge_node.ports import Frame, LinkLostError

QUEUE_FRAMES = 4096
SERIAL_ERRORS = (serial.SerialException, OSError, termios.error)
PARITIES = {"N": serial.PARITY_NONE, "E": serial.PARITY_EVEN, "O": serial.PARITY_ODD}

log = structlog.get_logger()


class FrameFinder(Protocol):
    """Finds whole frames in a stream of bytes, and finds them again after noise."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take some bytes; return the frames they complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """How the line is set; what the profile says."""

    baud: int
    bits: int = 8
    parity: str = "N"
    stop: int = 1


class SerialDirectory:
    """Watches the port directory.

    Args:
        directory: Its entries are the ports.
        globs: Name pattern and profile, the first that matches wins.
        poll_s: How often to look.
    """

    def __init__(self, directory: Path, globs: Iterable[tuple[str, str]], poll_s: float) -> None:
        self._directory = directory
        self._globs = tuple(globs)
        self._poll_s = poll_s
        self._known: dict[str, str] = {}
        self._changed = asyncio.Condition()

    async def run(self, on_port: Callable[[str, str], None], on_unknown: Callable[[str], None]) -> None:
        """Look for ever; tells each new name once, with its profile."""
        told: set[str] = set()
        while True:
            found = self._entries()
            if found != self._known:
                async with self._changed:
                    self._known = found
                    self._changed.notify_all()
                for name in sorted(found.keys() - told):
                    told.add(name)
                    profile = self._profile(name)
                    if profile is None:
                        on_unknown(name)
                    else:
                        on_port(name, profile)
            await asyncio.sleep(self._poll_s)

    def _entries(self) -> dict[str, str]:
        try:
            names = [path for path in self._directory.iterdir() if not path.name.startswith(".")]
            return {path.name: str(path.resolve(strict=True)) for path in names}
        except OSError:
            return {}  # the directory itself comes and goes with the first and last adapter

    def _profile(self, name: str) -> str | None:
        return next((profile for glob, profile in self._globs if fnmatch.fnmatch(name, glob)), None)

    @staticmethod
    def matching(names: Iterable[str], glob: str) -> list[str]:
        """Those names that a pattern means."""
        return [name for name in names if fnmatch.fnmatch(name, glob)]

    def target(self, name: str) -> str | None:
        """The tty behind a name now."""
        return self._known.get(name)

    async def until_present(self, name: str) -> None:
        """Wait until a name is there."""
        async with self._changed:
            await self._changed.wait_for(lambda: name in self._known)

    async def until_changed(self, name: str, target: str) -> None:
        """Wait until a name is gone or leads elsewhere."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._known.get(name) != target)


class _Receiver(asyncio.Protocol):
    """Cuts what arrives into frames; the stamp is that of the last byte."""

    def __init__(
        self, stream: str, finder: FrameFinder, stamp: Callable[[], Stamp], link: SerialLink
    ) -> None:
        self._stream = stream
        self._finder = finder
        self._stamp = stamp
        self._link = link

    def data_received(self, data: bytes) -> None:
        stamp = self._stamp()
        for frame in self._finder.feed(data):
            self._link.received(Frame(stream=self._stream, data=frame, stamp=stamp))

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._link.lost("unplugged", "missing")


class SerialLink:
    """One open line; see :class:`edge_node.ports.Link`."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Frame | LinkLostError] = asyncio.Queue()

    def received(self, frame: Frame) -> None:
        """Take one frame; a reader that falls far behind loses the link rather than the order."""
        if self.frames.qsize() >= QUEUE_FRAMES:
            self.lost("overrun", "broken")
        else:
            self.frames.put_nowait(frame)

    def lost(self, reason: str, kind: str) -> None:
        """End the link for its reader."""
        self.frames.put_nowait(LinkLostError(reason, kind))


class SerialTransport:
    """One named port; see :class:`edge_node.ports.Transport`.

    Args:
        directory: The watched directory.
        name: The port's name there.
        path: What to open.
        line: How the line is set.
        stream: The profile's stream id.
        finder: Makes a new frame finder for each opening.
        stamp: Stamps arrivals.
    """

    def __init__(
        self,
        directory: SerialDirectory,
        name: str,
        path: Path,
        line: LineSettings,
        stream: str,
        finder: Callable[[], FrameFinder],
        stamp: Callable[[], Stamp],
    ) -> None:
        self._directory = directory
        self._name = name
        self._path = path
        self._line = line
        self._stream = stream
        self._finder = finder
        self._stamp = stamp

    async def available(self) -> None:
        """Return once the port is plugged in."""
        await self._directory.until_present(self._name)

    def open(self) -> AbstractAsyncContextManager[SerialLink]:
        """Open the line for this process alone."""
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[SerialLink]:
        link = SerialLink()
        target = self._directory.target(self._name) or ""
        receiver = _Receiver(self._stream, self._finder(), self._stamp, link)
        try:
            transport, _ = await serial_asyncio_fast.create_serial_connection(
                asyncio.get_running_loop(),
                lambda: receiver,
                str(self._path),
                baudrate=self._line.baud,
                bytesize=self._line.bits,
                parity=PARITIES[self._line.parity],
                stopbits=self._line.stop,
                exclusive=True,
            )
        except SERIAL_ERRORS as error:
            log.warning("serial-open-failed", port=self._name, error=type(error).__name__)
            raise LinkLostError("open-failed", "broken") from error
        replug = asyncio.get_running_loop().create_task(self._watch(link, target))
        try:
            yield link
        finally:
            replug.cancel()
            if not transport.is_closing():  # a line that hung up has already closed itself
                transport.abort()

    async def _watch(self, link: SerialLink, target: str) -> None:
        await self._directory.until_changed(self._name, target)
        link.lost("replugged", "transient")
