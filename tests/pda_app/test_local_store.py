"""The encrypted store: on the disk when it says so, unreadable without secret and PIN, gone when wiped."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import UnavailableError
from clinical.exchange import AlarmAcknowledged, Changes, Outcome
from clinical.records import Facts, Task
from pda_app.adapters.local_store import MIGRATIONS, EncryptedStore
from pda_app.ports import KnownPerson
from tests.support.handheld import FAST, NOW, NURSE, OTHER_NURSE, WARD, at, verifier, ward_facts

Scenario = Callable[[EncryptedStore], Awaitable[None]]
SECRETS = ("张建国", "ZHANG", "M000001", "美托洛尔", "王丽", "N20713", "alarm-77", "t-o1")


def with_store(directory: Path, scenario: Scenario) -> None:
    async def main() -> None:
        store = EncryptedStore(directory, cost=FAST)
        await store.open()
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(main())


def person(who: object = NURSE) -> KnownPerson:
    return KnownPerson(
        badge=who.id,  # type: ignore[attr-defined]
        practitioner=who,  # type: ignore[arg-type]
        ward=WARD,
        last_at=NOW,
        verifier=verifier("274913", at(60)),
    )


def changes(**values: object) -> Changes:
    made = Changes(
        epoch="e1",
        since=0,
        cursor=5,
        at=NOW,
        complete=True,
        ward=WARD,
        facts=ward_facts(),
        policy={"version": "x"},
    )
    return replace(made, **values)  # type: ignore[arg-type]


def event(number: int) -> AlarmAcknowledged:
    return AlarmAcknowledged(
        id=f"event-{number:04d}", at=NOW, sent=NOW, operator="N20713", handheld="pda-01", alarm_id="alarm-77"
    )


@pytest.mark.requirement("R-PDA-11")
def test_the_picture_comes_back_after_a_restart_and_a_pin(tmp_path: Path) -> None:
    async def first(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)

    async def second(store: EncryptedStore) -> None:
        assert await store.kept() is None
        assert not await store.unlock("N20713", "000000")
        assert await store.unlock("N20713", "274913")
        kept = await store.kept()
        assert kept is not None
        assert kept.changes == changes()

    with_store(tmp_path, first)
    with_store(tmp_path, second)


@pytest.mark.requirement("R-PDA-11")
@pytest.mark.hazard("H-PDA-09")
def test_nothing_on_the_disk_tells_a_name_a_number_or_a_drug(tmp_path: Path) -> None:
    async def scenario(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        await store.put(event(1))
        await store.settle([Outcome(event_id="event-0001", status="duplicate")], NOW)
        raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert [secret for secret in SECRETS if secret.encode() in raw] == []
        assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("handheld.sqlite3"))

    with_store(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-09")
def test_another_device_s_secret_opens_nothing(tmp_path: Path) -> None:
    async def first(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)

    async def second(store: EncryptedStore) -> None:
        assert await store.people() == ()
        assert not await store.unlock("N20713", "274913")

    with_store(tmp_path, first)
    (tmp_path / "device.key").write_bytes(b"x" * 32)
    with_store(tmp_path, second)


def test_a_second_nurse_opens_the_same_picture_with_her_own_pin(tmp_path: Path) -> None:
    async def scenario(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        await store.remember(person(OTHER_NURSE), "580264")
        store.lock()
        assert await store.unlock("N20488", "580264")
        assert await store.kept() is not None

    with_store(tmp_path, scenario)


def test_a_stranger_to_a_closed_picture_begins_with_an_empty_one_and_keeps_the_outbox(tmp_path: Path) -> None:
    async def first(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        await store.put(event(1))

    async def second(store: EncryptedStore) -> None:
        await store.remember(person(OTHER_NURSE), "580264")
        assert await store.kept() is None
        assert await store.pending() == (event(1),)

    with_store(tmp_path, first)
    with_store(tmp_path, second)


def test_changes_merge_and_removed_records_go(tmp_path: Path) -> None:
    async def scenario(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        task = replace(ward_facts().tasks[0], detail="new")
        later = changes(
            complete=False, cursor=6, policy={}, facts=Facts(tasks=(task,)), removed={"orders": ("o2",)}
        )
        await store.keep(later, NOW)
        kept = await store.kept()
        assert kept is not None
        facts = kept.changes.facts
        assert {one.id for one in facts.orders} == {"o1", "o3"}
        assert next(one for one in facts.tasks if one.id == task.id) == task
        assert (kept.changes.cursor, kept.changes.policy) == (6, {"version": "x"})

    with_store(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-10")
def test_a_failed_merge_leaves_picture_and_cursor_as_they_were(tmp_path: Path) -> None:
    async def scenario(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        broken = changes(cursor=9, removed={"orders": (object(),)})
        with pytest.raises((TypeError, UnavailableError)):
            await store.keep(broken, NOW)
        kept = await store.kept()
        assert kept is not None
        assert (kept.changes.cursor, kept.changes.facts) == (5, ward_facts())

    with_store(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-12")
@pytest.mark.hazard("H-PDA-10")
@given(
    actions=st.lists(
        st.tuples(st.sampled_from(["put", "settle", "answer", "reopen"]), st.integers(0, 9)), max_size=25
    )
)
@settings(max_examples=25, deadline=None)
def test_no_event_is_lost_repeated_or_reordered(actions: list[tuple[str, int]]) -> None:
    async def main(directory: Path) -> None:
        model: dict[str, str] = {}
        store = EncryptedStore(directory, cost=FAST)
        await store.open()
        for action, number in actions:
            name = f"event-{number:04d}"
            if action == "put":
                await store.put(event(number))
                model.setdefault(name, "queued")
            elif action == "settle":
                status = "duplicate" if number % 2 else "accepted"
                await store.settle([Outcome(event_id=name, status=status)], NOW)
                if model.get(name) == "queued":
                    model[name] = "returned" if number % 2 else "confirmed"
            elif action == "answer":
                await store.answer(name, "gave-once", NOW)
                model[name] = "answered" if model.get(name) == "returned" else model.get(name, "")
                model = {key: state for key, state in model.items() if state}
            else:
                await store.close()
                store = EncryptedStore(directory, cost=FAST)
                await store.open()
            states = list(model.items())
            assert [one.id for one in await store.pending()] == [
                key for key, state in states if state == "queued"
            ]
            returned = [one.event.id for one in await store.returned()]
            assert returned == [key for key, state in states if state == "returned"]
        counts = await store.counts()
        assert counts.queued + counts.returned + counts.confirmed == len(model)
        await store.close()

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(Path(directory)))


RECORDER = """
import asyncio, sys
from pathlib import Path
from pda_app.adapters.local_store import EncryptedStore
from tests.pda_app.test_local_store import event
async def main():
    store = EncryptedStore(Path(sys.argv[1]))
    await store.open()
    for number in range(100_000):
        await store.put(event(number))
        print(number, flush=True)
