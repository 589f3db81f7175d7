from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from clinical.errors import BadInputError, NotFoundError
from edge_node.adapters import outbox_tool
from edge_node.outbox import Outbox
from tests.support.edge_bench import Bench


def test_a_summary_and_every_message_can_be_read_beside_a_running_node(bench: Bench, outbox: Outbox) -> None:
    outbox.event("booted")
    outbox.put(bench.reading(outbox))
    outbox.put(bench.wave(outbox))
    outbox.flush()
    summary = outbox_tool.inspect(bench.path)
    assert summary["waiting"] == 3
    assert (summary["first"], summary["last"]) == (1, 3)
    assert set(summary["classes"]) == {"alarm", "numeric", "wave"}
    documents = list(outbox_tool.export(bench.path))
    assert [document["kind"] for document in documents] == ["events", "readings", "waves"]
    assert documents[1]["message"]["seq"] == 2


def test_what_is_no_outbox_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        outbox_tool.inspect(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("hello" * 1000)
    with pytest.raises(BadInputError):
        outbox_tool.inspect(tmp_path / "text.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(BadInputError, match="not an outbox"):
        list(outbox_tool.export(tmp_path / "other.db"))
