"""Hospital messages on disk: implements :class:`server.his.port.MessageStore` over the one writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, insert, or_, select, update

from server import his_alarms
from server.his.port import MessageState, Outcome, StoredMessage
from server.storage.schema import hl7_messages as table
from server.storage.store import Store, UnitOfWork

_MAX_CODE = 200
_INSERT = insert(table)
_SAME = (
    select(table)
    .where(*(table.c[name] == bindparam(name) for name in ("direction", "sender", "control_id")))
    .order_by(table.c.n)
    .limit(1)
)
_PUT_ASIDE = frozenset({MessageState.ERROR, MessageState.REJECTED})


class SqlMessageStore:
    """Every message, in and out, as it was on the wire; each call is on disk before it returns."""

    def __init__(self, store: Store, *, silent_after: timedelta = his_alarms.SILENT_AFTER) -> None:
        self._store = store
        self._silent_after = silent_after

    def enqueue(self, message: StoredMessage) -> bool:
        """Store an outgoing message once per control id; False when it was there already."""
        return self._store.write(lambda unit: queue(unit, message))

    def due(self, now: datetime, *, limit: int) -> Sequence[StoredMessage]:
        """Outgoing messages in state queued whose next_attempt is None or past, oldest first."""
        waiting = (
            table.c.direction == "out",
            table.c.state == MessageState.QUEUED.value,
            or_(table.c.next_attempt.is_(None), table.c.next_attempt <= now),
        )
        return self._read(*waiting, order=table.c.n.asc(), limit=limit)

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
        values = {
            "state": state.value,
            "ack": ack,
            "error_code": error_code[:_MAX_CODE],
            "detail": detail,
            "next_attempt": next_attempt,
            "attempts": table.c.attempts + 1,
        }

        def run(unit: UnitOfWork) -> None:
            unit.connection.execute(update(table).where(table.c.id == message_id).values(values))
            if state is MessageState.ACCEPTED:
                his_alarms.works_again(unit)
            elif state is MessageState.REJECTED:
                his_alarms.rejected(unit)
            elif _waits_since(unit, message_id) <= unit.now - self._silent_after:
                his_alarms.silent(unit)

        self._store.write(run)

    def worklist(self, *, limit: int = 200) -> Sequence[StoredMessage]:
        """Messages that need a person, newest first."""
        stuck = table.c.state.in_([MessageState.ERROR.value, MessageState.REJECTED.value])
        return self._read(stuck, order=table.c.n.desc(), limit=limit)

    def counts(self) -> dict[str, int]:
        """Messages by ``"{direction}-{state}"``."""
        with self._store.reading() as connection:
            rows = connection.execute(
                select(table.c.direction, table.c.state, func.count()).group_by(
                    table.c.direction, table.c.state
                )
            )
            return {f"{row[0]}-{row[1]}": row[2] for row in rows}

    def _read(
        self, *where: ColumnElement[bool], order: ColumnElement[Any], limit: int
    ) -> Sequence[StoredMessage]:
        with self._store.reading() as connection:
            rows = connection.execute(select(table).where(*where).order_by(order).limit(limit)).all()
        return [_message(row) for row in rows]


def take_in(unit: UnitOfWork, message: StoredMessage, outcome: Outcome, *, known: str = "") -> None:
    """Write an incoming message with what became of it; ``known`` is the id it was stored under before.

    One that was put aside raises an alarm in the same transaction, so that no crash leaves it unseen.
    """
    settled = {
        "state": outcome.state.value,
        "ack": outcome.ack,
        "error_code": outcome.error_code[:_MAX_CODE],
        "detail": outcome.detail,
    }
    if known:
        unit.connection.execute(update(table).where(table.c.id == known).values(settled))
    else:
        _insert(unit, message, settled)
    if outcome.state in _PUT_ASIDE:
        his_alarms.put_aside(unit, outcome.error_code)


def stored_as(unit: UnitOfWork, message: StoredMessage) -> StoredMessage | None:
    """Return the message that is stored under the same sender and control id, if there is one."""
    return _same(unit, message) if message.control_id else None


def queue(unit: UnitOfWork, message: StoredMessage) -> bool:
    """Store an outgoing message in a transaction of somebody else, once per control id."""
    if _same(unit, message) is not None:
        return False
    _insert(unit, message)
    return True


def _waits_since(unit: UnitOfWork, message_id: str) -> datetime:
    at = unit.connection.scalar(select(table.c.received).where(table.c.id == message_id))
    return at if at is not None else unit.now


def _same(unit: UnitOfWork, message: StoredMessage) -> StoredMessage | None:
    key = {name: getattr(message, name) for name in ("direction", "sender", "control_id")}
    row = unit.connection.execute(_SAME, key).first()
    return _message(row) if row is not None else None


def _insert(unit: UnitOfWork, message: StoredMessage, settled: Mapping[str, object] | None = None) -> None:
    row = {
        "id": message.id,
        "direction": message.direction,
        "control_id": message.control_id,
        "sender": message.sender,
        "type": message.type,
        "received": message.received,
        "state": message.state.value,
        "error_code": message.error_code,
        "detail": message.detail,
        "raw": message.raw,
        "ack": message.ack,
        "attempts": message.attempts,
        "next_attempt": message.next_attempt,
    }
    unit.connection.execute(_INSERT, {**row, **(settled or {})})


def _message(row: Row[Any]) -> StoredMessage:
    return StoredMessage(
        id=row.id,
        direction=row.direction,
        control_id=row.control_id,
        sender=row.sender,
        type=row.type,
        received=row.received,
        state=MessageState(row.state),
        raw=bytes(row.raw),
        ack=bytes(row.ack),
        error_code=row.error_code,
        detail=row.detail,
        attempts=row.attempts,
        next_attempt=row.next_attempt,
    )
