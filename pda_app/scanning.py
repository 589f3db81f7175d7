"""Every scanner ends here: keyboard bursts, camera and typed codes become one queue of whole reads.

The wedge decoder is pure: a window feeds it characters with their times. Its one rule is *all or nothing*:
a code of which a part may be missing is ``Broken``, never a shorter code, because a cut wristband number
can be another patient's.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

from clinical.bedside_check.model import ScanMethod
from pda_app.ports import Broken, Read

GS = "\x1d"
"""Group separator: what a GS1 code puts between elements of unknown length."""

_AIM = re.compile(r"\](?:[A-Za-z][0-9A-Za-z])")
_MAX_CHARACTERS = 2048  # more than any symbology holds


class Wedge:
    """Tells a scanner's burst from a person's typing, and a whole burst from a damaged one.

    Measured with a real window: frames deliver characters in batches, so single gaps say little. A burst
    is a machine's when at least half of its gaps are short. A gap longer than ``hole_s`` may hide lost
    characters: what follows it up to Enter is broken, however long ago the first part came.

    Args:
        fast_gap_s: A gap at most this long is not a person's.
        hole_s: A gap longer than this may hide lost characters.
        min_length: Shorter bursts are not codes.
    """

    def __init__(self, *, fast_gap_s: float = 0.035, hole_s: float = 0.40, min_length: int = 4) -> None:
        self._fast_gap_s = fast_gap_s
        self._hole_s = hole_s
        self._min_length = min_length
        self._blind_until = float("-inf")
        self.reset()

    @property
    def length(self) -> int:
        """Characters held since the last Enter or hole: nonzero means a burst may be running."""
        return len(self._characters)

    def reset(self) -> None:
        """Forget everything: a text field was edited by hand, so what was typed was not a scan."""
        self._characters: list[str] = []
        self._fast = 0
        self._last = 0.0
        self._hole = False

    def feed(self, text: str, at: float) -> None:
        """Take one typed text (one character, or more when the input method joins them)."""
        if not text:
            return
        if not self._characters and at <= self._blind_until:
            self._hole = True  # the rest of a code that began while nobody listened
        if self._characters and at - self._last > self._hole_s:
            self._characters, self._fast, self._hole = [], 0, True
        if self._characters and at - self._last <= self._fast_gap_s:
            self._fast += 1
        self._fast += len(text) - 1
        self._characters.extend(text)
        self._last = at

    def end(self, at: float) -> Read | Broken | None:
        """Enter or Tab came: the whole code, ``Broken``, or None when a person typed."""
        count, machine = len(self._characters), self._is_machine()
        damaged = self._hole or at - self._last > self._hole_s or count > _MAX_CHARACTERS
        raw = "".join(self._characters)
        self.reset()
        if not machine:
            return None
        if damaged:
            return Broken(characters=count)
        return split_aim(Read(raw=raw, method=ScanMethod.SCAN)) if count >= self._min_length else None

    def interrupt(self, at: float) -> Broken | None:
        """The keyboard goes to another window, or comes back: what was coming in may lack a part.

        A burst that was running is told at once, because its Enter may never come here. What comes right
        after this moment may be the rest of a code whose beginning went elsewhere, so it is never a code
        of its own; a whole code that comes later is read as ever.
        """
        count, machine = len(self._characters), self._is_machine()
        self.reset()
        self._blind_until = at + self._hole_s
        return Broken(characters=count) if machine else None

    def _is_machine(self) -> bool:
        count = len(self._characters)
        return count >= 2 and self._fast * 2 >= count - 1


def split_aim(read: Read) -> Read:
    """Move an AIM identifier (``]C1``) that the scanner sent as a prefix to where it belongs."""
    match = _AIM.match(read.raw)
    if match is None or read.symbology:
        return read
    return replace(read, raw=read.raw[match.end() :], symbology=match[0])


class ScanQueue:
    """The one queue between every scanner and the application."""

    def __init__(self, *, size: int = 32) -> None:
        self._queue: asyncio.Queue[Read | Broken] = asyncio.Queue(size)
        self.dropped = 0
        """Reads that came while the queue was full."""

    def put(self, read: Read | Broken) -> bool:
        """Queue a read; False when the queue is full and the read is lost (the nurse hears it)."""
        try:
            self._queue.put_nowait(read)
        except asyncio.QueueFull:
            self.dropped += 1
            return False
        return True

    async def get(self) -> Read | Broken:
        """Wait for the next read."""
        return await self._queue.get()

    def done(self) -> None:
        """The read taken last has been handled."""
        self._queue.task_done()

    async def join(self) -> None:
        """Wait until everything queued has been handled."""
        await self._queue.join()
