"""The tables of ``docs/scale.md`` come out of the bench's own document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import scale

pytestmark = pytest.mark.requirement("R-SRV-65")
RUN: dict[str, Any] = {
    "id": "path-postgresql-1000", "naive": False, "store": "postgresql", "reader": "asyncio", "beds": 1000,
    "messages_per_s": 3000, "cpu_s_per_million_messages": {"broker": 30.0, "server": 70.0, "store": 14.0},
    "memory_mib": {"broker": 12, "server": 207, "store": 86}, "bed_to_screen_ms": {"p50": 90.0, "p99": 140.5},
    "lost": 0, "duplicates": 0,
}  # fmt: skip


def test_the_tables_hold_what_was_measured_and_what_a_group_costs_at_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [{"id": "naive-postgresql-40", "naive": True}, RUN, {"id": "knee", "beds": 1000}]
    file = tmp_path / "path.json"
    file.write_text(json.dumps({"results": results}))
    assert scale.main([str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = "| postgresql | asyncio | 1000 | 3000 | 30.0 | 70.0 | 14.0 | 12 | 207 | 86 | 90.0 | 140.5 | 0 | 0 |"
    assert lines[2] == row
    assert lines[-1] == "| postgresql | 1000 beds | 0.9 | 2.1 | 0.42 |"
    assert {line.count("|") for line in lines[:3]} == {15}
    assert {line.count("|") for line in lines[4:]} == {6}


def test_the_page_shows_the_table_that_the_command_prints() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
    head, line, *_ = scale.tables([]).splitlines()
    assert f"{head}\n{line}\n" in page
