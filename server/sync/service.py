"""The change feed of a ward: complete once, then what changed, at once when something does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from clinical.exchange import Changes
from server.sites import Site
from server.storage.picture import Picture
from server.storage.store import Committed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a reader stands: a number that means something only within its epoch."""

    since: int = 0
    epoch: str = ""


def changes(picture: Picture, site: Site, ward_id: str, cursor: Cursor, at: datetime) -> Changes:
    """Answer what changed after ``cursor``; everything when the cursor is not of this store."""
    ward = site.ward(ward_id)
    foreign = cursor.epoch != picture.epoch or cursor.since > picture.cursor
    complete = foreign or cursor.since == 0 or cursor.since < picture.floor
    since = 0 if complete else cursor.since
    return Changes(
        epoch=picture.epoch,
        since=since,
        cursor=picture.cursor,
        at=at,
        complete=complete,
        ward=ward,
        facts=picture.facts(ward_id, since),
        policy=site.policy_document if complete else {},
        removed={} if complete else picture.removed(ward_id, since),
    )


class ChangeSignal:
    """Wakes handhelds that wait. Quiet changes wake nobody until :meth:`flush`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self._newest = self._loud = 0
        self._closed = False

    def committed(self, commit: Committed) -> None:
        """Take note of a commit (writer's thread)."""
        self._newest = commit.picture.cursor
        if commit.wakes and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def flush(self) -> None:
        """Wake for what was quiet so far; called every other second by the ticker."""
        if self._newest > self._loud:
            self._wake()

    def close(self) -> None:
        """Wake everyone for good, so that the server can stop."""
        self._closed = True
        self._wake()

    async def wait(self, since: int, seconds: float) -> None:
        """Return when the cursor has passed ``since`` loudly, or after ``seconds``.

        Values that move every second would otherwise make every wait end at once.
        """
        event = self._event
        if self._closed or seconds <= 0 or self._loud > since:
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    def _wake(self) -> None:
        self._loud = self._newest
        woken, self._event = self._event, asyncio.Event()
        woken.set()
