"""``/unassigned`` and ``/encounters/{id}/trend``."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel

from clinical.errors import BadInputError, NotFoundError
from server.dependencies import Ctx, SignedInAs
from server.observations import unassigned
from server.observations.trend import Point, trend
from server.people import access

router = APIRouter(tags=["observations"])
MAX_SPAN = timedelta(days=7)
Id = Annotated[str, Path(max_length=200)]


class Worklist(BaseModel):
    """Readings that wait for a person."""

    waiting: list[unassigned.Waiting]


class Trend(BaseModel):
    """One code over time."""

    code: str
    points: list[Point]


@router.get("/unassigned")
def read_unassigned(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=unassigned.MAX_ROWS)] = unassigned.MAX_ROWS,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Worklist:
    """List readings that could not be filed safely, by device and reason."""
    session.require("nurse", "charge-nurse", "doctor", "manager", "engineer")
    with context.store.reading() as connection:
        return Worklist(waiting=unassigned.worklist(connection, session.sees, limit, offset))


@router.get("/encounters/{encounter_id}/trend")
def read_trend(
    encounter_id: Id,
    session: SignedInAs,
    context: Ctx,
    code: Annotated[str, Query(max_length=64, pattern=r"^MDC[A-Z]*_[A-Z0-9_]+$")],
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    points: Annotated[int, Query(ge=1, le=1440)] = 240,
) -> Trend:
    """Show one code of one stay; the last 24 hours unless told, at most seven days."""
    session.require("nurse", "charge-nurse", "doctor", "manager", "read-only")
    try:
        end = until.astimezone(UTC) if until else context.store.clock()
        start = since.astimezone(UTC) if since else end - timedelta(hours=24)
    except OverflowError as error:
        raise BadInputError("time", "a time is out of this world") from error
    if not timedelta(0) < end - start <= MAX_SPAN:
        raise BadInputError("span", "a trend spans more than nothing and at most seven days")
    with context.store.reading() as connection:
        ward = access.ward_in_store(connection, "encounters", encounter_id)
        if ward is None:
            raise NotFoundError("no-such-stay", "there is no such stay")
        session.require_ward(ward)  # the stay may have left the picture that the guard looks into
        return Trend(code=code, points=trend(connection, encounter_id, code, start, end, points))
