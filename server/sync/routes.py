"""``/wards/{ward}/changes``, ``/checks`` and ``/events``: all a handheld needs."""

from __future__ import annotations

import asyncio
import gzip
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from clinical.bedside_check.model import CheckRequest
from clinical.exchange import Changes, CheckAnswer, Outcome
from server.administrations import service as administrations
from server.dependencies import Ctx, SignedInAs
from server.people import access
from server.people.service import CLINICAL, READING
from server.storage.codec import to_bytes
from server.sync import events
from server.sync.service import Cursor, changes
from server.sync.sound import check_sound

router = APIRouter(tags=["handhelds"])
MAX_EVENTS = 200
PACK_ABOVE = 2_048


_ASKED = {
    "id": "0198f2c0-0000-7000-8000-000000000002",
    "action": "GIVE",
    "now": "2026-05-04T09:00:00+08:00",
    "handheld": {"id": "pda-01", "battery_percent": 80},
    "operator": {"id": "N20713", "roles": ["nurse"]},
    "patient_scan": {"raw": "WL1:W:1001:1:4", "method": "scan", "at": "2026-05-04T08:59:50+08:00"},
    "items": [{"raw": "WL1:B:BID4B52TR3:K", "method": "scan", "at": "2026-05-04T08:59:55+08:00"}],
}
Question = Annotated[
    CheckRequest, Body(openapi_examples={"bag": {"summary": "a bag at the bedside", "value": _ASKED}})
]


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
    request: Request,
    since: Annotated[int, Query(ge=0, le=2**53)] = 0,
    epoch: Annotated[str, Query(max_length=64)] = "",
    wait: Annotated[float, Query(ge=0, le=25, description="seconds to wait for a change")] = 0.0,
) -> Response:
    """Return what changed after ``since``; waits up to ``wait`` seconds for something to change."""
    session.require(*READING)
    context.site.ward(ward)
    store = context.store
    if since and epoch == store.picture.epoch:
        await context.signal.wait(since, wait)
    answer = changes(store.picture, context.site, ward, Cursor(since=since, epoch=epoch), store.clock())
    packs = "gzip" in request.headers.get("accept-encoding", "")
    return await asyncio.to_thread(_packed, answer, packs=packs)


def _packed(answer: Changes, *, packs: bool) -> Response:
    """Encode an answer, away from the event loop; a whole ward is a tenth of its size when it is packed."""
    body, headers = to_bytes(answer), {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if packs and len(body) > PACK_ABOVE:
        body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=5), "gzip"
    return Response(body, media_type="application/json", headers=headers)


@router.post("/checks")
def check(body: Question, session: SignedInAs, context: Ctx) -> CheckAnswer:
    """Re-check with the server's facts and clock; GIVE reserves the task for this person for 120 s."""
    session.require(*CLINICAL)
    check_sound(body)
    ward = access.ward_asked(context.store.picture, context.site, session, body)
    return context.store.write(lambda unit: administrations.answer(unit, context.site, session, body, ward))


@router.post("/events")
def post_events(body: Events, session: SignedInAs, context: Ctx) -> Outcomes:
    """Take events in; sending the same event again is always safe."""
    return Outcomes(outcomes=events.receive(context.store, context.site, session, list(body.events)))
