"""Caring for the stored data while the server runs: verify, export, back up."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, func, make_url, select
from sqlalchemy.exc import DBAPIError

from clinical.errors import BadInputError, UnavailableError
from server.audit import anchors as audit_anchors
from server.audit.chain import verify as verify_chain
from server.storage import last_values, schema
from server.storage.codec import from_text
from server.storage.engine import MIGRATIONS, open_engine

_SECRET = frozenset(
    {"credentials", "sessions", "one_time_codes", "confirmations", "fhir_tokens", "fhir_subscriptions"}
)
"""Tables that hold what opens doors: never exported."""
_BATCH = 1_000


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite" and not Path(parts.database or "").is_file():
        raise BadInputError("no-store", "there is no store at this address; has the server ever run?")
    engine = open_engine(url)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except DBAPIError as error:
        raise UnavailableError("storage", "the store does not answer or is damaged") from error
    finally:
        engine.dispose()


def verify(url: str, anchors: Path | None = None) -> dict[str, Any]:
    """Check that the data are whole: schema, audit chain, facts and values readable, intervals disjoint.

    Args:
        url: The store.
        anchors: The file of daily audit anchors; None for a store that has none beside it, such as a backup.
    """
    with _reading(url) as connection:
        chain = verify_chain(connection)
        revision = MigrationContext.configure(connection).get_current_revision()
        newest = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        problems = [
            *_fact_problems(connection),
            *(_value_problems(connection) if revision == newest else ()),  # else another shape
            *_interval_problems(connection),
            *_damage(connection),
            *(audit_anchors.problems(connection, anchors) if revision == newest else ()),
        ]
        anchored = audit_anchors.count(connection) if revision == newest else 0
    if revision != newest:
        problems.append(f"schema is {revision}, the newest is {newest}")
    if not chain.intact:
        problems.append(f"audit line {chain.broken_at} is not as it was written")
    return {
        "ok": not problems,
        "audit_lines": chain.lines,
        "audit_head": chain.head,
        "anchors": anchored,
        "schema": revision,
        "problems": problems[:100],
    }


def _fact_problems(connection: Connection) -> Iterator[str]:
    table = schema.facts
    for row in connection.execution_options(yield_per=_BATCH).execute(
        select(table.c.kind, table.c.id, table.c.body)
    ):
        try:
            record = from_text(row.kind, row.body)
        except (msgspec.DecodeError, KeyError):
            yield f"a fact of kind {row.kind} cannot be read"
            continue
        if record.id != row.id:
            yield f"a fact of kind {row.kind} is stored under another id"


def _value_problems(connection: Connection) -> Iterator[str]:
    try:
        rows = last_values.read(connection)
    except msgspec.DecodeError:
        yield "newest values cannot be read"
        return
    found = Counter(
        (row.patient_id, one.code) for row in rows for sample in row.samples for one in sample.values
    )
    if any(count > 1 for count in found.values()):
        yield "newest values of one code stand twice"


def _interval_problems(connection: Connection) -> Iterator[str]:
    table = schema.ingest_intervals
    last: dict[tuple[str, str], int] = {}
    for row in connection.execute(select(table).order_by(table.c.node, table.c.outbox, table.c.first)):
        key = (row.node, row.outbox)
        if row.first > row.last or row.first <= last.get(key, 0) + (1 if key in last else 0):
            yield f"the committed intervals of node {row.node} overlap or touch"
        last[key] = row.last
    samples = schema.samples
    repeated = connection.execute(
        select(samples.c.node, samples.c.outbox, samples.c.seq, func.count())
        .where(samples.c.node != "")
        .group_by(samples.c.node, samples.c.outbox, samples.c.seq)
        .having(func.count() > 1)
        .limit(10)
    )
    for row in repeated:
        yield f"number {row.seq} of node {row.node} is stored more than once"
    charted = samples.c.node == ""  # what people wrote down has no outbox; its id tells sets apart
    if connection.execute(
        select(samples.c.id).where(charted).group_by(samples.c.id).having(func.count() > 1).limit(1)
    ).first():
        yield "a charted set of values is stored more than once"


def _damage(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        answer = connection.exec_driver_sql("PRAGMA quick_check").scalar()
        if answer != "ok":
            yield f"the file is damaged: {answer}"


def export(url: str, directory: Path) -> dict[str, Any]:
    """Write every table but those of secrets as JSON Lines, with a manifest of counts and digests.

    Raises:
        BadInputError: The directory exists and is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise BadInputError("export-directory", "the directory to export to must be new or empty")
    directory.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, Any] = {"ok": True, "tables": {}}
    with _reading(url) as connection:
        for name, table in schema.metadata.tables.items():
            if name not in _SECRET:
                manifest["tables"][name] = _export_table(connection, table, directory / f"{name}.jsonl")
    (directory / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return manifest


def _export_table(connection: Connection, table: Table, path: Path) -> dict[str, Any]:
    digest, count = hashlib.sha256(), Counter[str]()
    rows = connection.execution_options(yield_per=_BATCH).execute(select(table).order_by(*table.primary_key))
    with path.open("wb") as file:
        for row in rows:
            line = msgspec.json.encode(dict(row._mapping)) + b"\n"
            file.write(line)
            digest.update(line)
            count["rows"] += 1
    return {"rows": count["rows"], "sha256": digest.hexdigest()}


def backup(url: str, target: Path) -> dict[str, Any]:
    """Copy a SQLite store as it is at one instant, while the server goes on, then verify the copy.

    Raises:
        BadInputError: The store is not SQLite (see :mod:`server.storage.dumps`), or the target exists.
    """
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite":
        raise BadInputError("backup-store", "this copies SQLite stores alone")
    if target.exists():
        raise BadInputError("backup-target", "the file to back up to exists already")
    source = Path(parts.database or "")
    if not source.is_file():
        raise BadInputError("no-store", "there is no store at this address; has the server ever run?")
    target.touch(mode=0o600)  # every patient of the ward: for the one who makes it alone
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            # The open reading is the instant: without it a copy begins anew whenever somebody has written.
            live.execute("BEGIN")
            live.execute("SELECT 1 FROM meta").fetchone()
            live.backup(copy, pages=2_000, sleep=0.01)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise UnavailableError("storage", "the copy could not be made; is the disk full?") from error
    return {**verify(f"sqlite:///{target}"), "bytes": target.stat().st_size}
