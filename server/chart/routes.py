"""``/patients/{patient}/fluids``: intake and output of one ward day; ``/encounters/{id}/mews``: the score."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clinical import fluid_balance
from clinical.errors import NotFoundError
from clinical.fluid_balance import Balance
from clinical.records import Encounter, Patient
from server.administrations.record import administrations
from server.chart import service
from server.chart.mews import Mews, mews_of
from server.chart.store import fluids_of
from server.dependencies import Ctx, SignedInAs
from server.people.service import READING

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
    session.require(*READING)
    if context.store.picture.get(Patient, patient_id) is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    policy = context.site.policy
    period = fluid_balance.whole_day(day, policy.zone, policy.care.fluids)
    with context.store.reading() as connection:
        written = fluids_of(connection, patient_id)
        given = administrations(connection, patient_id, period.start, period.end)
    found = service.fluid_day(written, given, day, policy)
    return Fluids(day=found.day, shifts=tuple(_sums(one) for one in found.shifts), whole=_sums(found.whole))


@router.get("/encounters/{encounter_id}/mews")
def read_mews(encounter_id: Annotated[str, Path(max_length=200)], session: SignedInAs, context: Ctx) -> Mews:
    """Return the Modified Early Warning Score of a patient's newest values."""
    session.require(*READING)
    stay = context.store.picture.get(Encounter, encounter_id)
    if stay is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    return mews_of(context.store.picture, stay.patient_id, context.store.clock())


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
