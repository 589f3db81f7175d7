"""Badge and PIN, with and without the server; the lock; the limits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from pda_app.presenters.states import Screen
from tests.support.handheld import FakeClock, FakeServer, Rig, badge, bag, handheld, wristband


def run(directory: Path, scenario: object, server: FakeServer | None = None, **security: object) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), handheld(directory, server, **security) as rig:
            await scenario(rig)  # type: ignore[operator]

    asyncio.run(main())


def message(rig: Rig) -> str:
    return rig.text(rig.app.sign_in.state.message)


@pytest.mark.requirement("R-PDA-20")
def test_badge_and_pin_open_today_s_work(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.scan(badge("N20713"))
        await rig.app.settle()
        assert rig.app.sign_in.state.step == "pin"
        for digit in "274913":
            rig.app.sign_in.digit(digit)
        await rig.app.settle()
        assert rig.app.state.screen is Screen.TODAY
        assert rig.app.state.status.user == "王丽"

    run(tmp_path, scenario)


def test_before_signing_in_only_a_badge_is_accepted(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000001"))
        assert rig.app.state.screen is Screen.SIGN_IN
        assert "工牌" in rig.text(rig.app.state.toast.text)
        assert rig.app.desk.sync.counts.queued == 0

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-20")
def test_a_wrong_pin_says_so_and_keeps_the_badge(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in(pin="111111")
        assert rig.app.state.screen is Screen.SIGN_IN
        assert message(rig) == "工牌与 PIN 不符"
        assert rig.app.sign_in.state.step == "pin"
        rig.app.sign_in.digit("2")
        rig.app.sign_in.erase()
        assert rig.app.sign_in.state.digits == 0

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-21")
@pytest.mark.hazard("H-PDA-11")
def test_the_pad_is_blocked_after_too_many_wrong_pins_also_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()

    async def first(rig: Rig) -> None:
        await rig.sign_in()
        rig.app.sign_out()
        await rig.app.settle()
        rig.server.up = False
        for _ in range(3):
            await rig.sign_in(pin="111111")

    async def second(rig: Rig) -> None:
        await rig.sign_in()
        assert rig.app.sign_in.state.blocked_s > 0
        rig.clock.advance(400)
        await rig.sign_in()
        assert rig.app.state.screen is Screen.TODAY

    run(tmp_path, first, FakeServer(clock=clock), attempts=3)
    run(tmp_path, second, FakeServer(clock=clock, up=False), attempts=3)


@pytest.mark.requirement("R-PDA-22")
def test_a_nurse_signs_in_offline_sees_the_ward_and_is_signed_in_for_real_later(tmp_path: Path) -> None:
    clock = FakeClock()

    async def first(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()

    async def second(rig: Rig) -> None:
        await rig.sign_in()
        assert rig.app.state.screen is Screen.TODAY
        assert len(rig.app.desk.book.facts.patients) == 3
        rig.server.up = True
        rig.app.desk.sync.kick()
        await rig.synced()
        assert rig.api.token == "token-N20713"

    run(tmp_path, first, FakeServer(clock=clock))
    run(tmp_path, second, FakeServer(clock=clock, up=False))


@pytest.mark.requirement("R-PDA-22")
@pytest.mark.parametrize(("known", "late", "said"), [(False, False, "首次登录"), (True, True, "已过期")])
def test_offline_sign_in_needs_a_first_time_online_and_ends(
    tmp_path: Path, known: bool, late: bool, said: str
) -> None:
    clock = FakeClock()

    async def first(rig: Rig) -> None:
        await rig.sign_in()

    async def second(rig: Rig) -> None:
        if late:
            rig.clock.advance(timedelta(hours=13).total_seconds())
        await rig.sign_in()
        assert rig.app.state.screen is Screen.SIGN_IN
        assert said in message(rig)

    if known:
        run(tmp_path, first, FakeServer(clock=clock))
    run(tmp_path, second, FakeServer(clock=clock, up=False))


@pytest.mark.requirement("R-PDA-23")
def test_an_idle_handheld_locks_and_keeps_the_work_for_the_same_nurse(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        await rig.scan(wristband("M000001"))
        rig.clock.advance(200)
        rig.app.tick()
        assert rig.app.state.locked
        rig.server.up = False
        for digit in "274913":
            rig.app.sign_in.digit(digit)
        await rig.app.settle()
        assert not rig.app.state.locked
        assert rig.app.state.screen is Screen.CHECK
        assert rig.app.check.is_open

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-23")
@pytest.mark.hazard("H-PDA-12")
def test_another_nurse_who_unlocks_never_gets_the_work_of_the_one_before(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        await rig.scan(wristband("M000001"))
        rig.app.lock()
        await rig.sign_in("N20488")
        assert rig.app.state.screen is Screen.TODAY
        assert not rig.app.check.is_open
        assert rig.app.state.status.user == "陈静"

    run(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-12")
def test_a_locked_handheld_takes_no_scan_but_a_badge(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        await rig.scan(wristband("M000001"))
        rig.app.lock()
        await rig.scan(bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "needs"

    run(tmp_path, scenario)


def test_a_session_the_server_ended_brings_the_lock_down(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        rig.server.sessions_valid = False
        rig.server.change()
        rig.app.desk.sync.kick()
        await rig.until(lambda: rig.app.state.locked)
        for digit in "274913":
            rig.app.sign_in.digit(digit)
        await rig.app.settle()
        await rig.synced()
        assert not rig.app.state.locked

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-13")
def test_a_handheld_the_hospital_gave_up_forgets_everything(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        rig.server.gone = True
        rig.server.change()
        rig.app.desk.sync.kick()
        await rig.until(lambda: rig.app.desk.sync.wiped)
        await rig.until(lambda: rig.app.state.screen is Screen.SIGN_IN)
        assert not (tmp_path / "device.key").exists()
        assert rig.app.desk.book.facts.patients == ()
        assert "注销" in message(rig)

    run(tmp_path, scenario)


def test_signing_out_keeps_what_waits_to_be_sent(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        rig.server.up = False
        await rig.scan(wristband("M000001"), bag("b-o1"))
        rig.app.check.primary()
        await rig.app.settle()
        waiting = rig.app.desk.sync.counts.queued
        rig.app.sign_out()
        await rig.app.settle()
        rig.server.up = True
        await rig.sign_in("N20488")
        await rig.synced()
        assert waiting > 0
        assert {event.operator for event in rig.server.events.values()} == {"N20713"}

    run(tmp_path, scenario)
