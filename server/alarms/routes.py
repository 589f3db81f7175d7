"""``/alarms``: what sounds now, and who has seen it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from clinical.errors import NotFoundError
from clinical.records import Alarm
from server.alarms import clips, service
from server.dependencies import Ctx, SignedInAs
from server.people import access
from server.people.service import ACKNOWLEDGING, CLINICAL
from server.storage.store import UnitOfWork

router = APIRouter(tags=["alarms"])
MAX_ALARMS = 1000


class Alarms(BaseModel):
    """Open alarms, newest first."""

    alarms: list[Alarm]


@router.get("/alarms")
def read_alarms(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=MAX_ALARMS)] = MAX_ALARMS,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Alarms:
    """List the open alarms; to people who may see no patient only those about no patient."""
    picture = context.store.picture
    alarms = [
        alarm
        for alarm in picture.all(Alarm)
        if service.is_open(alarm)
        and (session.may_read or not alarm.patient_id)
        and session.sees(access.ward_of(picture, "alarms", alarm.id))
    ]
    newest = sorted(alarms, key=lambda alarm: alarm.started_at, reverse=True)
    return Alarms(alarms=newest[offset : offset + limit])


class Clip(BaseModel):
    """The waves around the start of an alarm, by code and time."""

    waves: list[clips.ClipWave]


@router.get("/alarms/{alarm_id}/clip")
def read_clip(alarm_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> Clip:
    """Show the waves from half a minute before an alarm to a minute after it; they outlive the others."""
    session.require(*CLINICAL)
    with context.store.reading() as connection:
        ward = access.ward_in_store(connection, "alarms", alarm_id)
        if ward is None or not session.sees(ward):
            raise NotFoundError("unknown-alarm", "there is no such alarm")
        return Clip(waves=clips.read(connection, alarm_id))


@router.post("/alarms/{alarm_id}/acknowledge")
def acknowledge(alarm_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> Alarm:
    """Say "I have seen it, I go"; reaches every display and the node that raised it."""

    def run(unit: UnitOfWork) -> Alarm:
        alarm = unit.get(Alarm, alarm_id)
        if not service.may_acknowledge(alarm, session.practitioner.roles):
            session.require(*ACKNOWLEDGING)
        if alarm is None:
            raise NotFoundError("unknown-alarm", "there is no such alarm")
        return service.acknowledge(unit, alarm, session.practitioner.id, unit.now)

    return context.store.write(run)
