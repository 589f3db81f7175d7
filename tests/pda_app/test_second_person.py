"""A second nurse at the bedside: who may, what for, and a calculation of her own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import OverrideClass
from clinical.bedside_check.rules import RULES
from clinical.exchange import AdministrationRecorded, CheckEvaluated, InfusionStarted
from pda_app.ports import KnownPerson
from pda_app.presenters.states import Screen
from tests.support.handheld import (
    OTHER_NURSE,
    WARD,
    Rig,
    badge,
    bag,
    device_label,
    verifier,
    wristband,
)

Play = Callable[..., None]
SECOND = "N20488"


def said(rig: Rig) -> tuple[str, str]:
    verdict = rig.app.check.state.verdict
    return verdict.kind, rig.text(verdict.reason)


async def unverified(rig: Rig) -> None:
    """A bag that nobody but its maker has looked at."""
    mine = next(one for one in rig.server.facts.bags if one.id == "b-o1")
    rig.server.change(bags=(replace(mine, checked_by=""),))
    await rig.synced()
    await rig.scan(wristband("M000001"), bag("b-o1"))


async def dangerous(rig: Rig, level: int = 3, drug: str = "saline") -> None:
    """The drug is on the high-alert list."""
    product = next(one for one in rig.server.facts.products if one.id == drug)
    rig.server.change(products=(replace(product, high_alert=level),))
    await rig.synced()


@pytest.mark.requirement("R-PDA-09")
@pytest.mark.hazard("H-PDA-20")
def test_a_stop_of_class_second_is_lifted_only_by_another_nurse_s_badge_and_a_reason(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await unverified(rig)
        check = rig.app.check
        assert RULES["MED-NOT-VERIFIED"].override is OverrideClass.SECOND
        assert said(rig)[0] == "stop"
        assert rig.text(check.state.verdict.note) == "第二人扫工牌并选原因后可继续"
        check.reason("clinical-judgement")
        assert said(rig)[0] == "stop"
        await rig.scan(badge(SECOND))
        assert rig.text(check.state.second.title) == "陈静：请输入本人 PIN 确认"
        await rig.second_pin()
        assert rig.text(check.state.witness) == "第二人：陈静"
        assert check.state.second is None
        assert said(rig)[0] == "stop"
        check.reason("clinical-judgement")
        await rig.app.settle()
        assert said(rig)[0] == "give"
        check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        lifted = {one.code: (one.reason, one.by) for one in event.request.overrides}
        assert lifted["MED-NOT-VERIFIED"] == ("clinical-judgement", SECOND)
        assert event.request.witness.id == SECOND
        (proof,) = event.request.confirmations
        assert (proof.by, proof.purpose, bool(proof.token)) == (SECOND, "witness", True)
        assert rig.server.confirmed[0].codes == ("MED-NOT-VERIFIED",)

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-09")
@pytest.mark.hazard("H-PDA-20")
@pytest.mark.parametrize(("number", "why"), [("D30115", "此人不能作第二核对人"), ("N20713", "")])
def test_neither_the_nurse_herself_nor_a_doctor_is_the_second_nurse(
    signed_in: Play, number: str, why: str
) -> None:
    async def scenario(rig: Rig) -> None:
        await unverified(rig)
        await rig.scan(badge(number))
        rig.app.check.reason("clinical-judgement")
        await rig.app.settle()
        assert said(rig)[0] == "stop"
        lines = [rig.text(one.text) for one in rig.app.check.state.findings]
        assert not why or why in lines
        assert rig.api.sent(AdministrationRecorded) == []

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-09")
@pytest.mark.hazard("H-PDA-20")
def test_the_second_nurse_calculates_blindly_and_both_must_agree(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await dangerous(rig)
        await rig.scan(wristband("M000003"), bag("b-o3"))
        check = rig.app.check
        assert said(rig) == ("stop", "须第二人核对：请第二人扫工牌")
        await rig.scan(badge(SECOND))
        sheet = check.state.second
        assert (rig.text(sheet.title), rig.text(sheet.unit)) == ("陈静：请独立计算滴速", "mL/h")
        assert (sheet.value, rig.text(sheet.record.missing)) == ("", "请输入算出的数值")
        check.primary()
        check.second_value("12o")
        assert rig.text(check.state.second.error) == "请输入数值"
        check.second_done()
        assert check.state.second is not None
        check.second_value("60")
        check.second_done()
        assert (rig.text(check.state.second.title), check.state.second.value) == (
            "陈静：请输入本人 PIN 确认",
            "",
        )
        await rig.second_pin()
        assert (rig.text(check.state.second.title), check.state.second.value) == ("王丽：请独立计算滴速", "")
        check.second_value("60")
        check.second_done()
        await rig.app.settle()
        assert check.state.second is None
        assert said(rig) == ("stop", "两人结果不一致")
        check.primary()
        rig.app.close_scan_sheet()
        await rig.scan(bag("b-o3"), device_label("ble:c0-00-00-00-01-01"), badge(SECOND))
        check.second_value("120")
        check.second_done()
        await rig.second_pin()
        check.second_value("120")
        check.second_done()
        await rig.app.settle()
        assert said(rig)[0] == "give"
        assert rig.text(check.state.witness) == "第二人：陈静 · 已独立计算"
        check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(InfusionStarted)
        assert (event.request.witness.id, event.request.witness.value) == (SECOND, Decimal(120))
        assert event.request.entered.calculated == Decimal(120)
        asked = [one.result for one in rig.api.sent(CheckEvaluated)]
        assert any("WIT-DISAGREE" in [f.code for f in one.findings] for one in asked)

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-09")
@pytest.mark.hazard("H-PDA-20")
def test_two_calculations_that_differ_stop(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await dangerous(rig)
        await rig.scan(wristband("M000003"), bag("b-o3"), badge(SECOND))
        rig.app.check.second_value("120")
        rig.app.check.second_done()
        await rig.second_pin()
        rig.app.check.second_value("60")
        rig.app.check.second_done()
        await rig.app.settle()
        assert "DOSE-CALC-DIFF" in {one.code for one in rig.app.check.state.findings}
        assert said(rig)[0] == "stop"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-09")
@pytest.mark.parametrize("leave_after", [0, 1])
def test_where_two_calculations_are_needed_neither_can_be_left_out(signed_in: Play, leave_after: int) -> None:
    async def scenario(rig: Rig) -> None:
        await dangerous(rig)
        await rig.scan(wristband("M000003"), bag("b-o3"), badge(SECOND))
        for _ in range(leave_after):
            rig.app.check.second_value("120")
            rig.app.check.second_done()
        rig.app.check.close_sheet()
        await rig.app.settle()
        assert said(rig) == ("stop", "须第二人核对：请第二人扫工牌")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-09")
@pytest.mark.parametrize(("level", "kept"), [(3, ""), (2, "第二人：陈静")])
def test_leaving_the_calculation_out_counts_only_where_it_is_advice(
    signed_in: Play, level: int, kept: str
) -> None:
    async def scenario(rig: Rig) -> None:
        await dangerous(rig, level, "metoprolol")
        await rig.scan(wristband("M000001"), bag("b-o1"), badge(SECOND))
        check = rig.app.check
        assert rig.text(check.state.second.title) == "陈静：请独立计算剂量"
        assert rig.text(check.state.second.unit) == "mg"
        check.close_sheet()
        await rig.app.settle()
        if level == 2:
            await rig.second_pin()
        assert check.state.second is None
        assert rig.text(check.state.witness) == kept
        assert said(rig)[0] == ("stop" if level == 3 else "give")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-06")
def test_a_scan_during_the_second_calculation_reaches_nothing(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await dangerous(rig)
        await rig.scan(wristband("M000003"), bag("b-o3"), badge(SECOND), bag("b-o1"))
        assert rig.app.check.state.second is not None
        assert rig.text(rig.app.state.toast.text) == "先回答屏幕上的问题，再扫描"
        assert rig.app.state.screen is Screen.CHECK

    signed_in(scenario)


@pytest.mark.requirement("R-SRV-35")
@pytest.mark.hazard("H-SRV-15")
def test_a_wrong_pin_is_said_and_the_sheet_stays(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await unverified(rig)
        await rig.scan(badge(SECOND))
        check = rig.app.check
        check.second_done()
        assert rig.text(check.state.second.record.missing) == "请输入 PIN"
        await rig.second_pin("12")
        assert rig.text(check.state.second.error) == "工牌与 PIN 不符"
        assert check.state.second.value == ""
        check.second_value("1")
        check.second_value("•2")
        check.second_value("•")
        assert check.state.second.value == "•"
        check.close_sheet()
        await rig.app.settle()
        assert check.state.second is None
        assert rig.text(check.state.witness) == ""
        assert said(rig)[0] == "stop"

    signed_in(scenario)


@pytest.mark.requirement("R-SRV-35")
@pytest.mark.hazard("H-SRV-15")
@pytest.mark.parametrize("known", [True, False])
def test_offline_the_handheld_recognises_a_second_nurse_who_has_signed_in_on_it(
    signed_in: Play, known: bool
) -> None:
    async def scenario(rig: Rig) -> None:
        await unverified(rig)
        if known:
            person = KnownPerson(
                badge=SECOND, practitioner=OTHER_NURSE, ward=WARD, last_at=rig.clock.now(),
                verifier=verifier("580264", rig.clock.now() + timedelta(hours=1)),
            )  # fmt: skip
            await rig.app.desk.ports.store.remember(person, "580264")
        rig.server.up = False
        await rig.scan(badge(SECOND))
        await rig.second_pin()
        check = rig.app.check
        if not known:
            assert rig.text(check.state.second.error) == "首次登录需联网"
            return
        check.reason("clinical-judgement")
        await rig.app.settle()
        check.primary()
        await rig.app.settle()
        rig.server.up = True
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        (proof,) = event.request.confirmations
        assert (proof.by, proof.token) == (SECOND, "")

    signed_in(scenario)


@pytest.mark.requirement("R-SRV-35")
@pytest.mark.hazard("H-SRV-15")
def test_a_second_nurse_s_word_for_one_bag_is_not_her_word_for_the_next(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await unverified(rig)
        await rig.scan(badge(SECOND))
        await rig.second_pin()
        check = rig.app.check
        assert rig.text(check.state.witness) == "第二人：陈静"
        await rig.scan(bag("b-o2"))
        assert rig.text(check.state.witness) == ""
        assert said(rig)[0] == "stop"

    signed_in(scenario)
