"""One server writes a store; a second one on the same PostgreSQL stands by until the first is gone.

The server that writes keeps the ward's facts in memory, so two at once would each be wrong. The right to
write is a lock that dies with its holder:

* PostgreSQL: an advisory lock of the very session that writes. Whoever loses the session loses the lock and
  the transaction with it, so nothing is ever written without the lock. A second server waits for it: the hot
  standby. The holder also signs its name into the store; one that was cut off and finds another name there
  knows facts it has not seen, writes nothing any more and ends, to stand by itself when it is started again.
* SQLite: a lock on a file beside the store. It is one machine's store, so a second server is a mistake.

A store is a SQLite file, a PostgreSQL database, or one schema of it: servers that share a database each own
the wards of their schema, and have a lock each.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Protocol

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from clinical.errors import ConflictError, UnavailableError
from server.storage.unit import insert_into

log = structlog.get_logger(__name__)
LOCK = 0x57_41_52_44  # "WARD"
TRY_EVERY_S = 0.5
IN_SCHEMA = "-csearch_path="
_TRY = text("SELECT pg_try_advisory_lock(:lock)")
_TRY_IN_TRANSACTION = text("SELECT pg_try_advisory_xact_lock(:lock)")
_SIGNED = text("SELECT value FROM meta WHERE key = 'owner'")
_NOTICE_THE_DEAD = text(
    "SELECT set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)"
)
"""About ten seconds after an owner's machine is gone PostgreSQL takes it for dead and lets go of its lock."""


class NotOwnerError(UnavailableError):
    """Another server owns the store now; this one writes nothing any more."""


class Ownership(Protocol):
    """The right to write one store."""

    def take(self) -> None:
        """Take the store; waits, or refuses, while another server has it."""
        ...

    def try_take(self) -> bool:
        """Take the store if no server has it."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """Open a transaction that writes."""
        ...

    def let_go(self) -> None:
        """Give the store to whoever waits for it."""
        ...


def of(engine: Engine) -> Ownership:
    """Return the ownership that fits a store; it is not taken yet."""
    return SessionLock(engine) if engine.dialect.name == "postgresql" else FileLock(engine)


def schema_of(engine: Engine) -> str:
    """Return the PostgreSQL schema that a store's address names; empty where it names none."""
    options = engine.url.query.get("options", "")
    return options.removeprefix(IN_SCHEMA) if isinstance(options, str) else ""


def key_of(engine: Engine) -> int:
    """Return the number of a store's advisory lock: one for a database, one for each named schema of it."""
    name = schema_of(engine)
    return (zlib.crc32(name.encode()) >> 1) << 32 | LOCK if name else LOCK


def end_process() -> None:
    """Let this process stop as if it were told to from outside."""
    os.kill(os.getpid(), signal.SIGTERM)


