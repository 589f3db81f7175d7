"""A doctor at the window: the same presenters, nothing that records."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical.exchange import AlarmAcknowledged
from pda_app.doctor.pages import following
from pda_app.doctor.window import DoctorWindow
from pda_app.presenters.states import BedCard, Screen
from tests.support.handheld import PINS, alarm, bag, wristband
from tests.support.handheld_glass import Glass, at_the_glass
from tests.support.kivy_driver import Driver
from tests.support.kivy_layout import faults

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def doctors_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PINS, "D30115", "118203")


@pytest.mark.requirement("R-PDU-15")
def test_a_doctor_walks_from_bed_to_bed(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        assert glass.says("我的查房")
        assert faults(glass.root.page) == []
        glass.driver.picture("handheld_doctor_round_zh")
        await glass.tap("RoundItem", key="p1")
        assert glass.says("M000001")
        glass.driver.picture("handheld_doctor_patient_zh")
        await glass.tap("PrimaryButton", key="p2")
        assert glass.says("M000002")
        await glass.tap("PrimaryButton", key="p3")
        assert glass.says("M000003")
        assert glass.root.page.next_bed == ""

    at_the_glass(driver, tmp_path, DoctorWindow, scenario, person="D30115")


@pytest.mark.requirement("R-PDU-15")
def test_a_scanned_wristband_opens_the_patient_and_no_check(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(wristband("M000002"))
        await glass.settle()
        assert glass.rig.app.state.screen is Screen.PATIENT
        assert glass.says("M000002")
        assert glass.rig.server.events == {}
        assert glass.rig.server.checks == []

    at_the_glass(driver, tmp_path, DoctorWindow, scenario, person="D30115")


def test_a_code_that_is_no_patient_is_said_so(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        await glass.scan(bag("b-o1"))
        assert glass.rig.app.state.toast is not None
        assert glass.rig.app.state.screen is Screen.WARD

    at_the_glass(driver, tmp_path, DoctorWindow, scenario, person="D30115")


@pytest.mark.requirement("R-PDU-15")
def test_an_alarm_is_listed_but_not_answered_by_a_doctor(driver: Driver, tmp_path: Path) -> None:
    async def scenario(glass: Glass) -> None:
        glass.rig.server.change(alarms=(alarm("a1", "02"),))
        await glass.rig.until(lambda: glass.rig.app.alarms.state.current is not None)
        await glass.settle()
        assert not glass.root.layers["alarm"].children
        await glass.tap("NavItem", key="alarms")
        assert glass.says("02")
        await glass.tap("AlarmListItem", key="a1")
        assert glass.rig.app.state.screen is Screen.PATIENT
        assert glass.says("M000002")
        glass.root.hear("acknowledge", "")
        await glass.settle()
        assert glass.rig.api.sent(AlarmAcknowledged) == []

    at_the_glass(driver, tmp_path, DoctorWindow, scenario, person="D30115")


def test_the_way_goes_past_empty_beds_and_ends_after_the_last() -> None:
    cards = (BedCard(bed="1", patient_id="a"), BedCard(bed="2"), BedCard(bed="3", patient_id="c"))
    assert following(cards, "1") == cards[2]
    assert following(cards, "3") is None
    assert following(cards, "9") is None
