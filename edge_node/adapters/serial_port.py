"""Serial instruments through pyserial, found by the names in one directory.

The directory is polled: in production ``/dev/serial/by-id``, whose names survive a re-plug while the tty
behind them changes, so name and target are both compared.
"""

from __future__ import annotations

import asyncio
import fnmatch
import termios
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import serial
import serial_asyncio_fast
import structlog

from edge_node.clock import Stamp
from edge_node.dialogue import Dialogue, Outlet
from edge_node.ports import Frame, LinkLostError
from firmware_profiles.sending import Message

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
    flow: str = "none"
    rts: bool | None = None
    dtr: bool | None = None
    write_gap_s: float = 0.0

    def for_pyserial(self) -> dict[str, Any]:
        """The settings in pyserial's words."""
        return {
            "baudrate": self.baud,
            "bytesize": self.bits,
            "parity": PARITIES[self.parity],
            "stopbits": self.stop,
            "rtscts": self.flow == "rtscts",
            "xonxoff": self.flow == "xonxoff",
            "exclusive": True,
        }

    def raise_lines(self, port: ModemLines) -> None:
        """Set RTS and DTR where the instrument wants them; a port without such wires is told and used."""
        wanted: Mapping[str, bool | None] = {"rts": self.rts, "dtr": self.dtr}
        for name, level in wanted.items():
            if level is not None:
                try:
                    setattr(port, name, level)
                except SERIAL_ERRORS as error:
                    log.warning("modem-line-missing", line=name, error=type(error).__name__)


class ModemLines(Protocol):
    """The wires of a port that carry no data."""

    rts: bool
    dtr: bool


Sort = Callable[[bytes], tuple[str, bool]]
"""Which stream a frame belongs to, and whether that stream accepts it."""


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

    def __init__(self, sort: Sort, finder: FrameFinder, stamp: Callable[[], Stamp], link: SerialLink) -> None:
        self._sort = sort
        self._finder = finder
        self._stamp = stamp
        self._link = link

    def data_received(self, data: bytes) -> None:
        stamp, dialogue = self._stamp(), self._link.dialogue
        if dialogue is not None:
            dialogue.heard(data)
        for frame in self._finder.feed(data):
            stream, accepted = self._sort(frame)
            self._link.received(Frame(stream=stream, data=frame, stamp=stamp))
            if dialogue is not None and accepted:
                dialogue.frame(stream, frame)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        self._link.lost("unplugged", "missing")


class SerialLink:
    """One open line; see :class:`edge_node.ports.Link` and :class:`edge_node.dialogue.Outlet`.

    Args:
        gap_s: Pause after each byte that is sent, for instruments that cannot take them faster.
    """

    def __init__(self, gap_s: float = 0.0) -> None:
        self.frames: asyncio.Queue[Frame | LinkLostError] = asyncio.Queue()
        self.dialogue: Dialogue | None = None
        self.writer: Writer | None = None
        self._gap_s = gap_s

    def received(self, frame: Frame) -> None:
        """Take one frame; a reader that falls far behind loses the link rather than the order."""
        if self.frames.qsize() >= QUEUE_FRAMES:
            self.lost("overrun", "broken")
        else:
            self.frames.put_nowait(frame)

    def lost(self, reason: str, kind: str) -> None:
        """End the link for its reader."""
        self.frames.put_nowait(LinkLostError(reason, kind))

    async def send(self, message: Message) -> None:
        """Write one message, byte by byte where the instrument needs pauses."""
        if self.writer is None or self.writer.is_closing():
            raise LinkLostError("unplugged", "missing")
        if not self._gap_s:
            self.writer.write(message.data)
            return
        for byte in message.data:
            self.writer.write(bytes((byte,)))
            await asyncio.sleep(self._gap_s)

    async def read(self, characteristic: str, stream: str = "") -> bytes | None:
        """A cable has no characteristics."""
        del characteristic, stream
        return None


class Writer(Protocol):
    """Where bytes go out."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def is_closing(self) -> bool:
        """Whether the line has ended."""


class SerialTransport:
    """One named port; see :class:`edge_node.ports.Transport`.

    Args:
        directory: The watched directory.
        name: The port's name there.
        path: What to open.
        line: How the line is set.
        stream: The profile's stream id; of a line that carries several, the one for frames nobody knows.
        finder: Makes a new frame finder for each opening.
        stamp: Stamps arrivals.
        sort: Says which stream a frame belongs to and whether it is accepted there; None: all to ``stream``.
        talk: Makes the talk with an instrument that must be asked; None: it speaks by itself.
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
        *,
        sort: Sort | None = None,
        talk: Callable[[Outlet], Dialogue] | None = None,
    ) -> None:
        self._sort = sort or (lambda _frame: (stream, False))
        self._talk = talk
        self._directory = directory
        self._name = name
        self._path = path
        self._line = line
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
        link = SerialLink(self._line.write_gap_s)
        target = self._directory.target(self._name) or ""
        receiver = _Receiver(self._sort, self._finder(), self._stamp, link)
        try:
            transport, _ = await serial_asyncio_fast.create_serial_connection(
                asyncio.get_running_loop(),
                lambda: receiver,
                str(self._path),
                **self._line.for_pyserial(),
            )
        except SERIAL_ERRORS as error:
            log.warning("serial-open-failed", port=self._name, error=type(error).__name__)
            raise LinkLostError("open-failed", "broken") from error
        if transport.serial is not None:
            self._line.raise_lines(transport.serial)
        link.writer = transport
        tasks = [asyncio.ensure_future(self._watch(link, target))]
        if self._talk is not None:
            link.dialogue = self._talk(link)
            tasks.append(asyncio.ensure_future(_conduct(link, link.dialogue)))
        try:
            yield link
        finally:
            for task in tasks:
                task.cancel()
            if not transport.is_closing():  # a line that hung up has already closed itself
                transport.abort()

    async def _watch(self, link: SerialLink, target: str) -> None:
        await self._directory.until_changed(self._name, target)
        link.lost("replugged", "transient")


async def _conduct(link: SerialLink, dialogue: Dialogue) -> None:
    try:
        await dialogue.begin()
        await dialogue.go_on()
    except LinkLostError as error:
        link.lost(error.reason, error.kind)
