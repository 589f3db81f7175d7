"""``/wards/{ward}/assignments``: who has which beds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clinical.records import Assignment
from server.assignments import service
from server.dependencies import Ctx, SignedInAs
from server.people.service import READING
from server.sync.sound import check_sound

router = APIRouter(tags=["assignments"])
DIVIDING = ("charge-nurse", "manager")
WardId = Annotated[str, Path(max_length=64)]
PersonId = Annotated[str, Field(min_length=1, max_length=96)]
Bed = Annotated[str, Field(min_length=1, max_length=64)]


class Division(BaseModel):
    """A shift, and for each person on duty their beds; no beds is the ward as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    since: AwareDatetime
    until: AwareDatetime
    beds: dict[PersonId, Annotated[list[Bed], Field(max_length=400)]] = Field(
        max_length=200, examples=[{"N20713": ["01", "02", "03"], "N20488": ["04", "05"], "N10001": []}]
    )


class Divided(BaseModel):
    """Who has which beds at ``at``, and which beds nobody has."""

    at: datetime
    assignments: list[Assignment]
    uncovered: tuple[str, ...]


@router.get("/wards/{ward}/assignments")
def read(
    ward: WardId,
    session: SignedInAs,
    context: Ctx,
    at: Annotated[AwareDatetime | None, Query(description="now, when not said")] = None,
) -> Divided:
    """Say who has which beds now or at another time; of shifts that are over for two days it is forgotten."""
    session.require(*READING)
    known, moment = context.site.ward(ward), at or context.store.clock()
    found = service.at(context.store.picture, ward, moment)
    return Divided(at=moment, assignments=found, uncovered=service.uncovered(known, found))


@router.put("/wards/{ward}/assignments")
def divide(ward: WardId, body: Division, session: SignedInAs, context: Ctx) -> Divided:
    """Divide the ward's beds for a shift; replaces what was said of the same shift, nobody clears it."""
    session.require(*DIVIDING)
    known = context.site.ward(ward)
    check_sound(body.model_dump())
    shift = service.Shift(
        ward=known,
        since=body.since,
        until=body.until,
        beds={person: tuple(beds) for person, beds in body.beds.items()},
    )
    made = context.store.write(lambda unit: service.divide(unit, shift, session.practitioner.id))
    return Divided(at=shift.since, assignments=made, uncovered=service.uncovered(known, made))
