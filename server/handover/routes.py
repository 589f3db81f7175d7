"""``/wards/{ward}/handover``: the sheet, giving and taking over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clinical.chart_records import Handover
from clinical.errors import BadInputError
from clinical.fluid_balance import Period
from server.dependencies import Ctx, SignedInAs
from server.handover import service
from server.handover.service import Sheet
from server.people.service import READING
from server.sync.sound import check_sound

router = APIRouter(tags=["handover"])
LONGEST = timedelta(hours=24)
WardId = Annotated[str, Path(max_length=64)]


class Given(BaseModel):
    """What is handed over, with one note per stay where there is something to watch."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z-]+$")
    since: AwareDatetime
    until: AwareDatetime
    notes: dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=1000)]] = Field(
        default_factory=dict, max_length=200
    )


def _period(since: datetime, until: datetime) -> Period:
    if not timedelta(0) < until - since <= LONGEST:
        raise BadInputError("period", "a shift ends after it begins and is at most 24 hours long")
    return Period(start=since, end=until)


@router.get("/wards/{ward}/handover")
def read(
    ward: WardId,
    session: SignedInAs,
    context: Ctx,
    since: Annotated[AwareDatetime, Query()],
    until: Annotated[AwareDatetime, Query()],
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Sheet:
    """Return the sheet of a shift: what happened in it and what is open now."""
    session.require(*READING)
    known, period = context.site.ward(ward), _period(since, until)
    facts = context.store.picture.facts(ward)
    page = slice(offset, offset + limit)
    return service.sheet(facts, known.beds, period, context.store.clock(), context.site.policy, page)


@router.post("/wards/{ward}/handover", status_code=201)
def give(ward: WardId, body: Given, session: SignedInAs, context: Ctx) -> Handover:
    """Hand a shift over; it is open until another nurse has taken it."""
    session.require("nurse", "charge-nurse")
    context.site.ward(ward)
    check_sound(body.notes)
    period = _period(body.since, body.until)
    handover = Handover(
        id=body.id,
        ward=ward,
        since=period.start,
        until=period.end,
        given_by=session.practitioner.id,
        given_at=context.store.clock(),
        notes=body.notes,
    )
    return context.store.write(lambda unit: service.give(unit, handover))


@router.post("/handovers/{handover_id}/take")
def take(handover_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> Handover:
    """Take a shift over."""
    session.require("nurse", "charge-nurse")
    return context.store.write(lambda unit: service.take(unit, handover_id, session.practitioner.id))
