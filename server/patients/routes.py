"""``/encounters/{encounter}/leave-confirm``: a nurse says that a patient's devices are off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clinical.records import Encounter
from server.dependencies import Ctx, SignedInAs
from server.devices import leaving

router = APIRouter(tags=["patients"])


class LeaveConfirmation(BaseModel):
    """Since when everything was off; now when left out, and never later than now."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"at": "2026-05-04T01:20:00Z"}]}
    )
    at: AwareDatetime | None = Field(default=None)


@router.post("/encounters/{encounter_id}/leave-confirm")
def confirm(
    encounter_id: Annotated[str, Path(max_length=200)],
    body: LeaveConfirmation,
    session: SignedInAs,
    context: Ctx,
) -> Encounter:
    """Confirm that what was to come off a patient, who was moved or discharged, has come off.

    Until then its devices go on measuring for this patient, and a discharged patient's stay is *leaving*.
    """
    session.require("nurse", "charge-nurse")
    return context.store.write(
        lambda unit: leaving.confirm(unit, encounter_id, body.at or unit.now, session.practitioner.id)
    )
