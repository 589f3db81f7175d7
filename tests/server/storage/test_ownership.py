"""One store has one writer: on PostgreSQL the second waits, on SQLite it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from clinical.errors import BadInputError, ConflictError, UnavailableError
from clinical.records import Patient
from server.storage.engine import address, downgrade, open_engine, upgrade
from server.storage.ownership import FileLock, NotOwnerError, SessionLock, alone, key_of
from server.storage.store import Store
from tests.server.conftest import FakeClock, OpenStore, _fresh_database
from tests.support.server_process import until

pytestmark = [pytest.mark.requirement("R-SRV-62"), pytest.mark.hazard("H-SRV-18")]
LI = Patient(id="P2", mrn="2", name="李")


@pytest.fixture
def url(postgres_url: str) -> str:
    found = _fresh_database(postgres_url)
    engine = open_engine(found)
    upgrade(engine)
    engine.dispose()
    return found


class Server:
    """A store as one server holds it, and whether it was told that another one has taken it."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        self.engine = open_engine(url)
        self.displaced = 0
        self.lock = SessionLock(self.engine, self._displaced)
        self.lock.take()
        self.store = Store(self.engine, clock, self.lock)

    def _displaced(self) -> None:
        self.displaced += 1

    def put(self, patient_id: str) -> None:
        self.store.write(lambda unit: unit.put(Patient(id=patient_id, mrn=patient_id, name="王")))

    def knows(self, patient_id: str) -> bool:
        return self.store.picture.get(Patient, patient_id) is not None

    def cut_off(self) -> None:
        """Let PostgreSQL end the session that holds the lock."""
        with self.engine.connect() as connection, connection.begin():
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                    "JOIN pg_database d ON d.oid = database "
                    "WHERE locktype = 'advisory' AND datname = current_database()"
                )
            )


@pytest.fixture
def first(url: str, clock: FakeClock) -> Iterator[Server]:
    server = Server(url, clock)
    yield server
    server.store.close()


class WaitedError(Exception):
    """Nobody waits for ever in a test."""


def test_a_second_server_waits_until_the_first_lets_go(first: Server, url: str) -> None:
    engine = open_engine(url)
    second = SessionLock(engine)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            first.store.close()
        time.sleep(0.02)

    second.take(sleep)
    assert len(waited) >= 2
    assert first.displaced == 0
    second.let_go()
    second.let_go()
    engine.dispose()


def test_an_owner_whose_session_broke_takes_the_lock_again_and_goes_on(first: Server) -> None:
    first.put("P1")
    first.cut_off()
    with pytest.raises(UnavailableError) as caught:
        first.put("P2")
    assert caught.value.code == "storage"
    assert not first.knows("P2")
    first.put("P2")
    assert first.knows("P2")
    assert not first.displaced


def test_an_owner_that_was_cut_off_writes_nothing_once_another_has_the_store(
    first: Server, url: str, clock: FakeClock
) -> None:
    first.put("P1")
    first.cut_off()
    second = Server(url, clock)
    second.put("P2")
    for _ in range(3):
        with pytest.raises(UnavailableError):
            first.put("P3")
    with pytest.raises(NotOwnerError):
        first.put("P3")
    assert first.displaced == 1
    second.store.close()
    third = Server(url, clock)
    assert (third.knows("P1"), third.knows("P2"), third.knows("P3")) == (True, True, False)
    third.store.close()


def test_an_owner_that_comes_back_after_another_has_come_and_gone_knows_that_it_missed_something(
    first: Server, url: str, clock: FakeClock
) -> None:
    first.cut_off()
    second = Server(url, clock)
    second.put("P2")
    second.store.close()
    with suppress(UnavailableError):
        first.put("P3")
    with pytest.raises(NotOwnerError):
        first.put("P3")
    assert first.displaced == 1


