"""The server killed at random instants, in the middle of ingest and of commits, on both stores."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import pytest

from tests.faults.server.conftest import FaultWard, Load

pytestmark = pytest.mark.slow
MakeWard = Callable[..., FaultWard]


def kill_often(ward: FaultWard, times: int, seed: int) -> dict[str, int]:
    """Kill and start again, each time after another span of work, while bedside and nurse go on."""
    chance, load = random.Random(seed), Load(ward)
    for _ in range(times):
        time.sleep(chance.uniform(0.05, 0.6))
        ward.server.kill()
        ward.server.start()
    return ward.settle(load)


@pytest.mark.timeout(240)
@pytest.mark.requirement("R-SYS-18")
@pytest.mark.hazard("H-SYS-04")
def test_ten_kills_of_the_server_lose_nothing_acknowledged_and_double_nothing(
    ward_on: MakeWard, any_url: str
) -> None:
    figures = kill_often(ward_on(any_url), 10, seed=1)
    assert figures["readings"] > 300
    assert figures["acts"] > 30


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.requirement("R-SYS-18")
@pytest.mark.hazard("H-SYS-04")
def test_a_hundred_kills_of_the_server_lose_nothing_acknowledged_and_double_nothing(
    ward_on: MakeWard, any_url: str
) -> None:
    figures = kill_often(ward_on(any_url), 100, seed=os.getpid())
    print(figures)
    assert figures["acts"] > 100
