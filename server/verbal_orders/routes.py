"""``/verbal-orders``: write down, sign, and see what waits for a signature."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from clinical.records import Dose, Order
from server.dependencies import Ctx, SignedInAs
from server.people import access
from server.sync.sound import check_sound
from server.verbal_orders import service
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
    read_back: Literal[True]


@router.post("/verbal-orders", status_code=201)
def take(body: SpokenOrder, session: SignedInAs, context: Ctx) -> Order:
    """Write down what a doctor said and the nurse read back; it acts at once."""
    session.require("nurse", "charge-nurse")
    check_sound(body.model_dump())
    spoken = Spoken(
        lines=tuple((line.product_id, Dose(value=line.value, unit=line.unit)) for line in body.lines),
        **body.model_dump(exclude={"lines", "read_back"}),
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
