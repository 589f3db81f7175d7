"""Day partitions of what comes by the second (PostgreSQL): a day is dropped whole, whatever it holds.

Rows of a day without a partition rest in the default one: storing never depends on this housekeeping. SQLite
has no partitions; there old rows go in small portions (:mod:`server.storage.retention`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from server.storage.columns import micros

TABLES = ("samples", "waves")
DAY = timedelta(days=1)
AHEAD = 2
"""Days made ahead, so that a server which is away over midnight finds its place."""
_NAME = re.compile(rf"^({'|'.join(TABLES)})_(default|p(\d{{8}}))$")


def is_partition(table: str) -> bool:
    """Whether a table of the store is a part of another one."""
    return _NAME.match(table) is not None


def make(connection: Connection, now: datetime) -> None:
    """Make the partitions of yesterday, today and the next days, where they are missing."""
    if connection.dialect.name != "postgresql":
        return
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for table in TABLES:
        there = set(_partitions(connection, table))
        for number in range(-1, AHEAD + 1):
            day = today + number * DAY
            if day not in there:
                _make_day(connection, table, day)


def _make_day(connection: Connection, table: str, day: datetime) -> None:
    """Make one day, unless the default partition holds rows of it: then its next rows go there too."""
    first, end = micros(day), micros(day + DAY)
    held = connection.scalar(
        text(f"SELECT 1 FROM {table}_default WHERE effective >= :first AND effective < :end LIMIT 1"),  # noqa: S608
        {"first": first, "end": end},
    )
    if held is None:
        name = f"{table}_p{day:%Y%m%d}"
        connection.execute(
            text(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ({first}) TO ({end})")
        )


def drop_older(connection: Connection, table: str, before: datetime) -> int:
    """Let go of days that ended before ``before``; returns how many. SQLite prunes by row instead."""
    if connection.dialect.name != "postgresql":
        return 0
    old = [day for day in _partitions(connection, table) if day + DAY <= before]
    for day in old:
        connection.execute(text(f"DROP TABLE {table}_p{day:%Y%m%d}"))
    statement = text(f"DELETE FROM {table}_default WHERE effective < :before")  # noqa: S608 - names of ours
    connection.execute(statement, {"before": micros(before)})
    return len(old)


def _partitions(connection: Connection, table: str) -> list[datetime]:
    names = connection.scalars(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:table AS regclass)"),
        {"table": table},
    )
    days = [match[3] for name in names if (match := _NAME.match(name)) and match[3]]
    return sorted(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in days)
