"""``bench path`` at a small size: it runs to its end, loses nothing, and prints every figure."""

from __future__ import annotations

import argparse

import pytest

from bench import path
from bench.path import Plan
from clinical.errors import BadInputError
from deploy.commands import bench

pytestmark = [pytest.mark.requirement("R-SRV-65")]
FIGURES = {
    "values_per_s", "messages_per_s", "cpu_s_per_million_values", "cpu_s_per_million_messages", "memory_mib",
    "bed_to_screen_ms", "lost", "duplicates", "knee",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("reader", ["asyncio", "paho"])
def test_the_path_bench_runs_to_its_end_with_either_broker_client(reader: str) -> None:
    found = path.run(Plan(beds=5, seconds=2, reader=reader))
    assert found.keys() >= FIGURES
    assert (found["lost"], found["duplicates"], found["ok"]) == (0, 0, True)
    assert found["sent"] == 5 * path.MESSAGES * (path.WARM_S + 2)
    assert found["bed_to_screen_ms"]["p50"] is not None
    assert {"broker", "server", "store"} <= found["cpu_s_per_million_values"].keys()
    assert found["knee"]["beds"] > 5


def test_the_knee_is_where_the_busier_of_broker_and_server_fills_a_core() -> None:
    plan = Plan(beds=1000, seconds=10)
    assert path._knee(plan, {"broker": 1.0, "server": 2.5}) == {
        "beds": 4000,
        "part": "server",
        "how": "projected",
    }
    assert path._knee(plan, {"broker": 0.0, "server": 0.0})["beds"] is None


def test_an_option_of_another_bench_is_refused() -> None:
    parser = argparse.ArgumentParser()
    bench.configure(parser)
    with pytest.raises(BadInputError, match="bench path has no option --hours"):
        bench.run(parser.parse_args(["path", "--hours", "2"]))
