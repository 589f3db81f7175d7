"""A nurse at the window: key bursts from the scanner, fingers on the glass, the real presenters behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from clinical.exchange import AdministrationRecorded, AlarmAcknowledged, InfusionStarted, PatrolRecorded
from clinical.records import AlarmPriority, Observation
from pda_app import theme
from pda_app.nurse.window import NurseWindow
from pda_app.presenters.states import Screen
from pda_app.widgets import words
from pda_app.widgets.context import Texts, th
from tests.pda_app.test_round_and_alarms import RUNNING
from tests.support.handheld import PINS, alarm, at, badge, bag, device_label, flow, wristband
from tests.support.handheld_glass import Glass, at_the_glass
from tests.support.kivy_driver import Driver

pytestmark = pytest.mark.slow

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
        await glass.tap("ChoiceField", act="open-sites")
        await glass.tap("ReasonChipSite", key="left-forearm")
        assert glass.says("左前臂")
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


@pytest.mark.requirement("R-PDU-16")
def test_a_search_narrows_the_list_and_a_scan_into_the_field_is_not_searched_for(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.tap("SearchKey", act="search-open")
        field = glass.driver.find("Field", act="search")
        field.focus = True
        for character in "zj":
            field.insert_text(character)
        await glass.settle()
        assert glass.says("张建国")
        assert not glass.says("李秀兰")
        await glass.tap("IconButton", act="search-clear")
        assert glass.says("李秀兰")
        await glass.tap("SearchKey", act="search-open")
        await glass.tap("NavItem", key="ward")
        assert glass.driver.find("Field", act="search").text == ""

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-17")
@pytest.mark.hazard("H-PDA-20")
def test_the_second_nurse_s_page_hides_what_the_first_goes_by(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        saline = next(one for one in glass.rig.server.facts.products if one.id == "saline")
        glass.rig.server.change(products=(replace(saline, high_alert=3),))
        await glass.rig.synced()
        await glass.scan(wristband(P3), bag("b-o3"), device_label("ble:c0-00-00-00-01-01"), badge("N20488"))
        overlay = glass.driver.find("SecondOverlay")
        assert overlay.to_window(*overlay.pos) == (0, 0)
        assert overlay.height >= glass.root.page.ids.rest.height - 1
        seen, opaque = (
            bytes.fromhex(one[1:]) for one in (glass.colour_of("SecondOverlay"), theme.LIGHT["bg"])
        )
        assert all(abs(one - other) <= 2 for one, other in zip(seen, opaque, strict=True))
        for who in ("陈静", "王丽"):
            assert glass.says(f"{who}：请独立计算滴速")
            for key in ("1", "2", "0"):
                await glass.tap("Key", key=key)
            await glass.tap("StateButton", act="second-done")
            if who == "陈静":
                assert glass.says("陈静：请输入本人 PIN 确认")
                for key in PINS["N20488"]:
                    await glass.tap("Key", key=key)
                assert glass.says("••••••")
                await glass.tap("StateButton", act="second-done")
        assert glass.says("可以给药")
        assert glass.says("第二人：陈静 · 已独立计算")

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDA-73")
def test_a_silent_handheld_says_so_beside_the_connection(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        assert not glass.says("无声音")
        bar = glass.driver.find("AppBar").height
        glass.rig.sound.is_silent = True
        glass.rig.app.tick()
        await glass.settle()
        assert glass.says("无声音")
        assert glass.driver.find("AppBar").height == bar

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDA-51")
def test_an_old_value_is_shown_grey_with_its_age(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        old = Observation(
            id="v1", patient_id="p1", code="MDC_TEMP_BODY", value=Decimal("37.8"), unit="Cel",
            effective=at(-600),
        )  # fmt: skip
        glass.rig.server.change(observations=(old,))
        await glass.rig.synced()
        glass.rig.app.open_patient("p1")
        await glass.settle()
        assert glass.driver.find("VitalCell").ink == "hint"
        assert glass.says("11-24 23:42 · 10 h 00前")

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-07")
def test_an_alarm_of_a_drip_draws_its_rate_and_its_unit(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        wrong = alarm(
            "a1", "03", "rate-deviation", infusion_id="i1", params={"ordered": 40.0, "measured": 54.2}
        )
        flows = (flow("i1", at(0), gtt_min=54.2),)
        glass.rig.server.change(infusions=(RUNNING,), flows=flows, alarms=(wrong,))
        await glass.rig.synced()
        await glass.settle()
        assert glass.says("滴/分")
        assert glass.says("0.9% 氯化钠")
        assert glass.says("秒后通知")
        assert glass.driver.find("TrendBox").height > 50

    run(driver, tmp_path, scenario)


def test_whoever_hears_of_a_new_language_finds_every_text_in_it() -> None:
    texts = Texts()
    texts.use("zh", str)
    heard: list[str] = []
    texts.bind(t=lambda *_: heard.append(texts.w("enter-pin")))
    texts.use("en", str)
    assert heard == [words.word("en", "enter-pin")]
