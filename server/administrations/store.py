"""SQL of evaluations and leases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from clinical.bedside_check.model import CheckRequest, CheckResult
from clinical.exchange import Lease
from server.storage.codec import to_text
from server.storage.schema import evaluations, leases
from server.storage.store import insert_into

_CHUNK = 500


def note_evaluation(
    connection: Connection, request: CheckRequest, result: CheckResult, *, at: datetime, side: str
) -> None:
    """Keep one evaluation under the request's id; asking again with the same id replaces it."""
    values = {
        "id": request.id,
        "at": at,
        "operator": request.operator.id,
        "handheld": request.handheld.id,
        "action": request.action.value,
        "word": result.word.value,
        "verdict": result.verdict.value,
        "codes": ",".join(finding.code for finding in result.findings),
        "patient_id": result.patient_id,
        "task_id": result.task_id,
        "side": side,
        "body": to_text({"request": request, "result": result}),
    }
    statement = insert_into(connection, "evaluations").values(values)
    kept = {name: statement.excluded[name] for name in values if name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=kept))


def has_evaluation(connection: Connection, request_id: str) -> bool:
    """Whether this request was evaluated here before."""
    return connection.scalar(select(evaluations.c.id).where(evaluations.c.id == request_id)) is not None


def count_by_word(connection: Connection) -> dict[str, int]:
    """Evaluations by their big word."""
    rows = connection.execute(select(evaluations.c.word, func.count()).group_by(evaluations.c.word))
    return {row[0]: row[1] for row in rows}


def lease_of(connection: Connection, task_id: str) -> Row[Any] | None:
    """Return the lease on a task, expired or not."""
    return connection.execute(select(leases).where(leases.c.task_id == task_id)).first()


def put_lease(connection: Connection, lease: Lease, handheld: str) -> None:
    """Reserve a task; replaces an expired lease or the same person's own."""
    values = {
        "task_id": lease.task_id,
        "id": lease.id,
        "operator": lease.operator,
        "handheld": handheld,
        "expires": lease.expires,
    }
    statement = insert_into(connection, "leases").values(values)
    kept = {name: statement.excluded[name] for name in values if name != "task_id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["task_id"], set_=kept))


def drop_leases_of(connection: Connection, task_ids: Sequence[str]) -> None:
    """Free every one of these tasks."""
    for start in range(0, len(task_ids), _CHUNK):
        part = task_ids[start : start + _CHUNK]
        connection.execute(delete(leases).where(leases.c.task_id.in_(part)))


def drop_lease(connection: Connection, task_id: str) -> None:
    """Free a task."""
    connection.execute(delete(leases).where(leases.c.task_id == task_id))
