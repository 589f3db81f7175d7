"""A node that everything befalls, again and again, holds no more than before, and loses nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from broker.local import LocalBroker
from edge_node.simulators import oximeter
from edge_node.simulators.world import running
from tests.support.edge_fast_time import FastLoop
from tests.support.edge_programs import Devices, NodeProgram
from tests.support.edge_soak import DEVICES, METER, Held, Ledger, Soak, pause
from tests.support.pki import Pki

SPEED = 50.0
WARM_ROUNDS = 1
UNDER_WAY = 3
"""A connection that is being made while one looks is no leak."""


METER_BOUND = f"""
[[devices]]
uid = "ble:{METER.lower().replace(":", "-")}"
profile = "sig_glucose"
address = "{METER}"
"""


async def soak(directory: Path, pki: Pki, broker: LocalBroker, seconds: float) -> tuple[list[Held], Soak]:
    """Round after round for so many real seconds; what the node held after each."""
    ledger = Ledger(pki, broker.port)
    ledger.start()
    async with running(DEVICES) as (world, bus):
        world.bluez.peripherals[METER].bond()
        made = Soak(directory, world, bus, broker, ledger, SPEED)
        room = SimpleNamespace(ready={"dbus": bus, "serial_dir": world.serial_dir})
        settings = NodeProgram(directory, cast("Devices", room), broker, pki)
        settings.write(extra=METER_BOUND)
        made.start(settings.health_port)
        try:
            held, began = [await made.steady()], time.monotonic()
            while time.monotonic() - began < seconds or len(held) < WARM_ROUNDS + 2:
                await made.round()
                held.append(await made.steady())
            await pause(1.0)
            assert await made.stop() == 0
        finally:
            await made.stop()
            ledger.stop()
    return held, made


@pytest.mark.requirement("R-EDGE-32")
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("seconds", "grown_kib"), [(12.0, 6144), pytest.param(1200.0, 8192, marks=pytest.mark.full)]
)
def test_a_node_that_everything_befalls_again_and_again_holds_no_more_and_loses_nothing(
    tmp_path: Path, seconds: float, grown_kib: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oximeter, "RATE_HZ", 15)  # a wave at 50 times its speed would take a whole core
    pki = Pki(tmp_path / "pki")
    with (
        LocalBroker(tmp_path / "broker", pki.ca_file, pki.server.cert, pki.server.key) as broker,
        asyncio.Runner(loop_factory=lambda: FastLoop(SPEED)) as runner,
    ):
        held, made = runner.run(soak(tmp_path, pki, broker, seconds))
    print(f"rounds {len(held) - 1}, messages {made.ledger.got_count}, sent again {made.ledger.twice}")
    print(*held, sep="\n")
    some = max(1, len(held) // 4)
    first, last = held[WARM_ROUNDS : WARM_ROUNDS + some], held[-some:]
    for figure in ("descriptors", "tasks", "threads", "dbus"):
        most = max(getattr(one, figure) for one in first)
        assert min(getattr(one, figure) for one in last) <= most + UNDER_WAY, figure
    assert held[-1].rss_kib - first[-1].rss_kib <= grown_kib
    assert made.missing() == set()
    assert made.ledger.got_count > 100 * len(held)
