"""Measures what people ask the store for, with a hospital's month in it: query budgets on both stores.

200 beds, ten values of each every second for the last 24 hours, their minutes for the last 30 days, every
dose of these days, as the ingest and the use cases leave them (``bench/store_world.py``). Each question is
asked for another bed each time, with the caches of a store that has just been written.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from bench import hospital, store_world
from bench.postgres import cluster
from bench.store_world import BEDS, DAYS, HOURS, Size
from server.administrations.record import administrations
from server.observations.trend import trend
from server.storage import last_values
from server.storage.engine import open_engine
from server.storage.store import Store

STORES = ("sqlite", "postgresql")
RUNS = 200
LAST_MS, TREND_MS, RECORD_MS = 5.0, 50.0, 50.0
CODE = hospital.VALUES[0][0]
_STRIDE = 37
"""Beds are asked for in leaps, so that no query finds the pages of the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A filled store, and the bed one query is about."""

    store: Store
    connection: Connection
    now: datetime
    bed: hospital.Bed


@dataclass(frozen=True, slots=True)
class Query:
    """One question with its budget.

    Attributes:
        name: Its name in the report.
        ask: Asks it; returns how many records or points came.
        limit: Milliseconds that 99 of 100 may take; None where no budget is set.
    """

    name: str
    ask: Callable[[Asked], int]
    limit: float | None = None


def _last_values(asked: Asked) -> int:
    """Read them as a server does that starts: every value with its unit, time, validity and device."""
    rows = last_values.read(asked.connection)
    return sum(len(sample.values) for row in rows for sample in row.samples)


def _last_in_memory(asked: Asked) -> int:
    facts = asked.store.picture.kinds["observations"]
    return len([entry.record for entry in facts.values()])


def _trend(span: timedelta, points: int) -> Callable[[Asked], int]:
    def ask(asked: Asked) -> int:
        since = asked.now - span
        return len(trend(asked.connection, asked.bed.encounter, CODE, since, asked.now, points))

    return ask


def _record(asked: Asked) -> int:
    until = asked.now + timedelta(minutes=1)
    return len(administrations(asked.connection, asked.bed.patient, until - timedelta(days=7), until))


QUERIES = (
    Query("last-value-of-every-bed", _last_values, LAST_MS),
    Query("last-value-of-every-bed-in-memory", _last_in_memory, LAST_MS),
    Query("trend-24h", _trend(timedelta(hours=24), 240), TREND_MS),
    Query("trend-24h-every-minute", _trend(timedelta(hours=24), 1440), TREND_MS),
    Query("trend-7d", _trend(timedelta(days=7), 240)),
    Query("trend-1h-from-samples", _trend(timedelta(hours=1), 240)),
    Query("administrations-7d", _record, RECORD_MS),
)


def measure(beds: int = BEDS, hours: int = HOURS, days: int = DAYS, store: str = "") -> list[dict[str, Any]]:
    """Fill a private store of each kind and ask.

    Args:
        beds: Beds of the hospital.
        hours: How long back every second is in the store; at least one.
        days: How long back every minute and every dose is in the store; at least one.
        store: ``sqlite`` or ``postgresql``; both unless told.
    """
    results = []
    for name in [store] if store else STORES:
        with _private(name) as url:
            results += run(name, url, Size(beds=beds, hours=hours, days=days))
    return results


@contextmanager
def _private(name: str) -> Iterator[str]:
    with ExitStack() as stack:
        if name == "postgresql":
            yield stack.enter_context(cluster()).url
        else:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="wardlink-bench-"))
            yield f"sqlite:///{Path(home) / 'ward.db'}"


def run(name: str, url: str, size: Size, runs: int = RUNS) -> list[dict[str, Any]]:
    """Fill one store and ask it everything; one line for the writing, one per query."""
    began = time.perf_counter()
    now = store_world.fill(url, size)
    took = time.perf_counter() - began
    store = Store(open_engine(url), lambda: datetime.now(UTC))
    try:
        with store.reading() as connection:
            stored = _stored(connection)
            written = {
                "id": f"{name}-written", "store": name, "beds": size.beds, "hours": size.hours,
                "days": size.days, "rows": stored, "seconds": round(took, 1), "mib": _mib(connection),
                "ok": stored == size.rows, "note": f"{sum(stored.values())} rows in {took:.0f} s",
            }  # fmt: skip
            with _settled():
                return [
                    written,
                    *(_ask(name, query, store, connection, now, size, runs) for query in QUERIES),
                ]
    finally:
        store.close()


@contextmanager
def _settled() -> Iterator[None]:
    """Have the garbage collector leave the facts alone, as a server has that has started."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _ask(
    name: str, query: Query, store: Store, connection: Connection, now: datetime, size: Size, runs: int
) -> dict[str, Any]:
    took, found = [], 0
    for number in range(-2, runs):  # two to warm up
        bed = hospital.Bed(number * _STRIDE % size.beds)
        asked = Asked(store=store, connection=connection, now=now, bed=bed)
        began = time.perf_counter()
        found = query.ask(asked)
        if number >= 0:
            took.append((time.perf_counter() - began) * 1000)
    took.sort()
    result: dict[str, Any] = {
        "id": f"{name}-{query.name}", "store": name, "unit": "ms", "median": round(took[runs // 2], 2),
        "p90": round(took[int(runs * 0.9)], 2), "p99": round(took[int(runs * 0.99)], 2), "runs": runs,
        "found": found,
    }  # fmt: skip
    if query.limit is not None:
        result |= {"limit": query.limit, "limit_of": "p99", "ok": found > 0 and result["p99"] <= query.limit}
    return result


def _stored(connection: Connection) -> dict[str, int]:
    def count(table: str, where: str = "") -> int:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table} {where}")) or 0)  # noqa: S608 - ours

    found = {name: count(name) for name in ("samples", "rollups", "last_values")}
    return found | {"administrations": count("facts", "WHERE kind = 'administrations'")}


def _mib(connection: Connection) -> int:
    """Size of the store on disk."""
    if connection.dialect.name == "postgresql":
        size = connection.scalar(text("SELECT pg_database_size(current_database())"))
    else:
        size = connection.scalar(
            text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        )
    return int(size or 0) // 2**20
