"""The live protocol against a screen that is fast, slow, gone and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from server.live.hub import Hub, Screen


class Glass:
    """A screen's end of the connection."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.frames: list[bytes] = []

    async def send_text(self, text: str) -> None:
        self.messages.append(json.loads(text))

    async def send_bytes(self, data: bytes) -> None:
        self.frames.append(data)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["t"] == kind]


def hub() -> Hub:
    return Hub({"id": "W1"}, lambda: datetime(2026, 5, 4, tzinfo=UTC))


async def served(
    one: Hub, glass: Glass, play: Callable[[Screen], Awaitable[None]], epoch: Any = None, seq: Any = 0
) -> Screen:
    screen = Screen(one, glass, lanes=True, tick_s=0.001)
    task = asyncio.create_task(screen.run(epoch, seq))
    await asyncio.sleep(0.01)
    await play(screen)
    await asyncio.sleep(0.02)
    screen.close()
    await task
    return screen


def test_a_new_screen_gets_a_snapshot_and_then_what_changes() -> None:
    one, glass = hub(), Glass()
    one.put("bed", "01", {"bed": "01"})

    async def play(_screen: Screen) -> None:
        one.put("alarm", "a", {"id": "a"})

    asyncio.run(served(one, glass, play))
    snap = glass.of("snap")[0]
    assert snap["s"]["beds"] == {"01": {"bed": "01"}}
    assert [delta[1:] for delta in glass.of("d")[0]["d"]] == [["alarm", "a", {"id": "a"}]]
    assert glass.of("hb")


@pytest.mark.requirement("R-SRV-13")
@pytest.mark.hazard("H-SRV-06")
def test_a_screen_without_credit_gets_the_newest_value_once_and_every_alarm() -> None:
    one, glass = hub(), Glass()

    async def play(screen: Screen) -> None:
        one.put("task", "t", {"n": 0})
        await asyncio.sleep(0.01)  # snapshot and this one: both credits are under way
        for number in range(50):
            one.put("vital", "01/x", {"n": number})
            one.put("alarm", f"a{number}", {"n": number})
            await asyncio.sleep(0.001)
        assert len(glass.of("d")) == 1
        screen.acknowledged(2, 0)
        await asyncio.sleep(0.02)

    asyncio.run(served(one, glass, play))
    late = glass.of("d")[1]["d"]
    assert [delta[3]["n"] for delta in late if delta[1] == "vital"] == [49]
    assert [delta[3]["n"] for delta in late if delta[1] == "alarm"] == list(range(50))
    assert [delta[0] for delta in late] == sorted(delta[0] for delta in late)


def test_a_screen_that_was_away_resumes_and_one_of_another_epoch_starts_again() -> None:
    one, back, stranger = hub(), Glass(), Glass()
    one.put("task", "t1", {})
    seen = one.seq
    one.put("task", "t2", {})

    async def idle(_screen: Screen) -> None:
        return None

    asyncio.run(served(one, back, idle, one.epoch, seen))
    assert [delta[2] for delta in back.of("resume")[0]["d"]] == ["t2"]
    assert not back.of("snap")
    asyncio.run(served(one, stranger, idle, "other", seen))
    assert stranger.of("snap")


@pytest.mark.parametrize("seq", [-1, 99, "3", None, True, 1.5])
def test_a_nonsense_position_means_a_snapshot(seq: Any) -> None:
    one = hub()
    one.put("task", "t", {})
    assert one.missed(one.epoch, seq) is None


def test_more_events_than_a_screen_can_hold_become_a_snapshot() -> None:
    one, glass = hub(), Glass()

    async def play(screen: Screen) -> None:
        one.put("task", "t", {})
        await asyncio.sleep(0.01)
        for number in range(600):
            one.put("alarm", f"a{number}", {"n": number})
        screen.acknowledged(2, 0)
        await asyncio.sleep(0.02)

    asyncio.run(served(one, glass, play))
    assert len(glass.of("snap")) == 2
    assert len(glass.of("snap")[1]["s"]["alarms"]) == 600


def test_wave_frames_beyond_the_credit_drop_the_oldest() -> None:
    one, glass = hub(), Glass()

    async def play(screen: Screen) -> None:
        for number in range(30):
            one.wave(bytes([number]))
            await asyncio.sleep(0.002)
        assert len(glass.frames) == 10
        screen.acknowledged(0, 10)
        await asyncio.sleep(0.02)

    screen = asyncio.run(served(one, glass, play))
    assert [frame[0] for frame in glass.frames] == [*range(10), *range(20, 30)]
    assert screen.dropped_waves == 10


def test_the_more_lanes_the_more_frames_wait() -> None:
    one, glass = hub(), Glass()
    for number in range(40):
        one.set_lane({"id": number})

    async def play(screen: Screen) -> None:
        for number in range(100):
            one.wave(bytes([number]))
        screen.acknowledged(1, 0)
        for _ in range(10):
            await asyncio.sleep(0.002)
            screen.acknowledged(0, 10)

    screen = asyncio.run(served(one, glass, play))
    assert [frame[0] for frame in glass.frames] == list(range(20, 100))
    assert screen.dropped_waves == 20


def test_nothing_is_sent_for_a_value_that_did_not_change() -> None:
    one = hub()
    one.put("vital", "k", {"v": 1})
    one.put("vital", "k", {"v": 1})
    one.put("vital", "none", None)
    assert one.seq == 1
