"""Several Bluetooth adapters as one: all listen, and the one that hears a device best connects to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from edge_node.adapters.ble import BleRadio

SWITCH_DB = 6.0
"""Another adapter must be this much better before a device moves to it: strengths shake."""


class BleRadios:
    """The adapters of a node. Each connects to one device at a time, so several can connect at once.

    Args:
        radios: The adapters, in the order in which they are preferred.
    """

    def __init__(self, radios: Sequence[BleRadio]) -> None:
        self._radios = tuple(radios)
        self._last: dict[str, BleRadio] = {}

    async def run(self) -> None:
        """Listen on all of them for ever."""
        async with asyncio.TaskGroup() as group:
            for radio in self._radios:
                group.create_task(radio.run())

    async def until_heard(self, address: str) -> None:
        """Wait until any adapter hears a device."""
        waiting = [asyncio.ensure_future(radio.until_heard(address)) for radio in self._radios]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def choose(self, address: str) -> BleRadio:
        """The adapter that hears a device best now; the one of last time unless another is clearly better."""
        last = self._last.get(address)
        best = max(
            self._radios, key=lambda radio: radio.score(address) + (SWITCH_DB if radio is last else 0.0)
        )
        self._last[address] = best
        return best
