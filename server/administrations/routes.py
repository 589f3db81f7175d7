"""``/patients/{patient}/administrations``: what was given to one patient, and what was not and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clinical.errors import BadInputError, NotFoundError
from clinical.records import Administration, Patient
from server.administrations.record import administrations
from server.dependencies import Ctx, SignedInAs
from server.people.service import READING

router = APIRouter(tags=["administrations"])
USUAL, LONGEST = timedelta(days=7), timedelta(days=31)
MAX_ROWS = 500
Since = Annotated[AwareDatetime | None, Query(description="beginning, included; 7 days before the end")]
Until = Annotated[AwareDatetime | None, Query(description="end, not included; now; at most 31 days later")]


class AdministrationRecord(BaseModel):
    """One page of a patient's record, oldest first, by the time at which something was done."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    until: datetime
    total: int = Field(description="how many the whole period has", ge=0)
    administrations: list[Administration]


@router.get("/patients/{patient_id}/administrations")
def read_administrations(
    patient_id: Annotated[str, Path(max_length=200)],
    session: SignedInAs,
    context: Ctx,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = MAX_ROWS,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> AdministrationRecord:
    """Return what was recorded as done to a patient; the last seven days unless told."""
    session.require(*READING)
    if context.store.picture.get(Patient, patient_id) is None:
        raise NotFoundError("unknown-patient", "this patient is not on the ward")
    start, end = _period(since, until or context.store.clock())
    with context.store.reading() as connection:
        found = administrations(connection, patient_id, start, end)
    page = found[offset : offset + limit]
    return AdministrationRecord(since=start, until=end, total=len(found), administrations=page)


def _period(since: datetime | None, until: datetime) -> tuple[datetime, datetime]:
    try:
        start = since if since is not None else until - USUAL
    except OverflowError as error:
        raise BadInputError("time", "a time is out of this world") from error
    if not timedelta(0) < until - start <= LONGEST:
        raise BadInputError("record-span", "a record spans more than nothing and at most 31 days")
    return start, until
