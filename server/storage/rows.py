"""Facts as rows: the newest version of each, its history, and what left a ward."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from server.storage import bulk, last_values, schema
from server.storage.codec import WITHOUT_HISTORY, Record, from_text, to_text
from server.storage.columns import micros
from server.storage.picture import Change, Entry, Picture, patient_of
from server.storage.unit import insert_into

_FACT = ("kind", "id", "seq", "ward", "patient_id", "active", "changed", "at", "body")
_FLOOR = "removals-floor"


def read_picture(connection: Connection, epoch: str) -> Picture:
    """Rebuild the picture from the store."""
    kinds: dict[str, dict[str, Entry]] = {}
    cursor = 0
    for row in connection.execute(select(schema.facts).order_by(schema.facts.c.seq, schema.facts.c.id)):
        cursor = max(cursor, row.seq)
        if row.active:
            kinds.setdefault(row.kind, {})[row.id] = Entry(from_text(row.kind, row.body), row.seq, row.ward)
    kinds[last_values.KIND] = last_values.entries(last_values.read(connection))
    cursor = max([cursor, *(entry.seq for entry in kinds[last_values.KIND].values())])
    removals = connection.execute(select(schema.fact_removals))
    gone = {(row.ward, row.kind, row.id): row.seq for row in removals}
    floor = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == _FLOOR))
    cursor = max([cursor, *gone.values()])
    return Picture(epoch=epoch, cursor=cursor, kinds=kinds, gone=gone, floor=int(floor or 0))


def write_changes(connection: Connection, changes: Sequence[Change], cursor: int, now: datetime) -> None:
    """Write each changed record and its history line; newest values have rows of their own."""
    at = micros(now)
    facts = [change for change in changes if change.kind != last_values.KIND]
    rows = [_fact_row(change, cursor, at) for change in facts]
    bulk.upsert(connection, "facts", ("kind", "id"), _FACT, rows)
    history = [
        {"kind": row[0], "id": row[1], "seq": cursor, "recorded": now, "body": row[-1]}
        for row in rows
        if row[0] not in WITHOUT_HISTORY
    ]
    if history:
        connection.execute(insert(schema.fact_history), history)


def write_removals(connection: Connection, before: Picture, after: Picture) -> None:
    """Write what left a ward, and forget what came back to it."""
    if before.gone is after.gone:
        return
    removals = schema.fact_removals
    for ward, kind, record_id in before.gone.keys() - after.gone.keys():
        connection.execute(
            delete(removals).where(
                removals.c.ward == ward, removals.c.kind == kind, removals.c.id == record_id
            )
        )
    if before.floor != after.floor:
        kept = insert_into(connection, "meta").values(key=_FLOOR, value=str(after.floor))
        connection.execute(
            kept.on_conflict_do_update(index_elements=["key"], set_={"value": kept.excluded.value})
        )
    statement = insert_into(connection, "fact_removals")
    statement = statement.on_conflict_do_update(
        index_elements=["ward", "kind", "id"], set_={"seq": statement.excluded.seq}
    )
    left = [
        {"ward": ward, "kind": kind, "id": record_id, "seq": seq}
        for (ward, kind, record_id), seq in after.gone.items()
        if before.gone.get((ward, kind, record_id)) != seq
    ]
    if left:
        connection.execute(statement, left)


def _fact_row(change: Change, cursor: int, now: int) -> bulk.Row:
    record = _record_of(change)
    active, at = change.new is not None, getattr(record, "at", None)
    return (
        change.kind, change.id, cursor, change.ward, patient_of(record), active, now,
        None if at is None else micros(at), to_text(record),
    )  # fmt: skip


def _record_of(change: Change) -> Record:
    record = change.new if change.new is not None else change.old
    if record is None:
        raise RuntimeError("a change has a record before or after it")
    return record