def test_a_broken_session_that_still_holds_the_lock_is_waited_for(first: Server) -> None:
    session = first.lock._session
    assert session is not None
    first.lock._session = None  # the network is cut; PostgreSQL has not noticed yet
    with pytest.raises(UnavailableError, match="broken session") as caught:
        first.put("P1")
    assert not isinstance(caught.value, NotOwnerError)
    session.invalidate()
    session.close()

    def is_put() -> bool:
        with suppress(UnavailableError):
            first.put("P1")
        return first.knows("P1")

    until(is_put)  # PostgreSQL notices within moments
    assert not first.displaced


def test_a_use_case_that_fails_costs_nobody_the_store(first: Server) -> None:
    def wrong(_unit: object) -> None:
        raise ValueError("wrong")

    session = first.lock._session
    with pytest.raises(ValueError, match="wrong"):
        first.store.write(wrong)
    first.put("P1")
    assert first.lock._session is session


def test_each_schema_of_a_database_has_a_lock_of_its_own(first: Server, url: str, clock: FakeClock) -> None:
    east, west = (open_engine(address(url, name)) for name in ("east", "west"))
    assert len({key_of(engine) for engine in (first.engine, east, west)}) == 3
    assert all(-(2**63) <= key_of(engine) < 2**63 for engine in (east, west))
    for engine in (east, west):
        assert upgrade(engine, wait=False)
    one, two = SessionLock(east), SessionLock(west)
    assert one.try_take()
    assert two.try_take()
    late = open_engine(address(url, "east"))
    assert not SessionLock(late).try_take()
    stores = [Store(engine, clock, lock) for engine, lock in ((east, one), (west, two))]
    stores[0].write(lambda unit: unit.put(LI))
    assert stores[1].picture.get(Patient, LI.id) is None
    for store in stores:
        store.close()
    again = Store(late, clock)
    assert again.picture.get(Patient, LI.id) == LI
    again.close()


def test_a_schema_is_for_postgresql_alone() -> None:
    assert address("sqlite:///ward.db") == "sqlite:///ward.db"
    with pytest.raises(BadInputError) as caught:
        address("sqlite:///ward.db", "east")
    assert caught.value.code == "storage-schema"


def test_a_new_schema_waits_for_the_server_that_runs_on_the_old_one(
    first: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(url)
    upgrade(engine)  # nothing to do: nothing to wait for
    downgrade(engine, "0002")

    def sleep(_seconds: float) -> None:
        raise WaitedError

    monkeypatch.setattr("server.storage.ownership.time.sleep", sleep)
    with pytest.raises(WaitedError):
        upgrade(engine)
    monkeypatch.undo()
    assert not upgrade(engine, wait=False)
    first.store.close()
    assert upgrade(engine, wait=False)
    with alone(engine) as connection:
        assert connection is not None
        assert connection.scalar(text("SELECT count(*) FROM confirmations")) == 0
    engine.dispose()


def test_a_second_server_on_a_sqlite_store_is_told_and_may_come_once_the_first_is_gone(
    tmp_path: Path, open_store_at: OpenStore
) -> None:
    url = f"sqlite:///{tmp_path / 'ward.db'}"
    store = open_store_at(url)
    with pytest.raises(ConflictError, match="another server is running") as caught:
        open_store_at(url)
    assert caught.value.code == "storage-owned"
    store.write(lambda unit: unit.put(LI))
    store.close()
    assert open_store_at(url).picture.get(Patient, "P2") == LI


def engine_of(path: Path | str) -> Engine:
    return open_engine(f"sqlite:///{path}" if path else "sqlite://")


def test_a_store_in_memory_needs_no_lock_and_a_missing_directory_is_said(tmp_path: Path) -> None:
    FileLock(engine_of("")).take()
    with pytest.raises(UnavailableError, match="directory"):
        FileLock(engine_of(tmp_path / "missing" / "ward.db")).take()


def test_a_store_that_does_not_answer_is_said_at_once() -> None:
    lock = SessionLock(open_engine("postgresql+psycopg://ward@127.0.0.1:1/none"))
    with pytest.raises(UnavailableError, match="does not answer"):
        lock.take()
