"""Telling the hospital what was given: written in the same transaction, told after it, never lost.

A crash between the commit and the telling leaves the line untold; it is told after the restart. The
receiving side recognises a repeat by the event's id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import structlog
from sqlalchemy import insert, select, update

from clinical.records import (
    Administration,
    Encounter,
    Generation,
    Infusion,
    Order,
    Patient,
    Practitioner,
)
from server.his.port import AdministrationFact, AdministrationSink, GivenItem
from server.storage.codec import to_text
from server.storage.schema import administrations_to_tell
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """As what an act is told: ``action`` is A add, U update, D delete; each telling has an id of its own."""

    event_id: str
    action: str


def tell_hospital(
    unit: UnitOfWork,
    administration: Administration,
    order: Order | None,
    infusion: Infusion | None = None,
    told: Told | None = None,
) -> None:
    """Write down that the hospital has to hear of an act; an act without a known order stays here."""
    patient = unit.get(Patient, administration.patient_id)
    if order is None or patient is None:
        return
    fact = _fact(unit, administration, order, patient, infusion)
    if told is not None:
        fact = replace(fact, event_id=told.event_id, action=told.action)
    table = administrations_to_tell
    unit.connection.execute(
        insert(table).values(event_id=fact.event_id, action=fact.action, body=to_text(fact), told=None)
    )


def _fact(
    unit: UnitOfWork,
    administration: Administration,
    order: Order,
    patient: Patient,
    infusion: Infusion | None,
) -> AdministrationFact:
    stay = unit.get(Encounter, order.encounter_id)
    person = unit.get(Practitioner, administration.operator)
    return AdministrationFact(
        event_id=administration.id,
        mrn=patient.mrn,
        visit_number=stay.visit_number if stay else "",
        name=patient.name,
        placer_id=order.placer_id or order.id,
        filler_id=order.filler_id,
        items=_items(administration, order),
        route=administration.route or order.route,
        start=infusion.started_at if infusion else administration.at,
        end=_end(administration, infusion),
        operator_id=administration.operator,
        operator_name=person.name if person else "",
        outcome=administration.outcome,
        site=administration.site,
        reason=administration.reason,
        rate_ml_h=infusion.rate_ml_h if infusion else None,
        witness_id=administration.witness,
        demo=patient.generation is not Generation.REAL,
        ward=stay.ward if stay else "",
        bed=stay.bed if stay else "",
    )


def _end(administration: Administration, infusion: Infusion | None) -> datetime:
    return infusion.ended_at or administration.at if infusion else administration.at


def _items(administration: Administration, order: Order) -> tuple[GivenItem, ...]:
    """Say what was given of each line: one line has the recorded dose; of a mixture in part, nobody knows."""
    dose, single = administration.dose, len(order.items) == 1
    in_part = administration.outcome in {"partial", "stopped-early"}
    return tuple(
        GivenItem(
            code=item.product_id,
            text=item.display.zh,
            amount=dose.value if single and dose else None if in_part else item.dose.value,
            unit=dose.unit if single and dose else item.dose.unit,
        )
        for item in order.items
    )


def tell_pending(store: Store, sink: AdministrationSink, *, limit: int = 100) -> int:
    """Tell what has not been told yet, oldest first; returns how many were told."""
    table = administrations_to_tell
    with store.reading() as connection:
        rows = connection.execute(
            select(table).where(table.c.told.is_(None)).order_by(table.c.event_id).limit(limit)
        ).all()
    for row in rows:
        sink.administered(msgspec.json.decode(row.body, type=AdministrationFact))
        store.write(
            lambda unit, row=row: unit.connection.execute(  # type: ignore[misc]
                update(table)
                .where(table.c.event_id == row.event_id, table.c.action == row.action)
                .values(told=unit.now)
            )
        )
    return len(rows)
