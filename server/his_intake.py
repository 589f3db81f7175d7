"""Takes in the hospital's messages: raw message, effect and outcome in one transaction; many share a commit.

Messages that wait while a commit is under way are done together in the next one, each after the other: ten
connections cost hardly more commits than one. The order of a connection is kept by its sender, who waits for
each answer. A message whose facts cannot hold gives its transaction up; those that shared it are then done
one by one, so that it takes nobody with it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from clinical.errors import UnavailableError, WardlinkError
from server.his.intake import REUSED, SETTLED, Case
from server.his.port import Applied
from server.his.receiver import INTERNAL, place_of
from server.his_store import stored_as, take_in
from server.hospital import HospitalFactsService
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)
_TOGETHER = 32
"""So many messages at most share a commit: none waits long for those before it."""


@dataclass(slots=True, eq=False)
class _Ticket:
    """A message that waits, and its answer when it has one."""

    case: Case
    woken: threading.Event = field(default_factory=threading.Event)
    ack: bytes | None = None
    error: BaseException | None = None


class GroupIntake:
    """Implements :class:`server.his.port.Intake` over the one writer."""

    def __init__(self, store: Store, facts: HospitalFactsService) -> None:
        self._store, self._facts = store, facts
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket] = deque()
        self._busy = False

    def take(self, case: Case) -> bytes:
        """Do one message once, together with those that wait; returns the answer when all is on disk.

        Raises:
            UnavailableError: The store does not answer; nothing was changed.
        """
        ticket = _Ticket(case)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._busy = not self._busy, True
        if not leads:
            ticket.woken.wait()
        if ticket.ack is None and ticket.error is None:  # it is on this thread to do the next batch
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.ack or b""

    def _lead(self) -> None:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(_TOGETHER, len(self._waiting)))]
        try:
            self._do(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for ticket in batch:
                if ticket.ack is None and ticket.error is None:
                    ticket.error = UnavailableError("storage", "this system is being stopped; send it again")
                ticket.woken.set()
            if following is not None:
                following.woken.set()

    def _do(self, batch: Sequence[_Ticket]) -> None:
        cases = [ticket.case for ticket in batch]
        try:
            acks = self._store.write(lambda unit: [self._one(unit, case) for case in cases])
        except Exception as error:  # noqa: BLE001 - whose fault it was is found out one by one
            for ticket in batch:
                self._alone(ticket, error if len(batch) == 1 else None)
            return
        for ticket, ack in zip(batch, acks, strict=True):
            ticket.ack = ack

    def _alone(self, ticket: _Ticket, error: Exception | None) -> None:
        """Do one message by itself; ``error`` is how its own attempt has failed already."""
        case = ticket.case
        try:
            if error is None:
                ticket.ack = self._store.write(lambda unit: self._one(unit, case))
                return
        except Exception as own:  # noqa: BLE001 - every message is answered
            error = own
        try:
            applied = _failed(error)
            ticket.ack = self._store.write(lambda unit: self._one(unit, case, applied))
        except Exception as last:  # noqa: BLE001 - handed to the thread that waits for this answer
            ticket.error = last

    def _one(self, unit: UnitOfWork, case: Case, failed: Applied | None = None) -> bytes:
        """Store, apply and settle one message; with ``failed`` only store and settle it."""
        message, known = case.message, ""
        before = stored_as(unit, message)
        if before is not None:
            if not case.is_same(before.raw):
                outcome = case.conclude(Applied(ok=False, code=REUSED))
                take_in(unit, replace(message, control_id=""), outcome)
                return outcome.ack
            if before.state in SETTLED:
                log.info("hl7-repeated", type=before.type)
                return before.ack
            known = before.id
        applied = failed or Applied(ok=True, detail=self._facts.apply_in(unit, case.facts))
        outcome = case.conclude(applied)
        take_in(unit, message, outcome, known=known)
        log.info(
            "hl7-received", type=message.type, state=outcome.state.value, code=outcome.error_code or None
        )
        return outcome.ack


def _failed(error: Exception) -> Applied:
    """Say why the facts of a message do not hold.

    Raises:
        UnavailableError: The store does not answer: the sender has to send again.
    """
    if isinstance(error, UnavailableError):
        raise error
    if isinstance(error, WardlinkError):
        return Applied(ok=False, code=error.code, detail=error.message)
    log.warning("hl7-processing-failed", error=type(error).__name__, at=place_of(error))
    return Applied(ok=False, code=INTERNAL.code)
