"""``/critical-values``: take one in, let a doctor answer, list those of a patient."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from clinical.chart_records import CriticalValue
from clinical.errors import NotFoundError
from clinical.records import Patient
from server.critical_values import service
from server.critical_values.store import of_patient
from server.dependencies import Ctx, SignedInAs
from server.people.service import READING
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


class CriticalValues(BaseModel):
    """One page of a patient's critical values, newest first."""

    model_config = ConfigDict(frozen=True)
    total: int = Field(ge=0)
    critical_values: list[CriticalValue]


@router.get("/patients/{patient_id}/critical-values")
def read(
    patient_id: Annotated[str, Path(max_length=200)],
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> CriticalValues:
    """List a patient's critical values: who called, who was told, who answered with what, and when."""
    session.require(*READING)
    if context.store.picture.get(Patient, patient_id) is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    with context.store.reading() as connection:
        found = of_patient(connection, patient_id)
    return CriticalValues(total=len(found), critical_values=found[offset : offset + limit])


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
