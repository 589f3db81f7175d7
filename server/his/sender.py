"""Tells the hospital what was given: queue on disk, send in order, follow each answer."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from clinical.errors import UnavailableError
from server.his.administration import Addresses, control_id, ras_o17
from server.his.message import Message, parse
from server.his.port import AdministrationFact, MessageState, MessageStore, StoredMessage
from server.his.refusal import RefusedMessageError
from server.his.telling import Written, write
from server.his.told import Report

log = structlog.get_logger(__name__)

_ACCEPTS = {"AA", "CA"}
# HL70357 codes of an AE that may pass when it is sent again: record locked, internal error.
_MAY_PASS = {"206", "207"}
_FAR = timedelta(days=1)


class Link(Protocol):
    """A connection to the hospital's listener."""

    async def exchange(self, message: bytes) -> bytes:
        """Send a message and return the answer, or raise UnavailableError."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before trying again, and how often a "try again" answer is believed."""

    first_s: float = 1.0
    longest_s: float = 60.0
    application_tries: int = 5

    def after(self, attempts: int) -> timedelta:
        """Return the pause after so many attempts: 1, 2, 4, … seconds."""
        return timedelta(seconds=min(self.longest_s, self.first_s * 2 ** min(max(attempts - 1, 0), 20)))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Sender:
    """Sends administrations (RAS^O17) and reports; what is refused waits on the worklist, never in the way.

    The store raises the alarms: it notes each attempt, and an alarm must not be lost between the two.
    ``state`` and ``last`` are what the central screen shows of this connection.
    """

    store: MessageStore
    link: Link
    addresses: Addresses = field(default_factory=Addresses)
    backoff: Backoff = field(default_factory=Backoff)
    clock: Callable[[], datetime] = _now
    state: str = "ok"  # ok, error
    last: datetime | None = None  # when the hospital last answered
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def administered(self, fact: AdministrationFact) -> None:
        """Queue an administration; from any thread, on disk when it returns."""
        raw = ras_o17(fact, self.addresses, now=self.clock())
        if self.store.enqueue(self.row(Written("RAS^O17", control_id(fact), raw))):
            self.wake()

    def told(self, report: Report) -> StoredMessage:
        """Write any other report as the message to be queued."""
        return self.row(write(report, self.addresses, now=self.clock()))

    def row(self, written: Written) -> StoredMessage:
        """Return a message as it is queued."""
        return StoredMessage(
            id=str(uuid.uuid4()),
            direction="out",
            control_id=written.control_id,
            sender=self.addresses.application,
            type=written.type,
            received=self.clock(),
            state=MessageState.QUEUED,
            raw=written.raw,
        )

    def wake(self) -> None:
        """Look at the queue now; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self, *, poll_s: float = 5.0) -> None:
        """Send what is due until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                pause = await self._pass_or_pause(poll_s)
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            await self.link.close()

    async def _pass_or_pause(self, poll_s: float) -> float:
        try:
            pause = await self.send_due()
        except UnavailableError as error:  # the store does not answer
            self.state = "error"
            log.warning("his-store-unavailable", code=error.code)
            return poll_s
        return poll_s if pause is None else min(poll_s, max(pause, 0.05))

    async def send_due(self) -> float | None:
        """Send every due message in order; return the pause after a failure, ``None`` when all went well.

        The first message that cannot be delivered ends the pass: nothing overtakes it.
        """
        # Also those whose pause is not over: a later message must not be taken before an earlier one.
        while due := await asyncio.to_thread(self.store.due, self.clock() + _FAR, limit=50):
            for row in due:
                pause = self._wait_for(row) or await self._send(row)
                if pause is not None:
                    return pause
        return None

    def _wait_for(self, row: StoredMessage) -> float:
        if row.next_attempt is None:
            return 0.0
        return max(0.0, (row.next_attempt - self.clock()).total_seconds())

    async def _send(self, row: StoredMessage) -> float | None:
        try:
            answer = await self.link.exchange(row.raw)
        except UnavailableError as error:
            return await self._later(row, error.code, error.message, b"")
        self.last = self.clock()
        verdict = await self._verdict(row, answer)
        if verdict is None:
            await self.link.close()  # what follows on this connection may answer other messages
            return await self._later(row, "his-answer-mismatch", "The answer is for another message.", answer)
        return await self._follow(row, answer, *verdict)

    async def _follow(
        self, row: StoredMessage, answer: bytes, code: str, error: str, text: str
    ) -> float | None:
        if code in _ACCEPTS:
            self.state = "ok"
            await self._write(row, MessageState.ACCEPTED, answer)
            return None
        tries = row.attempts + 1
        if code == "AE" and error in _MAY_PASS and tries < self.backoff.application_tries:
            return await self._later(row, f"his-{code.lower()}-{error}", text, answer)
        self.state = "error"
        await self._write(row, MessageState.REJECTED, answer, code=f"his-{code.lower()}-{error}", detail=text)
        log.warning("his-refused-message", type=row.type, code=code, error=error)
        return None

    async def _later(self, row: StoredMessage, code: str, detail: str, answer: bytes) -> float:
        self.state = "error"
        pause = self.backoff.after(row.attempts + 1)
        log.info("his-send-again", code=code, attempts=row.attempts + 1, pause_s=pause.total_seconds())
        await self._write(
            row, MessageState.QUEUED, answer, code=code, detail=detail, next_attempt=self.clock() + pause
        )
        return pause.total_seconds()

    async def _write(
        self,
        row: StoredMessage,
        state: MessageState,
        answer: bytes,
        *,
        code: str = "",
        detail: str = "",
        next_attempt: datetime | None = None,
    ) -> None:
        await asyncio.to_thread(
            self.store.attempted,
            row.id,
            state=state,
            ack=answer,
            error_code=code,
            detail=detail,
            next_attempt=next_attempt,
        )

    async def _verdict(self, row: StoredMessage, answer: bytes) -> tuple[str, str, str] | None:
        """Return MSA-1, the HL7 error code and a text; ``None`` when it answers another message."""
        try:
            message = parse(answer)
        except RefusedMessageError:
            return None
        msa = message.first("MSA")
        if msa is None or msa.value(2) != row.control_id:
            return None
        return msa.value(1).upper(), *_error_of(message)


def _error_of(message: Message) -> tuple[str, str]:
    msa, err = message.first("MSA"), message.first("ERR")
    text = msa.value(3) if msa else ""
    if err is None:
        return "", text
    code = err.value(3) or err.value(1, 4)
    return code, err.value(8) or err.value(3, 2) or text
