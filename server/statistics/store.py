"""SQL of the statistics: what was recorded of one ward within a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from clinical.bedside_check.model import CheckRequest, CheckResult
from clinical.exchange import Outcome
from clinical.measures import Evaluation
from clinical.records import Administration, Alarm, Infusion, Task
from server.storage import schema
from server.storage.codec import KIND_OF, from_text


class _Body(msgspec.Struct, frozen=True):
    request: CheckRequest
    result: CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``since`` (included) to ``until`` (not included)."""

    since: datetime
    until: datetime

    def holds(self, at: datetime | None) -> bool:
        """Whether a moment lies within."""
        return at is not None and self.since <= at < self.until


def records(connection: Connection, kind: type[Any], ward: str, since: datetime) -> list[Any]:
    """Return the newest version of every record of a kind that changed since then, retired ones too."""
    table = schema.facts
    rows = connection.execute(
        select(table.c.body).where(
            table.c.kind == KIND_OF[kind], table.c.ward == ward, table.c.changed >= since
        )
    )
    return [from_text(KIND_OF[kind], row.body) for row in rows]


def alarms(connection: Connection, ward: str, period: Period) -> list[Alarm]:
    """Return the alarms that began within the period."""
    found = records(connection, Alarm, ward, period.since)
    return [one for one in found if period.holds(one.started_at)]


def administrations(connection: Connection, ward: str, period: Period) -> list[Administration]:
    """Return what was recorded as done within the period."""
    found = records(connection, Administration, ward, period.since)
    return [one for one in found if period.holds(one.at)]


def infusions(connection: Connection, ward: str, period: Period) -> list[Infusion]:
    """Return the bags that ended within the period."""
    found = records(connection, Infusion, ward, period.since)
    return [one for one in found if period.holds(one.ended_at)]


def tasks(connection: Connection, ward: str, period: Period) -> dict[str, Task]:
    """Return planned executions that changed since the period began, by id."""
    return {task.id: task for task in records(connection, Task, ward, period.since)}


def evaluations(connection: Connection, patients: set[str], period: Period) -> list[Evaluation]:
    """Return the checks that were shown, a nurse's day on one handheld counting as one session.

    A check that stopped at the wristband names no patient: it belongs to whoever asks for the figures.
    """
    table = schema.evaluations
    committed = _committed(connection, period)
    rows = connection.execute(
        select(table)
        .where(table.c.at >= period.since, table.c.at < period.until)
        .order_by(table.c.at, table.c.id)
    )
    found = []
    for row in rows:
        if row.patient_id and row.patient_id not in patients:
            continue
        body = msgspec.json.decode(row.body, type=_Body)
        found.append(
            Evaluation(
                session=f"{row.operator}/{row.handheld}/{row.at:%Y-%m-%d}",
                at=row.at,
                request=body.request,
                result=body.result,
                committed=row.id in committed,
            )
        )
    return found


def _committed(connection: Connection, period: Period) -> set[str]:
    """Ids of the checks that led to a record."""
    return {request_id for request_id, _ in _acts(connection, period)}


def outcomes(connection: Connection, period: Period) -> list[str]:
    """Return what became of every act that was reported within the period."""
    return [status for _, status in _acts(connection, period)]


def _acts(connection: Connection, period: Period) -> list[tuple[str, str]]:
    table = schema.events
    rows = connection.execute(
        select(table.c.body, table.c.outcome).where(
            table.c.type.in_(("administration", "infusion-started", "care")),
            table.c.at >= period.since,
            table.c.at < period.until,
        )
    )
    return [
        (
            msgspec.json.decode(row.body)["request"]["id"],
            msgspec.json.decode(row.outcome, type=Outcome).status,
        )
        for row in rows
    ]


def patients(connection: Connection, ward: str) -> set[str]:
    """Return the patients this ward has or had."""
    table = schema.facts
    rows = connection.execute(select(table.c.id).where(table.c.kind == "patients", table.c.ward == ward))
    return {row.id for row in rows}
