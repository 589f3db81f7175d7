"""The audit trail as a hash chain.

Each line's hash covers its own fields and the hash before it, so changing, removing or inserting a line
breaks every hash after it. Source: IHE BALP; HL7 FHIR AuditEvent.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from server.storage.columns import micros
from server.storage.schema import audit

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What a walk over the chain found; ``broken_at`` is the first wrong line, or None."""

    lines: int
    broken_at: int | None
    head: str

    @property
    def intact(self) -> bool:
        """Whether every line is as it was written."""
        return self.broken_at is None


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    entity: str,
    patient_id: str = "",
    outcome: str = "ok",
    detail: str = "",
) -> None:
    """Add one line at the end of the chain, in the caller's transaction."""
    last = connection.execute(select(audit.c.n, audit.c.hash).order_by(audit.c.n.desc()).limit(1)).first()
    number, previous = (last.n + 1, last.hash) if last else (1, GENESIS)
    line = [number, micros(at), actor, action, entity, patient_id, outcome, detail, previous]
    connection.execute(
        insert(audit).values(
            n=number,
            at=at,
            actor=actor,
            action=action,
            entity=entity,
            patient_id=patient_id,
            outcome=outcome,
            detail=detail,
            previous=previous,
            hash=_digest(line),
        )
    )


def verify(connection: Connection) -> ChainReport:
    """Walk the whole chain and report the first line that does not fit."""
    previous, count = GENESIS, 0
    for row in connection.execute(select(audit).order_by(audit.c.n)):
        count += 1
        line = [
            row.n,
            micros(row.at),
            row.actor,
            row.action,
            row.entity,
            row.patient_id,
            row.outcome,
            row.detail,
        ]
        if row.n != count or row.previous != previous or row.hash != _digest([*line, row.previous]):
            return ChainReport(lines=count, broken_at=row.n, head=previous)
        previous = row.hash
    return ChainReport(lines=count, broken_at=None, head=previous)


def _digest(line: list[object]) -> str:
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
