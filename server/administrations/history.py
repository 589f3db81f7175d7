"""Facts as they were: earlier versions of a record, from the append-only history."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from clinical.records import Order
from server.storage.codec import from_text
from server.storage.schema import fact_history
from server.storage.store import UnitOfWork


def versions(connection: Connection, kind: str, record_id: str) -> list[object]:
    """Every stored version of a record, oldest first."""
    rows = connection.scalars(
        select(fact_history.c.body)
        .where(fact_history.c.kind == kind, fact_history.c.id == record_id)
        .order_by(fact_history.c.n)
    )
    return [from_text(kind, body) for body in rows]


def order_as_of(unit: UnitOfWork, order: Order, at: datetime) -> Order:
    """Return the version of ``order`` that held at ``at``; the oldest when all are younger."""
    if order.changed_at is None or order.changed_at <= at:
        return order
    past = [one for one in versions(unit.connection, "orders", order.id) if isinstance(one, Order)]
    held = [one for one in past if one.changed_at is None or one.changed_at <= at]
    return (held or past or [order])[-1] if held else (past or [order])[0]
