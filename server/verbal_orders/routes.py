"""Orders by word of mouth, resuscitations, and what was done on a doctor's word and waits for it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from clinical.records import Administration, Dose, Encounter, Order, Practitioner
from server.context import Context
from server.dependencies import Ctx, SignedInAs
from server.people import access
from server.people import service as people
from server.people.service import Session
from server.sync.sound import check_sound
from server.verbal_orders import resuscitation, service, spoken
from server.verbal_orders.service import Spoken

router = APIRouter(tags=["verbal orders"])
Amount = Annotated[Decimal, Field(gt=0, lt=1_000_000, max_digits=12, decimal_places=6)]


class SpokenLine(BaseModel):
    """One drug of the order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    product_id: str = Field(min_length=1, max_length=96)
    value: Amount
    unit: str = Field(min_length=1, max_length=32, description="UCUM")


class SpokenOrder(BaseModel):
    """An order by word of mouth, as the nurse took it; nothing is stored that was not read back."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z-]+$")
    patient_id: str = Field(min_length=1, max_length=200)
    prescriber: str = Field(min_length=1, max_length=96)
    lines: list[SpokenLine] = Field(min_length=1, max_length=10)
    route: str = Field(min_length=1, max_length=16)
    rate_ml_h: Amount | None = None
    volume_ml: Amount | None = None
    instruction: str = Field(default="", max_length=500)
    emergency: bool = False
    witness: str = Field(default="", max_length=96)
    witness_pin: str = Field(default="", max_length=64, repr=False)
    read_back: Literal[True]


@router.post("/verbal-orders", status_code=201)
async def take(body: SpokenOrder, request: Request, session: SignedInAs, context: Ctx) -> Order:
    """Write down what a doctor said and the nurse read back; it acts at once."""
    session.require("nurse", "charge-nurse")
    check_sound(body.model_dump())
    address = request.client.host if request.client else ""
    if body.witness_pin:
        context.doors.knock(address, context.store.clock())
    pool = context.doors.pool if body.witness_pin else None
    return await asyncio.get_running_loop().run_in_executor(pool, _taken, context, session, body, address)


def _taken(context: Context, session: Session, body: SpokenOrder, address: str) -> Order:
    witness = context.store.picture.get(Practitioner, body.witness)
    proven = witness is not None and bool(body.witness_pin)
    if witness is not None and body.witness_pin:
        attempt = people.Attempt(
            badge=witness.badge, pin=body.witness_pin, handheld=session.handheld, address=address
        )
        people.prove(context.store, context.limits, context.doors, attempt)
    spoken = Spoken(
        lines=tuple((line.product_id, Dose(value=line.value, unit=line.unit)) for line in body.lines),
        witness_proven=proven,
        **body.model_dump(exclude={"lines", "read_back", "witness_pin"}),
    )
    return context.store.write(lambda unit: service.take(unit, context.site, spoken, session.practitioner.id))


@router.post("/verbal-orders/{order_id}/sign")
def sign(order_id: Annotated[str, Path(max_length=200)], session: SignedInAs, context: Ctx) -> Order:
    """Sign an order by word of mouth."""
    session.require(*context.site.policy.prescriber_roles)
    return context.store.write(lambda unit: service.sign(unit, order_id, session.practitioner.id))


@router.get("/verbal-orders/unsigned")
def unsigned(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[Order]:
    """Return what waits for a signature in the person's wards, oldest first."""
    session.require("nurse", "charge-nurse", *context.site.policy.prescriber_roles)
    picture = context.store.picture
    mine = (one for one in picture.all(Order) if session.sees(access.ward_of(picture, "orders", one.id)))
    return service.unsigned(mine)[offset : offset + limit]


class Call(BaseModel):
    """Whether a resuscitation begins or is over."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    action: Literal["begin", "end"]


@router.post("/encounters/{encounter_id}/resuscitation")
def call(
    encounter_id: Annotated[str, Path(max_length=200)], body: Call, session: SignedInAs, context: Ctx
) -> Encounter:
    """Call a resuscitation, or end it: while it lasts a doctor's word may be read back."""
    session.require(*resuscitation.roles(context.site.policy))
    by = session.practitioner.id
    return context.store.write(
        lambda unit: resuscitation.change(unit, context.site, encounter_id, body.action, by)
    )


@router.get("/administrations/unacknowledged")
def unacknowledged(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[Administration]:
    """Return what was done on a doctor's word in the person's wards and waits, oldest first."""
    session.require("nurse", "charge-nurse", *context.site.policy.prescriber_roles)
    picture = context.store.picture
    mine = (
        one
        for one in picture.all(Administration)
        if session.sees(access.ward_of(picture, "administrations", one.id))
    )
    return spoken.waiting(mine)[offset : offset + limit]


@router.post("/administrations/{administration_id}/acknowledge")
def acknowledge(
    administration_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx
) -> Administration:
    """Stand behind what was done on a doctor's word."""
    session.require(*context.site.policy.prescriber_roles)
    by = session.practitioner.id
    return context.store.write(lambda unit: spoken.acknowledge(unit, administration_id, by))
