"""``/worklists``: put-aside messages, unknown codes and unfiled readings, and how a person settles them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clinical.errors import RefusedError
from server.corrections import service
from server.corrections.service import Filing, Mapping, StuckMessage
from server.dependencies import Ctx, SignedInAs
from server.storage.store import UnitOfWork
from server.sync.sound import check_sound

router = APIRouter(tags=["worklists"])
READERS = ("charge-nurse", "manager", "engineer")
MENDERS = ("charge-nurse", "manager")
CODERS = ("charge-nurse", "manager", "pharmacist")
MAX_RAW = 65_536
System = Literal["ward", "bed", "drug", "route", "frequency", "unit", "allergy"]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
Why = Annotated[str, Field(min_length=5, max_length=500, examples=["moved to bed 12 without scanning"])]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StuckMessages(_Shape):
    """Messages that wait for a person, newest first, and how many there are of each kind."""

    messages: list[StuckMessage]
    counts: dict[str, int]


class MessageText(_Shape):
    """A message as it came, to see which code or field is meant."""

    id: str
    text: str


class Retry(_Shape):
    """Why it should work now."""

    why: Why


class Retried(_Shape):
    """What became of the message."""

    state: str
    error_code: str
    detail: str


class Mappings(_Shape):
    """What the hospital's codes are called here."""

    mappings: list[Mapping]


class MappingIn(_Shape):
    """One code of the hospital and what it is called here."""

    system: System
    code: str = Field(min_length=1, max_length=200, examples=["DRUG-4711"])
    target: str = Field(min_length=1, max_length=200, examples=["PCT500"])


class FilingIn(_Shape):
    """Readings of one device that wait for one reason, and whose they are."""

    device_id: str = Field(min_length=1, max_length=96)
    reason: str = Field(min_length=1, max_length=40, pattern=r"^[a-z-]+$", examples=["no-association"])
    encounter_id: str = Field(min_length=1, max_length=200)
    since: AwareDatetime
    until: AwareDatetime
    why: Why


class Filed(_Shape):
    """How many readings were filed."""

    filed: int


@router.get("/worklists/messages")
def read_messages(
    session: SignedInAs, context: Ctx, limit: Limit = 100, offset: Offset = 0, unmapped: bool = False
) -> StuckMessages:
    """List messages that were put aside or refused; only those with an unknown code when ``unmapped``."""
    session.require(*READERS)
    with context.store.reading() as connection:
        return StuckMessages(
            messages=service.stuck(connection, limit, offset, unmapped=unmapped),
            counts=service.count_by_code(connection),
        )


@router.get("/worklists/messages/{message_id}")
def read_message(
    message_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx
) -> MessageText:
    """Show a put-aside message as it came; for people who may see every ward of this server."""
    session.require(*MENDERS)
    if not all(session.sees(ward) for ward in context.site.wards):
        raise RefusedError("other-ward", "messages may be about any ward; ask somebody of the whole hospital")

    def run(unit: UnitOfWork) -> MessageText:
        row = service.take(unit, message_id)
        unit.audit("message-read", actor=session.practitioner.id, entity=f"message:{message_id}")
        return MessageText(id=row.id, text=bytes(row.raw)[:MAX_RAW].decode("utf-8", "replace"))

    return context.store.write(run)


@router.post("/worklists/messages/{message_id}/retry")
def retry(
    message_id: Annotated[str, Path(max_length=96)], body: Retry, session: SignedInAs, context: Ctx
) -> Retried:
    """Try a message again, after what was wrong has been put right; says what became of it."""
    session.require(*READERS)
    check_sound(body.why)
    raw = context.store.write(lambda unit: service.retry(unit, session, message_id, body.why))
    if raw is not None and context.take_message is not None:
        context.take_message(raw)
    with context.store.reading() as connection:
        return Retried(**service.state_of(connection, message_id))


@router.get("/worklists/mappings/{system}")
def read_mappings(
    system: System, session: SignedInAs, context: Ctx, limit: Limit = 100, offset: Offset = 0
) -> Mappings:
    """List what the hospital's codes of one kind are called here."""
    session.require(*READERS, *CODERS)
    with context.store.reading() as connection:
        return Mappings(mappings=service.mappings_of(connection, system, limit, offset))


@router.post("/worklists/mappings", status_code=201)
def put_mapping(body: MappingIn, session: SignedInAs, context: Ctx) -> Mapping:
    """Say what a code of the hospital is called here; then try its messages again."""
    session.require(*CODERS)
    one = Mapping(system=body.system, code=body.code, target=body.target)
    check_sound(one)
    return context.store.write(lambda unit: service.put_mapping(unit, context.site, session, one))


@router.post("/worklists/unassigned/file")
def file_readings(body: FilingIn, session: SignedInAs, context: Ctx) -> Filed:
    """File readings that wait on a stay, with the reason; see ``/unassigned`` for what waits."""
    session.require("nurse", *MENDERS)
    one = Filing(**body.model_dump())
    check_sound(one)
    filed = context.store.write(lambda unit: service.file_readings(unit, session, one))
    context.filed(filed)
    return Filed(filed=filed)
