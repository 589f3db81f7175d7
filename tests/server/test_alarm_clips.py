"""The waves around an alarm outlive the others, and are shown to those who may see the patient."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert

from clinical.records import Alarm, AlarmPriority, Generation
from server.alarms import clips, service
from server.alarms.clips import AFTER, BEFORE, LATE, Clips
from server.people import access
from server.storage import schema
from server.storage.store import UnitOfWork
from tests.server.conftest import WardBench

pytestmark = [pytest.mark.requirement("R-SRV-91"), pytest.mark.hazard("H-SRV-91")]
STAY = "E-V1001"


def put_waves(ward: WardBench, first: datetime, seconds: int, *, encounter: str = STAY) -> None:
    wave = {
        "device_id": "d", "node": "n", "encounter_id": encounter, "unassigned": "", "code": "MDC_ECG_LEAD_II",
        "unit": "uV", "rate_hz": 2.0, "gain": 0.5, "base": 0.0, "generation": "Demo",
        "samples": struct.pack("<2h", -3, 7),
    }  # fmt: skip
    rows = [wave | {"id": f"{encounter}-{first.timestamp()}-{n}"} for n in range(seconds)]
    for number, row in enumerate(rows):
        row["effective"] = first + timedelta(seconds=number)
    ward.store.write(lambda unit: unit.connection.execute(insert(schema.waves), rows))


def begin(ward: WardBench) -> Alarm:
    condition = service.Condition(
        condition="limit-low",
        priority=AlarmPriority.HIGH,
        at=ward.clock(),
        encounter_id=STAY,
        generation=Generation.DEMO,
    )
    ward.store.write(lambda unit: service.begin(unit, condition))
    return next(iter(ward.store.picture.all(Alarm)))


def kept(ward: WardBench, alarm: Alarm) -> list[datetime]:
    with ward.store.reading() as connection:
        return [wave.effective for wave in clips.read(connection, alarm.id)]


def test_half_a_minute_before_and_a_minute_after_outlive_the_waves(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    start = any_ward.clock()
    put_waves(any_ward, start - timedelta(minutes=2), 300)
    put_waves(any_ward, start, 5, encounter="E-other")
    alarm, keeper = begin(any_ward), Clips()
    any_ward.clock.move(seconds=50)
    any_ward.store.write(keeper.keep)
    assert kept(any_ward, alarm) == []
    any_ward.clock.move(seconds=20)
    any_ward.store.write(keeper.keep)
    any_ward.store.write(keeper.keep)
    any_ward.store.write(lambda unit: unit.connection.execute(delete(schema.waves)))
    expected = [start - BEFORE + timedelta(seconds=n) for n in range(90)]
    assert kept(any_ward, alarm) == expected
    with any_ward.store.reading() as connection:
        first = clips.read(connection, alarm.id)[0]
        assert (first.samples, first.gain, first.rate_hz) == ([-3, 7], 0.5, 2.0)
        assert access.ward_in_store(connection, "alarms", alarm.id) == "W1"
        assert access.ward_in_store(connection, "alarms", "nobody's") is None


def test_waves_that_a_node_held_back_still_find_their_alarm(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    start = any_ward.clock()
    alarm, keeper = begin(any_ward), Clips()
    put_waves(any_ward, start, 10)
    any_ward.clock.move(minutes=2)
    any_ward.store.write(keeper.keep)
    assert len(kept(any_ward, alarm)) == 10
    put_waves(any_ward, start + timedelta(seconds=10), 50)
    any_ward.clock.move(seconds=(AFTER + LATE).total_seconds())
    any_ward.store.write(keeper.keep)
    assert len(kept(any_ward, alarm)) == 60


def test_a_failed_commit_keeps_nothing_and_forgets_nothing(any_ward: WardBench) -> None:
    any_ward.admit("1001", "01")
    alarm, keeper = begin(any_ward), Clips()
    put_waves(any_ward, any_ward.clock(), 10)
    any_ward.clock.move(minutes=2)

    def fails(unit: UnitOfWork) -> None:
        keeper.keep(unit)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        any_ward.store.write(fails)
    assert kept(any_ward, alarm) == []
    any_ward.store.write(keeper.keep)
    assert len(kept(any_ward, alarm)) == 10
