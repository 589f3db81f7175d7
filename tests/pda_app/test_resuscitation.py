"""Calling a resuscitation on the patient's page: asked first, seen at once, also without network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from clinical import resuscitation
from clinical.exchange import PatrolRecorded, ResuscitationChanged
from clinical.records import Encounter, Infusion, InfusionState
from pda_app.presenters.states import Screen, Tone
from tests.support.handheld import NURSE, Rig

Play = Callable[..., None]
pytestmark = [pytest.mark.requirement("R-ORD-05"), pytest.mark.hazard("H-ORD-03")]


def lasts(rig: Rig) -> bool:
    stay = rig.app.desk.book.get(Encounter, "e-p1")
    assert stay is not None
    return resuscitation.lasts(stay, rig.app.desk.now(), rig.app.desk.book.policy)


async def offline(rig: Rig) -> None:
    rig.server.up = False
    rig.app.desk.sync.kick()
    await rig.until(lambda: not rig.app.desk.sync.link.online)


async def touch(rig: Rig, answer: str) -> None:
    rig.app.patient.resuscitate()
    assert rig.app.state.dialog is not None
    rig.app.answer_dialog(answer)
    await rig.app.settle()


def test_it_is_asked_first_seen_at_once_and_ended_by_the_same_button(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_patient("p1")
        assert rig.text(rig.app.patient.state.resuscitation) == "开始抢救"
        await touch(rig, "leave")
        assert not lasts(rig)
        await touch(rig, "begin")
        chip = rig.app.patient.state.chips[0]
        assert (rig.text(chip.text), chip.tone) == ("抢救中，至 10:12", Tone.BAD)
        assert rig.text(rig.app.patient.state.resuscitation, "en") == "End resuscitation"
        await touch(rig, "end")
        rig.clock.mono += 1
        rig.app.patient.refresh()
        assert not lasts(rig)
        sent = [one for one in rig.server.events.values() if isinstance(one, ResuscitationChanged)]
        assert [(one.encounter_id, one.action, one.operator) for one in sent] == [
            ("e-p1", "begin", "N20713"),
            ("e-p1", "end", "N20713"),
        ]

    signed_in(scenario)


def test_without_network_it_counts_here_at_once_and_waits_in_the_outbox(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await offline(rig)
        rig.app.open_patient("p1")
        await touch(rig, "begin")
        assert lasts(rig)
        rig.app.go(Screen.UPLOADS)
        (row,) = rig.app.uploads.state.queue
        assert (rig.text(row.title), rig.text(row.detail)) == ("01 张建国 抢救", "开始抢救")

    signed_in(scenario)


@pytest.mark.parametrize(("roles", "may"), [(("student",), False), (("doctor",), True)])
def test_the_button_is_there_for_who_may_call_it(signed_in: Play, roles: tuple[str, ...], may: bool) -> None:
    async def scenario(rig: Rig) -> None:
        sessions = rig.app.desk.sessions
        assert sessions.current is not None
        sessions.current = replace(sessions.current, practitioner=replace(NURSE, roles=roles))
        rig.app.open_patient("p1")
        assert bool(rig.app.patient.state.resuscitation) is may
        rig.app.patient.resuscitate()
        assert (rig.app.state.dialog is not None) is may

    signed_in(scenario)


def test_a_round_made_here_is_known_here_until_the_server_says_so(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        bag = Infusion(
            id="i1", order_id="o3", task_id="t-o3", encounter_id="e-p3", patient_id="p3",
            state=InfusionState.RUNNING,
            rate_ml_h=Decimal(120), drops_per_ml=20, volume_ml=Decimal(100),
            started_at=rig.app.desk.now(),
        )  # fmt: skip
        rig.server.change(infusions=(bag,))
        await rig.synced()
        await offline(rig)
        event = PatrolRecorded(**rig.app.desk.event_base(), infusion_id="i1")
        await rig.app.desk.sync.record(event)
        known = rig.app.desk.book.get(Infusion, "i1")
        assert known is not None
        assert known.looked_at == event.at
        gone = ResuscitationChanged(**rig.app.desk.event_base(), encounter_id="e-none", action="end")
        await rig.app.desk.sync.record(gone)

    signed_in(scenario)
