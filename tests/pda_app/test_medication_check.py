"""The medication check as a nurse lives it, against a server in memory that runs the same rules."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from clinical.bedside_check.model import Right, ScanMethod
from clinical.exchange import AdministrationRecorded, CheckEvaluated, InfusionStarted, Lease, ScanRefused
from pda_app.ports import Broken, Cue, Read
from pda_app.presenters.states import Screen
from tests.support.handheld import (
    NOW,
    Rig,
    at,
    badge,
    bag,
    device_label,
    handheld,
    wristband,
)

P1, P2, P3 = "M000001", "M000002", "M000003"


def marks(rig: Rig) -> dict[Right, str]:
    return {row.right: row.mark for row in rig.app.check.state.rows}


def run(directory: Path, scenario: object, **options: object) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), handheld(directory, **options) as rig:  # type: ignore[arg-type]
            await rig.sign_in()
            await rig.synced()
            await scenario(rig)  # type: ignore[operator]

    asyncio.run(main())


@pytest.mark.requirement("R-PDA-01")
def test_two_scans_and_one_touch_record_a_dose_that_is_right(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o1"))
        state = rig.app.check.state
        assert (state.verdict.kind, rig.text(state.verdict.word)) == ("give", "可以给药")
        assert set(marks(rig).values()) == {"ok"}
        assert state.banner is not None
        assert state.banner.mrn == P1
        rig.app.check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        assert (event.outcome, event.task_id, event.lease_id[:5]) == ("given", "t-o1", "lease")
        assert rig.app.state.screen is Screen.PATIENT
        assert rig.sound.played[-2:] == [Cue.GIVE, Cue.RECORDED]

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-02")
@pytest.mark.hazard("H-PDA-01")
def test_give_appears_only_after_the_server_agreed_and_reserved_the_task(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1))
        rig.server.silent = True
        rig.app.scan(bag("b-o1"))
        await rig.until(lambda: rig.app.check.state.verdict.kind == "waiting")
        assert not rig.app.check.state.primary.enabled
        rig.app.check.primary()
        await rig.app.settle()
        assert rig.api.sent(AdministrationRecorded) == []

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-03")
def test_a_silent_server_makes_it_an_offline_check_that_says_so(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1))
        rig.server.silent = True
        await rig.scan(bag("b-o1"))
        state = rig.app.check.state
        assert state.verdict.kind == "give"
        assert "离线核对" in rig.text(state.verdict.note)
        rig.app.check.primary()
        await rig.app.settle()
        assert rig.app.desk.sync.counts.queued > 0
        assert rig.sound.played[-1] is Cue.QUEUED

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-04")
@pytest.mark.hazard("H-PDA-02")
def test_a_bag_of_another_patient_stops_and_shows_nobody_s_data(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o2"))
        state = rig.app.check.state
        assert state.verdict.kind == "stop"
        shown = rig.text(state.verdict.reason) + str(state.rows) + str(state.findings)
        assert "另一位患者" in shown
        assert state.banner is None
        assert state.title == ""
        for private in ("张建国", "李秀兰", P1, P2, "阿司匹林"):
            assert private not in shown
        assert rig.text(state.primary.text) == "重新扫描"
        assert rig.sound.played[-1] is Cue.STOP
        await rig.synced()
        near_misses = [event for event in rig.api.sent(CheckEvaluated) if event.result.word == "STOP"]
        assert [one.code for one in near_misses[0].result.findings][:1] == ["MED-WRONG-PATIENT"]

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-04")
@pytest.mark.hazard("H-PDA-02")
def test_stop_has_no_button_that_records(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o2"))
        rig.app.check.primary()
        await rig.app.settle()
        assert rig.api.sent(AdministrationRecorded) == []
        assert rig.app.state.scan_sheet is not None
        assert rig.app.check.state.verdict.kind == "needs"
        await rig.scan(wristband(P1), bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "give"

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-04")
def test_a_drug_nobody_ordered_stops_and_earns_no_tick_for_dose_and_route(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), Read(raw="0106901234567892", method=ScanMethod.SCAN, symbology="]d2"))
        assert rig.app.check.state.verdict.kind == "stop"
        assert marks(rig)[Right.DRUG] == "stop"
        assert {marks(rig)[Right.DOSE], marks(rig)[Right.ROUTE]} == {"unjudged"}

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-05")
def test_a_late_dose_is_check_until_a_reason_is_chosen_and_then_give(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P2), bag("b-o2"))
        state = rig.app.check.state
        assert state.verdict.kind == "check"
        assert "102" in rig.text(state.verdict.reason)
        assert rig.text(state.reasons.title) == "为什么晚给？"
        assert (state.primary.enabled, rig.text(state.primary.missing)) == (False, "请先选原因")
        rig.app.check.reason("procedure")
        await rig.app.settle()
        assert rig.app.check.state.verdict.kind == "give"
        rig.app.check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        assert [(one.code, one.reason) for one in event.request.overrides] == [("TIME-LATE", "procedure")]

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-05")
def test_the_reason_other_needs_words(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P2), bag("b-o2"))
        rig.app.check.reason("other")
        await rig.app.settle()
        assert rig.app.check.state.reasons.text_open
        assert rig.app.check.state.verdict.kind == "check"
        rig.app.check.reason_text("电梯故障")
        await rig.app.settle()
        assert rig.app.check.state.verdict.kind == "give"

    run(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-03")
def test_a_reason_answers_what_was_shown_and_nothing_that_comes_later(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P2), bag("b-o2"))
        rig.app.check.reason("procedure")
        await rig.app.settle()
        await rig.scan(wristband(P1))
        assert rig.app.check.state.verdict.kind != "give"
        await rig.scan(wristband(P2), bag("b-o2"))
        assert rig.app.check.state.verdict.kind == "check"

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-02")
@pytest.mark.hazard("H-PDA-01")
def test_a_task_another_nurse_holds_stops_with_her_name(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        held = Lease(id="x", task_id="t-o1", operator="N20488", expires=at(2))
        rig.server.leases["t-o1"] = held
        await rig.scan(wristband(P1), bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "stop"
        assert "陈静" in rig.text(rig.app.check.state.verdict.reason)

    run(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-01")
def test_a_reservation_that_ran_out_is_asked_for_again_before_recording(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o1"))
        asked = len(rig.server.checks)
        rig.clock.advance(121)
        rig.server.leases["t-o1"] = Lease(id="x", task_id="t-o1", operator="N20488", expires=at(20))
        rig.app.check.primary()
        await rig.app.settle()
        assert len(rig.server.checks) > asked
        assert rig.api.sent(AdministrationRecorded) == []
        assert rig.app.check.state.verdict.kind == "stop"

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-03")
@pytest.mark.hazard("H-PDA-04")
def test_a_dose_recorded_offline_stops_the_next_one_at_once(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.up = False
        await rig.scan(wristband(P1), bag("b-o1"))
        await rig.until(lambda: rig.app.check.state.verdict.kind == "give")
        rig.app.check.primary()
        await rig.app.settle()
        await rig.scan(wristband(P1), bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "stop"
        assert "TIME-DUP" in {one.code for one in rig.app.check.state.findings}

    run(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-05")
def test_an_order_stopped_while_the_check_is_open_turns_give_into_stop(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.up = False
        await rig.scan(wristband(P1), bag("b-o1"))
        await rig.until(lambda: rig.app.check.state.verdict.kind == "give")
        stopped = replace(rig.server.facts.orders[0], status="stopped", version=2, stopped_at=NOW)
        rig.server.change(orders=(stopped,))
        rig.server.up = True
        rig.app.desk.sync.kick()
        await rig.synced()
        await rig.until(lambda: rig.app.check.state.verdict.kind == "stop")

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-06")
@pytest.mark.hazard("H-PDA-06")
def test_a_scan_during_a_dialog_does_nothing_but_sound_and_leave_a_record(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o1"))
        rig.app.back()
        assert rig.app.state.dialog is not None
        before = rig.app.check.state
        await rig.scan(bag("b-o2"))
        assert rig.app.state.dialog is not None
        assert rig.app.check.state == before
        assert rig.sound.played[-1] is Cue.REFUSED
        rig.app.answer_dialog("stay")
        await rig.synced()
        assert [event.reason for event in rig.api.sent(ScanRefused)] == ["dialog-open"]

    run(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-07")
def test_a_broken_scan_is_never_used(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), Broken(characters=7))
        assert rig.app.check.state.verdict.kind == "needs"
        assert "再扫一次" in rig.text(rig.app.state.toast.text)

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-07")
def test_a_dose_that_is_not_given_is_recorded_with_outcome_and_reason(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_task("t-o2")
        rig.app.check.secondary()
        rig.app.check.outcome("refused")
        assert not rig.app.check.state.not_given.record.enabled
        rig.app.check.not_given_reason("patient-refused")
        rig.app.check.record_not_given()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        assert (event.outcome, event.request.entered.reason_code) == ("refused", "patient-refused")

    run(tmp_path, scenario)


@pytest.mark.requirement("R-PDA-08")
def test_an_infusion_starts_with_volume_sensor_and_rate(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P3), bag("b-o3"), device_label("ble:c0-00-00-00-01-01"))
        form = rig.app.check.state.start
        assert (form.volume_ml, rig.text(form.device)) == ("100", "D-0101")
        rig.app.check.volume("95")
        await rig.app.settle()
        assert rig.app.check.state.verdict.kind == "give"
        rig.app.check.primary()
        await rig.app.settle()
        assert rig.app.state.screen is Screen.ROUND
        await rig.synced()
        (event,) = rig.api.sent(InfusionStarted)
        assert (int(event.volume_ml), int(event.rate_ml_h), event.drops_per_ml) == (95, 120, 20)
        assert event.device_id == "ble:c0-00-00-00-01-01"

    run(tmp_path, scenario)


@pytest.mark.hazard("H-PDA-08")
@pytest.mark.parametrize("slip", ["1234V56", "6901234567892", "-5", "0", "1e3", "٣"])
def test_a_barcode_or_a_slip_in_the_volume_field_is_not_a_volume(tmp_path: Path, slip: str) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P3), bag("b-o3"), device_label("ble:c0-00-00-00-01-01"))
        rig.app.check.volume(slip)
        await rig.app.settle()
        assert rig.app.check.state.start.volume_error
        assert not rig.app.check.state.primary.enabled

    run(tmp_path, scenario)


def test_a_colleague_s_badge_during_a_check_is_the_second_person(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), badge("N20488"))
        await rig.second_pin()
        assert "陈静" in rig.text(rig.app.check.state.witness)

    run(tmp_path, scenario)


def test_a_typed_code_needs_a_reason_and_stays_marked_as_typed(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_scan_sheet()
        rig.app.typed(wristband(P1).raw)
        assert not rig.app.state.scan_sheet.enter.enabled
        rig.app.type_reason("label-damaged")
        rig.app.enter_typed()
        await rig.app.settle()
        await rig.scan(bag("b-o1"))
        assert "SYS-KEYED" in {one.code for one in rig.app.check.state.findings}

    run(tmp_path, scenario)


def test_time_passing_turns_a_dose_on_time_into_a_late_one(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o1"))
        assert rig.app.check.state.verdict.kind == "give"
        rig.clock.advance(timedelta(minutes=3).total_seconds())
        rig.app.tick()
        await rig.app.settle()
        assert rig.app.check.state.verdict.kind == "give"

    run(tmp_path, scenario)
