"""A wall screen without glass: it speaks the live protocol and measures how old values are on arrival."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

LIVE_KINDS = frozenset({"vital", "infusion"})


def percentile(values: list[float], share: float) -> float | None:
    """The value below which ``share`` (0 to 1) of ``values`` lies, by nearest rank; None when empty."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class ScreenProbe:
    """One screen on ``/ws/central``: keeps the state it is shown and the age of each new live value.

    The age is wall time at the screen minus ``effective`` (the measurement at the bedside). Both are the
    same machine's clock here, so it is the true bed-to-screen time.
    """

    def __init__(self, url: str, token: str, tls: ssl.SSLContext) -> None:
        self.ages_ms: list[float] = []
        self.state: dict[str, Any] = {}
        self.connected = 0
        self._url = url
        self._token = token
        self._tls = tls
        self._epoch: str | None = None
        self._seq = 0
        self._shown: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Watch until cancelled; reconnect and resume after a loss, as a real screen does."""
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                await self._watch()
            await asyncio.sleep(0.5)

    async def _watch(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with connect(self._url, ssl=self._tls, additional_headers=headers, compression=None) as socket:
            self.connected += 1
            hello = {"t": "hello", "epoch": self._epoch, "seq": self._seq, "lanes": True}
            await socket.send(json.dumps(hello))
            states = frames = 0
            async for message in socket:
                if isinstance(message, bytes):
                    frames += 1
                else:
                    states += self._take(json.loads(message))
                await socket.send(json.dumps({"t": "ack", "m": states, "w": frames, "seq": self._seq}))

    def _take(self, message: dict[str, Any]) -> int:
        """Apply one message; returns 1 when it was a state message that uses a credit."""
        match message["t"]:
            case "snap":
                self._epoch, self.state = message["epoch"], message["s"]
                for kind, plural in (("vital", "vitals"), ("infusion", "infusions")):
                    for key, value in self.state.get(plural, {}).items():
                        self._shown[kind, key] = str(value.get("effective"))
            case "d" | "resume":
                for _, kind, key, value in message["d"]:
                    self._apply(kind, key, value)
            case _:
                self._seq = max(self._seq, int(message.get("seq", 0)))
                return 0
        self._seq = int(message["seq"])
        return 1

    def _apply(self, kind: str, key: str, value: dict[str, Any] | None) -> None:
        shelf = self.state.setdefault(kind if kind == "health" else f"{kind}s", {})
        if value is None:
            shelf.pop(key, None)
            return
        shelf[key] = value
        effective = value.get("effective")
        if kind in LIVE_KINDS and effective and self._shown.get((kind, key)) != effective:
            self._shown[kind, key] = effective
            self.ages_ms.append((time.time() - datetime.fromisoformat(effective).timestamp()) * 1000)
