"""Put a backup in the place of a store that is not running; what was there is kept beside it.

A restored store is another history: handhelds that saw later changes must not go on from their cursor. So it
gets a new epoch, and every one of them starts again from a complete picture.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, make_url, select, update

from clinical.errors import BadInputError, ConflictError, UnavailableError
from server.audit.chain import append as append_audit
from server.storage import schema
from server.storage.care import verify
from server.storage.engine import open_engine, upgrade

_LOCK_S = 0.5
_BESIDE = ("-wal", "-shm", "-journal")


def restore(url: str, source: Path, *, force: bool = False) -> dict[str, Any]:
    """Make the backup ``source`` the store at ``url``, then verify it, audit chain and all.

    Args:
        url: The SQLite store of the server's settings.
        source: A file that ``data backup`` wrote.
        force: Replace a store that holds data; it is moved aside and never deleted.

    Raises:
        BadInputError: PostgreSQL, no backup, or one that is not whole.
        ConflictError: A server is running on the store, or it holds data and ``force`` is not given.
        UnavailableError: The disk is full or does not answer.
    """
    target = _file_of(url)
    if not source.is_file():
        raise BadInputError("restore-source", "there is no backup at this path")
    if target.exists() and source.samefile(target):
        raise BadInputError("restore-source", "the backup and the store are one and the same file")
    if not _is_whole(source):
        raise BadInputError(
            "restore-source", "the backup is not whole; wardlink data verify tells what is wrong"
        )
    if target.exists():
        _must_be_free(target)
        if not force and _holds_data(target):
            raise ConflictError(
                "restore-target", "the store holds data; say --force to put the backup in its place"
            )
    return _put_in_place(source, target)


def _file_of(url: str) -> Path:
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database:
        raise BadInputError("restore-store", "this restores SQLite stores alone")
    return Path(parts.database)


def _is_whole(source: Path) -> bool:
    """Whether the file is an undamaged store at all; the rest is verified on a copy of it."""
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as backup:
            names = {row[0] for row in backup.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            sound = backup.execute("PRAGMA quick_check").fetchone()[0] == "ok"
    except sqlite3.Error:
        return False
    return sound and {"meta", "facts", "audit"} <= names


def _must_be_free(target: Path) -> None:
    """Refuse while anybody has the store open: leaving write-ahead mode needs the file for oneself.

    This also brings the last writes of a server that was killed into the file before it is moved aside.
    """
    try:
        with closing(sqlite3.connect(target, timeout=_LOCK_S)) as store:
            mode = store.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.OperationalError:
        mode = "busy"
    except sqlite3.DatabaseError:
        return  # no database at all: it is kept as it is and needs --force
    if mode != "delete":
        raise ConflictError("restore-running", "a server is running on this store; stop it first")


def _holds_data(target: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{target}?mode=ro", uri=True)) as store:
            tables = {row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return "facts" in tables and store.execute("SELECT 1 FROM facts LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True  # not readable: somebody has to say that it may go


def _put_in_place(source: Path, target: Path) -> dict[str, Any]:
    """Prepare and verify the new store beside the old one; only then do they change places."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.restoring")
    try:
        _remove(fresh)
        shutil.copyfile(source, fresh)
        report = _prepare(fresh)
        if not report["ok"]:
            raise BadInputError("restore-source", "the backup does not verify; nothing was changed")
        kept = _move_aside(target)
        fresh.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError("storage", "the store could not be put in place; is the disk full?") from error
    finally:
        _remove(fresh)
    return {**report, "bytes": target.stat().st_size, "kept": str(kept) if kept else ""}


def _prepare(fresh: Path) -> dict[str, Any]:
    url = f"sqlite:///{fresh}"
    engine = open_engine(url)
    try:
        upgrade(engine)
        with engine.connect().execution_options(writer=True) as connection, connection.begin():
            begin_anew(connection)
    finally:
        engine.dispose()
    report = verify(url)
    with closing(sqlite3.connect(fresh)) as store:
        store.execute("PRAGMA journal_mode=DELETE")  # one file, so that one rename moves all of it
    return report


def begin_anew(connection: Connection) -> None:
    """Give the store a new epoch; nobody holds a task of before, and the audit trail tells of the restore."""
    connection.execute(
        update(schema.meta).where(schema.meta.c.key == "epoch").values(value=secrets.token_hex(6))
    )
    connection.execute(delete(schema.leases))
    lines = connection.scalar(select(func.count()).select_from(schema.audit)) or 0
    append_audit(
        connection, at=datetime.now(UTC), actor="system", action="restore", entity="store",
        detail=f"lines before: {lines}",
    )  # fmt: skip


def _move_aside(target: Path) -> Path | None:
    if not target.exists():
        _remove(target)  # a write-ahead log without its store belongs to nothing
        return None
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    kept = target.with_name(f"{target.name}.before-restore-{stamp}")
    target.rename(kept)
    for ending in _BESIDE:
        beside = target.with_name(target.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))
    return kept


def _remove(file: Path) -> None:
    for ending in ("", *_BESIDE):
        file.with_name(file.name + ending).unlink(missing_ok=True)
