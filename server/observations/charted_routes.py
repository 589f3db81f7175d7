"""``/encounters/{id}/observations`` and ``…/news2``: write down, and the scores made of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clinical.errors import NotFoundError
from clinical.records import Encounter, Observation
from server.dependencies import Ctx, SignedInAs
from server.observations import charted, warning
from server.people.service import READING
from server.sync.sound import check_sound

router = APIRouter(tags=["observations"])
Id = Annotated[str, Path(max_length=200)]


class ChartedIn(BaseModel):
    """One value: its code of the table of codes, and the unit (UCUM) the table has for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str = Field(max_length=64, pattern=r"^MDC[A-Z]*_[A-Z0-9_]+$", examples=["MDC_TEMP_AXILLA"])
    value: Annotated[Decimal, Field(ge=0, le=1000, max_digits=8)] = Field(examples=["37.2"])
    unit: str = Field(min_length=1, max_length=32, examples=["Cel"])


class ChartedSetIn(BaseModel):
    """What was found at one time. Consciousness is 0-4 for A, C, V, P, U; oxygen 0 for air, 1 for any."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "0198f2c0-0000-7000-8000-000000000001",
                    "at": "2026-05-04T09:00:00+08:00",
                    "values": [
                        {"code": "MDC_TEMP_AXILLA", "value": "37.2", "unit": "Cel"},
                        {"code": "MDCX_CONSCIOUSNESS", "value": "0", "unit": "1"},
                        {"code": "MDCX_OXYGEN", "value": "1", "unit": "1"},
                    ],
                }
            ]
        },
    )
    id: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z-]+$")
    at: AwareDatetime
    values: list[ChartedIn] = Field(min_length=1, max_length=len(charted.RANGES))


class ChartedOut(BaseModel):
    """What was kept, and the score as it is now."""

    observations: tuple[Observation, ...]
    news2: warning.Judged


class Scores(BaseModel):
    """Everybody on the ward, the highest score first; who has none comes last, with what is missing."""

    scores: list[warning.Row]


@router.get("/wards/{ward}/news2")
def read_scores(
    ward: Annotated[str, Path(max_length=64)],
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Scores:
    """List the ward's early warning scores as they are now."""
    session.require(*READING)
    context.site.ward(ward)
    rows = warning.ward_list(context.store.picture, ward, context.store.clock())
    return Scores(scores=rows[offset : offset + limit])


@router.post("/encounters/{encounter_id}/observations", status_code=201)
def chart(encounter_id: Id, body: ChartedSetIn, session: SignedInAs, context: Ctx) -> ChartedOut:
    """Write observations down; sending the same set again changes nothing."""
    session.require(*charted.CHARTERS)
    values = tuple(charted.Charted(code=one.code, value=one.value, unit=one.unit) for one in body.values)
    made = charted.ChartedSet(id=body.id, at=body.at, values=values)
    check_sound(made)
    kept = context.store.write(lambda unit: charted.chart(unit, session, encounter_id, made))
    picture = context.store.picture
    return ChartedOut(
        observations=kept, news2=warning.judge(picture, kept[0].patient_id, context.store.clock())
    )


@router.get("/encounters/{encounter_id}/news2")
def read_score(encounter_id: Id, session: SignedInAs, context: Ctx) -> warning.Judged:
    """Return the score as it is now, or what is missing for it."""
    session.require(*READING)
    stay = context.store.picture.get(Encounter, encounter_id)
    if stay is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    return warning.judge(context.store.picture, stay.patient_id, context.store.clock())
