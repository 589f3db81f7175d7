"""Right after sign-in, before the ward's first picture: nothing is known, and nothing is said to be empty."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pda_app.ports import Cue
from pda_app.presenters.states import Connection, Picture, Screen
from tests.support.handheld import FakeClock, FakeServer, Rig, bag, handheld, wristband

Scenario = Callable[[Rig], Awaitable[None]]


def waiting(directory: Path, scenario: Scenario, *, lost: bool = False) -> None:
    """Run a scenario between sign-in and the first answer; ``lost``: the network goes right after sign-in."""

    async def main() -> None:
        server = FakeServer(clock=FakeClock())
        async with asyncio.timeout(60), handheld(directory, server) as rig:
            gate, answer = asyncio.Event(), rig.api.changes

            async def later(*args: object, **kwargs: object) -> object:
                if not lost:
                    await gate.wait()
                return await answer(*args, **kwargs)

            rig.api.changes = later
            sign_in = rig.api.sign_in

            async def signed(*args: object, **kwargs: object) -> object:
                try:
                    return await sign_in(*args, **kwargs)
                finally:
                    server.up = not lost

            rig.api.sign_in = signed
            await rig.sign_in()
            if lost:
                await rig.until(lambda: rig.app.desk.sync.link.silent)
                await rig.app.settle()
            await scenario(rig)
            gate.set()
            server.up = True
            rig.app.desk.sync.kick()
            await rig.synced()
            assert rig.app.desk.picture is Picture.HERE
            rig.app.go(Screen.TODAY)
            await rig.app.settle()
            assert [one.count for one in rig.app.today.state.counters] == [3, 1, 2, 0]

    asyncio.run(main())


@pytest.mark.requirement("R-PDA-42")
@pytest.mark.hazard("H-PDA-17")
def test_before_the_first_picture_no_list_says_that_nothing_is_to_be_done(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.go(Screen.WARD)
        await rig.app.settle()
        for state in (rig.app.today.state, rig.app.ward.state, rig.app.alarms.state):
            assert state.picture is Picture.READING
            assert rig.text(state.empty) == "正在读取病区数据"
            assert rig.text(state.empty, "en") == "Reading the ward's data"
        assert [one.count for one in rig.app.today.state.counters] == [None] * 4
        assert [one.count for one in rig.app.ward.state.counters] == [None] * 4
        assert rig.app.ward.state.cards == ()

    waiting(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-42")
def test_the_clock_is_the_ward_s_and_the_link_is_not_called_offline_while_it_is_tried(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        status = rig.app.state.status
        assert (status.time, status.ward_code, status.connection) == ("09:42", "W1", Connection.TRYING)

    waiting(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-42")
@pytest.mark.hazard("H-PDA-17")
def test_when_the_picture_does_not_come_it_says_offline_and_without_data(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.app.state.status.connection is Connection.OFFLINE
        assert rig.app.today.state.picture is Picture.MISSING
        for text in (rig.app.today.state.empty, rig.app.alarms.state.empty):
            assert rig.text(text).startswith("离线，本机没有病区数据")
        rig.app.go(Screen.UPLOADS)
        assert "没有病区数据" in rig.text(rig.app.uploads.state.note)

    waiting(tmp_path, scenario, lost=True)


@pytest.mark.requirement("R-PDA-42")
@pytest.mark.hazard("H-PDA-17")
def test_a_scan_before_the_first_picture_is_refused_and_begins_no_check(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000001"), bag("b-o1"))
        assert not rig.app.check.is_open
        assert rig.app.state.screen is Screen.TODAY
        assert rig.sound.played[-1] is Cue.REFUSED
        assert rig.text(rig.app.state.toast.text) == "病区数据还没到，请稍后再扫"

    waiting(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-42")
def test_the_sign_in_page_has_no_clock_of_a_place_nobody_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), handheld(tmp_path) as rig:
            await rig.app.settle()
            assert rig.app.state.status.time == ""
            assert not rig.app.sign_in.state.offline
            await rig.sign_in()
            await rig.synced()
            rig.app.sign_out()
            await rig.app.settle()
            assert rig.app.state.status.time == "09:42"

    asyncio.run(main())


def test_no_alarms_offline_names_the_time_it_is_known_for(signed_in: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.text(rig.app.alarms.state.empty) == "没有报警"
        rig.server.up = False
        rig.app.desk.sync.kick()
        await rig.until(lambda: rig.app.desk.sync.link.silent)
        await rig.app.settle()
        assert rig.text(rig.app.alarms.state.empty) == "离线：截至 09:42 没有报警"

    signed_in(scenario)


def test_a_patient_who_has_left_the_ward_is_said_so(signed_in: Callable[..., None]) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_patient("p9")
        assert rig.text(rig.app.patient.state.empty) == "患者不在本病区"

    signed_in(scenario)
