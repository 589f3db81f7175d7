"""Which ward a person may see, and how another one is opened when a patient cannot wait (break-glass).

The wards of a person are those on record; nobody on record for any ward works in every one (a pharmacist, an
engineer). Another ward opens for an hour, with a reason, in the audit chain and on its manager's list.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from clinical.bedside_check.model import CheckRequest
from clinical.errors import ConflictError
from clinical.exchange import Ward
from clinical.identifiers import resolve
from server.people.service import CLINICAL, Session
from server.sites import Site
from server.storage.picture import EVERY_WARD, Picture
from server.storage.schema import facts, ward_grants
from server.storage.store import Store, UnitOfWork

GRANT_LIFE = timedelta(hours=1)
MANAGERS = ("manager", "charge-nurse")
"""Roles that read who opened their ward."""
MAX_GRANTS = 500
SUBJECTS = {
    "task_id": "tasks",
    "bag_id": "bags",
    "encounter_id": "encounters",
    "patient_id": "patients",
    "alarm_id": "alarms",
    "specimen_id": "specimens",
    "unit_id": "blood_units",
    "infusion_id": "infusions",
    "order_id": "orders",
    "administration_id": "administrations",
    "handover_id": "handovers",
    "value_id": "critical_values",
}
"""What the ids in an address or an event name; a test holds every address against this table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One ward opened to one person, why, and until when."""

    id: str
    practitioner_id: str
    ward: str
    reason: str
    opened: datetime
    expires: datetime


def home(site: Site, session: Session) -> Ward:
    """Return the ward a person starts in: the first of theirs on this server.

    Raises:
        RefusedError: This server has no ward of theirs.
    """
    ward = next((one for one in site.wards.values() if one.id in session.practitioner.wards), None)
    ward = ward or next((one for one in site.wards.values() if session.sees(one.id)), site.first)
    session.require_ward(ward.id)
    return ward


def ward_of(picture: Picture, kind: str, record_id: str) -> str:
    """Return the ward that sees a record; empty when every ward does, or when nobody knows it."""
    entry = picture.entry(kind, record_id)
    return entry.ward if entry is not None else EVERY_WARD


def ward_in_store(connection: Connection, kind: str, record_id: str) -> str | None:
    """Return the ward of a record that may have left the picture long ago; None when there was none."""
    found = connection.scalar(select(facts.c.ward).where(facts.c.kind == kind, facts.c.id == record_id))
    return None if found is None else str(found)


def ward_asked(picture: Picture, site: Site, session: Session, request: CheckRequest) -> str:
    """Return the ward whose facts answer a check: that of the task or wristband where the person sees it.

    A patient of another ward is not among the facts of the own one, so the answer is a STOP that is kept.
    """
    scanned = resolve(request.patient_scan.raw) if request.patient_scan is not None else None
    band = f"P-{scanned.value}" if scanned is not None and scanned.kind == "wristband" else ""
    found = (ward_of(picture, "tasks", request.task_id), ward_of(picture, "patients", band))
    return next((ward for ward in found if ward and session.sees(ward)), home(site, session).id)


def check_named(
    picture: Picture, site: Site, session: Session, named: Iterable[tuple[str, Any]]
) -> frozenset[str]:
    """Hold everything that an address or a body names against the person's wards.

    Returns:
        The wards that are open to the person by break-glass alone: the use of each is to be audited.

    Raises:
        RefusedError: Something belongs to another ward.
        NotFoundError: This server does not own the ward.
    """
    used: set[str] = set()
    for name, value in named:
        if not isinstance(value, str) or not (name == "ward" or name in SUBJECTS):
            continue
        ward = site.ward(value).id if name == "ward" else ward_of(picture, SUBJECTS[name], value)
        session.require_ward(ward)
        if session.is_guest(ward):
            used.add(ward)
    return frozenset(used)


def note_use(store: Store, session: Session, wards: Iterable[str], what: str) -> None:
    """Write down that somebody used a ward that was opened."""

    def write(unit: UnitOfWork) -> None:
        for ward in wards:
            unit.audit("break-glass-use", actor=session.practitioner.id, entity=f"ward:{ward}", detail=what)

    store.write(write)


def open_ward(unit: UnitOfWork, session: Session, ward: str, reason: str) -> Grant:
    """Open another ward for an hour.

    Raises:
        RefusedError: The person has no clinical role.
        ConflictError: The ward is open to the person already.
    """
    session.require(*CLINICAL)
    if session.sees(ward):
        raise ConflictError("ward-open", "this ward is open to you already")
    grant = Grant(
        id=secrets.token_hex(8),
        practitioner_id=session.practitioner.id,
        ward=ward,
        reason=reason,
        opened=unit.now,
        expires=unit.now + GRANT_LIFE,
    )
    unit.connection.execute(
        insert(ward_grants).values(
            id=grant.id,
            practitioner_id=grant.practitioner_id,
            ward=ward,
            reason=reason,
            opened=grant.opened,
            expires=grant.expires,
        )
    )
    unit.audit("break-glass", actor=grant.practitioner_id, entity=f"ward:{ward}", detail=reason)
    return grant


def grants_of(connection: Connection, ward: str, limit: int, offset: int) -> list[Grant]:
    """Who opened a ward, newest first."""
    rows = connection.execute(
        select(ward_grants)
        .where(ward_grants.c.ward == ward)
        .order_by(ward_grants.c.opened.desc(), ward_grants.c.id)
        .limit(limit)
        .offset(offset)
    )
    return [Grant(**row._mapping) for row in rows]
