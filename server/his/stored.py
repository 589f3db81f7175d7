"""Every hospital message as it is kept, and the port of the store that keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class MessageState(StrEnum):
    """What became of a stored message."""

    RECEIVED = "received"  # in: stored, not yet settled (a crash leaves it here; a repeat settles it)
    APPLIED = "applied"  # in: its facts hold
    IGNORED = "ignored"  # in: understood, nothing for this ward
    ERROR = "error"  # in: answered AE; on the worklist
    REJECTED = "rejected"  # in: answered AR; out: the hospital refused it. On the worklist
    QUEUED = "queued"  # out: to be sent, or sent and not yet answered
    ACCEPTED = "accepted"  # out: the hospital took it


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """One message of the table ``hl7_messages``; ``sender`` is MSH-3 for incoming ones."""

    id: str
    direction: str  # in, out
    control_id: str
    sender: str
    type: str  # "ADT^A01"
    received: datetime
    state: MessageState
    raw: bytes
    ack: bytes = b""
    error_code: str = ""
    detail: str = ""
    attempts: int = 0
    next_attempt: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an incoming message, and the answer that will be sent."""

    state: MessageState
    ack: bytes = b""
    error_code: str = ""
    detail: str = ""


class MessageStore(Protocol):
    """Keeps every hospital message on disk; each call is committed before it returns.

    Calls arrive from worker threads, so an implementation opens its own connection or locks.
    """

    def enqueue(self, message: StoredMessage) -> bool:
        """Store an outgoing message once per control id; False when it was there already."""
        ...

    def due(self, now: datetime, *, limit: int) -> Sequence[StoredMessage]:
        """Outgoing messages in state queued whose next_attempt is None or past, oldest first."""
        ...

    def attempted(
        self,
        message_id: str,
        *,
        state: MessageState,
        ack: bytes,
        error_code: str = "",
        detail: str = "",
        next_attempt: datetime | None = None,
    ) -> None:
        """Count one sending attempt and write its result."""
        ...

    def worklist(self, *, limit: int = 200) -> Sequence[StoredMessage]:
        """Messages that need a person: incoming error or rejected, outgoing rejected, newest first."""
        ...

    def counts(self) -> dict[str, int]:
        """Messages by ``"{direction}-{state}"``, such as ``in-applied`` and ``out-queued``."""
        ...
