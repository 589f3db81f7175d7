"""A backup takes the place of a store: never of a running one, never of data without a word, never half."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clinical.errors import BadInputError, ConflictError
from clinical.records import Patient
from deploy import cli
from server.storage import care, restore
from server.storage.engine import open_engine, upgrade
from server.storage.store import Store
from tests.support.server_process import WardProcess

WARD_FILE = Path(__file__).parents[2] / "data" / "ward.toml"


def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def backup(ward: Any, tmp_path: Path) -> Path:
    """A backup with one patient; a second one came afterwards."""
    ward.admit("1001", "01")
    file = tmp_path / "backup.db"
    care.backup(url(tmp_path / "ward.db"), file)
    ward.admit("1002", "02", "李秀兰")
    return file


def patients(file: Path, clock: Any) -> tuple[str, set[str]]:
    store = Store(open_engine(url(file)), clock)
    try:
        return store.picture.epoch, {one.id for one in store.picture.all(Patient)}
    finally:
        store.close()


@pytest.mark.requirement("R-SRV-24")
@pytest.mark.hazard("H-SRV-01")
def test_a_restored_store_is_whole_tells_of_it_and_begins_a_new_epoch(
    ward: Any, backup: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere" / "ward.db"
    before = care.verify(url(backup))
    report = restore.restore(url(target), backup)
    assert (report["ok"], report["audit_lines"], report["kept"]) == (True, before["audit_lines"] + 1, "")
    epoch, known = patients(target, ward.clock)
    assert known == {"P-1001"}
    assert epoch != ward.store.picture.epoch
    assert care.verify(url(backup)) == before


@pytest.mark.requirement("R-SRV-24")
@pytest.mark.hazard("H-SRV-01")
def test_a_store_with_data_is_replaced_only_when_told_and_is_kept_beside(
    ward: Any, backup: Path, tmp_path: Path
) -> None:
    target = tmp_path / "ward.db"
    ward.store.close()
    with pytest.raises(ConflictError) as caught:
        restore.restore(url(target), backup)
    assert caught.value.code == "restore-target"
    report = restore.restore(url(target), backup, force=True)
    assert patients(target, ward.clock)[1] == {"P-1001"}
    assert patients(Path(report["kept"]), ward.clock)[1] == {"P-1001", "P-1002"}


@pytest.mark.slow
@pytest.mark.requirement("R-SRV-24")
@pytest.mark.hazard("H-SRV-01")
def test_a_running_server_keeps_its_store_whatever_is_said(backup: Path, tmp_path: Path) -> None:
    server = WardProcess(tmp_path / "server", WARD_FILE)
    server.start()
    try:
        for force in (False, True):
            with pytest.raises(ConflictError) as caught:
                restore.restore(server.url, backup, force=force)
            assert caught.value.code == "restore-running"
        with server.client() as nurse:
            assert nurse.get("/ledger").status_code == 200
        server.kill()
        assert restore.restore(server.url, backup, force=True)["ok"]
        server.start()
        with server.client() as nurse:
            assert len(nurse.get("/wards/W1/changes").json()["facts"]["patients"]) == 1
    finally:
        server.kill()


def test_an_empty_store_needs_no_force(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "new.db"
    engine = open_engine(url(target))
    upgrade(engine)
    engine.dispose()
    assert restore.restore(url(target), backup)["ok"]


@pytest.mark.parametrize("damage", ["text", "tables", "chain", "missing"])
def test_a_backup_that_is_not_whole_changes_nothing(
    ward: Any, backup: Path, tmp_path: Path, damage: str
) -> None:
    if damage == "text":
        backup.write_text("not a store")
    elif damage == "missing":
        backup.unlink()
    else:
        words = {"tables": "DROP TABLE audit", "chain": "UPDATE audit SET actor = 'x' WHERE n = 1"}
        with closing(sqlite3.connect(backup)) as store:
            store.execute(words[damage])
            store.commit()
    ward.store.close()
    with pytest.raises(BadInputError) as caught:
        restore.restore(url(tmp_path / "ward.db"), backup, force=True)
    assert caught.value.code == "restore-source"
    assert patients(tmp_path / "ward.db", ward.clock)[1] == {"P-1001", "P-1002"}
    assert not list(tmp_path.glob(".*restoring*"))


def test_postgresql_and_the_store_itself_are_refused(backup: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        restore.restore("postgresql+psycopg://ward@127.0.0.1:1/ward", backup)
    assert caught.value.code == "restore-store"
    with pytest.raises(BadInputError):
        restore.restore(url(backup), backup, force=True)


def test_the_command_restores_and_answers_in_one_json_document(
    backup: Path, tmp_path: Path, capsys: Any
) -> None:
    config = tmp_path / "server.toml"
    config.write_text(
        f'[server]\nstate_dir = "{tmp_path}"\n[ward]\nseed = "x"\n[storage]\nurl = "sqlite:///{tmp_path}/n.db"\n'
    )
    words = ["data", "restore", "--config", str(config), "--json"]
    assert cli.main([*words, "--from", str(backup)]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert cli.main([*words, "--from", str(backup)]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "restore-target"
    assert cli.main(words) == 1
    capsys.readouterr()
    assert cli.main(["data", "verify", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
