"""The open check follows the facts: a reservation keeps no old GIVE, and a touch is judged once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from clinical.bedside_check.model import Right
from clinical.exchange import (
    AdministrationRecorded,
    AlarmAcknowledged,
    Changes,
    CheckAnswer,
    InfusionStarted,
    PatrolRecorded,
)
from clinical.records import Dose, Facts, Order
from pda_app.ports import Cue
from pda_app.presenters.states import Screen
from tests.support.handheld import NOW, WARD, Rig, alarm, bag, device_label, wristband

Play = Callable[..., None]
P1, P2, P3 = "M000001", "M000002", "M000003"


def order_of(rig: Rig, id_: str) -> Order:
    return next(one for one in rig.server.facts.orders if one.id == id_)


def slip_in(rig: Rig, *orders: Order) -> None:
    """Facts that are in the book while nothing has been drawn yet: the touch comes first."""
    book = rig.app.desk.book
    changes = Changes(
        epoch=book.epoch, since=book.cursor, cursor=book.cursor, at=rig.server.now(), complete=False,
        ward=WARD, facts=Facts(orders=orders),
    )  # fmt: skip
    book.merge(changes, rig.server.now())


def stopped(order: Order) -> Order:
    return replace(order, status="stopped", version=order.version + 1, stopped_at=NOW)


def more(order: Order) -> Order:
    item = replace(order.items[0], dose=Dose(value=Decimal(95), unit="mg"))
    return replace(order, version=order.version + 1, items=(item, *order.items[1:]))


async def give(rig: Rig) -> None:
    await rig.scan(wristband(P1), bag("b-o1"))
    assert rig.app.check.state.verdict.kind == "give"
    assert rig.server.leases["t-o1"].operator == "N20713"


@pytest.mark.requirement("R-PDA-02")
@pytest.mark.hazard("H-PDA-05")
def test_a_reservation_does_not_keep_give_when_the_order_is_stopped(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give(rig)
        rig.server.change(orders=(stopped(order_of(rig, "o1")),))
        await rig.synced()
        assert rig.app.check.state.verdict.kind == "stop"
        assert rig.sound.played[-1] is Cue.STOP
        rig.app.check.primary()
        await rig.app.settle()
        assert rig.api.sent(AdministrationRecorded) == []

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-05")
def test_rows_and_detail_never_disagree_about_the_dose(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give(rig)
        rig.server.change(orders=(more(order_of(rig, "o1")),))
        await rig.synced()
        state = rig.app.check.state
        dose = next(row.value for row in state.rows if row.right is Right.DOSE)
        assert "95 mg" in rig.text(dose)
        assert "95 mg" in rig.text(state.detail)
        assert state.verdict.kind != "give"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-02")
@pytest.mark.hazard("H-PDA-05")
@pytest.mark.parametrize("change", [stopped, more])
def test_a_touch_is_judged_once_more_before_anything_is_recorded(
    signed_in: Play, change: Callable[[Order], Order]
) -> None:
    async def scenario(rig: Rig) -> None:
        await give(rig)
        slip_in(rig, change(order_of(rig, "o1")))
        assert rig.app.check.state.primary.enabled
        rig.app.check.primary()
        await rig.app.settle()
        assert [one for one in rig.app.desk.sync.queue if isinstance(one, AdministrationRecorded)] == []
        assert rig.api.sent(AdministrationRecorded) == []
        assert rig.app.check.state.verdict.kind in {"stop", "check"}
        assert rig.sound.played[-1] is Cue.STOP

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-05")
def test_a_bag_is_not_started_by_a_touch_on_an_order_stopped_just_now(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P3), bag("b-o3"), device_label("ble:c0-00-00-00-01-01"))
        assert rig.app.check.state.verdict.kind == "give"
        slip_in(rig, stopped(order_of(rig, "o3")))
        rig.app.check.primary()
        await rig.app.settle()
        await rig.synced()
        assert rig.api.sent(InfusionStarted) == []
        assert rig.app.check.state.verdict.kind == "stop"

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-05")
def test_facts_that_come_while_the_server_thinks_are_judged_before_give(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1))
        ask, may_answer = rig.api.check, asyncio.Event()

        async def slow(request: Any) -> CheckAnswer:
            answer = await ask(request)
            await may_answer.wait()
            return answer

        rig.api.check = slow  # type: ignore[method-assign]
        rig.app.scan(bag("b-o1"))
        await rig.until(lambda: rig.app.check.state.verdict.kind == "waiting")
        slip_in(rig, stopped(order_of(rig, "o1")))
        may_answer.set()
        await rig.app.settle()
        assert rig.app.check.state.verdict.kind == "stop"
        assert Cue.GIVE not in rig.sound.played

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-05")
def test_the_server_is_told_which_version_the_nurse_sees_and_which_she_read(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give(rig)
        assert (rig.server.checks[-1].order_version, rig.server.checks[-1].seen_version) == (1, 1)
        rig.server.change(orders=(replace(order_of(rig, "o1"), version=2, label_version=1, rate_version=1),))
        await rig.synced()
        state = rig.app.check.state
        assert state.verdict.kind == "check"
        assert [one.code for one in state.findings][:1] == ["ORD-CHANGED-UNSEEN"]
        rig.app.check.reason("procedure")
        await rig.app.settle()
        assert (rig.server.checks[-1].order_version, rig.server.checks[-1].seen_version) == (2, 1)
        assert rig.app.check.state.verdict.kind == "give"

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-05")
def test_a_server_that_is_one_version_ahead_answers_that_the_order_has_changed(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        changed = replace(order_of(rig, "o1"), version=2)
        rest = tuple(one for one in rig.server.facts.orders if one.id != "o1")
        rig.server.facts = replace(rig.server.facts, orders=(changed, *rest))  # the feed has not told yet
        await rig.scan(wristband(P1), bag("b-o1"))
        state = rig.app.check.state
        assert state.verdict.kind == "stop"
        assert [one.code for one in state.findings][:1] == ["SYS-STATE-CHANGED"]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-23")
@pytest.mark.hazard("H-PDA-12")
def test_nothing_is_recorded_while_the_handheld_is_locked(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P3), bag("b-o3"), device_label("ble:c0-00-00-00-01-01"))
        rig.app.check.primary()
        await rig.app.settle()
        await rig.synced()
        assert rig.app.state.screen is Screen.ROUND
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.synced()
        rig.app.round.finding("normal")
        rig.app.round.secondary()
        rig.app.round.mode("complete")
        rig.app.lock()
        rig.app.round.primary()
        rig.app.round.finish()
        rig.app.alarms.acknowledge()
        await rig.app.settle()
        assert rig.app.desk.sync.queue == ()
        assert rig.api.sent(PatrolRecorded) + rig.api.sent(AlarmAcknowledged) == []
        assert rig.app.alarms.state.current is not None
        assert not rig.app.alarms.state.acknowledge.enabled

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-12")
def test_a_check_records_nothing_while_the_handheld_is_locked(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await give(rig)
        rig.app.lock()
        rig.app.check.primary()
        rig.app.check.secondary()
        rig.app.check.outcome("refused")
        rig.app.check.not_given_reason("patient-refused")
        rig.app.check.record_not_given()
        await rig.app.settle()
        assert rig.api.sent(AdministrationRecorded) == []
        assert not rig.app.check.state.recorded

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-12")
def test_an_alarm_is_not_taken_when_nobody_is_signed_in(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.synced()
        rig.app.desk.sessions.current = None
        rig.app.alarms.acknowledge()
        await rig.app.settle()
        assert rig.api.sent(AlarmAcknowledged) == []

    signed_in(scenario)
