"""Handheld and server: changes come in by long poll, events go out from the disk, outcomes come back.

Nothing here decides anything clinical. The handheld is *online* while the server answers; the first
silence makes it offline, and the next answer online again. A server that answers with a fault of its own
(HTTP 5xx) is there, and is said to have a fault; work goes on as offline until it is well. An event is on the
disk before anyone is told that it is recorded, and leaves the outbox only with an outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from clinical.bedside_check.model import CheckRequest, Confirmation
from clinical.errors import BadInputError, RefusedError, UnavailableError, WardlinkError
from clinical.exchange import Changes, CheckAnswer, Event, Outcome
from clinical.records import Facts
from pda_app.book import Book
from pda_app.ports import Counts, Ports, Returned, SecondPin
from pda_app.session import Sessions
from pda_app.settings import Server

log = structlog.get_logger("pda_app.sync")

BATCH = 200
_BACKOFF_S = (0.5, 1.0, 2.0, 3.0, 5.0)
"""The last is the longest that an alarm waits for a handheld once the server is back."""
_NOTHING = Facts()
_WAITS = frozenset({"too-many-attempts", "too-many-requests"})
"""Codes of a server that asks to come again later."""
FAULT = "server-troubled"
"""Code of an answer that says that the server has a fault."""
_FAULTS_IN_A_ROW = 2  # of single events: the fault is the server's, and no event's


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What is known of the server just now."""

    online: bool = False
    silent: bool = False  # it was asked and did not answer; neither: it has not been asked yet
    fault: bool = False  # it answers, and says that it has a fault: facts or events do not go through
    clock_offset_s: float = 0.0  # server minus handheld
    last_time_sync: datetime | None = None
    synced_mono: float = 0.0  # the time that never jumps, at ``last_time_sync``

    @property
    def sends(self) -> bool:
        """Whether what is recorded now goes to the server at once."""
        return self.online and not self.fault


