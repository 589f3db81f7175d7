"""``bench store`` at a small size: it writes what it says and holds every answer against its budget."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from bench import store, store_world
from bench.store_world import Size
from server.storage import care
from server.storage.engine import open_engine
from tests.server.conftest import any_url, postgres_url  # noqa: F401 - fixtures

pytestmark = [pytest.mark.requirement("R-SRV-64"), pytest.mark.hazard("H-SRV-19")]
SMALL = Size(beds=3, hours=1, days=1)


@pytest.mark.slow
def test_the_store_bench_writes_what_it_says_and_asks_every_question(any_url: str) -> None:  # noqa: F811
    written, *asked = store.run("small", any_url, SMALL, runs=20)
    assert written["ok"]
    assert written["rows"] == {
        "samples": 3 * 3600,
        "rollups": 3 * 1440,
        "last_values": 3,
        "administrations": 120,
    }
    found: dict[str, dict[str, Any]] = {one["id"].removeprefix("small-"): one for one in asked}
    assert {name: one["found"] for name, one in found.items()} == {
        "last-value-of-every-bed": 30,
        "last-value-of-every-bed-in-memory": 30,
        "trend-24h": 240,
        "trend-24h-every-minute": 1440,
        "trend-7d": 35,
        "trend-1h-from-samples": 240,
        "administrations-7d": 40,
    }
    assert {one["limit"] for one in asked if "limit" in one} == {5.0, 50.0}
    assert all(one["ok"] == (one["p99"] <= one["limit"]) for one in asked if "limit" in one)
    assert care.verify(any_url)["ok"]


def test_the_full_size_is_the_one_the_budgets_are_for() -> None:
    assert Size().rows == {
        "samples": 200 * 86_400,
        "rollups": 200 * 30 * 1440,
        "last_values": 200,
        "administrations": 240_000,
    }


def test_values_of_the_bench_are_read_as_the_ingest_writes_them(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'ward.db'}"
    store_world.fill(url, Size(beds=1, hours=1, days=1))
    engine = open_engine(url)
    with engine.connect() as connection:
        widths = connection.execute(text("SELECT DISTINCT length(vals) / 8, layout FROM samples")).all()
        stats = connection.execute(text("SELECT DISTINCT length(stats) / 16 FROM rollups")).scalars().all()
    engine.dispose()
    assert widths == [(10, store_world.LAYOUT)]
    assert stats == [10]
