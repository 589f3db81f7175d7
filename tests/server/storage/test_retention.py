"""What comes by the second goes after its time on SQLite, whatever times it claims."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from server.storage import schema
from server.storage.columns import micros
from server.storage.partitions import TABLES
from server.storage.retention import PORTION, Retention, note, prune
from server.storage.store import Store, UnitOfWork
from tests.server.conftest import FakeClock

pytestmark = [pytest.mark.requirement("R-SRV-90"), pytest.mark.hazard("H-SRV-90")]
KEEP = {"samples": timedelta(days=2), "waves": timedelta(hours=3)}


def put(store: Store, count: int, *, claims: timedelta = timedelta(0), first: int = 0) -> None:
    """Store samples and waves that say they were measured ``claims`` from now."""

    def write(unit: UnitOfWork) -> None:
        at = unit.now + claims
        sample = {
            "device_id": "d", "node": "n", "outbox": "o", "effective": at, "recorded": unit.now,
            "encounter_id": "E1", "unassigned": "", "infusion_id": "", "generation": "Demo",
            "clock": "unset", "uncertainty_ms": 0, "layout": 1, "vals": b"", "validity": b"",
        }  # fmt: skip
        wave = {
            "device_id": "d", "node": "n", "effective": at, "encounter_id": "E1", "unassigned": "",
            "code": "MDC_ECG_LEAD_II", "unit": "uV", "rate_hz": 250.0, "gain": 1.0, "base": 0.0,
            "generation": "Demo", "samples": b"",
        }  # fmt: skip
        begin = micros(unit.now) + first
        rows = range(begin, begin + count)
        unit.connection.execute(insert(schema.samples), [sample | {"id": f"s{n}", "seq": n} for n in rows])
        unit.connection.execute(insert(schema.waves), [wave | {"id": f"w{n}"} for n in rows])

    store.write(write)


def counts(store: Store) -> dict[str, int]:
    with store.reading() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(schema.metadata.tables[name])) or 0
            for name in TABLES
        }


def steps(store: Store, keep: dict[str, timedelta] = KEEP) -> int:
    retention, went = Retention(store, keep), 0
    while found := store.write(retention.step):
        went += found
    return went


def test_each_table_lets_go_by_its_own_time_and_an_hour_at_a_time(store: Store, clock: FakeClock) -> None:
    for _ in range(6):
        put(store, 10)
        steps(store)
        clock.move(hours=1)
    steps(store)
    assert counts(store) == {"samples": 60, "waves": 30}
    clock.move(days=2)
    steps(store)
    assert counts(store) == {"samples": 0, "waves": 0}
    put(store, 10)
    steps(store)
    clock.move(days=3)
    steps(store)
    put(store, 5)
    steps(store)
    assert counts(store) == {"samples": 5, "waves": 5}


def test_rows_with_times_of_another_world_stand_in_nobodys_way(store: Store, clock: FakeClock) -> None:
    put(store, PORTION + 50, claims=timedelta(days=3650))
    steps(store)
    clock.move(hours=1)
    put(store, 20)
    steps(store)
    assert counts(store) == {"samples": PORTION + 70, "waves": PORTION + 70}
    clock.move(days=2)
    steps(store)
    assert counts(store) == {"samples": 20, "waves": 0}


def test_numbers_that_are_given_again_after_an_empty_table_name_no_new_row(
    store: Store, clock: FakeClock
) -> None:
    put(store, 30)
    for _ in range(60):  # hours in which nothing comes
        clock.move(hours=1)
        steps(store)
    assert counts(store) == {"samples": 0, "waves": 0}
    put(store, 3)
    for _ in range(2):
        clock.move(hours=1)
        steps(store)
    assert counts(store) == {"samples": 3, "waves": 3}


def test_a_step_ends_in_time_and_the_next_goes_on(store: Store, clock: FakeClock) -> None:
    put(store, 3 * PORTION)
    store.write(lambda unit: note(unit.connection, unit.now))
    clock.move(hours=1)
    store.write(lambda unit: note(unit.connection, unit.now))
    clock.move(days=3)
    over = time.monotonic()
    went = store.write(lambda unit: prune(unit.connection, "waves", unit.now, over))
    assert went == PORTION
    assert steps(store) >= 2 * PORTION
    assert counts(store)["waves"] == 0


def test_pruning_is_faster_than_two_hundred_beds(store: Store, clock: FakeClock) -> None:
    """Rows go at many times the rate at which they come, or the disk fills in the end."""
    put(store, 6 * PORTION)
    steps(store)
    clock.move(hours=1)
    steps(store)
    clock.move(days=3)
    used = time.process_time()
    assert steps(store) == 12 * PORTION
    took = time.process_time() - used
    assert took < 12 * PORTION / 600 / 4  # a bound on work, four times what 600 rows a second leave


def test_it_runs_beside_others_and_leaves_a_postgresql_store_alone(
    any_store: Store, clock: FakeClock
) -> None:
    put(any_store, 20)
    retention = Retention(any_store, KEEP)

    async def run() -> None:
        job = asyncio.create_task(retention.run())
        await asyncio.sleep(0.05)
        clock.move(hours=1)
        await asyncio.sleep(1.1)
        clock.move(days=3)
        await asyncio.sleep(1.1)
        job.cancel()
        with suppress(asyncio.CancelledError):
            await job

    asyncio.run(run())
    assert counts(any_store)["samples"] == (0 if any_store.engine.dialect.name == "sqlite" else 20)
