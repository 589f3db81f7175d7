"""Scans that are not a wristband and a bag, and everything that lies over the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinical.bedside_check.model import ScanMethod
from clinical.errors import UnavailableError
from clinical.exchange import AdministrationRecorded, ScanRefused
from clinical.identifiers import hospital
from clinical.records import AlarmPriority
from pda_app.ports import Broken, Cue, Read
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Choice, Dialog, Msg, Screen
from tests.support.handheld import Rig, alarm, at, badge, bag, device_label, task_of, wristband

Play = Callable[..., None]
RUNNING_SENSOR = "ble:c0-00-00-00-01-01"
PACKAGE = Read(raw="6901234567892", method=ScanMethod.SCAN, symbology="]E0")


def toast(rig: Rig) -> str:
    return rig.text(rig.app.state.toast.text) if rig.app.state.toast else ""


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (Read(raw="hello world", method=ScanMethod.SCAN), "不认识这个码"),
        (device_label(RUNNING_SENSOR), "先打开输液"),
        (device_label("ble:ff"), "不属于本病区"),
        (badge("N99999"), "不认识这个工牌"),
        (badge("N20713"), "现在不需要工牌"),
        (Read(raw=hospital.encode("bed", "W1", "77"), method=ScanMethod.SCAN), "没有患者"),
        (Broken(characters=3), "再扫一次"),
    ],
)
def test_what_leads_nowhere_says_so_and_sounds(signed_in: Play, read: Read | Broken, said: str) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(read)
        assert said in toast(rig)
        assert rig.sound.played[-1] is Cue.REFUSED
        assert rig.app.state.screen is Screen.TODAY

    signed_in(scenario)


def test_a_bed_label_opens_the_patient_but_never_stands_for_the_wristband(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(Read(raw=hospital.encode("bed", "W1", "02"), method=ScanMethod.SCAN))
        assert rig.app.state.screen is Screen.PATIENT
        assert rig.app.patient.state.banner.name == "李秀兰"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-06")
@pytest.mark.hazard("H-PDA-06")
@pytest.mark.parametrize("over", ["alarm", "not-given"])
def test_a_scan_under_something_that_covers_the_screen_changes_nothing(signed_in: Play, over: str) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000002"), bag("b-o2"))
        if over == "alarm":
            rig.server.change(alarms=(alarm("a1", "01"),))
            await rig.synced()
        else:
            rig.app.check.secondary()
        before = rig.app.check.state.findings
        await rig.scan(bag("b-o1"))
        assert rig.app.check.state.findings == before
        if over == "alarm":
            rig.app.alarms.acknowledge()
        else:
            rig.app.check.close_sheet()
        await rig.app.settle()
        await rig.synced()
        assert [event.reason for event in rig.api.sent(ScanRefused)] == ["dialog-open"]

    signed_in(scenario)


def test_a_package_first_waits_for_the_wristband(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(bag("b-o1"))
        assert rig.app.state.screen is Screen.CHECK
        assert rig.app.check.state.verdict.kind in {"needs", "stop"}

    signed_in(scenario)


def test_several_fitting_tasks_are_asked_about(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        order = replace(rig.server.facts.orders[0], id="o9")
        unlabelled = replace(rig.server.facts.products[0], gtins=("06901234567892",))
        rig.server.change(orders=(order,), tasks=(task_of(order, at(0)),), products=(unlabelled,))
        await rig.synced()
        await rig.scan(
            wristband("M000001"), Read(raw="6901234567892", method=ScanMethod.SCAN, symbology="]E0")
        )
        rows = rig.app.check.state.candidates
        assert {row.task_id for row in rows} == {"t-o1", "t-o9"}
        assert rig.app.check.state.verdict.kind != "give"
        rig.app.check.choose("t-o9")
        await rig.app.settle()
        assert rig.app.check.state.candidates == ()
        assert rig.app.check.state.verdict.kind == "give"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-05")
def test_a_prn_drug_needs_a_reason_to_be_given(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        order = replace(
            rig.server.facts.orders[0],
            id="o8",
            category="prn",
            frequency="prn",
            patient_id="p2",
            encounter_id="e-p2",
        )
        task = replace(task_of(order, at(0)), planned_at=None, earliest=None, latest=None)
        rig.server.change(orders=(order,), tasks=(task,))
        await rig.synced()
        rig.app.open_task("t-o8")
        await rig.scan(wristband("M000002"))
        product = replace(rig.server.facts.products[0], gtins=("06901234567892",))
        rig.server.change(products=(product,))
        await rig.synced()
        await rig.scan(PACKAGE)
        assert rig.app.check.state.prn_reasons is not None
        rig.app.check.prn_reason("pain")
        await rig.app.settle()
        assert rig.app.check.state.verdict.kind == "give"
        rig.app.check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        assert event.request.entered.prn_reason == "pain"

    signed_in(scenario)


class FakeCamera:
    """A camera that reads one code as soon as it is opened."""

    def __init__(self, read: Read | None) -> None:
        self.read, self.running = read, False

    def start(self, deliver: Callable[[Read | Broken], None]) -> None:
        if self.read is None:
            raise UnavailableError("camera", "none")
        self.running = True
        asyncio.get_running_loop().call_soon(deliver, self.read)

    def stop(self) -> None:
        self.running = False

    def preview(self) -> Any:
        return None


def test_the_camera_runs_only_behind_the_scan_sheet(signed_in: Play, tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        camera = FakeCamera(wristband("M000001"))
        rig.app.desk.ports.camera = camera
        rig.app.open_scan_sheet()
        assert rig.app.state.scan_sheet.camera
        await asyncio.sleep(0)
        await rig.app.settle()
        assert rig.app.state.screen is Screen.CHECK
        assert rig.app.state.scan_sheet is None
        assert not camera.running

    signed_in(scenario)


def test_without_a_camera_the_sheet_says_so_and_typing_goes_on(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.desk.ports.camera = FakeCamera(None)
        rig.app.open_scan_sheet()
        assert not rig.app.state.scan_sheet.camera
        assert "相机打不开" in rig.text(rig.app.state.scan_sheet.error)
        rig.app.close_scan_sheet()
        assert rig.app.state.scan_sheet is None

    signed_in(scenario)


def test_a_dialog_closes_only_by_one_of_its_answers(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        heard: list[str] = []
        answers = (Choice(id="yes", text="x"),)
        rig.app.ask(Dialog(id="d", title=Msg("dialog.stay"), text="", answers=answers), heard.append)
        rig.app.answer_dialog("something-else")
        assert rig.app.state.dialog is not None
        rig.app.answer_dialog("yes")
        rig.app.answer_dialog("yes")
        assert heard == ["yes"]

    signed_in(scenario)


def test_look_and_language_change_at_once(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.set_dark(True)
        rig.app.set_text_scale(9.0)
        rig.app.set_language("xx")
        assert (rig.app.state.dark, rig.app.state.text_scale, rig.app.state.language) == (True, 1.3, "zh")

    signed_in(scenario)


def test_a_toast_goes_away_by_itself(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(Broken(characters=3))
        rig.clock.advance(10)
        rig.app.tick()
        assert rig.app.state.toast is None

    signed_in(scenario)


def test_a_chosen_alarm_is_shown_unless_a_worse_one_calls(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        first = alarm("a1", "01", "near-end", AlarmPriority.MEDIUM)
        second = replace(
            alarm(
                "a2", "02", "rate-deviation", AlarmPriority.MEDIUM, params={"measured": 93.0, "ordered": 66.7}
            ),
            started_at=at(0),
        )
        rig.server.change(alarms=(first, second))
        await rig.synced()
        rig.app.alarms.show("a2")
        current = rig.app.alarms.state.current
        assert (current.alarm_id, current.value, rig.text(current.unit), rig.text(current.limit)) == (
            "a2",
            "93",
            "滴/分",
            "医嘱 66.7 滴/分",
        )
        rig.server.change(alarms=(alarm("a3", "03", params={"escalated": "charge-nurse"}),))
        await rig.synced()
        assert rig.app.alarms.state.current.alarm_id == "a3"
        assert rig.text(rig.app.alarms.state.current.escalation) == "已通知 护士长"

    signed_in(scenario)


def test_an_observer_hears_the_state_now_each_change_once_and_nothing_after_leaving() -> None:
    watched, heard = Observable(1), []
    leave = watched.subscribe(heard.append)
    watched._set(2)
    watched._set(2)
    leave()
    watched._set(3)
    assert heard == [1, 2]


def test_a_failure_in_the_background_ends_the_application_and_no_verdict_stays(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband("M000001"), bag("b-o1"))

        async def fail() -> None:
            raise ZeroDivisionError

        rig.app.desk.spawn(fail())
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(rig.app.run(), 2)
        assert rig.app.check.state.verdict.kind == "needs"

    signed_in(scenario)
