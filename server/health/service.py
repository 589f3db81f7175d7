"""Counts for health and the ledger, straight from the store."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from clinical.records import Administration, Alarm, Encounter, Order, Task
from server.administrations.store import count_by_word
from server.nodes.service import read_all
from server.storage import schema
from server.storage.picture import Picture

FULL = 0.95
"""From this share on a disk counts as full: the store needs room for its journal (proposal)."""
_REASONS = {
    "store": "store-silent",
    "disk": "disk-full",
    "broker": "broker-not-connected",
    "ingest": "readings-wait",
    "his": "hospital-errors",
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


def ledger(
    connection: Connection, picture: Picture, ingest: dict[str, Any], his: dict[str, Any]
) -> dict[str, Any]:
    """Account for everything that came in and what became of it; numbers only, no patient."""
    words = count_by_word(connection)
    return {
        "readings": _readings(connection, ingest),
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


def _readings(connection: Connection, ingest: dict[str, Any]) -> dict[str, Any]:
    samples = schema.samples
    unassigned = connection.scalar(select(func.count()).where(samples.c.unassigned != "")) or 0
    committed = _committed(connection)
    waiting = {node.id: node.waiting for node in read_all(connection)}
    return {
        "stored": _rows(connection, samples),
        "waves": _rows(connection, schema.waves),
        "unassigned": unassigned,
        "quarantined": _rows(connection, schema.ingest_quarantine),
        "duplicates_dropped": ingest.get("duplicates", 0),
        "gaps_open": sum(
            max(0, len(ranges) - 1) for of_node in committed.values() for ranges in of_node.values()
        ),
        "nodes": {
            node: {"outbox": outbox, "committed": ranges, "waiting": waiting.get(node, 0)}
            for node, of_node in committed.items()
            for outbox, ranges in list(of_node.items())[-1:]
        },
        "outboxes": committed,
    }


def _committed(connection: Connection) -> dict[str, dict[str, list[list[int]]]]:
    table = schema.ingest_intervals
    result: dict[str, dict[str, list[list[int]]]] = {}
    for row in connection.execute(select(table).order_by(table.c.node, table.c.outbox, table.c.first)):
        result.setdefault(row.node, {}).setdefault(row.outbox, []).append([row.first, row.last])
    return result


def _rows(connection: Connection, table: Any) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _count_by(words: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
