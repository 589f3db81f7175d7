"""Sign-ins that the ward has taken back: nothing on the handheld lets the person in without the server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pda_app import session
from server.people import service
from tests.pda_app.test_session import message, run
from tests.support.handheld import Rig

pytestmark = [pytest.mark.requirement("R-PEOPLE-04"), pytest.mark.hazard("H-PEOPLE-03")]


def wang(rig: Rig, **said: Any) -> Any:
    person = next(one for one in rig.server.facts.practitioners if one.id == "N20713")
    return replace(person, **said)


async def away(rig: Rig) -> None:
    """Sign out where there is no network any more."""
    rig.app.sign_out()
    await rig.app.settle()
    rig.server.up = False


async def two_nurses(rig: Rig) -> None:
    """Wang has signed in here; now Chen holds the handheld."""
    await rig.sign_in()
    await rig.synced()
    rig.app.sign_out()
    await rig.app.settle()
    await rig.sign_in("N20488")
    await rig.synced()


@pytest.mark.parametrize("how", ["revoked", "left"])
def test_the_ward_tells_of_a_withdrawal_and_only_that_person_is_forgotten(tmp_path: Path, how: str) -> None:
    async def scenario(rig: Rig) -> None:
        await two_nurses(rig)
        rig.clock.advance(1)
        said = {"revoked_at": rig.server.now()} if how == "revoked" else {"active": False}
        rig.server.change(practitioners=(wang(rig, **said),))
        rig.app.desk.sync.kick()
        await rig.synced()
        assert [one.badge for one in await rig.store.people()] == ["N20488"]
        await away(rig)
        await rig.sign_in()
        assert rig.app.desk.sessions.current is None
        await rig.sign_in("N20488")
        assert rig.app.desk.sessions.current is not None

    run(tmp_path, scenario)


def test_a_clock_of_a_handheld_that_is_fast_outlives_no_withdrawal(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.clock_offset_s = -3600  # the handheld is an hour ahead
        await two_nurses(rig)
        rig.server.change(practitioners=(wang(rig, revoked_at=rig.server.now() + timedelta(minutes=1)),))
        rig.app.desk.sync.kick()
        await rig.synced()
        assert [one.badge for one in await rig.store.people()] == ["N20488"]

    run(tmp_path, scenario)


def test_the_handheld_and_the_server_mean_the_same_time_without_a_server() -> None:
    assert session.OFFLINE_LIFE == service.OFFLINE_LIFE


def test_whoever_signs_in_anew_after_a_withdrawal_is_kept_again(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(practitioners=(wang(rig, revoked_at=rig.server.now()),))
        await two_nurses(rig)
        assert {one.badge for one in await rig.store.people()} == {"N20713", "N20488"}

    run(tmp_path, scenario)


def test_a_nurse_whose_sign_in_is_withdrawn_is_out_and_cannot_come_back_without_the_server(
    tmp_path: Path,
) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_in()
        await rig.synced()
        rig.server.sessions_valid, rig.server.refusal = False, "session-revoked"
        rig.server.change()
        rig.app.desk.sync.kick()
        await rig.until(lambda: rig.app.desk.sessions.locked)
        rig.server.up = False
        assert await rig.store.people() == ()
        await away(rig)
        await rig.sign_in()
        assert rig.app.desk.sessions.current is None
        assert message(rig)

    run(tmp_path, scenario)
