"""Counts for health and the ledger, straight from the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from clinical.records import Administration, Alarm, Encounter, Order, Task
from server.administrations.store import count_by_word
from server.nodes.service import NodeState, read_all
from server.storage import schema
from server.storage.picture import Picture

FULL = 0.95
"""From this share on a disk counts as full: the store needs room for its journal (proposal)."""
MAX_RANGES = 64
"""Committed ranges shown of one outbox, the newest of them."""
_REASONS = {
    "store": "store-silent",
    "disk": "disk-full",
    "broker": "broker-not-connected",
    "ingest": "readings-wait",
    "his": "hospital-errors",
    "ticker": "timed-rule-failed",
}


def reason_of(part: str, state: Mapping[str, Any]) -> str:
    """Return why a part cannot work, as a code."""
    return str(state.get("reason") or _REASONS.get(part, "not-ok"))


def disk(state_dir: Path) -> dict[str, Any]:
    """Say how full the disk of the server's own files is."""
    try:
        usage = shutil.disk_usage(state_dir)
    except OSError:
        return {"ok": False, "reason": "disk-missing"}
    used = 1 - usage.free / usage.total if usage.total else 1.0
    return {"ok": used < FULL, "used_percent": round(100 * used), "free_bytes": usage.free}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which of the nodes are accounted for one by one."""

    limit: int = 1_000
    offset: int = 0


def ledger(
    connection: Connection,
    picture: Picture,
    ingest: dict[str, Any],
    his: dict[str, Any],
    page: Page = Page(),
) -> dict[str, Any]:
    """Account for everything that came in and what became of it; numbers only, no patient."""
    words = count_by_word(connection)
    return {
        "readings": _readings(connection, ingest, page),
        "encounters": sum(1 for _ in picture.all(Encounter)),
        "orders": sum(1 for _ in picture.all(Order)),
        "tasks": _count_by(task.status.value for task in picture.all(Task)),
        "administrations": _count_by(one.outcome for one in picture.all(Administration)),
        "checks": words,
        "stops": words.get("STOP", 0),
        "alarms": sum(1 for _ in picture.all(Alarm)),
        "events": _rows(connection, schema.events),
        "events_put_aside": _rows(connection, schema.quarantined_events),
        "his": his,
    }


def _readings(connection: Connection, ingest: dict[str, Any], page: Page) -> dict[str, Any]:
    samples = schema.samples
    unassigned = connection.scalar(select(func.count()).where(samples.c.unassigned != "")) or 0
    known = {node.id: node for node in read_all(connection)}
    names = sorted({*known, *connection.scalars(select(schema.ingest_intervals.c.node).distinct())})
    newest = {
        name: (outbox, ranges)
        for name in names[page.offset : page.offset + page.limit]
        for outbox, ranges in _newest_outbox(connection, name, known.get(name))
    }
    return {
        "stored": _rows(connection, samples),
        "waves": _rows(connection, schema.waves),
        "unassigned": unassigned,
        "quarantined": _rows(connection, schema.ingest_quarantine),
        "duplicates_dropped": ingest.get("duplicates", 0),
        "gaps_open": _gaps(connection),
        "nodes": {
            name: {
                "outbox": outbox,
                "committed": ranges,
                "waiting": known[name].waiting if name in known else 0,
            }
            for name, (outbox, ranges) in newest.items()
        },
        "nodes_total": len(names),
        "outboxes": {name: {outbox: ranges} for name, (outbox, ranges) in newest.items()},
    }


def _newest_outbox(
    connection: Connection, name: str, node: NodeState | None
) -> Iterator[tuple[str, list[list[int]]]]:
    """Yield the outbox a node uses, or else the last by name, with what is committed of it."""
    table = schema.ingest_intervals
    used = node.outbox if node is not None else ""
    outboxes = sorted(connection.scalars(select(table.c.outbox).where(table.c.node == name).distinct()))
    if outboxes:
        chosen = used if used in outboxes else outboxes[-1]
        rows = connection.execute(
            select(table.c.first, table.c.last)
            .where(table.c.node == name, table.c.outbox == chosen)
            .order_by(table.c.first.desc())
            .limit(MAX_RANGES)
        )
        yield chosen, [[row.first, row.last] for row in reversed(rows.all())]


def _gaps(connection: Connection) -> int:
    """How many holes there are between committed ranges, of every outbox that ever was."""
    table = schema.ingest_intervals
    ranges = func.count(table.c.first).label("ranges")
    per_outbox = select(ranges).group_by(table.c.node, table.c.outbox).subquery()
    return int(connection.scalar(select(func.sum(per_outbox.c.ranges - 1))) or 0)


def _rows(connection: Connection, table: Any) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _count_by(words: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
