"""Housekeeping of samples: minutes made again, days that go, trends that read both."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select

from broker.messages import Value
from clinical.records import Generation, Validity
from server.ingest.rollup import note_due
from server.observations.trend import trend
from server.storage import keeper, schema
from server.storage.columns import micros
from server.storage.retention import Retention
from server.storage.store import UnitOfWork
from server.storage.values import Layouts, pack
from tests.server.conftest import START, WardBench

pytestmark = [pytest.mark.requirement("R-SRV-61"), pytest.mark.hazard("H-SRV-01")]
CODES = (("MDC_PULS_OXIM_SAT_O2", "%"), ("MDC_PULS_OXIM_PULS_RATE", "/min"))


def measure(ward: WardBench, at: datetime, spo2: float | None, *, valid: bool = True) -> None:
    """One stored sample of a stay, as the ingest writes it."""
    validity = Validity.VALID if valid else Validity.INVALID
    values = [
        Value(code=CODES[0][0], n=None if spo2 is None else Decimal(str(spo2)), unit="%", validity=validity),
        Value(code=CODES[1][0], n=Decimal(72), unit="/min"),
    ]
    numbers, flags = pack(values)

    def write(unit: UnitOfWork) -> None:
        count = unit.connection.scalar(select(func.count()).select_from(schema.samples)) or 0
        unit.connection.execute(
            insert(schema.samples).values(
                id=f"s{count}", device_id="d", node="n", outbox="o", seq=count + 1, effective=at, recorded=at,
                encounter_id="E-V1001", unassigned="", infusion_id="", generation=Generation.DEMO.value,
                clock="synchronised", uncertainty_ms=0, layout=Layouts().number_of(unit, CODES),
                vals=numbers, validity=flags,
            )
        )  # fmt: skip

    ward.store.write(write)


def rollups(ward: WardBench) -> int:
    with ward.store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(schema.rollups)) or 0)


def read(ward: WardBench, since: datetime, until: datetime, points: int) -> list[tuple[float, float, int]]:
    with ward.store.reading() as connection:
        found = trend(connection, "E-V1001", CODES[0][0], since, until, points)
    return [(one.low, one.high, one.count) for one in found]


def test_a_minute_noted_as_due_is_made_from_its_samples_once(any_ward: WardBench) -> None:
    for second, value in enumerate((95, 97, 99)):
        measure(any_ward, START + timedelta(seconds=second), value)
    measure(any_ward, START + timedelta(seconds=4), 20, valid=False)
    any_ward.store.write(lambda unit: note_due(unit, {("E-V1001", micros(START))}))
    assert any_ward.store.write(lambda unit: keeper.remake(unit.connection)) == 1
    assert any_ward.store.write(lambda unit: keeper.remake(unit.connection)) == 0
    assert rollups(any_ward) == 1
    assert read(any_ward, START, START + timedelta(hours=1), 60) == [(95.0, 99.0, 3)]


def test_a_trend_reads_minutes_where_they_are_and_samples_after_them(any_ward: WardBench) -> None:
    for minute in range(3):
        measure(any_ward, START + timedelta(minutes=minute), 90 + minute)
    any_ward.store.write(lambda unit: note_due(unit, {("E-V1001", micros(START))}))
    any_ward.store.write(lambda unit: keeper.remake(unit.connection))
    hour = read(any_ward, START, START + timedelta(hours=1), 60)
    assert hour == [(90.0, 90.0, 1), (91.0, 91.0, 1), (92.0, 92.0, 1)]
    assert read(any_ward, START, START + timedelta(minutes=3), 3 * 60) == hour  # seconds: from samples alone


def test_missing_and_invalid_values_and_codes_nobody_measured_make_no_point(any_ward: WardBench) -> None:
    measure(any_ward, START, None)
    measure(any_ward, START + timedelta(seconds=1), 40, valid=False)
    assert read(any_ward, START, START + timedelta(minutes=1), 6) == []
    with any_ward.store.reading() as connection:
        assert trend(connection, "E-V1001", "MDC_NOBODY", START, START + timedelta(hours=1), 60) == []


def test_a_trend_never_has_more_points_than_were_asked_for(any_ward: WardBench) -> None:
    """Neither where a span is no multiple of its points, nor where it is too short to be cut at all."""
    last = START + timedelta(microseconds=999_999)
    measure(any_ward, START, 95)
    measure(any_ward, last, 97)
    with any_ward.store.reading() as connection:
        found = trend(connection, "E-V1001", CODES[0][0], START, START + timedelta(seconds=1), 7)
    assert [(one.at, one.mean) for one in found] == [
        (START, 95.0),
        (START + timedelta(microseconds=6 * 142_857), 97.0),
    ]
    assert read(any_ward, last, last + timedelta(microseconds=1), 1440) == [(97.0, 97.0, 1)]


def test_old_samples_go_and_their_minutes_stay(any_ward: WardBench) -> None:
    keep = {"samples": timedelta(days=30), "waves": timedelta(days=1)}
    retention = Retention(any_ward.store, keep)

    def tidy(unit: UnitOfWork) -> None:
        keeper.keep(unit.connection, unit.now, **keep)
        if unit.connection.dialect.name == "sqlite":
            retention.step(unit)

    any_ward.store.write(tidy)
    measure(any_ward, START, 95)
    any_ward.store.write(tidy)
    any_ward.store.write(lambda unit: note_due(unit, {("E-V1001", micros(START))}))
    any_ward.store.write(lambda unit: keeper.remake(unit.connection))
    any_ward.clock.move(days=32)
    any_ward.store.write(tidy)
    with any_ward.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.samples)) == 0
    assert rollups(any_ward) == 1
    assert read(any_ward, START, START + timedelta(hours=1), 60) == [(95.0, 95.0, 1)]
