"""Screens for ``bench path``: WebSocket clients that measure how old each value is when it is read.

Parameters as JSON on standard input; prints ``ready``, measures between the two times it is told, and prints
one JSON line when standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from array import array
from datetime import datetime
from typing import Any

import msgspec
import websockets

_FRAME = struct.Struct("<BBHIdH")


class _Row(msgspec.Struct):
    effective: datetime | None = None


class _Deltas(msgspec.Struct):
    d: list[tuple[int, str, str, _Row | None]] = []


_DECODER = msgspec.json.Decoder(_Deltas)


class Watch:
    """What all screens saw."""

    def __init__(self) -> None:
        self.values, self.waves = array("d"), array("d")
        self.since = self.until = 0.0
        self.bytes = 0

    def text(self, message: str) -> bool:
        """Take a JSON message; whether it has to be acknowledged."""
        now = time.time()
        if not message.startswith('{"t":"d"'):
            return message.startswith(('{"t":"snap"', '{"t":"resume"'))
        if self.since <= now < self.until:
            for _, kind, _key, row in _DECODER.decode(message).d:
                if kind == "vital" and row is not None and row.effective is not None:
                    self.values.append(now - row.effective.timestamp())
        return True

    def frame(self, data: bytes) -> None:
        """Take one waveform frame."""
        now = time.time()
        if self.since <= now < self.until:
            self.waves.append(now - _FRAME.unpack_from(data)[4] / 1000)


async def screen(url: str, token: str, watch: Watch) -> None:
    """Watch one ward."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with websockets.connect(url, additional_headers=headers, max_size=None, compression=None) as socket:
        await socket.send('{"t":"hello"}')
        waves = 0
        async for message in socket:
            watch.bytes += len(message)
            if isinstance(message, bytes):
                watch.frame(message)
                waves += 1
                if waves == 5:
                    await socket.send('{"t":"ack","w":5}')
                    waves = 0
            elif watch.text(message):
                await socket.send('{"t":"ack","m":1}')


def summary(watch: Watch) -> dict[str, Any]:
    """Delays in milliseconds."""

    def spread(delays: array[float]) -> dict[str, float | int | None]:
        if not delays:
            return {"n": 0, "p50": None, "p99": None, "max": None}
        ordered = sorted(delays)
        at = {"p50": 0.5, "p99": 0.99}
        found = {name: round(ordered[int(len(ordered) * part)] * 1000, 1) for name, part in at.items()}
        return {"n": len(ordered), **found, "max": round(ordered[-1] * 1000, 1)}

    return {"values": spread(watch.values), "waves": spread(watch.waves), "bytes": watch.bytes}


async def run() -> None:
    """Watch until standard input closes."""
    loop = asyncio.get_running_loop()
    said = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    watch = Watch()
    tasks = [asyncio.create_task(screen(url, said["token"], watch)) for url in said["urls"]]
    await asyncio.sleep(0.5)
    for task in tasks:
        if task.done():
            task.result()
    print("ready", flush=True)
    window = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    watch.since, watch.until = window["since"], window["until"]
    await loop.run_in_executor(None, sys.stdin.readline)
    print(json.dumps(summary(watch)), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(run())
