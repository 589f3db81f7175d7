"""``/wards/{ward}/changes``, ``/checks`` and ``/events``: all a handheld needs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from clinical.bedside_check.model import CheckRequest
from clinical.exchange import Changes, CheckAnswer, Outcome
from server.administrations import service as administrations
from server.dependencies import Ctx, SignedInAs
from server.people.service import CLINICAL
from server.storage.codec import to_bytes
from server.sync import events
from server.sync.service import Cursor, changes
from server.sync.sound import check_sound

router = APIRouter(tags=["handhelds"])
MAX_EVENTS = 200


class Events(BaseModel):
    """Events of one handheld, oldest first; each is read by itself, so a bad one stops no other."""

    model_config = ConfigDict(frozen=True)
    events: list[dict[str, Any]] = Field(max_length=MAX_EVENTS)


class Outcomes(BaseModel):
    """What became of each event, in the same order."""

    outcomes: list[Outcome]


@router.get("/wards/{ward}/changes", response_model=Changes)
async def read_changes(
    ward: Annotated[str, Path(max_length=64)],
    session: SignedInAs,
    context: Ctx,
    since: Annotated[int, Query(ge=0, le=2**53)] = 0,
    epoch: Annotated[str, Query(max_length=64)] = "",
    wait: Annotated[float, Query(ge=0, le=25, description="seconds to wait for a change")] = 0.0,
) -> Response:
    """Return what changed after ``since``; waits up to ``wait`` seconds for something to change."""
    session.require(*CLINICAL)
    context.site.ward(ward)
    store = context.store
    if since and epoch == store.picture.epoch:
        await context.signal.wait(since, wait)
    answer = changes(store.picture, context.site, ward, Cursor(since=since, epoch=epoch), store.clock())
    return Response(to_bytes(answer), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.post("/checks")
def check(body: CheckRequest, session: SignedInAs, context: Ctx) -> CheckAnswer:
    """Re-check with the server's facts and clock; GIVE reserves the task for this person for 120 s."""
    session.require(*CLINICAL)
    check_sound(body)
    ward = context.site.first.id
    return context.store.write(lambda unit: administrations.answer(unit, context.site, session, body, ward))


@router.post("/events")
def post_events(body: Events, session: SignedInAs, context: Ctx) -> Outcomes:
    """Take events in; sending the same event again is always safe."""
    return Outcomes(outcomes=events.receive(context.store, context.site, session, list(body.events)))
