"""Fills a store for ``bench store``: a hospital's last day by the second and its last month by the minute.

The rows are made by the store itself out of small tables (beds, seconds, patterns of values), in the order in
which the ingest would have written them, with every index in place; so millions of them take minutes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, insert, text

from bench import hospital
from clinical.records import Administration, Dose, Generation, Observation
from server.storage import partitions, schema
from server.storage.codec import to_text
from server.storage.columns import micros
from server.storage.engine import open_engine
from server.storage.last_values import observation_id
from server.storage.store import Store, UnitOfWork

BEDS, HOURS, DAYS = 200, 24, 30
PATTERNS = 60
DOSES_A_DAY = 40
LAYOUT = 1
_SECOND, _MINUTE = 1_000_000, 60_000_000
_HOUR_S, _DAY_MIN = 3_600, 1_440
_PUT_AT_ONCE = 20_000
_WORK_TABLES = (
    "CREATE TEMPORARY TABLE bench_beds (n INTEGER PRIMARY KEY, node TEXT, device TEXT, encounter TEXT)",
    "CREATE TEMPORARY TABLE bench_steps (n INTEGER PRIMARY KEY)",
    "CREATE TEMPORARY TABLE bench_patterns "
    "(n INTEGER PRIMARY KEY, vals {blob}, validity {blob}, stats {blob})",
)
_EVERY_BED = (
    "FROM bench_steps s CROSS JOIN bench_beds b CROSS JOIN bench_patterns p "
    f"WHERE s.n < :steps AND p.n = (s.n + b.n) % {PATTERNS} ORDER BY s.n, b.n"
)
_SAMPLES = (
    "INSERT INTO samples (id, device_id, node, outbox, seq, effective, recorded, encounter_id, unassigned, "
    "infusion_id, generation, clock, uncertainty_ms, layout, vals, validity) "
    "SELECT b.node || '-bench-' || CAST(:before + s.n AS TEXT), b.device, b.node, 'bench', "
    ":before + s.n + 1, "
    f"CAST(:start AS BIGINT) + CAST(s.n AS BIGINT) * {_SECOND}, "
    f"CAST(:start AS BIGINT) + CAST(s.n AS BIGINT) * {_SECOND} + 50000, "
    f"b.encounter, '', '', 'Demo', 'synchronised', 0, {LAYOUT}, p.vals, p.validity {_EVERY_BED}"
)
_ROLLUPS = (
    "INSERT INTO rollups (encounter_id, minute, device_id, layout, stats) "
    f"SELECT b.encounter, CAST(:start AS BIGINT) + CAST(s.n AS BIGINT) * {_MINUTE}, b.device, {LAYOUT}, "
    f"p.stats "
    f"{_EVERY_BED}"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is written.

    Attributes:
        beds: Beds, each with one monitor of ten values.
        hours: How long back every second is kept.
        days: How long back every minute, and every dose, is kept.
    """

    beds: int = BEDS
    hours: int = HOURS
    days: int = DAYS

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table."""
        return {
            "samples": self.beds * self.hours * _HOUR_S,
            "rollups": self.beds * self.days * _DAY_MIN,
            "last_values": self.beds,
            "administrations": self.beds * self.days * DOSES_A_DAY,
        }


def fill(url: str, size: Size) -> datetime:
    """Fill an empty store; returns the instant up to which it is filled."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    hospital.plant(url, size.beds)
    _put_facts(url, size, now)
    engine = open_engine(url)
    try:
        with engine.connect().execution_options(writer=True) as connection:
            _write_series(connection, size, now)
        if engine.dialect.name == "postgresql":  # as autovacuum does in the course of a month
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM (ANALYZE)"))
                connection.execute(text("CHECKPOINT"))
    finally:
        engine.dispose()
    return now


