"""``/blood-units``: what the blood bank issued, and the bags that went back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from clinical.care_records import BloodUnit
from server.dependencies import Ctx, SignedInAs
from server.sync.sound import check_sound
from server.transfusions import service

router = APIRouter(tags=["transfusions"])


@router.post("/blood-units", status_code=201)
def issue(body: BloodUnit, session: SignedInAs, context: Ctx) -> BloodUnit:
    """Take in one issued unit, where no interface to the blood bank does it."""
    session.require("charge-nurse", "pharmacist")
    check_sound(body)
    return context.store.write(lambda unit: service.issue(unit, body, session.practitioner.id))


@router.post("/blood-units/{unit_id}/returned")
def give_back(unit_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> BloodUnit:
    """Say that a bag, empty or unused, went back to the blood bank."""
    session.require("nurse", "charge-nurse")
    return context.store.write(lambda unit: service.give_back(unit, unit_id, session.practitioner.id))
