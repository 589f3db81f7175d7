"""The alarm over everything: what happened, since when, what stands beside it, and who comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from clinical.records import AlarmPriority, Observation, Validity
from pda_app.presenters.states import Screen
from tests.pda_app.test_round_and_alarms import RUNNING
from tests.support.handheld import Rig, alarm, at, flow

Play = Callable[..., None]
SPO2, PULSE = "MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE"
LOW_SPO2 = alarm("a1", "01", "limit-low", params={"code": SPO2, "unit": "%", "measured": 84.0, "limit": 90.0})
ROUTINE = {"condition": "node-offline", "kind": "technical", "bed": "", "patient_id": "", "encounter_id": ""}


def seen(value: int, minutes: float, code: str = SPO2, **changes: object) -> Observation:
    made = Observation(
        id=f"p1/{code}", patient_id="p1", code=code, value=Decimal(value),
        unit="%" if code == SPO2 else "/min", effective=at(minutes),
    )  # fmt: skip
    return replace(made, **changes)


async def hear(rig: Rig, **facts: object) -> None:
    rig.server.change(**facts)
    await rig.synced()


@pytest.mark.requirement("R-PDA-34")
def test_the_overlay_shows_the_last_minutes_with_the_limit_and_what_stands_beside(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await hear(rig, observations=(seen(99, -9),))
        for value, minutes in ((96, -5.0), (95, -4.8), (90, -1.0), (87, -0.8)):
            await hear(rig, observations=(seen(value, minutes),))
        await hear(rig, observations=(seen(84, 0), seen(118, 0, PULSE)), alarms=(LOW_SPO2,))
        view = rig.app.alarms.state.current
        assert [[(round(p.minute, 1), p.value) for p in line] for line in view.trend.lines] == [
            [(-5.0, 96), (-4.8, 95)], [(-1.0, 90), (-0.8, 87)], [(0.0, 84)],
        ]  # fmt: skip
        assert (view.trend.limit, view.trend.side, view.trend.ticks) == (90.0, "low", ("09:36", "09:42"))
        assert view.trend.low < 84
        assert view.trend.high > 96
        assert [(one.code, one.value, one.at) for one in view.neighbours] == [(PULSE, "118", "09:42")]
        assert rig.text(view.limit) == "低于界限 90 %"
        assert rig.text(view.limit, "en") == "below the limit of 90 %"

    signed_in(scenario)


def test_a_value_that_is_not_valid_leaves_a_gap(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await hear(rig, observations=(seen(96, -2),))
        await hear(rig, observations=(seen(30, -1, validity=Validity.INVALID),))
        await hear(rig, observations=(seen(84, 0),), alarms=(LOW_SPO2,))
        lines = rig.app.alarms.state.current.trend.lines
        assert [[p.value for p in line] for line in lines] == [[96], [84]]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-34")
def test_an_infusion_s_alarm_names_the_drug_and_draws_its_rate_against_the_order(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        wrong = alarm(
            "a1", "03", "rate-deviation", infusion_id="i1", params={"ordered": 40.0, "measured": 54.2}
        )
        await hear(rig, infusions=(RUNNING,), flows=(flow("i1", at(-0.5), gtt_min=41.0),))
        await hear(rig, flows=(flow("i1", at(0), gtt_min=54.2),), alarms=(wrong,))
        view = rig.app.alarms.state.current
        assert rig.text(view.about) == "0.9% 氯化钠"
        assert [p.value for line in view.trend.lines for p in line] == [41.0, 54.2]
        assert (view.trend.limit, view.trend.side) == (40.0, "")
        assert (view.value, rig.text(view.unit), rig.text(view.limit)) == ("54.2", "滴/分", "医嘱 40 滴/分")
        assert [(rig.text(one.label), one.value) for one in view.neighbours] == [("剩余", "60")]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-34")
@pytest.mark.hazard("H-PDA-18")
def test_who_comes_next_is_counted_down_and_ends_when_somebody_goes(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await hear(rig, alarms=(replace(LOW_SPO2, started_at=at(-42 / 60)),))
        said = []
        for seconds in (0, 17, 2, 60):
            rig.clock.advance(seconds)
            rig.app.alarms.tick()
            said.append(rig.text(rig.app.alarms.state.current.countdown))
        assert said == ["18 秒后通知下一位护士", "1 秒后通知下一位护士", "59 秒后通知护士长、医生", ""]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-33")
def test_after_one_alarm_is_taken_the_next_calls_and_the_page_says_who_took_it(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        second = alarm("a2", "02", "no-flow", AlarmPriority.HIGH)
        third = alarm("a3", "03", "near-end", AlarmPriority.MEDIUM)
        await hear(rig, alarms=(LOW_SPO2, second, third))
        shown = []
        for _ in range(3):
            shown.append(rig.app.alarms.state.current.alarm_id)
            rig.app.alarms.acknowledge()
            await rig.app.settle()
        assert shown == ["a1", "a2", "a3"]
        assert rig.app.alarms.state.current is None
        taken = {row.alarm_id: rig.text(row.acknowledged) for row in rig.app.alarms.state.rows}
        assert taken["a2"] == "王丽 09:42 处理中"
        taken_by_a_colleague = {
            "signal": "acknowledged",
            "acknowledged_by": "N20488",
            "acknowledged_at": at(-1),
        }
        colleague = replace(alarm("a4", "01", "empty"), **taken_by_a_colleague)
        await hear(rig, alarms=(colleague,))
        taken = {row.alarm_id: rig.text(row.acknowledged) for row in rig.app.alarms.state.rows}
        assert taken["a4"] == "陈静 09:41 处理中"

    signed_in(scenario)


def test_touching_an_alarm_that_somebody_took_opens_its_patient(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await hear(rig, alarms=(replace(LOW_SPO2, signal="acknowledged", acknowledged_by="N20488"),))
        rig.app.go(Screen.ALARMS)
        rig.app.alarms.show("a1")
        assert rig.app.state.screen is Screen.PATIENT
        rig.app.alarms.show("no such alarm")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-34")
@pytest.mark.parametrize(
    ("changes", "said", "where"),
    [
        ({**ROUTINE, "params": {"node": "bed-03"}}, "床旁终端离线：bed-03", "病区"),
        ({**ROUTINE, "condition": "his-silent"}, "医院系统无应答", "病区"),
        ({**ROUTINE, "condition": "event-unreadable", "params": {"handheld": "pda-7"}},
         "一条记录未能读取：pda-7", "病区"),
        ({"condition": "site-finding", "params": {"finding": "redness"}}, "穿刺部位异常：红肿", "张建国"),
        ({"condition": "given-against-order", "params": {"code": "ORD-ON-HOLD"}},
         "给药与医嘱冲突：医嘱当时暂停", "张建国"),
        ({"condition": "device-lost", "device_id": "ble:c0-00-00-00-01-01"}, "设备失联：D-0101", "张建国"),
        ({"condition": "something-new"}, "something-new", "张建国"),
    ],
)  # fmt: skip
def test_an_alarm_of_the_server_says_what_and_where(
    signed_in: Play, changes: dict[str, object], said: str, where: str
) -> None:
    async def scenario(rig: Rig) -> None:
        await hear(rig, alarms=(replace(alarm("a1", "01"), **changes),))
        view = rig.app.alarms.state.current
        assert (rig.text(view.cause), rig.text(view.name)) == (said, where)
        assert view.trend is None

    signed_in(scenario)


@pytest.mark.parametrize(
    ("condition", "params", "said"),
    [
        ("no-flow", {"silent_s": 75.0}, "没有液滴的秒数"),
        ("near-end", {"remaining_ml": 6.0}, "袋内剩余"),
        ("empty", {"infused_ml": 99.0}, "已输入"),
        ("stale", {"age_s": 44.0}, "距末次数据"),
    ],
)
def test_a_number_without_a_limit_says_what_it_counts(
    signed_in: Play, condition: str, params: dict[str, float], said: str
) -> None:
    async def scenario(rig: Rig) -> None:
        await hear(rig, alarms=(alarm("a1", "01", condition, params=params),))
        assert rig.text(rig.app.alarms.state.current.limit) == said

    signed_in(scenario)


def test_what_was_heard_of_a_patient_who_left_is_forgotten(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        book = rig.app.desk.book
        await hear(rig, observations=(seen(96, 0),))
        assert [one.value for one in book.samples("p1", SPO2)] == [96.0]
        rig.server.facts = replace(rig.server.facts, patients=rig.server.facts.patients[1:])
        await hear(rig, alarms=())
        assert book.samples("p1", SPO2) == ()

    signed_in(scenario)
