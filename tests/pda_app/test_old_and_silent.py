"""Old facts never look young, old values never look like the present, and a mute handheld says so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from clinical.exchange import AlarmAcknowledged, Outcome
from clinical.records import Association, Flow, Observation
from pda_app.adapters.clock import SystemClock
from pda_app.adapters.local_store import EncryptedStore
from pda_app.adapters.sound import SystemSound
from pda_app.book import aged
from pda_app.ports import Cue
from pda_app.presenters import infusions
from pda_app.presenters.states import VitalTile
from pda_app.settings import HandheldSettings, Server
from tests.support.handheld import FAST, NOW, FakeServer, Rig, at, bag, flow, handheld, wristband

Play = Callable[..., None]
SPO2 = "MDC_PULS_OXIM_SAT_O2"
OXIMETER = "serial:oximeter-1"


def saturation(effective: datetime, device_id: str = OXIMETER) -> Observation:
    return Observation(
        id="v1", patient_id="p1", code=SPO2, value=Decimal(93), unit="%", effective=effective,
        device_id=device_id,
    )  # fmt: skip


def watching() -> Association:
    return Association(id="as1", device_id=OXIMETER, encounter_id="e-p1", start=at(-60))


async def tile(rig: Rig, seen: Observation, *associations: Association) -> VitalTile:
    rig.server.change(observations=(seen,), associations=associations)
    await rig.synced()
    rig.app.open_patient("p1")
    (shown,) = rig.app.patient.state.vitals
    return shown


# --- time


@pytest.mark.requirement("R-PDA-03")
@pytest.mark.hazard("H-PDA-21")
@pytest.mark.parametrize("back_h", [5, 72])
def test_setting_the_clock_back_offline_makes_no_old_fact_young(signed_in: Play, back_h: int) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.up = False
        rig.clock.advance(5 * 3600)
        rig.clock.utc -= timedelta(hours=back_h)
        assert rig.app.desk.now() == at(300)
        await rig.scan(wristband("M000001"), bag("b-o1"))
        codes = {one.code for one in rig.app.check.state.findings}
        assert "SYS-SNAPSHOT-AGE" in codes
        assert rig.app.check.state.verdict.kind == "stop"

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-21")
def test_a_kept_picture_from_the_future_counts_as_old(tmp_path: Path) -> None:
    async def main() -> None:
        async with handheld(tmp_path) as rig:
            await rig.sign_in()
            await rig.synced()
            server, clock = rig.server, rig.clock
        clock.utc -= timedelta(hours=2)  # the battery was out
        again = FakeServer(clock=clock, facts=server.facts, up=False)
        async with asyncio.timeout(60), handheld(tmp_path, again) as rig:
            await rig.sign_in()
            await rig.scan(wristband("M000001"), bag("b-o1"))
            assert "SYS-SNAPSHOT-AGE" in {one.code for one in rig.app.check.state.findings}
            assert rig.app.check.state.verdict.kind == "stop"

    asyncio.run(main())


@pytest.mark.hazard("H-PDA-21")
def test_scans_from_the_future_count_as_old(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000001"), bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "give"
        rig.server.clock_offset_s = -120.0  # the server's own time was corrected
        rig.server.change()
        await rig.synced()
        assert rig.app.desk.now() == at(-2)
        assert rig.app.check.state.verdict.kind == "needs"
        assert rig.text(rig.app.check.state.primary.text) == "扫码"
        await rig.scan(wristband("M000001"))
        assert "SYS-TRAY-STALE" in {one.code for one in rig.app.check.state.findings}
        await rig.scan(bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "give"

    signed_in(scenario)


@pytest.mark.parametrize(("ahead_s", "old"), [(-3600, False), (0, False), (60, False), (61, True)])
def test_a_moment_more_than_a_minute_ahead_has_no_age(ahead_s: float, old: bool) -> None:
    moment = NOW + timedelta(seconds=ahead_s)
    assert (aged(moment, NOW) < NOW - timedelta(days=300)) is old


def test_the_clock_that_never_jumps_moves_on() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


# --- values


@pytest.mark.requirement("R-PDA-51")
@pytest.mark.hazard("H-PDA-14")
@pytest.mark.parametrize(("age_s", "live"), [(-6, False), (-5, True), (0, True), (30, True), (31, False)])
def test_a_flow_is_live_only_between_just_now_and_its_limit(age_s: float, live: bool) -> None:
    measured: Flow = flow("i1", NOW - timedelta(seconds=age_s))
    assert infusions.live(measured, NOW) is live
    assert not infusions.live(replace(measured, state="stale"), NOW)


@pytest.mark.requirement("R-PDA-51")
@pytest.mark.hazard("H-PDA-14")
@pytest.mark.parametrize(("age_s", "stale"), [(-6, True), (0, False), (10, False), (11, True)])
def test_a_monitored_value_turns_grey_after_ten_seconds(signed_in: Play, age_s: float, stale: bool) -> None:
    async def scenario(rig: Rig) -> None:
        shown = await tile(rig, saturation(NOW - timedelta(seconds=age_s)), watching())
        assert (shown.value, shown.stale) == ("93", stale)
        if age_s == 11:
            assert rig.text(shown.at) == "09:41 · 11 秒前"
        if age_s < 0:
            assert "时间有误" in rig.text(shown.at)

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-14")
def test_a_monitored_value_whose_device_is_gone_shows_its_age(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        shown = await tile(rig, saturation(at(-42)), replace(watching(), end=at(-40)))
        assert (rig.text(shown.at), shown.stale) == ("09:00 · 42 分前", False)

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-51")
@pytest.mark.hazard("H-PDA-14")
def test_a_spot_value_of_yesterday_is_grey_with_date_and_age(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        old = replace(saturation(at(-600), ""), code="MDC_TEMP_BODY", unit="Cel", value=Decimal("37.8"))
        shown = await tile(rig, old)
        assert shown.stale
        assert rig.text(shown.at) == "11-24 23:42 · 10 h 00前"
        fresh = await tile(rig, replace(old, effective=at(-60)))
        assert (rig.text(fresh.at), fresh.stale) == ("08:42", False)

    signed_in(scenario)


# --- sound


@pytest.mark.requirement("R-PDA-73")
@pytest.mark.hazard("H-PDA-15")
def test_a_handheld_that_cannot_be_heard_says_so_all_the_time(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.app.state.status.sound == ""
        assert Cue.RECORDED in rig.sound.played  # tried at sign-in
        rig.sound.is_silent = True
        rig.app.tick()
        assert rig.text(rig.app.state.status.sound) == "无声音"
        assert rig.text(rig.app.state.status.sound, "en") == "No sound"

    signed_in(scenario)


def player(directory: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int) -> SystemSound:
    program = directory / "bin" / "pw-play"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return SystemSound(directory / "sounds")


@pytest.mark.requirement("R-PDA-73")
@pytest.mark.hazard("H-PDA-15")
@pytest.mark.parametrize(("exit_code", "silent"), [(0, False), (1, True)])
def test_a_player_that_fails_makes_the_handheld_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, silent: bool
) -> None:
    sound = player(tmp_path, monkeypatch, exit_code)
    assert not sound.is_silent
    sound.play(Cue.RECORDED)
    assert sound._running is not None
    sound._running.wait(timeout=10)
    assert sound.is_silent is silent
    sound.close()
    assert sound.is_silent is silent


# --- what lies on the disk


@pytest.mark.requirement("R-PDA-74")
@pytest.mark.hazard("H-PDA-09")
def test_the_device_secret_lies_apart_from_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    state, server = tmp_path / "state", Server(url="https://server.test")
    settings = HandheldSettings(handheld="pda/1", state_dir=state, server=server)
    assert settings.device_secret == tmp_path / "config" / "wardlink" / "pda%2F1.key"
    beside = state / "deep" / ".." / "device.key"
    with pytest.raises(ValidationError, match="secret_file must not lie in state_dir"):
        HandheldSettings(handheld="pda-1", state_dir=state, server=server, secret_file=beside)
    demo = HandheldSettings(handheld="pda-1", state_dir=state, server=server, secret_file=beside, demo=True)
    assert demo.device_secret == beside
    assert demo.model_copy(update={"secret_file": None}).device_secret == state / "device.key"


@pytest.mark.requirement("R-PDA-74")
@pytest.mark.hazard("H-PDA-09")
def test_confirmed_events_are_deleted_after_a_day_and_returned_ones_stay(tmp_path: Path) -> None:
    def event(number: int) -> AlarmAcknowledged:
        return AlarmAcknowledged(
            id=f"event-{number}", at=NOW, sent=NOW, operator="N20713", handheld="pda-01", alarm_id="a"
        )

    async def main() -> None:
        store = EncryptedStore(tmp_path, cost=FAST)
        await store.open()
        for number in range(4):
            await store.put(event(number))
        await store.settle([Outcome(event_id="event-0", status="accepted")], NOW)
        await store.settle([Outcome(event_id="event-1", status="duplicate")], NOW)
        await store.settle([Outcome(event_id="event-2", status="accepted")], at(24 * 60 - 1))
        assert (await store.counts()).confirmed == 2
        await store.settle([], at(24 * 60 + 1))
        counts = await store.counts()
        assert (counts.queued, counts.returned, counts.confirmed) == (1, 1, 1)
        await store.close()

    asyncio.run(main())
