"""SQL of who sees an alarm's condition."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from server.storage.schema import alarm_sources
from server.storage.store import insert_into


def note(
    connection: Connection, alarm_id: str, source: str, own_id: str, *, present: bool, at: datetime
) -> None:
    """Write whether a source sees the condition."""
    values = {
        "alarm_id": alarm_id,
        "source": source,
        "source_alarm_id": own_id,
        "present": present,
        "effective": at,
    }
    statement = insert_into(connection, "alarm_sources").values(values)
    kept = {name: statement.excluded[name] for name in ("source_alarm_id", "present", "effective")}
    connection.execute(statement.on_conflict_do_update(index_elements=["alarm_id", "source"], set_=kept))


def any_present(connection: Connection, alarm_id: str) -> bool:
    """Whether any source still sees the condition."""
    table = alarm_sources
    found = connection.scalar(
        select(table.c.source).where(table.c.alarm_id == alarm_id, table.c.present.is_(True)).limit(1)
    )
    return found is not None


def end_all(connection: Connection, alarm_id: str, at: datetime) -> None:
    """Write that no source sees the condition any more."""
    connection.execute(
        update(alarm_sources).where(alarm_sources.c.alarm_id == alarm_id).values(present=False, effective=at)
    )


def of_alarm(connection: Connection, alarm_id: str) -> list[tuple[str, str]]:
    """Sources of an alarm, each with its own id for it."""
    rows = connection.execute(select(alarm_sources).where(alarm_sources.c.alarm_id == alarm_id))
    return [(row.source, row.source_alarm_id) for row in rows]


def alarm_of(connection: Connection, source: str, own_id: str) -> str | None:
    """Return our alarm for a source's own id."""
    table = alarm_sources
    return connection.scalar(
        select(table.c.alarm_id).where(table.c.source == source, table.c.source_alarm_id == own_id)
    )


def newest_of(connection: Connection, source: str, own_id: str) -> datetime | None:
    """When a source last said anything of its own alarm."""
    table = alarm_sources
    return connection.scalar(
        select(table.c.effective)
        .where(table.c.source == source, table.c.source_alarm_id == own_id)
        .order_by(table.c.effective.desc())
        .limit(1)
    )


def is_noted(connection: Connection, alarm_id: str, source: str, own_id: str) -> bool:
    """Whether it is written already that a source sees the condition."""
    table = alarm_sources
    found = connection.scalar(
        select(table.c.alarm_id).where(
            table.c.alarm_id == alarm_id,
            table.c.source == source,
            table.c.source_alarm_id == own_id,
            table.c.present.is_(True),
        )
    )
    return found is not None