class FileLock:
    """Ownership of a SQLite store: a locked file beside it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Lock the file.

        Raises:
            ConflictError: Another server has it.
            UnavailableError: The directory of the store cannot be written.
        """
        database = self._engine.url.database
        if not database or database == ":memory:":
            return
        beside = Path(f"{database}.lock")
        try:
            file = beside.open("ab")
        except OSError as error:
            raise UnavailableError("storage", "the store's directory cannot be written to") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise ConflictError(
                "storage-owned",
                "another server is running on this store; stop it first, or use another store",
            ) from error
        self._file = file

    def try_take(self) -> bool:
        """Lock the file, or refuse as :meth:`take` does: nobody stands by for a file."""
        self.take()
        return True

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction that writes."""
        with self._engine.connect().execution_options(writer=True) as connection, connection.begin():
            yield connection

    def let_go(self) -> None:
        """Unlock the file; it stays where it is, empty."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class SessionLock:
    """Ownership of a PostgreSQL store: the session that writes holds the lock.

    Used by the writer's thread alone once :meth:`take` has returned.

    Args:
        engine: The store.
        on_displaced: Called once when another server has taken the store over; ends the process unless told.
    """

    def __init__(self, engine: Engine, on_displaced: Callable[[], None] = end_process) -> None:
        self.name = secrets.token_hex(8)
        self._engine, self._on_displaced = engine, on_displaced
        self._key = key_of(engine)
        self._session: Connection | None = None
        self._displaced = False

    def take(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Return when this server owns the store and has signed it; until then it is the hot standby.

        Raises:
            UnavailableError: The store does not answer at the first try.
        """
        told = False
        while not self._try(told=told):
            if not told:
                log.info("standing-by")
                told = True
            sleep(TRY_EVERY_S)
        if told:
            log.info("taking-over")

    def try_take(self) -> bool:
        """Take the store if no server has it; signs it then.

        Raises:
            UnavailableError: The store does not answer.
        """
        return self._try(told=False)

    def _try(self, *, told: bool) -> bool:
        try:
            session = self._lock()
            if session is None:
                return False
            with session.begin():
                self._sign(session)
        except (OperationalError, InterfaceError) as error:
            if not told:
                raise UnavailableError("storage", "the store does not answer; check [storage] url") from error
            log.warning("store-unreachable")
            return False
        self._session = session
        return True

    def _lock(self) -> Connection | None:
        """Open a session and ask for the lock; None when another session has it."""
        session = self._engine.connect()
        try:
            with session.begin():
                session.execute(_NOTICE_THE_DEAD)
                got = bool(session.scalar(_TRY, {"lock": self._key}))
        except DBAPIError:
            _end(session)
            raise
        if not got:
            session.close()
        return session if got else None

    def _sign(self, session: Connection) -> None:
        statement = insert_into(session, "meta").values(key="owner", value=self.name)
        kept = {"value": statement.excluded.value}
        session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=kept))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction in the session that holds the lock; a broken session is made and locked anew.

        Raises:
            NotOwnerError: Another server has taken the store over.
            UnavailableError: The lock of our own broken session has not gone yet; try again.
        """
        session = self._session or self._again()
        try:
            with session.begin():
                yield session
        finally:
            if _is_broken(session):
                self._session = None
                _end(session)

    def _again(self) -> Connection:
        if self._displaced:
            raise NotOwnerError("storage", "another server has taken this store over; this one stops")
        session = self._lock()
        if session is None:
            with self._engine.connect() as other, other.begin():
                signed = other.scalar(_SIGNED)
            if signed == self.name:
                raise UnavailableError("storage", "the store still holds a broken session; try again")
            raise self._gone()
        with session.begin():
            signed = session.scalar(_SIGNED)
        if signed != self.name:  # another one has owned the store meanwhile: what we know is old
            _end(session)
            raise self._gone()
        self._session = session
        return session

    def _gone(self) -> NotOwnerError:
        self._displaced = True
        log.error("store-taken-over")
        self._on_displaced()
        return NotOwnerError("storage", "another server has taken this store over; this one stops")

    def let_go(self) -> None:
        """End the session, and with it the lock."""
        session, self._session = self._session, None
        if session is not None:
            _end(session)


def _is_broken(session: Connection) -> bool:
    """Whether a session will never answer again, whoever noticed it: SQLAlchemy or the driver below it."""
    if session.invalidated or session.closed:
        return True
    driver = session.connection.driver_connection
    return driver is None or bool(driver.closed)


def _end(session: Connection) -> None:
    """End a session for good: back in the pool it would go on holding its lock."""
    if not session.closed:
        session.invalidate()
        session.close()


@contextmanager
def alone(engine: Engine, *, wait: bool = True) -> Iterator[Connection | None]:
    """Open a transaction while no server owns the store; for what must not happen under one: a new schema.

    Args:
        engine: The store.
        wait: Wait for a server that owns it; without it there is no transaction then.
    """
    if engine.dialect.name != "postgresql":
        with engine.begin() as connection:
            yield connection
        return
    told = False
    while True:
        with engine.connect() as connection, connection.begin():
            if connection.scalar(_TRY_IN_TRANSACTION, {"lock": key_of(engine)}):
                yield connection
                return
        if not wait:
            yield None
            return
        if not told:
            log.info("standing-by")
            told = True
        time.sleep(TRY_EVERY_S)
