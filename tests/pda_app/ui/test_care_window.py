"""Samples, blood, skin tests and forms at the window: key bursts and fingers, the presenters behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clinical.exchange import CareRecorded, Charted
from pda_app import theme
from pda_app.nurse.window import NurseWindow
from pda_app.presenters.states import Screen
from tests.support.handheld import PINS, badge, bag, wristband
from tests.support.handheld_care import (
    LOOKED,
    add_blood,
    add_samples,
    add_skin_test,
    blood_label,
    tube_label,
)
from tests.support.handheld_glass import Glass, at_the_glass
from tests.support.kivy_driver import Driver

P1 = "M000001"


def run(driver: Driver, directory: Path, scenario: Callable[[Glass], Awaitable[None]]) -> None:
    at_the_glass(driver, directory, NurseWindow, scenario)


async def pin(glass: Glass) -> None:
    for key in PINS["N20488"]:
        await glass.tap("Key", key=key)
    await glass.tap("StateButton", act="second-done")


async def type_number(glass: Glass, field: str, text: str) -> None:
    await glass.tap("CareNumber", key=field)
    for key in text:
        await glass.tap("Key", key=key)
    await glass.tap("PrimaryButton", act="number-done")


@pytest.mark.requirement("R-PDU-18")
def test_a_sample_is_taken_with_two_scans_and_one_touch(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        add_samples(glass.rig.server)
        await glass.rig.synced()
        await glass.scan(wristband(P1), tube_label("S2"))
        assert glass.says("可以采集")
        assert glass.says("采血顺序")
        assert glass.colour_of("VerdictPanel") == theme.LIGHT["ok"]
        assert glass.driver.find("StateButton", main=True).text == "蓝管已采"
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        (event,) = glass.rig.api.sent(CareRecorded)
        assert event.subject_id == "S2"
        await glass.scan(tube_label("S3"))
        assert glass.says("试管与腕带不是同一患者，停止")
        assert glass.colour_of("VerdictPanel") == theme.LIGHT["bad"]
        assert glass.driver.find("StateButton", main=True).text == "重新扫描"
        assert not glass.says("张建国")

    run(driver, tmp_path, scenario)


@pytest.mark.slow
@pytest.mark.requirement("R-PDU-18")
def test_a_unit_of_blood_is_checked_by_two_persons_with_their_own_scans(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        add_blood(glass.rig.server, state="received")
        await glass.rig.synced()
        await glass.scan(wristband(P1), blood_label(), blood_label())
        await glass.tap("CareChip", key=f"look:{LOOKED[0]}")
        for one in LOOKED[1:]:
            glass.rig.app.care.choose(f"look:{one}")
        await glass.scan(badge("N20488"), wristband(P1), blood_label(), blood_label())
        overlay = glass.driver.find("SecondOverlay")
        assert overlay.to_window(*overlay.pos) == (0, 0)
        await pin(glass)
        assert glass.says("核对一致")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        (event,) = glass.rig.api.sent(CareRecorded)
        assert event.request.witness.id == "N20488"

    run(driver, tmp_path, scenario)


@pytest.mark.requirement("R-PDU-18")
def test_a_skin_test_is_placed_and_counts_down(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        add_skin_test(glass.rig.server)
        await glass.rig.synced()
        await glass.scan(wristband(P1), bag("b-skt"))
        await glass.tap("CareChip", key="check:emergency-drugs")
        await glass.tap("CareChip", key="site:left-forearm")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        assert len(glass.rig.api.sent(CareRecorded)) == 1
        glass.rig.app.open_task("t-skt")
        await glass.settle()
        assert glass.says("20:00")
        glass.rig.clock.advance(61)
        glass.rig.app.tick()
        await glass.settle()
        assert glass.says("18:59")

    run(driver, tmp_path, scenario)


@pytest.mark.slow
@pytest.mark.requirement("R-PDU-19")
def test_vital_signs_show_their_score_while_they_are_typed_and_forms_change_by_a_touch(
    driver: Driver, tmp_path: Path
) -> None:
    async def scenario(glass: Glass) -> None:
        glass.rig.app.open_patient("p1")
        await glass.settle()
        await glass.tap("PageButton", key="vitals")
        assert glass.rig.app.state.screen is Screen.FORM
        await type_number(glass, "temperature", "38.4")
        forms = glass.rig.app.forms
        for field, text in (
            ("pulse", "112"),
            ("respiration", "26"),
            ("saturation", "94"),
            ("systolic", "108"),
        ):
            forms.number(field, text)
        await glass.tap("CareChip", key="oxygen:oxygen")
        await glass.tap("CareChip", key="consciousness:A")
        assert glass.says("高危：急救小组")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        assert len(glass.rig.server.charted) == 1
        await glass.tap("FormTab", key="fluids")
        await type_number(glass, "ml", "9")
        await glass.tap("CareChip", key="kind:urine")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        assert glass.rig.api.sent(Charted)[-1].fluid.kind == "urine"
        assert glass.says("本班：入 0 · 出 9 · 差 -9 mL")

    run(driver, tmp_path, scenario)


@pytest.mark.slow
@pytest.mark.requirement("R-PDU-19")
def test_a_critical_value_is_read_back_from_big_letters(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        glass.rig.app.open_form("critical", "p1")
        await glass.settle()
        await glass.tap("CareChip", key="test:potassium")
        await type_number(glass, "value", "6")
        field = glass.driver.find("Field", act="text-from")
        field.focus = True
        field.insert_text("Zhao")
        field.focus = False
        await glass.settle()
        assert glass.says("请读给 Zhao 听")
        await glass.tap("ReadBackChip", act="choose")
        await glass.tap("StateButton", main=True)
        await glass.rig.synced()
        (called,) = glass.rig.server.called.values()
        assert (called.value, called.reported_by) == ("6", "Zhao")

    run(driver, tmp_path, scenario)
