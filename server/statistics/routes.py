"""``/wards/{ward}/statistics``: the ward's figures for a period, as numbers or as a table to keep."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from clinical.errors import BadInputError
from server.dependencies import Ctx, SignedInAs
from server.statistics import service
from server.statistics.near_misses import NearMiss, near_misses
from server.statistics.service import Figures, Share
from server.statistics.store import Period

router = APIRouter(tags=["statistics"])
READERS = ("charge-nurse", "manager", "doctor", "pharmacist", "nurse", "read-only")
LONGEST = timedelta(days=92)
Since = Annotated[AwareDatetime, Query(description="beginning, included")]
Until = Annotated[AwareDatetime, Query(description="end, not included; at most 92 days later")]


def _period(since: datetime, until: datetime) -> Period:
    if not timedelta(0) < until - since <= LONGEST:
        raise BadInputError("period", "a period ends after it begins and is at most 92 days long")
    return Period(since=since, until=until)


def _figures(ward: str, session: SignedInAs, context: Ctx, since: datetime, until: datetime) -> Figures:
    session.require(*READERS)
    period, beds = _period(since, until), len(context.site.ward(ward).beds)
    with context.store.reading() as connection:
        return service.figures(connection, ward, beds, period, context.site.policy)


@router.get("/wards/{ward}/statistics")
def read(
    ward: Annotated[str, Path(max_length=64)], session: SignedInAs, context: Ctx, since: Since, until: Until
) -> Figures:
    """Return the ward's figures; they count facts and rank nobody."""
    return _figures(ward, session, context, since, until)


@router.get("/wards/{ward}/statistics.csv", response_class=Response)
def table(
    ward: Annotated[str, Path(max_length=64)], session: SignedInAs, context: Ctx, since: Since, until: Until
) -> Response:
    """Return the same figures as a table: measure, count, of, percent."""
    found = _figures(ward, session, context, since, until)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("measure", "count", "of", "percent"))
    writer.writerows(_rows(found))
    name = f"wardlink-{ward}-{since:%Y%m%d}-{until:%Y%m%d}.csv"
    return Response(
        "\ufeff" + text.getvalue(),  # spreadsheets take it for UTF-8 only with this mark
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class NearMisses(BaseModel):
    """One page of what was stopped, newest first."""

    model_config = ConfigDict(frozen=True)

    near_misses: list[NearMiss]


@router.get("/wards/{ward}/near-misses")
def read_near_misses(
    ward: Annotated[str, Path(max_length=64)],
    session: SignedInAs,
    context: Ctx,
    since: Since,
    until: Until,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> NearMisses:
    """List every check that answered STOP; it names neither who asked nor the patient."""
    session.require(*READERS)
    period, place = _period(since, until), context.site.ward(ward).id
    with context.store.reading() as connection:
        found = near_misses(connection, context.store.picture, place, period, limit, offset)
    return NearMisses(near_misses=found)


Row = tuple[str, object, object, object]


def _rows(found: Figures) -> Iterator[Row]:
    yield _row("scan-compliance", found.scan_compliance)
    yield _row("on-time", found.on_time)
    yield _row("infusions-as-planned", found.infusions_as_planned)
    yield ("near-misses", found.near_misses, "", "")
    yield from ((f"near-miss:{one.name}", one.count, "", "") for one in found.near_miss_codes)
    yield from ((f"checks:{word}", count, "", "") for word, count in sorted(found.checks.items()))
    yield from ((f"bypass:{code}", count, "", "") for code, count in sorted(found.bypasses.items()))
    yield from (_row(f"override:{code}", share) for code, share in found.overrides.items())
    yield from (_row(f"after-sync:{name}", share) for name, share in found.after_sync.items())
    yield ("alarms", found.alarms.total, "", "")
    yield ("alarms-per-bed-day", found.alarms.per_bed_day, "", "")
    yield _row("alarms-answered", found.alarms.answered)
    yield _row("alarms-unanswered-short", found.alarms.unanswered_short)
    yield ("alarm-response-s-median", found.alarms.response_s_median, "", "")
    yield ("alarm-response-s-p90", found.alarms.response_s_p90, "", "")
    yield from ((f"alarm:{one.name}", one.count, "", "") for one in found.alarms.top_conditions)
    yield from ((f"alarm-bed:{one.name}", one.count, "", "") for one in found.alarms.top_beds)
    yield from (
        (f"administrations:{hour:02}", count, "", "")
        for hour, count in enumerate(found.administrations_by_hour)
    )


def _row(name: str, share: Share) -> Row:
    return name, share.count, share.of, share.percent
