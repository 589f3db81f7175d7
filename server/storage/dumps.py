"""Backup and restore of a PostgreSQL store by its own tools; the dump is taken while the server runs.

A store is one schema (``public``, or the one of a server's share). What a restore replaces is renamed and
kept in the same database; when anything fails, it is renamed back.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, inspect, text

from clinical.errors import BadInputError, ConflictError, UnavailableError
from server.storage import ownership, schema
from server.storage.care import verify
from server.storage.engine import open_engine, upgrade_with
from server.storage.restore import begin_anew

_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")
"""What a store's address says of TLS holds for the programs too, or a dump would go in the clear."""
_PROGRAMS = Path("/usr/lib/postgresql")
_TABLE = re.compile(r" TABLE (\S+) (\S+) ")


def backup(url: str, target: Path) -> dict[str, Any]:
    """Write a dump of the store as it is at one instant, while the server goes on; then read its list back.

    Raises:
        BadInputError: The target exists.
        UnavailableError: PostgreSQL's client programs are missing, or it does not answer.
    """
    if target.exists():
        raise BadInputError("backup-target", "the file to back up to exists already")
    target.touch(mode=0o600)  # every patient of the ward: for the one who makes it alone
    engine = open_engine(url)
    try:
        named = ownership.schema_of(engine) or "public"
        _run(engine.url, "pg_dump", "-Fc", "--no-owner", "--no-privileges", f"--schema={named}",
             "--file", str(target))  # fmt: skip
        missing = set(schema.metadata.tables) - _tables_in(engine.url, target, named)
    except UnavailableError:
        target.unlink(missing_ok=True)
        raise
    finally:
        engine.dispose()
    report = verify(url)
    problems = [*report["problems"], *(f"the backup lacks the table {name}" for name in sorted(missing))]
    return {**report, "ok": not problems, "problems": problems, "bytes": target.stat().st_size}


def restore(url: str, source: Path, *, force: bool = False) -> dict[str, Any]:
    """Make a dump the store at ``url``, then verify it, audit chain and all.

    Args:
        url: The PostgreSQL store of the server's settings.
        source: A file that ``data backup`` wrote from a store of the same schema.
        force: Replace a store that holds data; it is renamed and never deleted.

    Raises:
        BadInputError: No backup of such a store, or one that is not whole.
        ConflictError: A server is running on the store, or it holds data and ``force`` is not given.
        UnavailableError: PostgreSQL does not answer, or its client programs are missing.
    """
    if not source.is_file():
        raise BadInputError("restore-source", "there is no backup at this path")
    engine = open_engine(url)
    named = ownership.schema_of(engine) or "public"
    try:
        if not {"meta", "facts", "audit"} <= _tables_in(engine.url, source, named):
            raise BadInputError("restore-source", f"this is no backup of a store in the schema {named}")
        with _alone(engine) as connection:
            if not force and _holds_data(connection):
                raise ConflictError(
                    "restore-target", "the store holds data; say --force to put the backup in its place"
                )
            kept = _move_aside(connection, named)
            try:
                report = _put_in_place(connection, engine, source, named, url)
            except BaseException:
                _move_back(connection, named, kept)
                raise
    finally:
        engine.dispose()
    return {**report, "bytes": source.stat().st_size, "kept": kept}


def _put_in_place(
    connection: Connection, engine: Engine, source: Path, named: str, url: str
) -> dict[str, Any]:
    words = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", f"--schema={named}")
    try:
        _run(engine.url, "pg_restore", *words, "--dbname", engine.url.database or "", str(source))
    except UnavailableError as error:
        raise BadInputError("restore-source", "the backup is not whole; nothing was changed") from error
    with connection.begin():
        upgrade_with(connection)
        begin_anew(connection)
    report = verify(url)
    if not report["ok"]:
        raise BadInputError("restore-source", "the backup does not verify; nothing was changed")
    return report


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Hold the store's lock for as long as it takes: no server starts on half a store."""
    with engine.connect() as connection:
        key = {"lock": ownership.key_of(engine)}
        with connection.begin():
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), key):
                raise ConflictError("restore-running", "a server is running on this store; stop it first")
        try:
            yield connection
        finally:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), key)


def _holds_data(connection: Connection) -> bool:
    with connection.begin():
        if not inspect(connection).has_table("facts"):
            return False
        return connection.scalar(text("SELECT 1 FROM facts LIMIT 1")) is not None


def _move_aside(connection: Connection, named: str) -> str:
    """Rename what is there and make room; returns the new name, empty where nothing was."""
    kept = f"{named}_before_{datetime.now(UTC):%Y%m%dt%H%M%S%f}"
    with connection.begin():
        there = inspect(connection).has_schema(named)
        if there:
            connection.execute(text(f'ALTER SCHEMA "{named}" RENAME TO "{kept}"'))
        connection.execute(text(f'CREATE SCHEMA "{named}"'))
    return kept if there else ""


def _move_back(connection: Connection, named: str, kept: str) -> None:
    with connection.begin():
        connection.execute(text(f'DROP SCHEMA "{named}" CASCADE'))
        if kept:
            connection.execute(text(f'ALTER SCHEMA "{kept}" RENAME TO "{named}"'))


def _tables_in(url: URL, source: Path, named: str) -> set[str]:
    """The tables that a dump holds, of one schema.

    Raises:
        BadInputError: It is no dump.
    """
    try:
        listed = _run(url, "pg_restore", "--list", str(source))
    except UnavailableError as error:
        raise BadInputError("restore-source", "this file is no backup that data backup wrote") from error
    return {name for where, name in _TABLE.findall(listed) if where == named}


def _run(url: URL, name: str, *words: str) -> str:
    """Run one of PostgreSQL's programs against the store; the password never stands in a command line."""
    where = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password}
    where |= {f"PG{name.upper()}": str(url.query[name]) for name in _TLS if name in url.query}
    environment = {key: str(value) for key, value in where.items() if value is not None}
    database = {"PGDATABASE": url.database} if url.database else {}
    found = subprocess.run(
        [_program(name), *words], env={**os.environ, **environment, **database}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise UnavailableError("storage", f"{name} failed; is the store reachable, the disk full?")
    return found.stdout


def _program(name: str) -> str:
    """Find the newest of PostgreSQL's programs: an older one cannot read a newer store."""
    newest = sorted(_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: path.parts[-3].rjust(4, "0"))
    found = str(newest[-1]) if newest else shutil.which(name)
    if found is None:
        raise UnavailableError("postgresql-client", f"{name} is missing: apt-get install postgresql-client")
    return found
