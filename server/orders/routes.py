"""``/orders/{order}/verify``: a nurse or a pharmacist has checked an order (医嘱核对)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from clinical.records import Order
from server.dependencies import Ctx, SignedInAs
from server.orders import service

router = APIRouter(tags=["orders"])


class Verification(BaseModel):
    """Which version was read; another one is refused, so that nobody verifies what they have not seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = Field(ge=1, le=2**31)


@router.post("/orders/{order_id}/verify")
def verify(
    order_id: Annotated[str, Path(max_length=200)], body: Verification, session: SignedInAs, context: Ctx
) -> Order:
    """Say that this version of an order is right; as a pharmacist where the person is one."""
    session.require("nurse", "charge-nurse", "pharmacist")
    pharmacist = "pharmacist" in session.practitioner.roles
    return context.store.write(
        lambda unit: service.verify(
            unit, order_id, body.version, session.practitioner.id, pharmacist=pharmacist
        )
    )
