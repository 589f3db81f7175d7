"""``/patients/{patient}/fluids``: intake and output of one ward day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clinical.chart_records import FluidRecord
from clinical.errors import NotFoundError
from clinical.fluid_balance import Balance
from clinical.records import Administration, Patient
from server.chart import service
from server.dependencies import Ctx, SignedInAs
from server.people.service import CLINICAL

router = APIRouter(tags=["chart"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """The sum of one kind in one direction."""

    direction: str
    kind: str
    ml: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Intake, output and what is left of one period, in mL."""

    since: dt.datetime
    until: dt.datetime
    intake_ml: Decimal
    output_ml: Decimal
    net_ml: Decimal
    kinds: tuple[Amount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fluids:
    """One ward day: each shift and the whole."""

    day: dt.date
    shifts: tuple[Sums, ...]
    whole: Sums


@router.get("/patients/{patient_id}/fluids")
def fluids(
    patient_id: Annotated[str, Path(max_length=200)],
    session: SignedInAs,
    context: Ctx,
    day: Annotated[dt.date, Query(description="the ward's own day")],
) -> Fluids:
    """Return a patient's intake and output of one ward day."""
    session.require(*CLINICAL)
    picture = context.store.picture
    if picture.get(Patient, patient_id) is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    found = service.fluid_day(
        [one for one in picture.all(FluidRecord) if one.patient_id == patient_id],
        [one for one in picture.all(Administration) if one.patient_id == patient_id],
        day,
        context.site.policy,
    )
    return Fluids(day=found.day, shifts=tuple(_sums(one) for one in found.shifts), whole=_sums(found.whole))


def _sums(found: Balance) -> Sums:
    return Sums(
        since=found.period.start,
        until=found.period.end,
        intake_ml=found.intake_ml,
        output_ml=found.output_ml,
        net_ml=found.net_ml,
        kinds=tuple(
            Amount(direction=direction, kind=kind, ml=ml)
            for (direction, kind), ml in sorted(found.by_kind.items())
        ),
    )
