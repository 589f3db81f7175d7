"""A skin test: placed with the emergency drugs at hand, timed, read by two who do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from clinical.bedside_check.model import Action
from clinical.care_records import RunningSkinTest
from clinical.exchange import AdministrationRecorded, CareRecorded
from clinical.records import TaskStatus
from pda_app.presenters.states import Screen, Tone
from tests.support.handheld import FakeClock, FakeServer, Rig, at, badge, bag, wristband
from tests.support.handheld_care import add_skin_test, pin, said

Play = Callable[..., None]
P1 = "M000001"
SECOND = "N20488"


@pytest.fixture
def testing(signed_in: Play) -> Callable[..., None]:
    """Run a scenario on a ward where a skin test is due; ``placed`` minutes ago when it runs already."""

    def play(scenario: Callable[[Rig], object], placed: float | None = None) -> None:
        server = FakeServer(clock=FakeClock())
        order, task = add_skin_test(server)
        if placed is not None:
            test = RunningSkinTest(
                id="s1", patient_id="p1", order_id=order.id, substance="i-ceftriaxone",
                started_at=at(-placed), started_by="N20713", task_id=task.id, site="left-forearm",
            )  # fmt: skip
            server.change(running_skin_tests=(test,), tasks=(replace(task, status=TaskStatus.RUNNING),))
        signed_in(scenario, server)

    return play


async def record(rig: Rig) -> list[CareRecorded]:
    rig.app.care.primary()
    await rig.app.settle()
    await rig.synced()
    return rig.api.sent(CareRecorded)


@pytest.mark.requirement("R-PDA-85")
@pytest.mark.hazard("H-PDA-32")
def test_a_skin_test_is_placed_only_with_the_emergency_drugs_at_hand(testing: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-skt"))
        care = rig.app.care
        assert rig.app.state.screen is Screen.CARE
        assert said(rig)[0] == "needs"
        care.choose("site:left-forearm")
        await rig.app.settle()
        assert said(rig) == ("needs", "请确认抢救药品在位")
        care.choose("check:emergency-drugs")
        await rig.app.settle()
        assert said(rig)[0] == "give"
        (event,) = await record(rig)
        assert (event.request.action, event.task_id) == (Action.SKINTEST_START, "t-skt")
        assert rig.app.desk.book.get(RunningSkinTest, event.subject_id).started_by == "N20713"
        assert rig.api.sent(AdministrationRecorded) == []

    testing(scenario)


@pytest.mark.requirement("R-PDA-85")
@pytest.mark.hazard("H-PDA-32")
def test_it_counts_down_and_is_not_read_before_its_time(testing: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rows = [row for group in rig.app.today.state.groups for row in group.rows]
        assert [rig.text(one.distance) for one in rows if one.task_id == "t-skt"] == ["待判读"]
        rig.app.open_task("t-skt")
        await rig.app.settle()
        timer = rig.app.care.state.timer
        assert (rig.text(timer.value), rig.text(timer.note)) == ("08:00", "09:50 判读，10:00 前")
        await rig.scan(wristband(P1))
        rig.app.care.choose("result:negative")
        await rig.app.settle()
        assert said(rig)[0] == "stop"
        assert await record(rig) == []
        rig.clock.advance(9 * 60)
        rig.app.tick()
        timer = rig.app.care.state.timer
        assert (rig.text(timer.value), timer.tone) == ("请判读 · 剩 09:00", Tone.WARN)
        rig.clock.advance(11 * 60)
        rig.app.tick()
        assert rig.text(rig.app.care.state.timer.value) == "判读超时 2 分"

    testing(scenario, placed=12)


@pytest.mark.requirement("R-PDA-85")
@pytest.mark.hazard("H-PDA-32")
def test_two_persons_read_it_and_neither_sees_the_other_s_reading(testing: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1))
        rig.app.open_task("t-skt")
        await rig.scan(wristband(P1))
        care = rig.app.care
        assert said(rig) == ("needs", "请选皮试结果")
        care.choose("result:negative")
        await rig.app.settle()
        assert said(rig) == ("needs", "请第二人扫工牌")
        await rig.scan(badge(SECOND))
        assert [one.selected for one in care.state.groups[0].choices] == [False] * 3
        assert rig.text(care.state.groups[0].title) == "陈静：看到什么？"
        care.choose("result:positive")  # the first one's chips are gone
        care.choose("second:negative")
        await rig.app.settle()
        assert said(rig) == ("needs", "请输入 PIN")
        await pin(rig)
        assert said(rig)[0] == "give"
        (event,) = await record(rig)
        assert (event.subject_id, event.request.entered.result) == ("s1", "negative")
        assert (event.request.witness.id, event.request.witness.result) == (SECOND, "negative")
        assert event.request.confirmations[0].by == SECOND

    testing(scenario, placed=21)


@pytest.mark.requirement("R-PDA-85")
@pytest.mark.hazard("H-PDA-32")
def test_two_readings_that_differ_stop_and_both_read_again(testing: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_task("t-skt")
        await rig.scan(wristband(P1))
        care = rig.app.care
        care.choose("result:negative")
        await rig.scan(badge(SECOND))
        care.choose("second:positive")
        await pin(rig)
        assert said(rig) == ("stop", "两人皮试判读不一致")
        assert await record(rig) == []
        care.choose("other:")
        await rig.app.settle()
        assert said(rig) == ("needs", "请选皮试结果")

    testing(scenario, placed=21)
