"""The one writer: use cases change facts inside a unit of work, and only a commit is seen by others."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from clinical.errors import UnavailableError
from clinical.records import Encounter
from server.audit.chain import append as append_audit
from server.storage import schema
from server.storage.codec import KIND_OF, WITHOUT_HISTORY, R, Record, from_text, kind_of, to_text
from server.storage.picture import EVERY_WARD, Change, Entry, Picture, patient_of, ward_of

T = TypeVar("T")
Insert = postgresql.Insert | sqlite.Insert
Clock = Callable[[], datetime]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit changed, told to listeners after it is on disk."""

    picture: Picture
    changes: tuple[Change, ...]
    at: datetime

    @property
    def wakes(self) -> bool:
        """Whether handhelds that wait for changes should hear of it at once."""
        return any(not change.quiet for change in self.changes)


class CommitListener(Protocol):
    """Someone who must know what was committed. Called on the writer's thread: be quick."""

    def committed(self, commit: Committed) -> None:
        """Take note of a commit."""
        ...


class UnitOfWork:
    """One use case's view: the picture, its own changes on top, and the open transaction."""

    def __init__(self, connection: Connection, base: Picture, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._base = base
        self._view = base
        self._changes: dict[tuple[str, str], Change] = {}
        self._after: list[Callable[[], None]] = []

    @property
    def view(self) -> Picture:
        """The picture with this unit's own changes."""
        return self._view

    @property
    def changes(self) -> tuple[Change, ...]:
        """What this unit changed so far, one entry per record."""
        return tuple(self._changes.values())

    @property
    def followers(self) -> tuple[Callable[[], None], ...]:
        """What shall happen after the commit."""
        return tuple(self._after)

    def get(self, kind: type[R], record_id: str) -> R | None:
        """Return one record as this unit sees it."""
        return self._view.get(kind, record_id)

    def all(self, kind: type[R]) -> Iterator[R]:
        """Every active record of a kind as this unit sees it."""
        return self._view.all(kind)

    def put(self, record: Record, *, quiet: bool = False) -> None:
        """Write a record; writing what is already there changes nothing.

        Args:
            record: The whole record.
            quiet: Tell waiting handhelds only with the next loud change (fast-moving values).
        """
        kind = kind_of(record)
        entry = self._view.entry(kind, record.id)
        ward = ward_of(record, self._view)
        if entry is not None and entry.record == record and entry.ward == ward:
            return
        self._note(Change(kind, record.id, self._original(kind, record.id), record, ward, quiet))
        if isinstance(record, Encounter) and (entry is None or entry.ward != ward):
            self._follow_ward(record)

    def _follow_ward(self, stay: Encounter) -> None:
        """Let everything about a patient be seen where the patient now is."""
        for kind, entries in self._view.kinds.items():
            for entry in list(entries.values()):
                about = getattr(entry.record, "encounter_id", None) == stay.id
                if (about or patient_of(entry.record) == stay.patient_id) and entry.record is not stay:
                    ward = ward_of(entry.record, self._view)
                    if ward != entry.ward:
                        self._note(
                            Change(
                                kind,
                                entry.record.id,
                                self._original(kind, entry.record.id),
                                entry.record,
                                ward,
                            )
                        )

    def retire(self, kind: type[R], record_id: str) -> None:
        """Take a record out of the picture; the store keeps it."""
        name = KIND_OF[kind]
        entry = self._view.entry(name, record_id)
        if entry is not None:
            self._note(Change(name, record_id, self._original(name, record_id), None, entry.ward))

    def audit(
        self,
        action: str,
        *,
        actor: str,
        entity: str,
        patient: str = "",
        outcome: str = "ok",
        detail: str = "",
    ) -> None:
        """Append one line to the audit chain, in this same transaction."""
        append_audit(
            self.connection,
            at=self.now,
            actor=actor,
            action=action,
            entity=entity,
            patient_id=patient,
            outcome=outcome,
            detail=detail,
        )

    def after_commit(self, follower: Callable[[], None]) -> None:
        """Do something once everything is on disk; never before, not at all after a failure."""
        self._after.append(follower)

    def upsert(self, table: str) -> Insert:
        """Return an INSERT of the store's own dialect, which can say ON CONFLICT."""
        return insert_into(self.connection, table)

    def _original(self, kind: str, record_id: str) -> Record | None:
        entry = self._base.entry(kind, record_id)
        return entry.record if entry is not None else None

    def _note(self, change: Change) -> None:
        self._changes[change.kind, change.id] = change
        self._view = self._view.after(self._base.cursor + 1, [change])


def insert_into(connection: Connection, table: str) -> Insert:
    """Return an INSERT into ``table`` that knows ON CONFLICT on both stores."""
    target = schema.metadata.tables[table]
    if connection.dialect.name == "postgresql":
        return postgresql.insert(target)
    return sqlite.insert(target)


class Store:
    """Owns the engine, the picture and the writer's thread."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._writer_id = self._writer.submit(threading.get_ident).result()
        self._listeners: list[CommitListener] = []
        self.picture = self._load()

    def listen(self, listener: CommitListener) -> None:
        """Tell ``listener`` about every later commit."""
        self._listeners.append(listener)

    def write(self, use_case: Callable[[UnitOfWork], T]) -> T:
        """Run one use case in one transaction on the writer's thread and wait for its commit.

        Raises:
            UnavailableError: The store does not answer or is full; nothing was changed.
        """
        if threading.get_ident() == self._writer_id:
            raise RuntimeError("a unit of work cannot open another one")
        return self._writer.submit(self._run, use_case).result()

    async def write_async(self, use_case: Callable[[UnitOfWork], T]) -> T:
        """Like :meth:`write`, without holding up the event loop."""
        return await asyncio.wrap_future(self._writer.submit(self._run, use_case))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a read transaction for searches that the picture cannot answer.

        Raises:
            UnavailableError: The store does not answer.
        """
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Finish what is being written and let go of the store."""
        self._writer.shutdown(wait=True)
        self.engine.dispose()

    def _run(self, use_case: Callable[[UnitOfWork], T]) -> T:
        now = self.clock()
        try:
            with self.engine.connect().execution_options(writer=True) as connection, connection.begin():
                unit = UnitOfWork(connection, self.picture, now)
                result = use_case(unit)
                after = self._persist(unit)
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error
        self._publish(unit, after)
        return result

    def _persist(self, unit: UnitOfWork) -> Picture:
        changes = unit.changes
        if not changes:
            return self.picture
        cursor = self.picture.cursor + 1
        after = self.picture.after(cursor, changes)
        write_changes(unit.connection, changes, cursor, unit.now)
        write_removals(unit.connection, self.picture, after)
        return after

    def _publish(self, unit: UnitOfWork, after: Picture) -> None:
        self.picture = after
        if unit.changes:
            commit = Committed(after, unit.changes, unit.now)
            for listener in self._listeners:
                listener.committed(commit)
        for follower in unit.followers:
            follower()

    def _load(self) -> Picture:
        with self.engine.connect().execution_options(writer=True) as connection, connection.begin():
            epoch = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "epoch"))
            if epoch is None:
                epoch = secrets.token_hex(6)
                connection.execute(insert(schema.meta).values(key="epoch", value=epoch))
            return read_picture(connection, epoch)


def read_picture(connection: Connection, epoch: str) -> Picture:
    """Rebuild the picture from the store."""
    kinds: dict[str, dict[str, Entry]] = {}
    cursor = 0
    for row in connection.execute(select(schema.facts)):
        cursor = max(cursor, row.seq)
        if row.active:
            kinds.setdefault(row.kind, {})[row.id] = Entry(from_text(row.kind, row.body), row.seq, row.ward)
    removals = connection.execute(select(schema.fact_removals))
    gone = {(row.ward, row.kind, row.id): row.seq for row in removals}
    return Picture(epoch=epoch, cursor=max([cursor, *gone.values()]), kinds=kinds, gone=gone)


def write_changes(connection: Connection, changes: tuple[Change, ...], cursor: int, now: datetime) -> None:
    """Write the newest version of each changed record, its history line, and what left a ward."""
    rows = [_row(change, cursor, now) for change in changes]
    statement = insert_into(connection, "facts")
    kept = {
        name: statement.excluded[name] for name in ("seq", "ward", "patient_id", "active", "changed", "body")
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "id"], set_=kept), rows)
    history = [
        {"kind": row["kind"], "id": row["id"], "seq": cursor, "recorded": now, "body": row["body"]}
        for row in rows
        if row["kind"] not in WITHOUT_HISTORY
    ]
    if history:
        connection.execute(insert(schema.fact_history), history)


def write_removals(connection: Connection, before: Picture, after: Picture) -> None:
    """Write what left a ward, and forget what came back to it."""
    removals = schema.fact_removals
    for ward, kind, record_id in before.gone.keys() - after.gone.keys():
        connection.execute(
            delete(removals).where(
                removals.c.ward == ward, removals.c.kind == kind, removals.c.id == record_id
            )
        )
    statement = insert_into(connection, "fact_removals")
    statement = statement.on_conflict_do_update(
        index_elements=["ward", "kind", "id"], set_={"seq": statement.excluded.seq}
    )
    left = [
        {"ward": ward, "kind": kind, "id": record_id, "seq": seq}
        for (ward, kind, record_id), seq in after.gone.items()
        if before.gone.get((ward, kind, record_id)) != seq
    ]
    if left:
        connection.execute(statement, left)


def _row(change: Change, cursor: int, now: datetime) -> dict[str, object]:
    record = change.new if change.new is not None else change.old
    if record is None:
        raise RuntimeError("a change has a record before or after it")
    return {
        "kind": change.kind,
        "id": change.id,
        "seq": cursor,
        "ward": change.ward,
        "patient_id": patient_of(record),
        "active": change.new is not None,
        "changed": now,
        "body": to_text(record),
    }


def _unavailable(error: DBAPIError) -> UnavailableError:
    log.error("store-failed", reason=type(error.orig).__name__)
    return UnavailableError("storage", "the store does not answer or is full; nothing was changed, try again")


__all__ = ["EVERY_WARD", "Clock", "CommitListener", "Committed", "Store", "UnitOfWork", "insert_into"]
