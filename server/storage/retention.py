"""Lets what comes by the second go after its time, in small portions beside the ingest.

PostgreSQL drops whole days (:mod:`server.storage.partitions`). SQLite has no partitions: the highest row
number is noted as each hour begins, and rows up to a note go once its hour is older than they are kept. So
what counts is when a row came, not what time it claims, and no row with a wrong clock stands in the way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, delete, insert, select, text

from clinical.errors import UnavailableError
from server.storage import schema
from server.storage.partitions import TABLES
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)
PORTION = 500
BUDGET_S = 0.02
"""How long one step may keep the writer, so that readings are seen as fast as ever."""
_REST_S, _BETWEEN_S = 1.0, 0.05
_HOUR = "%Y-%m-%dT%H"
_PREFIX = "rows-until:"


class Retention:
    """Prunes a SQLite store; does nothing on PostgreSQL.

    Args:
        store: The store.
        keep: How long the rows of each of the tables ``samples`` and ``waves`` stay after they came.
    """

    def __init__(self, store: Store, keep: Mapping[str, timedelta]) -> None:
        self._store, self._keep = store, keep

    async def run(self) -> None:
        """Prune until cancelled: at once again while there is more, else every second."""
        if self._store.engine.dialect.name != "sqlite":
            return
        while True:
            try:
                went = await self._store.write_async(self.step)
            except UnavailableError:
                log.warning("pruning-skipped")
                went = 0
            await asyncio.sleep(_BETWEEN_S if went else _REST_S)

    def step(self, unit: UnitOfWork) -> int:
        """Do what fits into the budget; returns how many rows went."""
        connection, until = unit.connection, time.monotonic() + BUDGET_S
        note(connection, unit.now)
        return sum(prune(connection, table, unit.now - self._keep[table], until) for table in TABLES)


def note(connection: Connection, now: datetime) -> None:
    """Note the highest row number there is as the present hour begins, once.

    An hour in which nothing came is not noted: its number may be given again to rows that come later.
    """
    meta = schema.meta
    for table in TABLES:
        key = f"{_PREFIX}{table}:{now.strftime(_HOUR)}"
        newest = _notes(connection, table)[-1:]
        if newest and newest[0][0] >= key:
            continue
        highest = connection.scalar(text(f"SELECT max(rowid) FROM {table}")) or 0  # noqa: S608 - names of ours
        if highest > (newest[0][1] if newest else 0):
            connection.execute(insert(meta).values(key=key, value=str(highest)))


def prune(connection: Connection, table: str, before: datetime, until: float) -> int:
    """Delete rows that were there an hour before the hour of ``before`` began.

    Args:
        connection: The writer's.
        table: ``samples`` or ``waves``.
        before: The present less the time that rows are kept; what goes is up to two hours older.
        until: When to stop, by the monotonic clock; one portion goes in any case.

    Returns:
        How many rows went.
    """
    limit, went = f"{_PREFIX}{table}:{before.strftime(_HOUR)}", 0
    statement = text(
        f"DELETE FROM {table} WHERE rowid IN "  # noqa: S608 - names of ours
        f"(SELECT rowid FROM {table} WHERE rowid <= :last ORDER BY rowid LIMIT {PORTION})"
    )
    for key, last in _notes(connection, table):
        if key >= limit:
            break
        while True:
            gone = int(connection.execute(statement, {"last": last}).rowcount)
            went += gone
            if gone < PORTION:
                connection.execute(delete(schema.meta).where(schema.meta.c.key == key))
                break
            if time.monotonic() >= until:
                return went
    return went


def _notes(connection: Connection, table: str) -> list[tuple[str, int]]:
    """The noted hours of a table with their row numbers, oldest first."""
    key = schema.meta.c.key
    found = connection.execute(
        select(key, schema.meta.c.value).where(key.startswith(f"{_PREFIX}{table}:")).order_by(key)
    )
    return [(name, int(value)) for name, value in found]
