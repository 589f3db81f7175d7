"""Fakes of the hospital ports: a message store in memory and facts that are only remembered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from server.his.intake import REUSED, SETTLED, Case
from server.his.port import Applied, HospitalFact, MessageState, Outcome, StoredMessage

WORKLIST = {MessageState.ERROR, MessageState.REJECTED}


class MemoryMessages:
    """server.his.port.MessageStore over a list."""

    def __init__(self) -> None:
        self.rows: list[StoredMessage] = []
        self._lock = threading.Lock()

    def stored(self, message: StoredMessage) -> StoredMessage | None:
        for row in self.rows:
            key = (row.direction, row.sender, row.control_id)
            if message.control_id and key == ("in", message.sender, message.control_id):
                return row
        return None

    def take_in(self, message: StoredMessage, outcome: Outcome) -> None:
        with self._lock:
            values = {name: getattr(outcome, name) for name in ("state", "ack", "error_code", "detail")}
            settled = replace(message, **values)
            kept = [settled if row.id == message.id else row for row in self.rows]
            self.rows = kept if settled in kept else [*kept, settled]

    def enqueue(self, message: StoredMessage) -> bool:
        with self._lock:
            if any(row.direction == "out" and row.control_id == message.control_id for row in self.rows):
                return False
            self.rows.append(message)
            return True

    def due(self, now: datetime, *, limit: int) -> Sequence[StoredMessage]:
        with self._lock:
            waiting = [
                row for row in self.rows if row.direction == "out" and row.state is MessageState.QUEUED
            ]
        return [row for row in waiting if row.next_attempt is None or row.next_attempt <= now][:limit]

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
        attempts = self.row(message_id).attempts + 1
        self._change(
            message_id, state=state, ack=ack, error_code=error_code, detail=detail,
            next_attempt=next_attempt, attempts=attempts,
        )  # fmt: skip

    def worklist(self, *, limit: int = 200) -> Sequence[StoredMessage]:
        return [row for row in reversed(self.rows) if row.state in WORKLIST][:limit]

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for row in self.rows:
            key = f"{row.direction}-{row.state}"
            found[key] = found.get(key, 0) + 1
        return found

    def row(self, message_id: str) -> StoredMessage:
        return next(row for row in self.rows if row.id == message_id)

    def _change(self, message_id: str, **values: object) -> None:
        with self._lock:
            self.rows = [
                replace(row, **values) if row.id == message_id else row  # type: ignore[arg-type]
                for row in self.rows
            ]


class MemoryIntake:
    """server.his.port.Intake over a list and facts that are only remembered."""

    def __init__(self, facts: RememberedFacts, store: MemoryMessages) -> None:
        self.facts, self.store = facts, store

    def take(self, case: Case) -> bytes:
        message = case.message
        before = self.store.stored(message)
        if before is not None and not case.is_same(before.raw):
            message = replace(message, control_id="")
            outcome = case.conclude(Applied(ok=False, code=REUSED))
        elif before is not None and before.state in SETTLED:
            return before.ack
        else:
            message = before or message
            outcome = case.conclude(self._apply(case))
        self.store.take_in(message, outcome)
        return outcome.ack

    def _apply(self, case: Case) -> Applied:
        try:
            return self.facts.apply_all(case.facts) if case.facts else Applied(ok=True)
        except ValueError:
            return Applied(ok=False, code="internal")


class RememberedFacts:
    """server.his.port.HospitalFacts that remembers what it was told; ``answer`` is what it says."""

    def __init__(self, answer: Applied | Exception | None = None) -> None:
        self.applied: list[HospitalFact] = []
        self.answer = answer

    def apply(self, fact: HospitalFact) -> Applied:
        return self.apply_all((fact,))

    def apply_all(self, facts: Sequence[HospitalFact]) -> Applied:
        if isinstance(self.answer, Exception):
            raise self.answer
        answer = self.answer or Applied(ok=True)
        if answer.ok:
            self.applied += facts
        return answer
