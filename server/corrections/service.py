"""Settle what waits for a person; every step is in the audit chain with who did it and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.records import Encounter, Generation, Patient, Product
from server.his.port import MessageState
from server.ingest.rollup import note_due
from server.observations.entries import minute_of
from server.people.service import Session
from server.sites import Site
from server.storage.schema import hl7_messages, mappings, nodes, samples
from server.storage.store import UnitOfWork

STUCK = (MessageState.ERROR.value, MessageState.REJECTED.value)
MAX_SPAN = timedelta(days=7)
MAX_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckMessage:
    """One message of the hospital that was put aside, or that the hospital refused; no patient data."""

    id: str
    direction: str  # in, out
    type: str
    received: datetime
    error_code: str
    detail: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One of the hospital's codes, and what it is called here."""

    system: str  # ward, bed, drug, route, frequency, unit, allergy
    code: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """Readings that wait, and the stay a person says they belong to."""

    device_id: str
    reason: str  # why they wait, as the worklist says
    encounter_id: str
    since: datetime
    until: datetime
    why: str


def stuck(connection: Connection, limit: int, offset: int, *, unmapped: bool = False) -> list[StuckMessage]:
    """List put-aside messages, newest first; only those with an unknown code when ``unmapped``."""
    table = hl7_messages
    wanted: ColumnElement[bool] = table.c.state.in_(STUCK)
    if unmapped:
        wanted = and_(wanted, table.c.error_code.like("unmapped-%"))
    rows = connection.execute(
        select(table).where(wanted).order_by(table.c.n.desc()).limit(limit).offset(offset)
    )
    return [_stuck(row) for row in rows]


def _stuck(row: Row[Any]) -> StuckMessage:
    return StuckMessage(
        id=row.id,
        direction=row.direction,
        type=row.type,
        received=row.received,
        error_code=row.error_code,
        detail=row.detail,
        attempts=row.attempts,
    )


def take(unit: UnitOfWork, message_id: str) -> Row[Any]:
    """Return a message that waits for a person.

    Raises:
        NotFoundError: There is none of this id.
        ConflictError: It waits no longer.
    """
    row = unit.connection.execute(select(hl7_messages).where(hl7_messages.c.id == message_id)).first()
    if row is None:
        raise NotFoundError("unknown-message", "there is no such message")
    if row.state not in STUCK:
        raise ConflictError("message-not-failed", "this message waits no longer; refresh the list")
    return row


def retry(unit: UnitOfWork, session: Session, message_id: str, why: str) -> bytes | None:
    """Let a message be tried again, and return it when it came from the hospital.

    Raises:
        NotFoundError: There is none of this id.
        ConflictError: It waits no longer, or cannot be read at all.
    """
    row = take(unit, message_id)
    if row.direction == "in" and not row.control_id:
        raise ConflictError(
            "message-not-failed", "this message cannot be read; let the hospital send it again"
        )
    unit.audit("message-retry", actor=session.practitioner.id, entity=f"message:{message_id}", detail=why)
    if row.direction == "in":
        return bytes(row.raw)
    unit.connection.execute(
        update(hl7_messages)
        .where(hl7_messages.c.id == message_id)
        .values(state=MessageState.QUEUED.value, next_attempt=None)
    )
    return None


def put_mapping(unit: UnitOfWork, site: Site, session: Session, one: Mapping) -> Mapping:
    """Say what a code of the hospital is called here; holds from the next message on.

    Raises:
        BadInputError: What it should become is not known here.
    """
    beds = {bed for ward in site.wards.values() for bed in ward.beds}
    known = {
        "ward": one.target in site.wards,
        "bed": one.target in beds,
        "drug": unit.get(Product, one.target) is not None,
    }
    if not known.get(one.system, True):
        raise BadInputError("mapping", "what the code should become is not known here", system=one.system)
    statement = unit.upsert("mappings").values(system=one.system, code=one.code, target=one.target)
    unit.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["system", "code"], set_={"target": statement.excluded.target}
        )
    )
    unit.audit(
        "mapping",
        actor=session.practitioner.id,
        entity=f"mapping:{one.system}",
        detail=f"{one.code} = {one.target}",
    )
    return one


def mappings_of(connection: Connection, system: str, limit: int, offset: int) -> list[Mapping]:
    """List what the hospital's codes of one kind are called here."""
    rows = connection.execute(
        select(mappings)
        .where(mappings.c.system == system)
        .order_by(mappings.c.code)
        .limit(limit)
        .offset(offset)
    )
    return [Mapping(system=row.system, code=row.code, target=row.target) for row in rows]


def file_readings(unit: UnitOfWork, session: Session, one: Filing) -> int:
    """File readings that wait on the stay a person names; they become history, and alarm nobody.

    Returns:
        How many readings were filed.

    Raises:
        NotFoundError: No such stay.
        BadInputError: A period that is empty or longer than seven days, or demo data for a real patient.
        ConflictError: Nothing waits any more.
    """
    stay = unit.get(Encounter, one.encounter_id)
    patient = unit.get(Patient, stay.patient_id) if stay is not None else None
    if stay is None or patient is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    if not timedelta(0) < one.until - one.since <= MAX_SPAN:
        raise BadInputError("span", "a period spans more than nothing and at most seven days")
    if patient.generation is Generation.REAL and one.reason == "not-real":
        raise BadInputError("mapping", "demo and test data are never filed on a real patient")
    wanted = _waiting(unit, session, one, real=patient.generation is Generation.REAL)
    minutes = unit.connection.scalars(select(samples.c.effective).where(wanted).limit(MAX_ROWS + 1)).all()
    if len(minutes) > MAX_ROWS:
        raise BadInputError("span", "these are too many readings at once; file a shorter period")
    if not minutes:
        raise ConflictError("already-assigned", "nothing of this waits any more; refresh the list")
    filed = unit.connection.execute(
        update(samples).where(wanted).values(encounter_id=stay.id, unassigned="")
    ).rowcount
    note_due(unit, {(stay.id, minute_of(at)) for at in minutes})
    unit.audit(
        "file-readings",
        actor=session.practitioner.id,
        entity=f"encounter:{stay.id}",
        patient=patient.id,
        detail=f"{filed} of {one.device_id}, {one.reason}: {one.why}",
    )
    return filed


def _waiting(unit: UnitOfWork, session: Session, one: Filing, *, real: bool) -> ColumnElement[bool]:
    known = unit.connection.execute(select(nodes.c.id, nodes.c.ward)).all()
    hidden = [row.id for row in known if not session.sees(row.ward)]
    conditions = [
        samples.c.unassigned == one.reason,
        samples.c.device_id == one.device_id,
        samples.c.effective >= one.since,
        samples.c.effective < one.until,
        samples.c.node.not_in(hidden),
    ]
    if real:
        conditions.append(samples.c.generation == Generation.REAL.value)
    return and_(*conditions)


def count_by_code(connection: Connection) -> dict[str, int]:
    """Count put-aside messages by what is wrong with them."""
    rows = connection.execute(
        select(hl7_messages.c.error_code, func.count())
        .where(hl7_messages.c.state.in_(STUCK))
        .group_by(hl7_messages.c.error_code)
    )
    return {str(row[0]): int(row[1]) for row in rows}


def state_of(connection: Connection, message_id: str) -> dict[str, str]:
    """Say what has become of a message."""
    table = hl7_messages
    row = connection.execute(
        select(table.c.state, table.c.error_code, table.c.detail).where(table.c.id == message_id)
    ).one()
    return {"state": row.state, "error_code": row.error_code, "detail": row.detail}
