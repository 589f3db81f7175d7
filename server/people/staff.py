"""Who works on the ward: taken on, changed, sent away; by its manager, each line in the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from clinical.errors import BadInputError, ConflictError, NotFoundError, RefusedError
from clinical.records import Practitioner
from server.people import store as people
from server.people.revocation import revoke
from server.people.service import Session
from server.sites import Site
from server.storage.picture import Picture
from server.storage.store import UnitOfWork

MANAGER = "manager"
RESERVED = frozenset({"server", "system", "his", "nurse"})
"""Words that stand in the audit trail for something that is no person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """One person as a manager sees them."""

    id: str
    name: str
    name_latin: str
    roles: tuple[str, ...]
    wards: tuple[str, ...]
    badge: str
    active: bool
    has_pin: bool
    has_password: bool
    open_sessions: int
    revoked_at: datetime | None


def manages(session: Session, wards: Sequence[str]) -> bool:
    """Whether people of these wards are the manager's to look after; none named is the whole hospital."""
    own = session.practitioner.wards
    return not own or (bool(wards) and set(wards) <= set(own))


def require_manager(session: Session, person: Practitioner | None = None) -> None:
    """Let only a manager of a person's wards go on, and nobody for themselves.

    Raises:
        RefusedError: They are not, or it is their own record.
    """
    session.require(MANAGER)
    if person is None:
        return
    if not manages(session, person.wards):
        raise RefusedError("other-ward", "this person also works elsewhere; ask a manager of all their wards")
    if person.id == session.practitioner.id:
        raise RefusedError("own-record", "nobody changes their own record; ask another manager")


def require_handheld(unit: UnitOfWork, session: Session, handheld: str) -> None:
    """Let only a manager of the wards whose people hold a handheld give it up: it destroys what it keeps.

    Raises:
        RefusedError: People of other wards hold it.
    """
    own = set(session.practitioner.wards)
    held = [unit.get(Practitioner, one) for one in people.holders_of(unit.connection, handheld)]
    theirs = [one is None or not one.wards or bool(own & set(one.wards)) for one in held]
    if own and held and not any(theirs):
        raise RefusedError("other-ward", "people of other wards hold this handheld; ask their manager")


def known(picture: Picture | UnitOfWork, person_id: str) -> Practitioner:
    """Return a person on record.

    Raises:
        NotFoundError: There is none of this id.
    """
    person = picture.get(Practitioner, person_id)
    if person is None:
        raise NotFoundError("unknown-person", "there is no such person; refresh the list")
    return person


def create(unit: UnitOfWork, site: Site, session: Session, person: Practitioner) -> Practitioner:
    """Take somebody on; they get in once they have set a PIN with a code.

    Raises:
        ConflictError: The id or badge is somebody else's.
        BadInputError: A ward is not known here, or the id stands for something else.
        RefusedError: The manager does not look after all these wards.
    """
    require_manager(session, person)
    if person.id.casefold() in RESERVED:
        raise BadInputError("person-id", "this id stands for a part of the system; take another one")
    if unit.get(Practitioner, person.id) is not None:
        raise ConflictError("person-known", "somebody has this id already; change them, or take another one")
    _check_wards(site, person.wards, ())
    _check_badge(unit, person)
    unit.put(person)
    people.add_credential(unit.connection, person.id, person.badge, "")
    _audit(unit, "person-create", session, person, ",".join(person.roles))
    return person


def change(unit: UnitOfWork, site: Site, session: Session, wanted: Practitioner, why: str) -> Practitioner:
    """Change name, roles, wards or badge of somebody; whoever loses a role or ward has lost it at once.

    Raises:
        NotFoundError: There is no such person.
        ConflictError: The badge is somebody else's.
        RefusedError: The manager does not look after them, before or after, or it is their own record.
    """
    before = known(unit, wanted.id)
    require_manager(session, before)
    require_manager(session, wanted)
    _check_wards(site, wanted.wards, before.wards)
    _check_badge(unit, wanted)
    after = replace(
        before,
        name=wanted.name, name_latin=wanted.name_latin, roles=wanted.roles, wards=wanted.wards,
        badge=wanted.badge,
    )  # fmt: skip
    unit.put(after)
    if people.credentials_of(unit.connection, [after.id]):
        people.note_badge(unit.connection, after.id, after.badge)
    names = ("name", "name_latin", "roles", "wards", "badge")
    changed = ",".join(name for name in names if getattr(before, name) != getattr(after, name))
    _audit(unit, "person-change", session, after, f"{changed}: {why}")
    return after


def set_active(unit: UnitOfWork, session: Session, person_id: str, why: str, *, active: bool) -> Practitioner:
    """Send somebody away, which ends every session of theirs, or take them back.

    Raises:
        NotFoundError: There is no such person.
        RefusedError: The manager does not look after them, or it is their own record.
    """
    person = known(unit, person_id)
    require_manager(session, person)
    if not active:
        revoke(unit, person)
    after = replace(known(unit, person_id), active=active)
    unit.put(after)
    _audit(unit, "person-activate" if active else "person-deactivate", session, after, why)
    return after


def listed(picture: Picture, session: Session) -> list[Practitioner]:
    """Everybody a manager looks after, who is here first, by name."""
    return sorted(
        (one for one in picture.all(Practitioner) if manages(session, one.wards)),
        key=lambda one: (not one.active, one.name, one.id),
    )


def seen(connection: Connection, persons: Sequence[Practitioner], now: datetime) -> list[Staff]:
    """Show people with what opens doors for them."""
    ids = [person.id for person in persons]
    held = people.credentials_of(connection, ids)
    open_now = people.count_open(connection, ids, now)
    return [
        Staff(
            id=person.id,
            name=person.name,
            name_latin=person.name_latin,
            roles=person.roles,
            wards=person.wards,
            badge=person.badge,
            active=person.active,
            has_pin=person.id in held and bool(held[person.id].pin_hash),
            has_password=person.id in held and bool(held[person.id].password_hash),
            open_sessions=open_now.get(person.id, 0),
            revoked_at=person.revoked_at,
        )
        for person in persons
    ]


def ensure_credential(unit: UnitOfWork, person: Practitioner) -> None:
    """Give somebody who came without badge and PIN a place for them."""
    if not people.credentials_of(unit.connection, [person.id]):
        people.add_credential(unit.connection, person.id, person.badge, "")


def _check_wards(site: Site, wards: Sequence[str], before: Sequence[str]) -> None:
    unknown = next((ward for ward in wards if ward not in site.wards and ward not in before), "")
    if unknown:
        raise BadInputError("ward", "this server does not know the ward", ward=unknown)


def _check_badge(unit: UnitOfWork, person: Practitioner) -> None:
    held = people.credential_of(unit.connection, person.badge)
    other = held is not None and held.practitioner_id != person.id
    named = (one for one in unit.all(Practitioner) if one.badge == person.badge and one.id != person.id)
    if other or next(named, None) is not None:
        raise ConflictError("badge-taken", "this badge is somebody else's; take it from them first")


def _audit(unit: UnitOfWork, action: str, session: Session, person: Practitioner, detail: str) -> None:
    unit.audit(action, actor=session.practitioner.id, entity=f"person:{person.id}", detail=detail)
