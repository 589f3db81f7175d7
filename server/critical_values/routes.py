"""``/critical-values``: take one in, let a doctor answer."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from clinical.chart_records import CriticalValue
from server.critical_values import service
from server.dependencies import Ctx, SignedInAs
from server.sync.sound import check_sound

router = APIRouter(tags=["critical values"])


class Called(BaseModel):
    """A value as the laboratory called it and the nurse read it back."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z-]+$")
    patient_id: str = Field(min_length=1, max_length=200)
    test: str = Field(min_length=1, max_length=120)
    value: str = Field(min_length=1, max_length=40)
    unit: str = Field(default="", max_length=32)
    reported_by: str = Field(min_length=1, max_length=96)
    doctor: str = Field(default="", max_length=96, description="who was told, when somebody was")
    read_back: Literal[True]


class Decision(BaseModel):
    """What the doctor decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    action: str = Field(min_length=1, max_length=500)


@router.post("/critical-values", status_code=201)
def receive(body: Called, session: SignedInAs, context: Ctx) -> CriticalValue:
    """Take in a critical value; it alarms until a doctor has answered."""
    session.require("nurse", "charge-nurse", "doctor")
    check_sound(body.model_dump())
    now = context.store.clock()
    value = CriticalValue(
        **body.model_dump(exclude={"read_back"}),
        received_by=session.practitioner.id,
        received_at=now,
        told_at=now if body.doctor else None,
    )
    return context.store.write(lambda unit: service.receive(unit, value))


@router.post("/critical-values/{value_id}/acknowledge")
def acknowledge(
    value_id: Annotated[str, Path(max_length=96)], body: Decision, session: SignedInAs, context: Ctx
) -> CriticalValue:
    """Answer a critical value with what is to be done."""
    session.require(*context.site.policy.prescriber_roles)
    check_sound(body.action)
    return context.store.write(
        lambda unit: service.acknowledge(unit, value_id, session.practitioner.id, body.action)
    )
