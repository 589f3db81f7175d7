"""One unit of blood: taken in, checked by two at the bed, started, watched; also without network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action
from clinical.care_records import BloodUnit, TransfusionEntry
from clinical.exchange import CareRecorded, CheckEvaluated, InfusionStarted
from clinical.records import Infusion, InfusionState
from pda_app.presenters.states import Screen, Tone
from tests.support.handheld import FakeClock, FakeServer, Rig, at, badge, wristband
from tests.support.handheld_care import DONATION, LOOKED, add_blood, blood_label, pin, said, vital

Play = Callable[..., None]
P1, P2 = "M000001", "M000002"
SECOND = "N20488"
CHECKED = {
    "state": "checked", "received_by": ("N20713", SECOND), "checked_by": ("N20713", SECOND),
    "checked_at": at(-5),
}  # fmt: skip


@pytest.fixture
def bleeding(signed_in: Play) -> Callable[..., None]:
    """Run a scenario on a ward where the first patient waits for a unit of blood."""

    def play(scenario: Callable[[Rig], object], **unit: object) -> None:
        server = FakeServer(clock=FakeClock())
        add_blood(server, **unit)
        signed_in(scenario, server)

    return play


async def look(rig: Rig) -> None:
    for one in LOOKED:
        rig.app.care.choose(f"look:{one}")
    await rig.app.settle()


async def record(rig: Rig) -> list[CareRecorded]:
    rig.app.care.primary()
    await rig.app.settle()
    await rig.synced()
    return rig.api.sent(CareRecorded)


def cells(rig: Rig) -> list[tuple[str, str]]:
    table = rig.app.care.state.table
    return [(one.first, one.second) for one in table.rows]


@pytest.mark.requirement("R-PDA-83")
def test_a_unit_is_taken_in_by_two_persons_who_both_stand_behind_it(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(blood_label())
        assert rig.app.state.screen is Screen.CARE
        assert rig.text(rig.app.care.state.page_title) == "血袋接收"
        assert said(rig) == ("needs", "请扫描取血单")
        await rig.scan(blood_label())
        assert said(rig) == ("needs", "请逐项核对血袋")
        await look(rig)
        assert said(rig) == ("needs", "请第二人扫工牌")
        await rig.scan(badge(SECOND))
        await pin(rig)
        assert (said(rig)[0], rig.text(rig.app.care.state.verdict.word)) == ("give", "可以接收")
        (event,) = await record(rig)
        assert (event.subject_id, event.request.action) == ("u1", Action.BLOOD_RECEIVE)
        assert [one.source for one in event.request.items] == ["unit", "slip"]
        assert rig.app.desk.book.get(BloodUnit, "u1").received_by == ("N20713", SECOND)

    bleeding(scenario)


@pytest.mark.requirement("R-PDA-83")
@pytest.mark.hazard("H-PDA-31")
def test_at_the_bed_both_persons_scan_wristband_unit_and_slip_for_themselves(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), blood_label(), blood_label())
        await look(rig)
        assert cells(rig) == [("ok", "later")] * 4
        assert said(rig) == ("needs", "请第二人扫工牌")
        await rig.scan(badge(SECOND))
        assert rig.app.care.state.second is None
        assert said(rig) == ("needs", "陈静：请扫腕带")
        await rig.scan(wristband(P1), blood_label())
        assert said(rig) == ("needs", "陈静：请扫取血单")
        assert cells(rig)[:3] == [("ok", "ok"), ("ok", "ok"), ("ok", "now")]
        await rig.scan(blood_label())
        await pin(rig)
        assert said(rig)[0] == "give"
        assert rig.app.care.state.table.second_count == "4/4"
        (event,) = await record(rig)
        assert event.request.action is Action.BLOOD_CHECK
        assert [one.source for one in event.request.witness.scans] == ["wristband", "unit", "slip"]
        assert event.request.confirmations[0].by == SECOND
        assert rig.app.desk.book.get(BloodUnit, "u1").state == "checked"

    bleeding(scenario, state="received")


@pytest.mark.requirement("R-PDA-83")
@pytest.mark.hazard("H-PDA-31")
def test_a_second_person_who_scans_another_wristband_stops_it(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), blood_label(), blood_label())
        await look(rig)
        await rig.scan(badge(SECOND), wristband(P2), blood_label(), blood_label())
        assert rig.app.care.state.second is None
        assert said(rig)[0] == "stop"
        assert rig.text(rig.app.care.state.primary.text) == "重新扫描"
        assert await record(rig) == []

    bleeding(scenario, state="received")


@pytest.mark.requirement("R-PDA-83")
@pytest.mark.hazard("H-PDA-31")
def test_blood_of_another_patient_stops_and_shows_nobody_s_data(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P2), blood_label())
        assert said(rig) == ("stop", "血袋、取血单与腕带不是同一患者，停止")
        state = rig.app.care.state
        assert (state.banner, state.title, state.lines, state.table) == (None, "", (), None)

    bleeding(scenario, state="received")


@pytest.mark.requirement("R-PDA-83")
@pytest.mark.hazard("H-PDA-31")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group": "B+"}, "BLD-ABO"), ({"crossmatch": "incompatible"}, "BLD-XM"),
        ({"expires_at": at(-1)}, "BLD-EXPIRED"),
    ],
)  # fmt: skip
def test_a_unit_that_does_not_fit_stops_whatever_both_persons_say(
    bleeding: Play, changes: dict[str, object], code: str
) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), blood_label(), blood_label())
        await look(rig)
        assert said(rig)[0] == "stop"
        await rig.synced()
        near_miss = rig.api.sent(CheckEvaluated)[-1]
        assert code in {one.code for one in near_miss.result.findings}
        assert await record(rig) == []

    bleeding(scenario, state="received", **changes)


@pytest.mark.requirement("R-PDA-83")
@pytest.mark.hazard("H-PDA-31")
def test_a_bag_that_looks_wrong_stops(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), blood_label(), blood_label())
        rig.app.care.secondary()
        rig.app.care.choose("wrong:clot")
        await rig.app.settle()
        assert said(rig) == ("stop", "血袋有渗漏、凝块或异常，退回血库")

    bleeding(scenario, state="received")


@pytest.mark.requirement("R-PDA-84")
@pytest.mark.hazard("H-PDA-31")
def test_a_unit_starts_slowly_with_baseline_from_monitor_or_hand_and_a_site(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(
            observations=(
                vital("MDC_PULS_RATE", "80"),
                vital("MDC_RESP_RATE", "16"),
                vital("MDC_PRESS_BLD_NONINV_SYS", "120"),
                vital("MDC_PULS_OXIM_SAT_O2", "97", -40),
            )
        )
        await rig.synced()
        await rig.scan(wristband(P1), blood_label())
        numbers = {one.key: one for one in rig.app.care.state.numbers}
        assert (numbers["pulse"].number, rig.text(numbers["pulse"].note)) == ("80", "监护仪 09:41")
        assert numbers["saturation"].number == ""  # too old for a baseline
        assert numbers["rate"].number == "90"
        care = rig.app.care
        care.number("temperature", "366")
        assert rig.text({one.key: one for one in care.state.numbers}["temperature"].error) == "应为 20–46"
        care.number("temperature", "36.6")
        care.number("saturation", "97")
        care.choose("site:left-forearm")
        await rig.app.settle()
        assert (said(rig)[0], rig.text(care.state.verdict.word)) == ("give", "可以输血")
        care.number("rate", "200")
        await rig.app.settle()
        assert said(rig)[0] == "stop"
        care.number("rate", "60")
        await rig.app.settle()
        await record(rig)
        (started,) = rig.api.sent(InfusionStarted)
        assert rig.app.desk.book.get(BloodUnit, "u1").state == "running"
        assert (started.bag_id, started.rate_ml_h, started.site) == ("u1", Decimal(60), "left-forearm")
        assert {one.code for one in started.request.entered.vitals} == {
            "MDC_TEMP_AXILLA", "MDC_PULS_OXIM_SAT_O2",
        }  # fmt: skip

    bleeding(scenario, **CHECKED)


def running(rig: Rig, minutes: float) -> None:
    """The unit runs since so many minutes."""
    unit = next(one for one in rig.server.facts.blood_units if one.id == "u1")
    infusion = Infusion(
        id="i1", order_id="blood", task_id="t-blood", encounter_id="e-p1", patient_id="p1",
        state=InfusionState.RUNNING, rate_ml_h=Decimal(90), drops_per_ml=20, volume_ml=Decimal(200),
        started_at=at(-minutes), bag_id="u1", site="left-forearm",
    )  # fmt: skip
    first = TransfusionEntry(
        id="e0", infusion_id="i1", patient_id="p1", at=at(-minutes), by="N20713", kind="baseline",
        temperature=Decimal("36.6"), systolic=Decimal(120),
    )  # fmt: skip
    rig.server.change(
        blood_units=(replace(unit, state="running"),), infusions=(infusion,), transfusion_entries=(first,)
    )


@pytest.mark.requirement("R-PDA-84")
@pytest.mark.hazard("H-PDA-31")
def test_the_watch_at_fifteen_minutes_takes_fresh_values_and_says_when_the_next_is_due(
    bleeding: Play,
) -> None:
    async def scenario(rig: Rig) -> None:
        running(rig, 15)
        await rig.synced()
        rig.app.open_task("t-blood")
        await rig.scan(wristband(P1))
        care = rig.app.care
        assert (rig.text(care.state.timer.note), care.state.timer.tone) == ("15 分钟观察 09:42", Tone.WARN)
        assert said(rig) == ("needs", "请测生命体征")
        care.number("temperature", "36.8")
        care.number("systolic", "118")
        await rig.app.settle()
        assert said(rig)[0] == "give"
        (event,) = await record(rig)
        assert (event.infusion_id, event.subject_id) == ("i1", "u1")
        rig.app.open_task("t-blood")
        await rig.app.settle()
        assert rig.text(care.state.timer.note) == "下次观察 10:42"

    bleeding(scenario, **CHECKED)


@pytest.mark.requirement("R-PDA-84")
@pytest.mark.hazard("H-PDA-31")
def test_a_reaction_is_recorded_at_once_and_leads_to_stopping_the_blood(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        running(rig, 6)
        await rig.synced()
        await rig.scan(wristband(P1), blood_label())
        care = rig.app.care
        care.choose("symptom:chill")
        await rig.app.settle()
        assert said(rig) == ("stop", "疑似输血反应：停止输血，呼叫医生")
        assert (rig.text(care.state.primary.text), care.state.primary.tone) == ("记录并报警", Tone.BAD)
        (event,) = await record(rig)
        assert event.request.entered.symptoms == ("chill",)
        rig.app.open_task("t-blood")
        await rig.app.settle()
        assert rig.text(care.state.secondary.text) == "结束输血"
        care.secondary()
        assert (rig.app.state.screen, rig.app.round.state.infusion_id) == (Screen.ROUND, "i1")

    bleeding(scenario, **CHECKED)


@pytest.mark.requirement("R-PDA-82")
@pytest.mark.hazard("H-PDA-10")
def test_a_check_of_two_without_network_waits_in_the_outbox(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.sign_out_and_in(SECOND)
        rig.server.up = False
        rig.app.desk.sync.kick()
        await rig.until(lambda: not rig.app.desk.sync.link.online)
        await rig.scan(wristband(P1), blood_label(), blood_label())
        await look(rig)
        await rig.scan(badge(SECOND), wristband(P1), blood_label(), blood_label())
        await pin(rig)
        assert said(rig)[0] == "give"
        rig.app.care.primary()
        await rig.app.settle()
        assert rig.app.desk.book.get(BloodUnit, "u1").state == "checked"
        rig.server.up = True
        rig.app.desk.sync.kick()
        await rig.until(lambda: len(rig.api.sent(CareRecorded)) == 1)
        (event,) = rig.api.sent(CareRecorded)
        assert event.request.confirmations[0].token == ""

    bleeding(scenario, state="received")


@pytest.mark.requirement("R-PDA-83")
@pytest.mark.hazard("H-PDA-31")
def test_a_wrong_pin_or_the_nurse_s_own_badge_is_no_second_person(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(blood_label(), blood_label())
        await look(rig)
        await rig.scan(badge("N20713"))
        assert rig.app.care.state.second is None
        await rig.scan(badge(SECOND))
        await pin(rig, "000000")
        assert rig.text(rig.app.care.state.second.error) == "工牌与 PIN 不符"
        rig.app.care.close_sheet()
        await rig.app.settle()
        assert said(rig) == ("needs", "请第二人扫工牌")
        assert await record(rig) == []

    bleeding(scenario)


@pytest.mark.requirement("R-PDA-82")
def test_what_waits_to_be_sent_is_listed_with_bed_name_and_what_it_is(bleeding: Play) -> None:
    async def scenario(rig: Rig) -> None:
        running(rig, 15)
        await rig.synced()
        rig.server.up = False
        rig.app.desk.sync.kick()
        await rig.until(lambda: not rig.app.desk.sync.link.online)
        await rig.scan(wristband(P1), blood_label())
        rig.app.care.number("temperature", "36.8")
        rig.app.care.number("systolic", "118")
        await rig.app.settle()
        rig.app.care.primary()
        await rig.app.settle()
        rig.app.open_form("fluids", "p1")
        rig.app.forms.choose("kind:urine")
        rig.app.forms.number("ml", "300")
        rig.app.forms.primary()
        await rig.app.settle()
        rig.app.go(Screen.UPLOADS)
        await rig.app.settle()
        rows = rig.app.uploads.state.queue
        assert [(one.icon, rig.text(one.title)) for one in rows] == [
            ("blood", "01 张建国 输血、标本、皮试"), ("instruction", "01 张建国 护理记录"),
        ]  # fmt: skip
        assert [rig.text(one.detail) for one in rows] == ["悬浮红细胞", "尿 300 mL"]

    bleeding(scenario, **CHECKED)


def test_the_donation_of_these_tests_is_one_that_can_be() -> None:
    assert len(DONATION) == 13
