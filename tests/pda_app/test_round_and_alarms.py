"""The running infusion and the alarms at the nurse's hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.exchange import DeviceAssociated, InfusionChanged, PatrolRecorded
from clinical.records import AlarmPriority, Infusion, InfusionState, Order
from pda_app.ports import Cue
from pda_app.presenters.states import Screen, Tone
from tests.support.handheld import Rig, alarm, at, device_label, flow

Play = Callable[..., None]
RUNNING = Infusion(
    id="i1", order_id="o3", task_id="t-o3", encounter_id="e-p3", patient_id="p3", state=InfusionState.RUNNING,
    rate_ml_h=Decimal(120), drops_per_ml=20, volume_ml=Decimal(100), started_at=at(-20),
    device_id="ble:c0-00-00-00-01-01", site="left-forearm",
)  # fmt: skip


async def open_round(rig: Rig, **changes: object) -> None:
    rig.server.change(infusions=(RUNNING,), flows=(flow("i1", at(0), **changes),))
    await rig.synced()
    rig.app.open_infusion("i1")


@pytest.mark.requirement("R-PDA-50")
def test_the_round_shows_ordered_and_measured_in_both_units_with_the_deviation(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        state = rig.app.round.state
        pair = state.rate
        assert (pair.ordered_gtt_min, pair.ordered_ml_h) == ("40", "120")
        assert (pair.measured_gtt_min, pair.measured_ml_h) == ("46", "138")
        assert (pair.deviation.percent, pair.deviation.arrow, pair.deviation.tone) == (
            "+15%",
            "up",
            Tone.WARN,
        )
        assert (state.remaining_ml, rig.text(state.time_left), rig.text(state.end_at)) == (
            "60",
            "26 分",
            "约 10:08 完",
        )
        assert state.curve.ordered[-1].minute == pytest.approx(50.0)

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-51")
@pytest.mark.hazard("H-PDA-14")
def test_an_old_number_never_looks_like_the_present(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        rig.clock.advance(60)
        rig.app.tick()
        state = rig.app.round.state
        assert (state.remaining_ml, state.rate.measured_gtt_min, state.time_left) == ("", "", "")
        assert rig.text(state.live.text) == "无实时数据 · 末次 09:42"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-50")
def test_a_round_needs_a_look_at_the_site_and_keeps_what_was_measured(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        page = rig.app.round
        assert rig.text(page.state.primary.missing) == "请先看穿刺部位"
        page.finding("normal")
        page.seen("9999")
        assert not page.state.primary.enabled
        page.seen("44")
        page.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(PatrolRecorded)
        assert (event.seen_gtt_min, event.measured_gtt_min, event.remaining_ml, event.site_finding) == (
            44,
            46,
            60,
            "normal",
        )
        assert len(page.state.curve.rounds) == 1

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-52")
def test_completing_and_stopping_early_ask_for_what_they_need(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        page = rig.app.round
        page.secondary()
        page.mode("resume")
        assert not page.state.sheet.record.enabled
        page.mode("stop-early")
        page.finish_reason("reaction")
        assert rig.text(page.state.sheet.record.missing) == "请输入剩余量（mL）"
        page.residual("40")
        page.finish()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(InfusionChanged)
        assert (event.action, event.residual_ml, event.reason) == ("stop-early", Decimal(40), "reaction")
        assert rig.app.state.screen is Screen.PATIENT

    signed_in(scenario)


def test_a_bag_that_ran_empty_is_completed_with_one_choice(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig, state="empty", remaining_ml=0.0, time_left_min=0.0)
        rig.app.round.secondary()
        rig.app.round.mode("complete")
        rig.app.round.finish()
        await rig.app.settle()
        await rig.synced()
        assert [event.action for event in rig.api.sent(InfusionChanged)] == ["complete"]

    signed_in(scenario)


def test_pausing_and_going_on_follow_the_state(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        page = rig.app.round
        for mode in ("pause", "resume"):
            page.secondary()
            assert mode in [one.id for one in page.state.sheet.modes]
            page.mode(mode)
            page.finish()
            await rig.app.settle()
        await rig.synced()
        assert [event.action for event in rig.api.sent(InfusionChanged)] == ["pause", "resume"]

    signed_in(scenario)


def order_now(rig: Rig, **changes: object) -> None:
    order = rig.app.desk.book.get(Order, "o3")
    assert order is not None
    rig.server.change(orders=(replace(order, **changes),))  # type: ignore[arg-type]


@pytest.mark.requirement("R-INF-04")
@pytest.mark.hazard("H-INF-01")
def test_an_ordered_new_rate_is_set_with_one_choice_and_says_which_order_was_seen(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        page = rig.app.round
        page.secondary()
        assert "rate" not in [one.id for one in page.state.sheet.modes]
        order_now(rig, rate_ml_h=Decimal(90), version=2)
        await rig.synced()
        (offered,) = (one for one in page.state.sheet.modes if one.id == "rate")
        assert rig.text(offered.text) == "按医嘱调至 90 mL/h"
        page.mode("rate")
        page.finish()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(InfusionChanged)
        assert (event.action, event.rate_ml_h, event.order_version) == ("rate", Decimal(90), 2)
        page.secondary()
        assert "rate" not in [one.id for one in page.state.sheet.modes]
        assert rig.text(page.state.rate.ordered_ml_h) == "90"

    signed_in(scenario)


@pytest.mark.requirement("R-INF-04")
@pytest.mark.hazard("H-INF-01")
@pytest.mark.parametrize("status", ["on-hold", "stopped"])
def test_nothing_goes_on_under_an_order_that_is_held_or_ended(signed_in: Play, status: str) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        order_now(rig, status=status, version=2)
        rig.server.change(infusions=(replace(RUNNING, state=InfusionState.PAUSED, paused_at=at(-1)),))
        await rig.synced()
        page = rig.app.round
        page.secondary()
        assert [one.id for one in page.state.sheet.modes] == ["complete", "stop-early"]
        page.mode("resume")
        assert not page.state.sheet.record.enabled

    signed_in(scenario)


def test_a_sensor_scanned_on_the_round_page_watches_this_infusion(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        await rig.scan(device_label("ble:c0-00-00-00-01-01"))
        await rig.synced()
        (event,) = rig.api.sent(DeviceAssociated)
        assert (event.infusion_id, event.encounter_id) == ("i1", "e-p3")
        await rig.scan(device_label("ble:ff-ff"))
        assert "不属于本病区" in rig.text(rig.app.state.toast.text)

    signed_in(scenario)


def test_the_measured_curve_keeps_its_gaps(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await open_round(rig)
        for minutes, left in ((0.5, 59.0), (5.0, 50.0), (5.5, 49.0)):
            rig.server.change(flows=(flow("i1", at(minutes), remaining_ml=left),))
            await rig.synced()
        rig.clock.advance(timedelta(minutes=6).total_seconds())
        rig.app.round.refresh()
        assert [len(line) for line in rig.app.round.state.curve.measured] == [2, 2]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-33")
def test_the_worst_alarm_comes_first_and_leaves_only_by_going(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        low = alarm(
            "a2", "02", "near-end", AlarmPriority.MEDIUM, infusion_id="i1", params={"remaining_ml": 6.0}
        )
        rig.server.change(infusions=(RUNNING,), alarms=(alarm("a1", "01", params={"silent_s": 75}), low))
        await rig.synced()
        rig.app.alarms.tick()
        state = rig.app.alarms.state
        assert (state.current.alarm_id, state.current.value, state.current.stars) == ("a1", "75", 3)
        assert [row.alarm_id for row in state.queue] == ["a2"]
        assert rig.sound.played[-1] is Cue.ALARM_HIGH
        assert ("01 床，输液停滴", "zh") in rig.speech.said
        rig.app.alarms.acknowledge()
        await rig.app.settle()
        assert rig.app.state.screen is Screen.PATIENT
        assert rig.app.alarms.state.current.alarm_id == "a2"
        rig.app.alarms.acknowledge()
        await rig.app.settle()
        assert rig.app.state.screen is Screen.ROUND
        assert rig.app.alarms.state.current is None
        rows = {row.alarm_id: rig.text(row.acknowledged) for row in rig.app.alarms.state.rows}
        assert rows["a1"] == "王丽 09:42 处理中"

    signed_in(scenario)


@pytest.mark.hazard("H-PDA-15")
def test_a_muted_handheld_still_sounds_for_a_new_high_alarm(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.synced()
        rig.app.alarms.tick()
        rig.app.alarms.mute()
        rig.clock.advance(10)
        rig.sound.played.clear()
        rig.app.alarms.tick()
        assert rig.sound.played == []
        assert rig.app.alarms.state.current is not None
        rig.server.change(alarms=(replace(alarm("a2", "02"), started_at=at(-5)),))
        await rig.synced()
        rig.app.alarms.tick()
        assert rig.sound.played == [Cue.ALARM_HIGH]

    signed_in(scenario)


def test_an_alarm_of_a_locked_handheld_still_calls(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.lock()
        rig.server.change(alarms=(alarm("a1", "01"),))
        await rig.synced()
        rig.app.tick()
        assert rig.sound.played[-1] is Cue.ALARM_HIGH

    signed_in(scenario)


def test_low_alarms_are_listed_and_cover_nothing(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(alarms=(alarm("a1", "01", "device-lost", AlarmPriority.LOW),))
        await rig.synced()
        assert rig.app.alarms.state.current is None
        assert [row.alarm_id for row in rig.app.alarms.state.rows] == ["a1"]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-51")
@pytest.mark.parametrize(
    ("changes", "said", "tone", "share"),
    [
        ({}, "快 15%", Tone.WARN, 0.4),
        ({"state": "flowing", "deviation_percent": 2.0}, "余 26 分", Tone.ACT, 0.4),
        ({"state": "no-flow", "time_left_min": None}, "停滴", Tone.BAD, 0.4),
        ({"state": "near-end", "remaining_ml": 6.0, "time_left_min": 3.0}, "余 3 分", Tone.WARN, 0.94),
        ({"state": "slow", "deviation_percent": None}, "偏慢", Tone.WARN, 0.4),
        ({"effective": at(-5)}, "无实时数据 · 末次 09:37", Tone.PLAIN, None),
    ],
)
def test_an_infusion_s_line_says_the_number_that_decides(
    signed_in: Play, changes: dict[str, object], said: str, tone: Tone, share: float | None
) -> None:
    async def scenario(rig: Rig) -> None:
        measured = replace(flow("i1", at(0)), **changes)
        rig.server.change(infusions=(RUNNING,), flows=(measured,))
        await rig.synced()
        rig.app.open_patient("p3")
        (line,) = rig.app.patient.state.infusions
        assert (rig.text(line.trailing), line.tone) == (said, tone)
        assert line.share == (None if share is None else pytest.approx(share))
        rig.app.go(Screen.WARD)
        assert rig.app.ward.state.cards[2].infusion == line

    signed_in(scenario)


@pytest.mark.parametrize(
    ("state", "said"), [(InfusionState.PAUSED, "已暂停"), (InfusionState.RUNNING, "无传感器")]
)
def test_an_infusion_without_a_measurement_says_why(signed_in: Play, state: InfusionState, said: str) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(infusions=(replace(RUNNING, state=state),))
        await rig.synced()
        rig.app.open_patient("p3")
        assert rig.text(rig.app.patient.state.infusions[0].trailing) == said
        rig.app.open_infusion("i1")
        assert rig.text(rig.app.round.state.live.text) == said

    signed_in(scenario)
