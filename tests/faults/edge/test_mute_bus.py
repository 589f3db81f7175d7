"""A D-Bus that takes a connection and never answers, as a connection lost inside the library looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from edge_node.adapters import ble
from edge_node.adapters.ble import BleRadio
from edge_node.clock import Stamp
from tests.support.edge_bench import Time


async def mute(path: Path, scene: Callable[[], Awaitable[None]]) -> None:
    """Play a scene beside a bus that reads everything and says nothing."""
    held: list[asyncio.StreamWriter] = []

    async def take(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_unix_server(take, path)
    try:
        await scene()
    finally:
        server.close()
        for writer in held:
            writer.close()


@pytest.mark.requirement("R-EDGE-11")
def test_a_bus_that_never_answers_is_given_up_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
    monkeypatch.setattr(ble, "BUS_ANSWER_S", 0.05)
    monkeypatch.setattr(ble, "RADIO_RETRY_S", 0.05)
    told: list[tuple[bool, str]] = []
    clock = Time().clock()

    def now() -> Stamp:
        return clock.now()

    async def scene() -> None:
        radio = BleRadio(
            now, adapter="", bound=(), on_heard=lambda _heard: None, on_radio=lambda *one: told.append(one)
        )
        running = asyncio.ensure_future(radio.run())
        async with asyncio.timeout(5):
            while len(told) < 2:  # noqa: ASYNC110 - the radio tells when it has given up
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(mute(tmp_path / "bus", scene))
    assert told[:2] == [(False, "radio-unavailable")] * 2
