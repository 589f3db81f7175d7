"""``/worklists/quarantine`` and ``/worklists/events``: what could not be read, and how it is settled."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from clinical.errors import RefusedError
from server.context import Context
from server.dependencies import Ctx, SignedInAs
from server.people.service import Session
from server.quarantine import service
from server.quarantine.service import PutAside, Tried
from server.sync.sound import check_sound

router = APIRouter(tags=["worklists"])
READERS = ("charge-nurse", "manager", "engineer")
MENDERS = ("charge-nurse", "manager")
MAX_SHOWN = 65_536
List = Annotated[
    Literal["quarantine", "events"], Path(description="messages of nodes, or events of handhelds")
]
Number = Annotated[int, Path(ge=1, le=2**53)]


class Reason(BaseModel):
    """Why it should work now, or why nothing more is to be done."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    why: str = Field(min_length=5, max_length=500, examples=["the server was updated"])


class AllPutAside(BaseModel):
    """What was put aside, newest first, and how many of all wait."""

    items: list[PutAside]
    waiting: int


class Content(BaseModel):
    """What came, as text; bytes that are none are shown as replacement characters."""

    number: int
    text: str


def _require_every_ward(session: Session, context: Context) -> None:
    if not all(session.sees(ward) for ward in context.site.wards):
        raise RefusedError("other-ward", "this may be about any ward; ask somebody of the whole hospital")


@router.get("/worklists/put-aside/{name}")
def read_list(
    name: List,
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    settled: Annotated[bool, Query(description="also what waits no longer")] = False,
) -> AllPutAside:
    """List what could not be read and waits for a person."""
    session.require(*READERS)
    with context.store.reading() as connection:
        return AllPutAside(
            items=service.listed(connection, name, limit, offset, settled=settled),
            waiting=service.waiting(connection, name),
        )


@router.get("/worklists/put-aside/{name}/{number}")
def read_content(name: List, number: Number, session: SignedInAs, context: Ctx) -> Content:
    """Show one as it came; for people who may see every ward of this server."""
    session.require(*MENDERS)
    _require_every_ward(session, context)
    raw = context.store.write(lambda unit: service.content(unit, session, name, number))
    return Content(number=number, text=raw[:MAX_SHOWN].decode("utf-8", "replace"))


@router.post("/worklists/put-aside/{name}/{number}/retry")
def retry(name: List, number: Number, body: Reason, session: SignedInAs, context: Ctx) -> Tried:
    """Read one again, for instance after an update; says whether it was taken or why it still waits."""
    session.require(*READERS)
    _require_every_ward(session, context)
    check_sound(body.why)
    if name == "quarantine":
        return service.try_message(context.store, session, number, body.why, context.take_packet)
    return context.store.write(lambda unit: service.try_event(unit, context.site, session, number, body.why))


@router.post("/worklists/put-aside/{name}/{number}/close")
def close(name: List, number: Number, body: Reason, session: SignedInAs, context: Ctx) -> PutAside:
    """Say that nothing more is to be done about one: it was charted by hand, or means nothing."""
    session.require(*MENDERS)
    _require_every_ward(session, context)
    check_sound(body.why)
    return context.store.write(lambda unit: service.close(unit, session, name, number, body.why))
