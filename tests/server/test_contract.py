"""The HTTP contract as a document, and the data command on a live store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy import cli
from server.app import create_app

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.mark.requirement("R-SRV-15")
@pytest.mark.hazard("H-SRV-07")
def test_the_http_contract_is_what_the_document_says() -> None:
    """Write it anew with ``wardlink server --openapi > docs/openapi.json`` after a change that was meant."""
    assert json.loads(DOCUMENT.read_text()) == create_app(None).openapi()


@pytest.fixture
def config(ward: Any, tmp_path: Path) -> Path:
    ward.admit("1001", "01")
    file = tmp_path / "server.toml"
    file.write_text(
        f'[server]\nstate_dir = "{tmp_path}"\n[ward]\nseed = "x"\n'
        f'[storage]\nurl = "sqlite:///{tmp_path / "ward.db"}"\n'
    )
    return file


def data(*words: object) -> int:
    return cli.main(["data", *map(str, words), "--json"])


@pytest.mark.requirement("R-SRV-14")
@pytest.mark.hazard("H-SRV-03")
def test_data_are_verified_while_the_server_holds_them(config: Path, capsys: Any) -> None:
    assert data("verify", "--config", config) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["problems"]) == (True, [])
    assert report["audit_lines"] >= 2


@pytest.mark.requirement("R-SRV-14")
@pytest.mark.hazard("H-SRV-03")
def test_a_touched_audit_line_is_found(config: Path, ward: Any, capsys: Any) -> None:
    ward.store.write(lambda unit: unit.connection.exec_driver_sql("UPDATE audit SET actor = 'x' WHERE n = 1"))
    assert data("verify", "--config", config) == 1
    assert "audit line 1" in json.loads(capsys.readouterr().out)["problems"][0]


def test_an_export_has_every_table_but_the_secrets_and_a_manifest(
    config: Path, tmp_path: Path, capsys: Any
) -> None:
    target = tmp_path / "export"
    assert data("export", "--config", config, "--to", target) == 0
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["tables"]["facts"]["rows"] > 10
    assert not any((target / f"{secret}.jsonl").exists() for secret in ("credentials", "confirmations"))
    patients = [line for line in (target / "facts.jsonl").read_text().splitlines() if '"patients"' in line]
    assert "张建国" in patients[0]
    assert data("export", "--config", config, "--to", target) == 1
    capsys.readouterr()


def test_a_backup_is_a_whole_store_of_its_own(config: Path, tmp_path: Path, capsys: Any) -> None:
    target = tmp_path / "backup.db"
    assert data("backup", "--config", config, "--to", target) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert data("backup", "--config", config, "--to", target) == 1
    assert data("backup", "--config", config) == 1


def test_a_store_that_is_not_there_is_not_made_by_looking(config: Path, tmp_path: Path, capsys: Any) -> None:
    config.write_text(config.read_text().replace("ward.db", "none.db"))
    assert data("verify", "--config", config) == 1
    assert not (tmp_path / "none.db").exists()
