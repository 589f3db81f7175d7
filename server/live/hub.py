"""One ward's live state and everyone who watches it.

State has an epoch and a sequence number; a ring of recent deltas lets a screen that was away resume.
Moving values (vital, infusion, bed, health) are conflated per key: a slow screen gets the newest. Alarms and
tasks are each delivered. Credits bound what a slow screen can have under way, because small messages
otherwise hide by the megabyte in kernel buffers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

RING = 4_000
MAX_WAITING_EVENTS = 500
STATE_CREDIT = 2
WAVE_CREDIT = 10
FRAMES_PER_LANE = 2
"""Frames that wait for a screen: two seconds of every lane, so that a full ward loses none to a hiccup."""
CONFLATED = frozenset({"vital", "infusion", "bed", "health"})
SECTION = {
    "bed": "beds",
    "vital": "vitals",
    "infusion": "infusions",
    "alarm": "alarms",
    "task": "tasks",
}
_ENCODER = msgspec.json.Encoder()


@dataclass(slots=True)
class Delta:
    """One change of the live state, encoded once for every screen, and not at all while none watches."""

    seq: int
    kind: str
    key: str
    value: Any | None
    _raw: msgspec.Raw | None = None

    @property
    def raw(self) -> msgspec.Raw:
        """The change as JSON."""
        if self._raw is None:
            self._raw = msgspec.Raw(_ENCODER.encode([self.seq, self.kind, self.key, self.value]))
        return self._raw


class Channel(Protocol):
    """A connection to one screen."""

    async def send_text(self, text: str) -> None:
        """Send one text message."""
        ...

    async def send_bytes(self, data: bytes) -> None:
        """Send one binary message."""
        ...


class Hub:
    """The live state of one ward; used on the event loop only."""

    def __init__(self, ward: dict[str, Any], clock: Callable[[], datetime]) -> None:
        self.epoch = secrets.token_hex(4)
        self.seq = 0
        self.clock = clock
        self.lanes: dict[int, dict[str, Any]] = {}
        self.state: dict[str, Any] = {"ward": ward, "health": {}} | {
            section: {} for section in SECTION.values()
        }
        self.screens: set[Screen] = set()
        self.catch_up: Callable[[], None] = lambda: None  # puts in what nobody wanted to see so far
        self._ring: deque[Delta] = deque(maxlen=RING)

    def put(self, kind: str, key: str, value: Any | None) -> None:
        """Change one value; None removes it. A value equal to the present one is not sent again."""
        if kind == "health":
            if self.state["health"] == value:
                return
            self.state["health"] = value
        elif not self._put_in(self.state[SECTION[kind]], key, value):
            return
        self.seq += 1
        delta = Delta(self.seq, kind, key, value)
        self._ring.append(delta)
        for screen in self.screens:
            screen.offer(delta)

    @property
    def is_watched(self) -> bool:
        """Whether any screen shows this ward now."""
        return bool(self.screens)

    @staticmethod
    def _put_in(section: dict[str, Any], key: str, value: Any | None) -> bool:
        if value is None:
            return section.pop(key, None) is not None
        if section.get(key) == value:
            return False
        section[key] = value
        return True

    def wave(self, frame: bytes) -> None:
        """Offer one waveform frame to every screen that asked for lanes."""
        for screen in self.screens:
            screen.offer_wave(frame)

    def set_lane(self, lane: dict[str, Any]) -> None:
        """Announce a waveform lane; screens get a fresh snapshot with it."""
        if self.lanes.get(lane["id"]) != lane:
            self.lanes[lane["id"]] = lane
            for screen in self.screens:
                screen.ask_snapshot()

    def missed(self, epoch: Any, seq: Any) -> list[Delta] | None:
        """Deltas after ``seq``, or None when only a snapshot can help."""
        if (
            epoch != self.epoch
            or not isinstance(seq, int)
            or isinstance(seq, bool)
            or not 0 <= seq <= self.seq
        ):
            return None
        if seq < self.seq and (not self._ring or self._ring[0].seq > seq + 1):
            return None
        return [delta for delta in self._ring if delta.seq > seq]

    def close(self) -> None:
        """Send every screen away, so that the server can stop."""
        for screen in tuple(self.screens):
            screen.close()


class Screen:
    """One connected screen: what waits for it, and how much it may have under way."""

    def __init__(self, hub: Hub, channel: Channel, *, lanes: bool, tick_s: float = 0.04) -> None:
        self._hub, self._channel, self._lanes, self._tick_s = hub, channel, lanes, tick_s
        self._newest: dict[tuple[str, str], Delta] = {}
        self._events: list[Delta] = []
        self._waves: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._state_under_way = 0
        self._waves_under_way = 0
        self._snapshot_due = False
        self._closed = False
        self.dropped_waves = 0

    def offer(self, delta: Delta) -> None:
        """Queue one delta; moving values replace the ones still waiting."""
        if delta.kind in CONFLATED:
            self._newest[delta.kind, delta.key] = delta
        else:
            self._events.append(delta)
            if len(self._events) > MAX_WAITING_EVENTS:
                self.ask_snapshot()
        self._wake.set()

    def offer_wave(self, frame: bytes) -> None:
        """Queue one frame; the oldest waiting one falls out, and the screen shows a gap."""
        if not self._lanes:
            return
        room = max(WAVE_CREDIT, FRAMES_PER_LANE * len(self._hub.lanes))
        while len(self._waves) >= room:
            self._waves.popleft()
            self.dropped_waves += 1
        self._waves.append(frame)
        self._wake.set()

    def ask_snapshot(self) -> None:
        """Forget what waits: a complete picture follows."""
        self._snapshot_due = True
        self._newest.clear()
        self._events.clear()
        self._wake.set()

    def acknowledged(self, state: Any, waves: Any) -> None:
        """Give credits back; nonsense from a screen is taken as none."""
        self._state_under_way = max(0, self._state_under_way - _count(state))
        self._waves_under_way = max(0, self._waves_under_way - _count(waves))
        self._wake.set()

    def close(self) -> None:
        """End :meth:`run` soon."""
        self._closed = True
        self._wake.set()

    async def run(self, epoch: Any, seq: Any) -> None:
        """Serve the screen until it is closed, a heartbeat each second."""
        if not self._hub.screens:
            self._hub.catch_up()
        missed = self._hub.missed(epoch, seq)
        self._hub.screens.add(self)
        try:
            if missed is None:
                await self._send_snapshot()
            else:
                head = {"t": "resume", "epoch": self._hub.epoch, "from": seq}
                await self._send_state(head | {"d": [delta.raw for delta in missed], "seq": self._hub.seq})
            await self._serve()
        finally:
            self._hub.screens.discard(self)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time()
        while not self._closed:
            if loop.time() >= beat_at:
                beat_at = loop.time() + 1.0
                await self._send({"t": "hb", "seq": self._hub.seq, "now": _millis(self._hub.clock())})
            try:
                async with asyncio.timeout(max(0.01, beat_at - loop.time())):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()
            await self._flush()
            await asyncio.sleep(self._tick_s)

    async def _flush(self) -> None:
        if self._state_under_way < STATE_CREDIT:
            if self._snapshot_due:
                await self._send_snapshot()
            elif self._newest or self._events:
                await self._send_deltas()
        while self._waves and self._waves_under_way < WAVE_CREDIT:
            self._waves_under_way += 1
            await self._channel.send_bytes(self._waves.popleft())

    async def _send_deltas(self) -> None:
        waiting = sorted([*self._newest.values(), *self._events], key=lambda delta: delta.seq)
        self._newest, self._events = {}, []
        await self._send_state({"t": "d", "d": [delta.raw for delta in waiting], "seq": waiting[-1].seq})

    async def _send_snapshot(self) -> None:
        self._snapshot_due = False
        hub = self._hub
        head = {"t": "snap", "epoch": hub.epoch, "seq": hub.seq, "now": _millis(hub.clock())}
        await self._send_state(head | {"s": hub.state, "lanes": list(hub.lanes.values())})

    async def _send_state(self, message: dict[str, Any]) -> None:
        self._state_under_way += 1
        await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._channel.send_text(_ENCODER.encode(message).decode())


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1000)
