"""A nurse at the window: key bursts from the scanner, fingers on the glass, the real presenters behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clinical.exchange import AdministrationRecorded, AlarmAcknowledged, InfusionStarted, PatrolRecorded
from clinical.records import AlarmPriority
from pda_app import theme
from pda_app.nurse.window import NurseWindow
from pda_app.presenters.states import Screen
from pda_app.widgets import words
from pda_app.widgets.context import Texts, th
from tests.support.handheld import alarm, bag, device_label, wristband
from tests.support.handheld_glass import Glass, at_the_glass
from tests.support.kivy_driver import Driver

P1, P2, P3 = "M000001", "M000002", "M000003"


def run(
    driver: Driver, directory: Path, scenario: Callable[[Glass], Awaitable[None]], *, signed_in: bool = True
) -> None:
    at_the_glass(driver, directory, NurseWindow, scenario, person="N20713" if signed_in else "")


@pytest.mark.requirement("R-PDU-02")
def test_badge_burst_and_pin_pad_open_the_task_list(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        assert glass.says("扫描工牌登录")
        await glass.sign_in()
        assert glass.rig.app.state.screen is Screen.TODAY
        assert glass.says("美托洛尔缓释片")
        assert glass.says("演示 DEMO")

    run(driver, tmp_path, scenario, signed_in=False)


@pytest.mark.requirement("R-PDU-03")
@pytest.mark.hazard("H-PDU-01")
def test_the_wrong_bag_turns_the_panel_red_and_leaves_no_button_that_records(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(wristband(P1), bag("b-o2"))
        assert glass.says("停止")
        assert glass.colour_of("VerdictPanel") == theme.LIGHT["bad"]
        assert glass.driver.find("StateButton", main=True).text == "重新扫描"
        assert not glass.says("李秀兰")

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-03")
def test_the_right_drug_turns_the_panel_green_and_one_touch_records_it(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(wristband(P1), bag("b-o1"))
        assert glass.says("可以给药")
        assert glass.colour_of("VerdictPanel") == theme.LIGHT["ok"]
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        (event,) = glass.rig.api.sent(AdministrationRecorded)
        assert event.outcome == "given"

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-04")
def test_a_late_dose_is_amber_and_locked_until_a_reason_is_touched(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(wristband(P2), bag("b-o2"))
        assert glass.says("核查")
        assert glass.colour_of("VerdictPanel") == theme.LIGHT["warn_solid"]
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        assert glass.rig.api.sent(AdministrationRecorded) == []
        first = glass.rig.app.check.state.reasons.choices[0].id
        await glass.tap("ReasonChip", key=first, group="reason")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        assert len(glass.rig.api.sent(AdministrationRecorded)) == 1

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-05")
def test_an_infusion_is_started_with_volume_sensor_and_site_and_then_patrolled(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(wristband(P3), bag("b-o3"), device_label("ble:c0-00-00-00-01-01"))
        await glass.tap("NumberField", key="volume")
        for key in ("9", "0"):
            await glass.tap("Key", key=key)
        await glass.tap("PrimaryButton", act="number-done")
        await glass.tap("ReasonChipSite", key="left-forearm")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        (started,) = glass.rig.api.sent(InfusionStarted)
        assert (str(started.volume_ml), started.site) == ("90", "left-forearm")
        assert started.device_id == "ble:c0-00-00-00-01-01"
        glass.rig.app.open_infusion(started.infusion_id)
        await glass.settle()
        await glass.tap("SiteChip", key="normal")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        (seen,) = glass.rig.api.sent(PatrolRecorded)
        assert (seen.infusion_id, seen.site_finding) == (started.infusion_id, "normal")

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-06")
def test_language_theme_and_text_size_change_at_once_on_the_page_that_is_open(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.tap("NavItem", key="more")
        await glass.tap("SegmentHalf", key="en")
        assert glass.says("Sign out")
        await glass.tap("SegmentHalf", key="dark")
        assert th.dark
        await glass.tap("ScaleChip", key="1.3")
        assert th.scale == pytest.approx(1.3)
        assert glass.rig.app.state.screen is Screen.MORE

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-07")
@pytest.mark.hazard("H-PDU-02")
def test_an_alarm_covers_everything_until_it_is_acknowledged(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        glass.rig.server.change(alarms=(alarm("a1", "02", priority=AlarmPriority.HIGH),))
        await glass.rig.until(lambda: glass.rig.app.alarms.state.current is not None)
        await glass.settle()
        assert glass.says("李秀兰")
        assert glass.colour_of("AlarmHead") == theme.LIGHT["bad"]
        below = glass.driver.find("NavItem", key="ward")
        glass.driver.tap(below)
        assert glass.rig.app.state.screen is Screen.TODAY
        await glass.tap("StateButton", act="acknowledge")
        await glass.rig.synced()
        assert len(glass.rig.api.sent(AlarmAcknowledged)) == 1

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-08")
@pytest.mark.hazard("H-PDU-03")
def test_a_locked_handheld_shows_no_patient_and_keeps_the_check_below(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(wristband(P1))
        glass.rig.app.lock()
        await glass.settle()
        pixels = glass.driver.picture("handheld_locked")
        assert pixels.size == (480, 800)
        assert glass.root.layers["sign_in"].children
        assert glass.root.layers["sign_in"].children[0].size == [480, 800]
        for digit in "274913":
            await glass.tap("Key", key=digit)
        assert glass.rig.app.state.screen is Screen.CHECK
        assert not glass.root.layers["sign_in"].children

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-09")
def test_every_page_of_the_running_app_opens_in_both_languages(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        for language in ("zh", "en"):
            glass.rig.app.set_language(language)
            for screen in (Screen.TODAY, Screen.WARD, Screen.ALARMS, Screen.UPLOADS, Screen.MORE):
                glass.rig.app.go(screen)
                await glass.settle()
                glass.driver.picture(f"handheld_live_{screen}_{language}")
            glass.rig.app.open_patient("p1")
            await glass.settle()
            assert glass.says("M000001")
            glass.driver.picture(f"handheld_live_patient_{language}")

    run(driver, tmp_path, scenario)


def test_whoever_hears_of_a_new_language_finds_every_text_in_it() -> None:
    texts = Texts()
    texts.use("zh", str)
    heard: list[str] = []
    texts.bind(t=lambda *_: heard.append(texts.w("enter-pin")))
    texts.use("en", str)
    assert heard == [words.word("en", "enter-pin")]
