"""Messages of nodes and events of handhelds that could not be read: listed, tried again, or closed.

A row is never deleted. One that was taken since, or that a person has dealt with otherwise, waits no longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, func, select, update

from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.exchange import Outcome
from clinical.records import Practitioner
from server.ingest.decode import Poison, decode_packet
from server.ingest.port import Packet
from server.people.service import Session
from server.sites import Site
from server.storage.schema import ingest_quarantine, quarantined_events
from server.storage.store import Store, UnitOfWork
from server.sync.events import apply, parse

TAKEN, CLOSED, WAITS = "taken", "closed", "waits"
TABLES: dict[str, Table] = {"quarantine": ingest_quarantine, "events": quarantined_events}
"""The two lists by their names in addresses: messages of nodes, events of handhelds."""
AGAIN = (0, 0)
"""Token of a packet that no broker waits for: nothing is acknowledged for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAside:
    """One thing that could not be read; no content, which may be about a patient."""

    number: int
    recorded: datetime
    source: str  # a node's topic, or who uploaded it
    reason: str
    size: int  # bytes
    state: str  # waits, taken, closed
    settled: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of another try."""

    state: str
    code: str = ""  # of the event's outcome
    reason: str = ""  # why it still cannot be read


def listed(connection: Connection, name: str, limit: int, offset: int, *, settled: bool) -> list[PutAside]:
    """What was put aside, newest first: what waits, or with ``settled`` all of it."""
    table = TABLES[name]
    wanted = select(table).order_by(table.c.n.desc()).limit(limit).offset(offset)
    if not settled:
        wanted = wanted.where(table.c.settled_as == "")
    return [_put_aside(row) for row in connection.execute(wanted)]


def waiting(connection: Connection, name: str) -> int:
    """How many wait for a person."""
    table = TABLES[name]
    return int(connection.scalar(select(func.count()).where(table.c.settled_as == "")) or 0)


def _put_aside(row: Row[Any]) -> PutAside:
    return PutAside(
        number=row.n,
        recorded=row.recorded,
        source=row.topic if "topic" in row._mapping else row.uploaded_by,
        reason=row.reason,
        size=len(_content(row)),
        state=row.settled_as or WAITS,
        settled=row.settled,
    )


def _content(row: Row[Any]) -> bytes:
    return bytes(row.payload) if "payload" in row._mapping else str(row.body).encode()


def content(unit: UnitOfWork, session: Session, name: str, number: int) -> bytes:
    """Return what came, as it came; that somebody looked is in the audit trail.

    Raises:
        NotFoundError: There is none of this number.
    """
    row = _row(unit.connection, name, number)
    unit.audit("put-aside-read", actor=session.practitioner.id, entity=f"{name}:{number}")
    return _content(row)


def close(unit: UnitOfWork, session: Session, name: str, number: int, why: str) -> PutAside:
    """Say that nothing more is to be done about one, and why.

    Raises:
        NotFoundError: There is none of this number.
        ConflictError: It waits no longer.
    """
    _waiting(_row(unit.connection, name, number))
    _settle(unit, name, number, CLOSED)
    unit.audit("put-aside-close", actor=session.practitioner.id, entity=f"{name}:{number}", detail=why)
    return _put_aside(_row(unit.connection, name, number))


def try_event(unit: UnitOfWork, site: Site, session: Session, number: int, why: str) -> Tried:
    """Read an event again, and apply it as it would have been, in its uploader's name.

    Raises:
        NotFoundError: There is none of this number.
        ConflictError: It waits no longer, or who uploaded it is not on record any more.
    """
    row = _row(unit.connection, "events", number)
    _waiting(row)
    uploader = unit.get(Practitioner, row.uploaded_by)
    if uploader is None:
        raise ConflictError("put-aside-nobody", "who uploaded this is not on record; chart it by hand")
    try:
        item = msgspec.json.decode(row.body)
        event = parse(item)
    except (msgspec.DecodeError, BadInputError) as error:
        _note_try(unit, session, f"events:{number}", why, "refused")
        return Tried(state=WAITS, reason=error.message if isinstance(error, BadInputError) else row.reason)
    sender = Session(
        id=f"retry-{number}", practitioner=uploader, kind="bearer", handheld=event.handheld,
        expires=unit.now,
    )  # fmt: skip
    outcome: Outcome = apply(unit, site, sender, event)
    _settle(unit, "events", number, TAKEN)
    _note_try(unit, session, f"events:{number}", why, outcome.status)
    return Tried(state=TAKEN, code=outcome.code or outcome.status)


def try_message(
    store: Store, session: Session, number: int, why: str, take: Callable[[str, bytes], None] | None
) -> Tried:
    """Read a node's message again, and let it go the way of every other; what is there already stays once.

    Raises:
        NotFoundError: There is none of this number.
        ConflictError: It waits no longer, or this server listens to no broker.
    """
    if take is None:
        raise ConflictError("no-broker", "this server listens to no nodes just now; try again later")
    with store.reading() as connection:
        row = _row(connection, "quarantine", number)
    _waiting(row)
    packet = Packet(row.topic, bytes(row.payload), False, AGAIN)
    found = decode_packet(packet)
    readable = not isinstance(found, Poison)

    def note(unit: UnitOfWork) -> None:
        if readable:
            _settle(unit, "quarantine", number, TAKEN)
        _note_try(unit, session, f"quarantine:{number}", why, "ok" if readable else "refused")
        if readable:
            unit.after_commit(lambda: take(packet.topic, packet.payload))

    store.write(note)
    return Tried(state=TAKEN) if not isinstance(found, Poison) else Tried(state=WAITS, reason=found.reason)


def _note_try(unit: UnitOfWork, session: Session, entity: str, why: str, outcome: str) -> None:
    unit.audit("put-aside-retry", actor=session.practitioner.id, entity=entity, outcome=outcome, detail=why)


def _row(connection: Connection, name: str, number: int) -> Row[Any]:
    table = TABLES[name]
    row = connection.execute(select(table).where(table.c.n == number)).first()
    if row is None:
        raise NotFoundError("put-aside", "there is nothing put aside under this number; refresh the list")
    return row


def _waiting(row: Row[Any]) -> None:
    if row.settled_as:
        raise ConflictError("put-aside-settled", "this waits no longer; refresh the list")


def _settle(unit: UnitOfWork, name: str, number: int, state: str) -> None:
    table = TABLES[name]
    unit.connection.execute(
        update(table).where(table.c.n == number).values(settled=unit.now, settled_as=state)
    )