def _write_series(connection: Connection, size: Size, now: datetime) -> None:
    blob = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    with connection.begin():
        for statement in _WORK_TABLES:
            connection.execute(text(statement.format(blob=blob)))
        _fill_work_tables(connection, size)
        codes = [[code, unit] for code, unit, _ in hospital.VALUES]
        connection.execute(insert(schema.sample_layouts).values(id=LAYOUT, codes=to_text(codes)))
        partitions.make(connection, now)
    for day in range(size.days, 0, -1):
        start = micros(now - timedelta(days=day))
        with connection.begin():
            connection.execute(text(_ROLLUPS), {"start": start, "steps": _DAY_MIN})
    for hour in range(size.hours):
        start = micros(now - timedelta(hours=size.hours - hour))
        said = {"start": start, "steps": _HOUR_S, "before": hour * _HOUR_S}
        with connection.begin():
            connection.execute(text(_SAMPLES), said)


def _fill_work_tables(connection: Connection, size: Size) -> None:
    beds = [hospital.Bed(number) for number in range(size.beds)]
    connection.execute(
        text("INSERT INTO bench_beds VALUES (:n, :node, :device, :encounter)"),
        [
            {"n": bed.number, "node": bed.node, "device": bed.device, "encounter": bed.encounter}
            for bed in beds
        ],
    )
    connection.execute(text("INSERT INTO bench_steps VALUES (:n)"), [{"n": n} for n in range(_HOUR_S)])
    connection.execute(
        text("INSERT INTO bench_patterns VALUES (:n, :vals, :validity, :stats)"),
        [{"n": n, **_pattern(n)} for n in range(PATTERNS)],
    )


def _pattern(number: int) -> dict[str, bytes]:
    """Values of one second, and statistics of one minute, that go up and down like a patient's."""
    factor = 1 + 0.05 * math.sin(2 * math.pi * number / PATTERNS)
    values = [float(usual) * factor for _, _, usual in hospital.VALUES]
    stats = [
        *(one * 0.98 for one in values),
        *(one * 1.02 for one in values),
        *values,
        *([60.0] * len(values)),
    ]
    return {
        "vals": struct.pack(f"<{len(values)}d", *values),
        "validity": b"",
        "stats": struct.pack(f"<{len(stats)}f", *stats),
    }


def _put_facts(url: str, size: Size, now: datetime) -> None:
    """Write newest values and given doses as the use cases do: facts, with their history."""
    store = Store(open_engine(url), lambda: datetime.now(UTC))
    try:
        store.write(lambda unit: _put_values(unit, size, now))
        doses = size.days * DOSES_A_DAY
        at_once = max(1, _PUT_AT_ONCE // size.beds)
        for first in range(0, doses, at_once):
            numbers = range(first, min(first + at_once, doses))
            store.write(lambda unit, numbers=numbers: _put_doses(unit, size, now, numbers))  # type: ignore[misc]
    finally:
        store.close()


def _put_values(unit: UnitOfWork, size: Size, now: datetime) -> None:
    for number in range(size.beds):
        bed = hospital.Bed(number)
        for code, measured_in, usual in hospital.VALUES:
            unit.put(
                Observation(
                    id=observation_id(bed.patient, code), patient_id=bed.patient, code=code,
                    value=Decimal(str(usual)), unit=measured_in, effective=now, device_id=bed.device,
                    generation=Generation.DEMO,
                ),
                quiet=True,
            )  # fmt: skip


def _put_doses(unit: UnitOfWork, size: Size, now: datetime, numbers: range) -> None:
    """Put some doses of every patient; number 0 is the newest."""
    apart = timedelta(days=1) / DOSES_A_DAY
    dose = Dose(value=Decimal("0.5"), unit="g")
    for number in numbers:
        for bed in map(hospital.Bed, range(size.beds)):
            name = f"{bed.number:05d}-{number:06d}"
            unit.put(
                Administration(
                    id=f"event-{name}", task_id=f"T-{name}", order_id=f"O-{bed.number:05d}-{number % 12}",
                    patient_id=bed.patient, outcome="given", at=now - number * apart, operator=hospital.BADGE,
                    ingredients=(("paracetamol", dose),), dose=dose, route="PO",
                )
            )  # fmt: skip
