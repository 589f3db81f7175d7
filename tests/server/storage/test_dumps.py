"""A PostgreSQL store is backed up while its server writes, and put in place with what was there kept."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from clinical.errors import BadInputError, ConflictError, UnavailableError
from clinical.records import Patient
from deploy.commands import data
from server.storage import care, dumps
from server.storage.engine import address, open_engine, upgrade
from server.storage.store import Store
from tests.server.conftest import FakeClock, _fresh_database

pytestmark = [pytest.mark.slow, pytest.mark.requirement("R-SRV-92"), pytest.mark.hazard("H-SRV-01")]


@pytest.fixture(params=["", "east"])
def url(request: pytest.FixtureRequest, postgres_url: str) -> str:
    return address(_fresh_database(postgres_url), request.param)


def open_store(url: str, clock: FakeClock) -> Store:
    engine = open_engine(url)
    upgrade(engine)
    return Store(engine, clock)


def put(store: Store, name: str) -> None:
    store.write(lambda unit: unit.put(Patient(id=f"P-{name}", mrn=name, name="王𠮷<'\"")))


def names(url: str, clock: FakeClock) -> tuple[set[str], str]:
    store = open_store(url, clock)
    found = {patient.mrn for patient in store.picture.all(Patient)}, store.picture.epoch
    store.close()
    return found


def test_a_running_store_is_dumped_and_comes_back_as_another_history_with_the_old_one_kept(
    url: str, clock: FakeClock, tmp_path: Path
) -> None:
    store, stop = open_store(url, clock), threading.Event()
    put(store, "before")

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            put(store, f"while-{number}")

    writer = threading.Thread(target=write_on)
    writer.start()
    report = dumps.backup(url, tmp_path / "ward.dump")
    stop.set()
    writer.join()
    assert report["ok"], report
    put(store, "after")
    epoch = store.picture.epoch
    with pytest.raises(ConflictError, match="server is running"):
        dumps.restore(url, tmp_path / "ward.dump", force=True)
    store.close()
    with pytest.raises(ConflictError, match="--force"):
        dumps.restore(url, tmp_path / "ward.dump")
    report = dumps.restore(url, tmp_path / "ward.dump", force=True)
    assert report["ok"], report
    found, fresh = names(url, clock)
    assert "before" in found
    assert "after" not in found
    assert fresh != epoch
    engine = open_engine(url)
    with engine.connect() as connection:
        kept = connection.execute(text(f'SELECT id FROM "{report["kept"]}".facts')).scalars().all()  # noqa: S608
    engine.dispose()
    assert {"P-before", "P-after"} <= set(kept)


def test_what_is_no_backup_or_a_broken_one_changes_nothing(
    url: str, clock: FakeClock, tmp_path: Path
) -> None:
    store = open_store(url, clock)
    put(store, "here")
    assert dumps.backup(url, tmp_path / "ward.dump")["ok"]
    store.close()
    whole = (tmp_path / "ward.dump").read_bytes()
    (tmp_path / "cut.dump").write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "text.dump").write_text("not a dump")
    for name in ("cut.dump", "text.dump", "none.dump"):
        with pytest.raises(BadInputError):
            dumps.restore(url, tmp_path / name, force=True)
    with pytest.raises(BadInputError, match="exists already"):
        dumps.backup(url, tmp_path / "ward.dump")
    assert names(url, clock)[0] == {"here"}
    engine = open_engine(url)
    with engine.connect() as connection:
        assert [name for name in inspect(connection).get_schema_names() if "_before_" in name] == []
    engine.dispose()


def test_an_empty_database_takes_a_backup_of_its_schema_and_no_other(
    postgres_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    source, target = _fresh_database(postgres_url), _fresh_database(postgres_url)
    store = open_store(source, clock)
    put(store, "moved")
    dumps.backup(source, tmp_path / "ward.dump")
    store.close()
    with pytest.raises(BadInputError, match="schema east"):
        dumps.restore(address(target, "east"), tmp_path / "ward.dump")
    assert dumps.restore(target, tmp_path / "ward.dump")["ok"]
    assert names(target, clock)[0] == {"moved"}


def test_a_store_that_does_not_answer_leaves_no_half_a_file(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        dumps.backup("postgresql+psycopg://ward@127.0.0.1:1/none", tmp_path / "ward.dump")
    assert list(tmp_path.iterdir()) == []


def test_missing_programs_are_named_with_what_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "_PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="postgresql-client"):
        dumps.backup("postgresql+psycopg://ward@127.0.0.1:1/none", tmp_path / "ward.dump")


def test_the_command_takes_the_way_of_the_store(
    postgres_url: str, clock: FakeClock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = _fresh_database(postgres_url)
    store = open_store(url, clock)
    put(store, "one")
    store.close()
    config = tmp_path / "server.toml"
    config.write_text(
        f'[server]\nstate_dir = "{tmp_path}"\n[storage]\nurl = "{url}"\n[ward]\nseed = "none.toml"\n'
    )

    def run(*words: str) -> Any:
        parser = argparse.ArgumentParser()
        data.configure(parser)
        return data.run(parser.parse_args([words[0], "--config", str(config), *words[1:]]))

    assert run("backup", "--to", str(tmp_path / "ward.dump")) == 0
    assert run("restore", "--from", str(tmp_path / "ward.dump"), "--force") == 0
    assert run("verify") == 0
    assert "kept: public_before_" in capsys.readouterr().out
    assert care.verify(url)["ok"]
