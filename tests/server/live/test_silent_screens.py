"""A registered wall screen that says nothing is told; one that nobody registered never is."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import WebSocketDisconnect

from clinical.errors import BadInputError
from clinical.policy import SitePolicy
from clinical.records import Alarm, Label
from server import seed as seeds
from server import sites
from server.infusions.flow import FlowWatch
from server.live import routes
from server.live.hub import Hub, Screen
from server.live.project import Projector
from server.live.screens import WallScreen, WallScreens, counts_as_answer
from server.live.silent import SilentScreens
from server.storage.store import Store
from server.ticker import Ticker
from tests.server.conftest import WARD_FILE, FakeClock, WardBench

pytestmark = [pytest.mark.requirement("R-SRV-66"), pytest.mark.hazard("H-SRV-20")]
EAST = WallScreen(id="wall-1", ward="W1", display=Label(zh="护士站大屏", en="Station wall"))
LIMIT = timedelta(seconds=60)
SCREENS = """
[[screens]]
id = "wall-1"
name = { zh = "护士站大屏", en = "Station wall" }
"""


class Wall:
    """One registered screen and what watches it."""

    def __init__(self, ward: WardBench) -> None:
        self.ward, self.screens = ward, WallScreens([EAST])
        heard = self.screens.listener("W1", "wall-1")
        assert heard is not None
        self.heard = heard
        self.watch = SilentScreens(self.screens, ward.site.generations, LIMIT, ward.clock())

    def after(self, seconds: float) -> list[Alarm]:
        self.ward.clock.move(seconds=seconds)
        self.ward.store.write(self.watch.tick)
        known = self.ward.store.picture.all(Alarm)
        return [one for one in known if one.condition == "screen-silent" and one.present]


def test_a_screen_that_says_nothing_for_a_minute_is_told_until_it_is_heard_again(any_ward: WardBench) -> None:
    wall = Wall(any_ward)
    wall.heard(any_ward.clock())
    assert wall.after(59) == []
    (alarm,) = wall.after(2)
    assert (alarm.kind, alarm.params["screen"], alarm.params["zh"]) == ("technical", "wall-1", "护士站大屏")
    assert [one.id for one in wall.after(30)] == [alarm.id]
    wall.heard(any_ward.clock())
    assert wall.after(1) == []


def test_each_screen_has_its_time_after_the_server_began_and_one_that_never_came_is_missed(
    ward: WardBench,
) -> None:
    wall = Wall(ward)
    assert wall.after(60) == []
    assert len(wall.after(1)) == 1


def test_what_was_heard_before_the_server_began_does_not_shorten_its_time(ward: WardBench) -> None:
    wall = Wall(ward)
    wall.heard(ward.clock() - timedelta(hours=2))
    assert wall.after(60) == []


def test_a_server_that_begins_again_keeps_the_alarm_until_the_screen_speaks(ward: WardBench) -> None:
    (before,) = Wall(ward).after(61)
    again = Wall(ward)
    assert [one.id for one in again.after(1)] == [before.id]
    again.heard(ward.clock())
    assert again.after(1) == []


def test_a_screen_that_is_no_longer_registered_is_missed_no_more(ward: WardBench) -> None:
    Wall(ward).after(61)
    ward.store.write(SilentScreens(WallScreens(), {}, LIMIT, ward.clock()).tick)
    assert [one for one in ward.store.picture.all(Alarm) if one.present] == []


def test_a_ward_without_registered_screens_never_misses_one(ward: WardBench) -> None:
    watch = SilentScreens(WallScreens(), {}, LIMIT, ward.clock())
    ward.clock.move(hours=1)
    ward.store.write(watch.tick)
    assert list(ward.store.picture.all(Alarm)) == []


def test_a_name_counts_only_in_the_ward_that_registered_it() -> None:
    screens = WallScreens([EAST])
    assert screens.listener("W2", "wall-1") is None
    assert screens.listener("W1", "wall-9") is None


@pytest.mark.parametrize(
    ("message", "answers"),
    [
        ({"t": "hb"}, True),
        ({"t": "ack", "m": 1, "w": 0}, True),
        ({"t": "ack", "m": 0, "w": 7}, False),  # a worker beside a page that hangs gives these back
        ({"t": "ack", "m": True}, False),
        ({"t": "ack", "m": "1"}, False),
        ({}, False),
    ],
)
def test_only_what_the_page_itself_answers_counts(message: dict[str, object], answers: bool) -> None:
    assert counts_as_answer(message) is answers


def seeded(tmp_path: Path, text: str = SCREENS) -> Path:
    file = tmp_path / "ward.toml"
    file.write_text(WARD_FILE.read_text() + text)
    return file


def test_screens_of_the_ward_file_are_kept_with_the_site_and_seen_by_every_display(
    tmp_path: Path, store: Store, clock: FakeClock
) -> None:
    site = seeds.plant(store, seeds.read(seeded(tmp_path)), SitePolicy.default())
    with store.reading() as connection:
        kept = sites.load(connection)
    assert kept is not None
    assert kept.screens.registered == site.screens.registered == (EAST,)
    ticker = Ticker(store, kept, FlowWatch(kept.policy), (), timedelta(hours=48))
    clock.move(seconds=61)
    store.write(ticker.step)
    hub = Hub({"id": "W1"}, clock)
    loop = asyncio.new_event_loop()
    Projector(hub, loop, "W1", kept.first.beds).start(store.picture)
    loop.close()
    assert [one["condition"] for one in hub.state["alarms"].values()] == ["screen-silent"]
    assert [one.condition for one in store.picture.facts("W1").alarms] == ["screen-silent"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (SCREENS + SCREENS, "wall-1 twice"),
        (SCREENS + 'ward = "W9"\n', "another ward"),
        (SCREENS.replace('"wall-1"', '"wall 1?"'), "screens.0.id"),
        (SCREENS.replace('en = "Station wall"', 'ne = "Station wall"'), "screens.0.name"),
    ],
)
def test_a_wrong_screen_of_the_ward_file_is_named(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(BadInputError, match=word):
        seeds.read(seeded(tmp_path, text))


@pytest.mark.parametrize("seconds", [0, 14, 601])
def test_a_limit_that_would_flap_or_never_tell_is_refused(seconds: int) -> None:
    with pytest.raises(BadInputError, match="screen_silent_s"):
        SitePolicy.from_dict({"screen_silent_s": seconds})


class TalkingSocket:
    """A socket of a page that sends these messages and goes."""

    def __init__(self, context: Any, name: str, *messages: dict[str, Any]) -> None:
        self.app = SimpleNamespace(state=SimpleNamespace(context=context))
        self.query_params = {"screen": name} if name else {}
        self.messages = [{"type": "websocket.receive", "text": json.dumps(one)} for one in messages]
        self.told: list[Any] = []

    async def send_json(self, message: Any) -> None:
        self.told.append(message)

    async def receive(self) -> dict[str, Any]:
        return self.messages.pop(0) if self.messages else {"type": "websocket.disconnect"}


def talk(ward: WardBench, screens: WallScreens, name: str, *messages: dict[str, Any]) -> list[Any]:
    """Let a page connect and talk; returns what it was told before the ward."""
    context = SimpleNamespace(store=ward.store, site=replace(ward.site, screens=screens))
    socket: Any = TalkingSocket(context, name, *messages)
    screen: Any = Screen(Hub({"id": "W1"}, ward.clock), socket, lanes=False)

    async def run() -> None:
        heard = await routes._heard(socket, "W1")
        ward.clock.move(seconds=30)
        with contextlib.suppress(WebSocketDisconnect):
            await routes._listen(socket, screen, heard)

    asyncio.run(run())
    return socket.told  # type: ignore[no-any-return]


@pytest.mark.parametrize(("message", "later"), [({"t": "hb"}, 30), ({"t": "ack", "m": 0, "w": 3}, 0)])
def test_connecting_and_every_answer_of_the_page_are_heard(
    ward: WardBench, message: dict[str, Any], later: int
) -> None:
    screens, began = WallScreens([EAST]), ward.clock()
    assert talk(ward, screens, "wall-1", message) == []
    assert screens.last_heard("wall-1") == began + timedelta(seconds=later)


def test_a_page_with_a_name_nobody_registered_is_told_and_one_without_a_name_is_not(ward: WardBench) -> None:
    screens = WallScreens([EAST])
    assert talk(ward, screens, "wall-9", {"t": "hb"}) == [{"t": "screen", "known": False}]
    assert talk(ward, screens, "", {"t": "hb"}) == []
    assert screens.last_heard("wall-1") is None