asyncio.run(main())
"""
"""Records events as fast as it can, and says each number after the store said that it is written."""


@pytest.mark.slow
@pytest.mark.requirement("R-PDA-12")
@pytest.mark.hazard("H-PDA-10")
def test_what_was_called_recorded_survives_a_kill(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(50)]
    os.kill(child.pid, signal.SIGKILL)
    said += [int(line) for line in child.stdout.read().split()]
    child.wait()
    child.stdout.close()

    async def scenario(store: EncryptedStore) -> None:
        kept = {one.id for one in await store.pending(limit=100_000)}
        assert {f"event-{number:04d}" for number in said} <= kept

    with_store(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-13")
def test_a_wiped_handheld_holds_neither_keys_nor_files(tmp_path: Path) -> None:
    async def scenario(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        await store.put(event(1))
        await store.wipe()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(UnavailableError):
            await store.pending()

    with_store(tmp_path, scenario)


def test_a_damaged_secret_or_a_newer_store_is_told_and_nothing_is_overwritten(tmp_path: Path) -> None:
    async def nothing(store: EncryptedStore) -> None: ...

    with_store(tmp_path, nothing)
    with sqlite3.connect(tmp_path / "handheld.sqlite3") as database:
        database.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(UnavailableError, match="newer"):
        with_store(tmp_path, nothing)
    (tmp_path / "device.key").write_bytes(b"short")
    with pytest.raises(UnavailableError, match="damaged"):
        with_store(tmp_path, nothing)
    assert (tmp_path / "device.key").read_bytes() == b"short"


def test_every_kind_of_fact_and_event_is_read_back_equal(tmp_path: Path) -> None:
    async def scenario(store: EncryptedStore) -> None:
        await store.remember(person(), "274913")
        await store.keep(changes(), NOW)
        kept = await store.kept()
        assert kept is not None
        assert isinstance(kept.changes.facts.tasks[0], Task)
        assert kept.changes.facts == ward_facts()

    with_store(tmp_path, scenario)
