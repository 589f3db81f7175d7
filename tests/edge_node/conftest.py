from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_node.outbox import Outbox
from tests.support.edge_bench import Bench, Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def bench(tmp_path: Path, time: Time) -> Iterator[Bench]:
    made = Bench(tmp_path / "outbox.db", time)
    yield made
    for store in made.made:
        store.close()


@pytest.fixture
def outbox(bench: Bench) -> Outbox:
    return bench.open()
