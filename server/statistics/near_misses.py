"""What was stopped before it happened on a ward: every STOP, without the names of who asked and of whom.

It is there to learn from, so it says what and when and names nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, select

from clinical.records import Practitioner
from server.statistics import store as stored
from server.statistics.store import Period
from server.storage.picture import EVERY_WARD, Picture
from server.storage.schema import evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """One check that answered STOP; ``codes`` are the rules, worst first."""

    id: str
    at: datetime
    action: str
    codes: tuple[str, ...]
    side: str  # server, handheld: where it was judged


def near_misses(
    connection: Connection, picture: Picture, ward: str, period: Period, limit: int, offset: int
) -> list[NearMiss]:
    """Return a page of what was stopped on a ward, newest first.

    It belongs to the ward of its patient, else of its task; one that names neither, to the ward of who asked.
    """
    table, patients = evaluations, stored.patients(connection, ward)
    rows: Iterable[Row[Any]] = connection.execution_options(yield_per=500).execute(
        select(
            table.c.id, table.c.at, table.c.action, table.c.codes, table.c.side, table.c.operator,
            table.c.patient_id, table.c.task_id,
        )
        .where(table.c.word == "STOP", table.c.at >= period.since, table.c.at < period.until)
        .order_by(table.c.at.desc(), table.c.id)
    )  # fmt: skip
    mine: Iterator[Row[Any]] = (row for row in rows if _is_of(picture, ward, patients, row))
    return [
        NearMiss(
            id=row.id,
            at=row.at,
            action=row.action,
            codes=tuple(code for code in row.codes.split(",") if code),
            side=row.side,
        )
        for row in islice(mine, offset, offset + limit)
    ]


def _is_of(picture: Picture, ward: str, patients: set[str], row: Row[Any]) -> bool:
    if row.patient_id:
        return row.patient_id in patients
    task = picture.entry("tasks", row.task_id) if row.task_id else None
    if task is not None and task.ward != EVERY_WARD:
        return task.ward == ward
    person = picture.get(Practitioner, row.operator)
    return person is not None and (not person.wards or ward in person.wards)
