"""``/people`` and ``/handhelds``: who works here, new PINs, and sign-ins that are taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clinical.records import Practitioner
from server.context import Context
from server.dependencies import Ctx, SignedInAs
from server.people import pins, revocation, staff
from server.people.settings import access_of
from server.people.staff_schemas import (
    Activity,
    ChangedPerson,
    NewPerson,
    Persons,
    PinCode,
    Reason,
    Revoked,
    TakenOn,
)
from server.storage.store import UnitOfWork
from server.sync.sound import check_sound

router = APIRouter(tags=["people"])
MAX_PEOPLE = 500
PersonId = Annotated[str, Path(max_length=96)]
Handheld = Annotated[str, Path(max_length=96)]
Because = Annotated[str, Query(min_length=5, max_length=500, description="why, for the audit trail")]


def _seen(context: Context, person: Practitioner) -> staff.Staff:
    with context.store.reading() as connection:
        return staff.seen(connection, [person], context.store.clock())[0]


@router.get("/people")
def read_people(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=MAX_PEOPLE)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Persons:
    """List the people a manager looks after, and what opens doors for them."""
    staff.require_manager(session)
    found = staff.listed(context.store.picture, session)
    with context.store.reading() as connection:
        page = staff.seen(connection, found[offset : offset + limit], context.store.clock())
    return Persons(people=page, total=len(found))


@router.post("/people", status_code=201)
def create(body: NewPerson, session: SignedInAs, context: Ctx) -> TakenOn:
    """Take somebody on; the answer has the code for their first PIN, which is shown only now."""
    staff.require_manager(session)
    wanted = body.person(body.id)
    check_sound(wanted)

    def run(unit: UnitOfWork) -> tuple[Practitioner, PinCode]:
        person = staff.create(unit, context.site, session, wanted)
        return person, _coded(unit, context, person)

    person, code = context.store.write(run)
    return TakenOn(person=_seen(context, person), pin=code)


def _coded(unit: UnitOfWork, context: Context, person: Practitioner) -> PinCode:
    life = timedelta(hours=access_of(context.settings).pin_code_h)
    code, expires = pins.make_pin_code(unit, person, life)
    return PinCode(code=code, expires=expires)


@router.put("/people/{person_id}")
def change(person_id: PersonId, body: ChangedPerson, session: SignedInAs, context: Ctx) -> staff.Staff:
    """Change what is written down of somebody; a role or ward that is taken away is gone at once."""
    staff.require_manager(session)
    wanted = body.person(person_id)
    check_sound((wanted, body.why))
    return _seen(
        context,
        context.store.write(lambda unit: staff.change(unit, context.site, session, wanted, body.why)),
    )


@router.post("/people/{person_id}/active")
def set_active(person_id: PersonId, body: Activity, session: SignedInAs, context: Ctx) -> staff.Staff:
    """Send somebody away, which ends their sessions at once, or take them back."""
    staff.require_manager(session)
    check_sound(body.why)
    person = context.store.write(
        lambda unit: staff.set_active(unit, session, person_id, body.why, active=body.active)
    )
    return _seen(context, person)


@router.post("/people/{person_id}/pin-codes", status_code=201)
def make_pin_code(person_id: PersonId, body: Reason, session: SignedInAs, context: Ctx) -> PinCode:
    """Make the code for somebody's new PIN, shown only now; what was made before counts no more."""
    staff.require_manager(session)
    check_sound(body.why)

    def run(unit: UnitOfWork) -> PinCode:
        person = staff.known(unit, person_id)
        staff.require_manager(session, person)
        staff.ensure_credential(unit, person)
        code = _coded(unit, context, person)
        unit.audit("pin-code", actor=session.practitioner.id, entity=f"person:{person.id}", detail=body.why)
        return code

    return context.store.write(run)


@router.delete("/people/{person_id}/sessions")
def revoke_person(person_id: PersonId, why: Because, session: SignedInAs, context: Ctx) -> Revoked:
    """End every session of somebody; handhelds forget their PIN and keys when they next hear of the ward."""
    staff.require_manager(session)
    check_sound(why)

    def run(unit: UnitOfWork) -> int:
        person = staff.known(unit, person_id)
        staff.require_manager(session, person)
        return revocation.revoke_by(unit, person, session.practitioner.id, why)

    return Revoked(ended=context.store.write(run))


@router.delete("/handhelds/{handheld}/sessions")
def give_up_handheld(handheld: Handheld, why: Because, session: SignedInAs, context: Ctx) -> Revoked:
    """Give a lost handheld up: it destroys keys, patients and what it has not sent when it next calls."""
    staff.require_manager(session)
    check_sound((handheld, why))

    def run(unit: UnitOfWork) -> int:
        staff.require_handheld(unit, session, handheld)
        return revocation.give_up(unit, handheld, session.practitioner.id, why)

    return Revoked(ended=context.store.write(run))
