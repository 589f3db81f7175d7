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
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from clinical.errors import UnavailableError
from server.storage import ownership, schema
from server.storage.last_values import LastRows
from server.storage.ownership import Ownership
from server.storage.picture import EVERY_WARD, Change, Picture
from server.storage.rows import read_picture, write_changes, write_removals
from server.storage.unit import UnitOfWork, insert_into

T = TypeVar("T")
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


class Store:
    """Owns the engine, the picture and the writer's thread; there is one per store.

    Args:
        engine: Where the facts rest, at the newest schema.
        clock: Tells the present.
        owner: The right to write, taken already. Without it the store's own kind is taken first: on
            PostgreSQL this waits for as long as another server has it.

    Raises:
        ConflictError: Another server is running on this SQLite store.
        UnavailableError: The store does not answer.
    """

    def __init__(self, engine: Engine, clock: Clock, owner: Ownership | None = None) -> None:
        self._owner = owner or ownership.of(engine)
        if owner is None:
            self._owner.take()
        self.engine = engine
        self.clock = clock
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._writer_id = self._writer.submit(threading.get_ident).result()
        self._listeners: list[CommitListener] = []
        self.picture = self._load()
        self._last_rows = LastRows(self.picture)

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
        self._owner.let_go()
        self.engine.dispose()

    def _run(self, use_case: Callable[[UnitOfWork], T]) -> T:
        now = self.clock()
        try:
            with self._owner.transaction() as connection:
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
        self._last_rows.write(unit, changes, after)
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
        with self._owner.transaction() as connection:
            epoch = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "epoch"))
            if epoch is None:
                epoch = secrets.token_hex(6)
                connection.execute(insert(schema.meta).values(key="epoch", value=epoch))
            return read_picture(connection, epoch)


def _unavailable(error: DBAPIError) -> UnavailableError:
    log.error("store-failed", reason=type(error.orig).__name__)
    return UnavailableError("storage", "the store does not answer or is full; nothing was changed, try again")


__all__ = ["EVERY_WARD", "Clock", "CommitListener", "Committed", "Store", "UnitOfWork", "insert_into"]
