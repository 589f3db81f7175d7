"""The end of the audit trail, written down each day where whoever cuts it does not reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy import cli
from server.audit.anchors import FILE, Anchors, problems

pytestmark = [pytest.mark.requirement("R-PEOPLE-07"), pytest.mark.hazard("H-PEOPLE-04")]
ZONE = "Asia/Shanghai"


class Trail:
    """A ward whose trail grows, anchored day by day."""

    def __init__(self, ward: Any, directory: Path) -> None:
        self.ward, self.file = ward, directory / FILE
        self.anchors = Anchors(ZONE, directory)

    def day(self, **span: float) -> None:
        """Let time pass, somebody do something, and the anchor look."""
        self.ward.clock.move(**(span or {"days": 1}))
        self.ward.store.write(lambda unit: unit.audit("look", actor="N20713", entity="ward:W1"))
        self.ward.store.write(self.anchors.tick)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def wrong(self) -> list[str]:
        with self.ward.store.reading() as connection:
            return list(problems(connection, self.file))

    def sql(self, statement: str, *values: Any) -> None:
        self.ward.store.write(lambda unit: unit.connection.exec_driver_sql(statement, values))


@pytest.fixture
def trail(ward: Any, tmp_path: Path) -> Trail:
    return Trail(ward, tmp_path)


def test_each_of_the_wards_days_has_one_anchor_in_store_file_and_log(
    trail: Trail, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.day()
    trail.day(hours=3)
    trail.day(hours=20)  # 2026-05-06 00:00 UTC is already the 6th on the ward
    assert [one["day"] for one in trail.lines()] == ["2026-05-05", "2026-05-06"]
    with trail.ward.store.reading() as connection:
        kept = connection.exec_driver_sql("SELECT day, n, hash FROM audit_anchors ORDER BY day").all()
    assert [(one["day"], one["n"], one["hash"]) for one in trail.lines()] == [tuple(row) for row in kept]
    said = capsys.readouterr().out
    assert said.count("audit-anchor ") == 2
    assert kept[-1].hash in said
    assert trail.wrong() == []


def test_a_trail_whose_end_was_cut_off_is_found_by_the_store_and_by_the_file(trail: Trail) -> None:
    for _ in range(2):
        trail.day()
    cut = trail.lines()[-1]["n"]
    trail.sql("DELETE FROM audit WHERE n >= ?", cut)
    assert trail.wrong() == [
        f"the audit trail ends before line {cut}, the anchor of 2026-05-06 in the store",
        f"the audit trail ends before line {cut}, the anchor of 2026-05-06 in the file",
    ]
    trail.sql("DELETE FROM audit_anchors WHERE day = '2026-05-06'")
    assert trail.wrong() == [f"the audit trail ends before line {cut}, the anchor of 2026-05-06 in the file"]


def test_a_trail_that_was_written_anew_from_some_line_on_is_found(trail: Trail) -> None:
    trail.day()
    line = trail.lines()[-1]["n"]
    trail.sql("UPDATE audit SET hash = 'f' WHERE n = ?", line)
    assert [one.split(" of the anchor")[0] for one in trail.wrong()] == [
        f"audit line {line} is not the one"
    ] * 2


def test_a_file_that_lost_a_line_or_cannot_be_read_is_told(trail: Trail) -> None:
    for _ in range(2):
        trail.day()
    first = trail.file.read_text().splitlines()[0]
    trail.file.write_text(first + "\n")
    assert trail.wrong() == ["the file has no audit anchor of 2026-05-06"]
    for broken in ("nonsense\n", "[]\n", "{}\n"):
        trail.file.write_text(broken)
        assert trail.wrong() == ["the file of audit anchors cannot be read"]


def test_what_could_not_be_written_into_the_file_is_written_later(
    trail: Trail, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trail.file.mkdir()
    trail.day()
    assert "audit-anchor-file" in capsys.readouterr().out
    trail.file.rmdir()
    trail.day(minutes=1)
    assert [one["day"] for one in trail.lines()] == ["2026-05-05"]
    again = Trail(trail.ward, tmp_path)
    again.day(minutes=1)
    assert len(again.lines()) == 1


def test_a_restored_store_is_another_history_and_has_to_say_so(trail: Trail) -> None:
    trail.day()
    trail.sql("UPDATE meta SET value = 'other' WHERE key = 'epoch'")
    assert trail.wrong() == [
        "the file has anchors of another history, and the audit trail knows of no restore"
    ]
    trail.ward.store.write(lambda unit: unit.audit("restore", actor="system", entity="store"))
    assert trail.wrong() == []


def test_the_data_command_compares_store_and_file(trail: Trail, tmp_path: Path, capsys: Any) -> None:
    trail.day()
    config = tmp_path / "server.toml"
    config.write_text(
        f'[server]\nstate_dir = "{tmp_path}"\n[ward]\nseed = "x"\n'
        f'[storage]\nurl = "sqlite:///{tmp_path / "ward.db"}"\n'
    )
    capsys.readouterr()
    assert cli.main(["data", "verify", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["anchors"] == 1
    trail.sql("DELETE FROM audit_anchors")
    trail.sql("DELETE FROM audit WHERE n >= ?", trail.lines()[0]["n"])
    assert cli.main(["data", "verify", "--config", str(config), "--json"]) == 1
    assert "in the file" in json.loads(capsys.readouterr().out)["problems"][0]
