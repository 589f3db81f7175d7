"""``/wristbands``: issue a patient's next wristband."""

from __future__ import annotations

from fastapi import APIRouter

from clinical.identifiers import hospital
from server.dependencies import Ctx, SignedInAs
from server.wristbands import service
from server.wristbands.schemas import WristbandLabel, WristbandRequest

router = APIRouter(tags=["wristbands"])


@router.post("/wristbands", status_code=201)
def issue(body: WristbandRequest, session: SignedInAs, context: Ctx) -> WristbandLabel:
    """Issue a patient's next wristband; earlier ones stop identifying at once."""
    band = context.store.write(lambda unit: service.issue(unit, body.encounter_id, session))
    mrn, _, serial = band.id.rpartition("/")
    return WristbandLabel(wristband=band, code=hospital.encode("wristband", mrn, serial))