class Sync:
    """The exchange of one handheld; ``on_change`` is called after everything that a screen may show."""

    def __init__(
        self, *, ports: Ports, book: Book, sessions: Sessions, settings: Server, on_change: Callable[[], None]
    ) -> None:
        self._ports, self._book, self._sessions = ports, book, sessions
        self._settings = settings
        self._on_change = on_change
        self._wake_poll, self._wake_outbox = asyncio.Event(), asyncio.Event()
        self._failures = 0
        self._faults: frozenset[str] = frozenset()  # ways on which the server last had a fault: in, out
        self._loaded = False
        self._polling: asyncio.Task[Changes] | None = None
        self.link = Link()
        self.counts = Counts()
        self.returned: tuple[Returned, ...] = ()
        self.queue: tuple[Event, ...] = ()
        self.wiped = False

    # --- time ---------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The server's time as well as this handheld knows it; its own time before the first contact.

        It runs on from the last contact by the time that never jumps: setting the wall clock, by hand or by
        a network, cannot make old facts look young.
        """
        link, clock = self.link, self._ports.clock
        if link.last_time_sync is None:
            return clock.now()
        return link.last_time_sync + timedelta(seconds=max(clock.monotonic() - link.synced_mono, 0.0))

    # --- what a person records ----------------------------------------------------------------------

    async def record(self, event: Event) -> None:
        """Put one event on the disk, show it, and have it sent. On return it cannot be lost any more."""
        await self._ports.store.put(event)
        self._book.add(event)
        self._wake_outbox.set()
        await self.refresh_counts()

    async def check(self, request: CheckRequest) -> CheckAnswer | None:
        """Ask the server; None when it is silent for too long, which makes the handheld offline.

        Raises:
            WardlinkError: The server answered, but not with a verdict; then there is none.
        """
        if not self.link.online:
            return None
        try:
            async with asyncio.timeout(self._settings.check_silence_s):
                return await self._ports.api.check(request)
        except (TimeoutError, UnavailableError) as error:
            self._gone(error)
            return None

    async def confirm(self, second: SecondPin) -> Confirmation | None:
        """Ask the server for the proof of a second person; None when it is silent.

        Raises:
            WardlinkError: The server answered, but gave no proof.
        """
        if not self.link.online:
            return None
        try:
            return await self._ports.api.confirm(second)
        except UnavailableError as error:
            self._gone(error)
            return None

    def _gone(self, error: Exception) -> None:
        """Go on offline; the next poll tells whether the server is well again."""
        self._note_fault("in", error)
        self._set_online(online=False)
        self.kick()

    async def answer(self, event_id: str, answer: str) -> None:
        """A person answered a returned outcome."""
        await self._ports.store.answer(event_id, answer, self.now())
        await self.refresh_counts()

    def kick(self) -> None:
        """Ask the server now: end the pause, and a long poll that may hang on a dead connection."""
        self._failures = 0
        if self._polling is not None:
            self._polling.cancel()
        self._wake_poll.set()
        self._wake_outbox.set()

    # --- life ---------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Show what the store kept, before the server is asked: an older picture never covers a newer one."""
        if self._loaded:
            return
        kept = await self._ports.store.kept()
        if kept is not None:
            self._book.merge(kept.changes, kept.fetched_at)
        for event in await self._ports.store.pending(limit=10_000):
            self._book.add(event)
        self._loaded = True
        await self.refresh_counts()

    def forget(self) -> None:
        """Nobody holds the handheld: no patient stays in memory, and the next picture begins whole."""
        self._book.clear()
        self._loaded = False
        if self._polling is not None:
            self._polling.cancel()  # its answer would continue a picture that is gone

    async def refresh_counts(self) -> None:
        """Read the numbers and the list of returned outcomes from the store."""
        store = self._ports.store
        self.counts, self.returned = await store.counts(), await store.returned()
        self.queue = await store.pending()
        self._on_change()

    async def run(self) -> None:
        """Poll and upload for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._for_ever(self.poll_once, self._wake_poll))
            group.create_task(self._for_ever(self.upload_once, self._wake_outbox))

    async def _for_ever(self, step: Callable[[], Awaitable[bool]], wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            if not await step():
                await self._pause(wake)

    async def _pause(self, wake: asyncio.Event) -> None:
        seconds = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            return

    # --- in -----------------------------------------------------------------------------------------

    async def poll_once(self) -> bool:
        """Fetch what changed; True when the server answered, so that the next poll may start at once."""
        session = self._sessions.current
        if session is None or not self._loaded or not await self._ready():
            return False
        known = self.link.online and self._book.epoch != ""
        wait_s = self._settings.poll_s if known else 0.0
        try:
            changes = await self._fetch(session.ward.id, wait_s)
        except WardlinkError as error:
            await self._trouble(error, "in")
            return False
        if changes is None:
            return False
        await self._take(changes)
        return not known or wait_s > 0

    async def _fetch(self, ward: str, wait_s: float) -> Changes | None:
        """Poll once; None when somebody called it off."""
        book = self._book
        self._polling = asyncio.create_task(
            self._ports.api.changes(ward, since=book.cursor, epoch=book.epoch, wait_s=wait_s)
        )
        try:
            return await self._polling
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                raise
            return None
        finally:
            self._polling.cancel()
            self._polling = None

    async def _take(self, changes: Changes) -> None:
        at = self._ports.clock.now()
        offset_s = (changes.at - at).total_seconds()
        self.link = replace(
            self.link,
            clock_offset_s=offset_s,
            last_time_sync=changes.at,
            synced_mono=self._ports.clock.monotonic(),
        )
        self._note_fault("in")
        self._set_online(online=True)
        if changes.complete or changes.removed or changes.policy or changes.facts != _NOTHING:
            self._book.merge(changes, changes.at)
        else:
            self._book.refreshed(changes.at)
        self._on_change()
        try:
            await self._sessions.forget_withdrawn(changes.facts.practitioners)
            await self._ports.store.keep(changes, changes.at)
        except UnavailableError as error:
            # The picture in memory is right; only a restart without the server would show an older one.
            log.warning("picture-not-kept", code=error.code)

    # --- out ----------------------------------------------------------------------------------------

    async def upload_once(self) -> bool:
        """Send the oldest events; True when some were settled, so that more may wait."""
        events = await self._ports.store.pending(BATCH)
        if not events:
            self._note_fault("out")
        if not events or not await self._ready():
            return False
        try:
            outcomes = await self._send(events)
        except WardlinkError as error:
            await self._trouble(error, "out")
            return False
        if len(outcomes) == len(events):
            self._note_fault("out")
        await self._ports.store.settle(outcomes, self.now())
        self._book.settle(tuple(outcome.event_id for outcome in outcomes))
        self._set_online(online=True)
        await self.refresh_counts()
        return True

    async def _send(self, events: tuple[Event, ...]) -> tuple[Outcome, ...]:
        """Send a batch. One event the server cannot read must not hold up the others for ever."""
        try:
            return await self._ports.api.send(events)
        except BadInputError as error:
            if len(events) > 1:
                return await self._send(events[:1])
            # It stays on this handheld as a returned outcome until a person has dealt with it.
            return (Outcome(event_id=events[0].id, status="refused", code=error.code),)
        except UnavailableError as error:
            if error.code != FAULT or len(events) == 1:
                raise
            return await self._send_apart(events, error)

    async def _send_apart(self, events: tuple[Event, ...], fault: UnavailableError) -> tuple[Outcome, ...]:
        """Send events one by one, in their order: the fault of one of them must not hold up the others.

        What does not go through stays in the outbox and is tried again.

        Raises:
            UnavailableError: None went through: the fault is the server's.
        """
        outcomes: list[Outcome] = []
        failed = 0
        for event in events:
            try:
                outcomes += await self._send((event,))
                failed = 0
            except UnavailableError as error:
                self._note_fault("out", error)
                failed += 1
                if error.code != FAULT or failed == _FAULTS_IN_A_ROW:
                    break
        if not outcomes:
            raise fault
        return tuple(outcomes)

    # --- both ---------------------------------------------------------------------------------------

    async def _ready(self) -> bool:
        try:
            return await self._sessions.ensure_token()
        except WardlinkError as error:
            await self._trouble(error, "in")
            return False

    async def _trouble(self, error: WardlinkError, way: str) -> None:
        """Act on a server that is silent, has a fault, or says no."""
        self._failures += 1
        self._note_fault(way, error)
        if isinstance(error, RefusedError) and error.code == "device-wiped":
            await self._wipe()
        elif isinstance(error, RefusedError) and error.code == "session-revoked":
            await self._sessions.revoked()
        elif isinstance(error, RefusedError) and error.code not in _WAITS:
            self._sessions.lost_token()
        if way == "in" or error.code != FAULT:  # an event the server stumbles over makes nobody offline
            self._set_online(online=False)
        log.info("server-trouble", code=error.code)

    async def _wipe(self) -> None:
        """The hospital has given this handheld up: keys first, then files, then memory."""
        log.warning("device-wiped")
        await self._ports.store.wipe()
        self._sessions.forget()
        self.forget()
        self.wiped, self.counts, self.returned, self.queue = True, Counts(), (), ()

    def _note_fault(self, way: str, error: Exception | None = None) -> None:
        """Remember which way the server answered with a fault; an answer, or its silence, ends that."""
        if isinstance(error, UnavailableError) and error.code == FAULT:
            self._faults |= {way}
        else:
            self._faults -= {way}
        if self.link.fault is not bool(self._faults):
            self.link = replace(self.link, fault=bool(self._faults))
            self._on_change()

    def _set_online(self, *, online: bool) -> None:
        if online:
            self._failures = 0
        became = online and not self.link.online
        self.link = replace(self.link, online=online, silent=not online)
        if became:  # whichever of the two found it, the other rests no longer
            self._wake_outbox.set()
            self._wake_poll.set()
        self._on_change()
