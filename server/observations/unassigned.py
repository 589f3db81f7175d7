"""The worklist of readings that could not be filed safely: they wait for a person, never for a guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from server.storage.schema import nodes, samples
from server.storage.store import Store

MAX_ROWS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Readings of one device that wait for one reason."""

    device_id: str
    reason: str  # no-association, time-border, not-real, unknown-encounter
    count: int
    first: datetime
    last: datetime


def count_unassigned(store: Store) -> int:
    """Count the readings on the worklist."""
    with store.reading() as connection:
        return int(connection.scalar(select(func.count()).where(samples.c.unassigned != "")) or 0)


def worklist(
    connection: Connection,
    sees: Callable[[str], bool] = lambda _ward: True,
    limit: int = MAX_ROWS,
    offset: int = 0,
) -> list[Waiting]:
    """List what waits at the nodes of the wards that ``sees``, by device and reason, newest first."""
    known = connection.execute(select(nodes.c.id, nodes.c.ward)).all()
    hidden = [row.id for row in known if not sees(row.ward)]
    newest = func.max(samples.c.effective)
    rows = connection.execute(
        select(
            samples.c.device_id,
            samples.c.unassigned,
            func.count().label("count"),
            func.min(samples.c.effective).label("first"),
            newest.label("last"),
        )
        .where(samples.c.unassigned != "", samples.c.node.not_in(hidden))
        .group_by(samples.c.device_id, samples.c.unassigned)
        .order_by(newest.desc())
        .limit(limit)
        .offset(offset)
    )
    return [
        Waiting(device_id=row.device_id, reason=row.unassigned, count=row[2], first=row.first, last=row.last)
        for row in rows
    ]
