"""Waves around the start of an alarm, copied out before their retention ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import Connection, insert, select

from clinical.records import Alarm
from server.storage import schema
from server.storage.store import UnitOfWork

BEFORE, AFTER = timedelta(seconds=30), timedelta(seconds=60)
"""What is kept around an alarm: enough to see what it was raised for, and what came of it (design §5)."""
LATE = timedelta(minutes=10)
"""How long waves are waited for that a node held back."""
_LOOK_BACK = timedelta(hours=1)


class ClipWave(BaseModel):
    """About one second of one waveform; value = raw * gain + base."""

    code: str
    device_id: str
    effective: datetime
    unit: str
    rate_hz: float
    gain: float
    base: float
    samples: list[int]


class Clips:
    """Keeps clips; called now and then on the writer's thread.

    An alarm is looked at once when its clip could be complete, and once more when late waves must have come.
    """

    def __init__(self) -> None:
        self._kept: dict[str, datetime] = {}

    def keep(self, unit: UnitOfWork) -> None:
        """Copy the waves of every patient's alarm that began long enough ago."""
        seen: dict[str, datetime] = {}
        for alarm in unit.all(Alarm):
            if not alarm.encounter_id or alarm.started_at < unit.now - _LOOK_BACK:
                continue
            done = self._kept.get(alarm.id)
            due = alarm.started_at + (AFTER if done is None else AFTER + LATE)
            if due <= unit.now and (done is None or done < due):
                _copy(unit.connection, alarm)
                done = unit.now
            if done is not None:
                seen[alarm.id] = done
        unit.after_commit(lambda: self._remember(seen))

    def _remember(self, seen: Mapping[str, datetime]) -> None:
        self._kept = dict(seen)


def _copy(connection: Connection, alarm: Alarm) -> None:
    waves, clips = schema.waves, schema.alarm_clips
    there = {
        (row.code, row.effective)
        for row in connection.execute(
            select(clips.c.code, clips.c.effective).where(clips.c.alarm_id == alarm.id)
        )
    }
    rows = connection.execute(
        select(waves).where(
            waves.c.encounter_id == alarm.encounter_id,
            waves.c.effective >= alarm.started_at - BEFORE,
            waves.c.effective < alarm.started_at + AFTER,
        )
    )
    columns = [column.name for column in clips.columns if column.name != "alarm_id"]
    found = {(row.code, row.effective): row for row in rows}  # two devices with one clock: the last is kept
    made = [
        {"alarm_id": alarm.id} | {name: getattr(row, name) for name in columns}
        for key, row in found.items()
        if key not in there
    ]
    if made:
        connection.execute(insert(clips), made)


def read(connection: Connection, alarm_id: str) -> list[ClipWave]:
    """The waves kept for an alarm, by code and time; none where there were none or it is too early."""
    table = schema.alarm_clips
    rows = connection.execute(
        select(table).where(table.c.alarm_id == alarm_id).order_by(table.c.code, table.c.effective)
    )
    return [
        ClipWave(
            code=row.code,
            device_id=row.device_id,
            effective=row.effective,
            unit=row.unit,
            rate_hz=row.rate_hz,
            gain=row.gain,
            base=row.base,
            samples=list(memoryview(row.samples).cast("h")),
        )
        for row in rows
    ]
