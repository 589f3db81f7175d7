"""Housekeeping of what comes by the second: day partitions, minutes to be made again, retention.

Storing never waits for this and never fails because of it; a step does a bounded amount of work.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from server.storage import bulk, partitions, schema
from server.storage.columns import micros
from server.storage.values import Codes, read_layouts, stats_of

MINUTE_US = 60_000_000
_MOST_MINUTES = 200
"""Minutes that one step makes again."""
COLUMNS = ("encounter_id", "minute", "device_id", "layout", "stats")
KEYS = COLUMNS[:4]


def keep(connection: Connection, now: datetime, *, samples: timedelta, waves: timedelta) -> None:
    """Do one step: make room for the next days, let old days go, make due minutes again.

    Args:
        connection: The writer's.
        now: The present.
        samples: How long single samples are kept; their minutes stay.
        waves: How long waveforms are kept.
    """
    partitions.make(connection, now)
    partitions.drop_older(connection, "samples", now - samples)
    partitions.drop_older(connection, "waves", now - waves)
    remake(connection)


def remake(connection: Connection) -> int:
    """Make minutes that were noted as due again from their stored samples; returns how many."""
    due = schema.rollups_due
    found = connection.execute(
        select(due.c.encounter_id, due.c.minute).order_by(due.c.minute).limit(_MOST_MINUTES)
    ).all()
    if not found:
        return 0
    layouts = read_layouts(connection)
    for row in found:
        start = micros(row.minute)
        rows = _minute(connection, row.encounter_id, row.minute, layouts)
        made = [(row.encounter_id, start, device, layout, stats) for (device, layout), stats in rows.items()]
        bulk.upsert(connection, "rollups", KEYS, COLUMNS, made)
        connection.execute(
            delete(due).where(due.c.encounter_id == row.encounter_id, due.c.minute == row.minute)
        )
    return len(found)


def _minute(
    connection: Connection, encounter_id: str, minute: datetime, layouts: dict[int, Codes]
) -> dict[tuple[str, int], bytes]:
    """Statistics of every stream of one stay within one minute."""
    table = schema.samples
    rows = connection.execute(
        select(table.c.device_id, table.c.layout, table.c.vals, table.c.validity).where(
            table.c.encounter_id == encounter_id,
            table.c.effective >= minute,
            table.c.effective < minute + timedelta(minutes=1),
        )
    )
    streams: dict[tuple[str, int], list[tuple[bytes, bytes]]] = {}
    for row in rows:
        streams.setdefault((row.device_id, row.layout), []).append((row.vals, row.validity))
    return {key: stats_of(packed, len(layouts[key[1]])) for key, packed in streams.items()}
