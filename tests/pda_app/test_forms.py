"""What a nurse writes down: nothing is lost without network, and a score is shown as it is entered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from clinical.chart_records import CriticalValue, FluidRecord
from clinical.errors import UnavailableError
from clinical.exchange import Charted, Event
from clinical.records import Observation
from clinical.scores.news2 import news2
from pda_app.presenters.states import Screen, Tone
from tests.support.handheld import FakeClock, FakeServer, Rig, at, handheld, wristband
from tests.support.handheld_care import vital

Play = Callable[..., None]
WELL = {
    "temperature": "36.8", "pulse": "80", "respiration": "16", "saturation": "97", "systolic": "120",
    "diastolic": "70",
}  # fmt: skip


async def offline(rig: Rig) -> None:
    rig.server.up = False
    rig.app.desk.sync.kick()
    await rig.until(lambda: not rig.app.desk.sync.link.online)
    rig.app.tick()


async def back(rig: Rig) -> None:
    rig.server.up = True
    rig.app.desk.sync.kick()
    await rig.until(lambda: rig.app.desk.sync.link.online)
    rig.app.tick()


async def save(rig: Rig) -> None:
    rig.app.forms.primary()
    await rig.app.settle()


def enter(rig: Rig, **values: str) -> None:
    for key, text in values.items():
        rig.app.forms.number(key, text)


def score(rig: Rig) -> tuple[str, str]:
    shown = rig.app.forms.state.score
    return shown.number, rig.text(shown.word)


@pytest.mark.requirement("R-PDA-86")
def test_the_score_is_shown_as_the_values_are_entered(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("vitals", "p1")
        assert rig.app.state.screen is Screen.FORM
        enter(rig, temperature="36.8")
        assert score(rig) == ("--", "还不能评分")
        assert rig.text(rig.app.forms.state.score.detail) == "还差：呼吸、血氧、收缩压、脉搏、吸氧、意识"
        enter(rig, **WELL)
        rig.app.forms.choose("oxygen:air")
        rig.app.forms.choose("consciousness:A")
        assert score(rig) == ("0", "低危")
        enter(rig, respiration="26")
        assert score(rig) == ("3", "单项 3 分：请医生评估")
        rig.app.forms.choose("oxygen:oxygen")
        enter(rig, pulse="112")
        assert score(rig) == ("7", "高危：急救小组")
        assert rig.app.forms.state.score.tone is Tone.BAD
        expected = news2(
            age=68, rr=26, spo2=97, on_oxygen=True, sbp=120, pulse=112, consciousness="A", temp_c=36.8
        )
        assert str(expected.total) == "7"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-86")
def test_what_was_measured_within_the_hour_counts_until_something_is_typed(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(
            observations=(
                vital("MDC_PULS_RATE", "131"), vital("MDC_RESP_RATE", "16"),
                vital("MDC_PRESS_BLD_NONINV_SYS", "120"), vital("MDC_PULS_OXIM_SAT_O2", "97", -61),
                replace(vital("MDCX_CONSCIOUSNESS", "0"), unit="1"),
                replace(vital("MDCX_OXYGEN", "0"), unit="1"),
            )
        )  # fmt: skip
        await rig.synced()
        rig.app.open_form("vitals", "p1")
        enter(rig, temperature="36.8")
        assert rig.text(rig.app.forms.state.score.detail) == "还差：血氧"
        enter(rig, saturation="97")
        assert score(rig) == ("3", "单项 3 分：请医生评估")
        enter(rig, pulse="80")
        assert score(rig) == ("0", "低危")
        await save(rig)
        await rig.synced()
        (sent,) = rig.server.charted.values()
        assert sent.observed.encounter_id == "e-p1"
        assert {(one.code, str(one.value)) for one in sent.observed.values} == {
            ("MDC_TEMP_AXILLA", "36.8"), ("MDC_PULS_OXIM_SAT_O2", "97"), ("MDC_PULS_RATE", "80"),
        }  # fmt: skip

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-86")
@pytest.mark.parametrize(
    ("key", "text"), [("temperature", "368"), ("pulse", "8o"), ("saturation", "101"), ("systolic", "12.5")]
)
def test_a_value_that_cannot_be_is_marked_and_not_saved(signed_in: Play, key: str, text: str) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("vitals", "p1")
        enter(rig, **{key: text})
        field = next(one for one in rig.app.forms.state.numbers if one.key == key)
        assert rig.text(field.error).startswith("应为")
        assert rig.text(rig.app.forms.state.primary.missing) == "请改正红框数值"
        await save(rig)
        assert rig.server.charted == {}

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-87")
@pytest.mark.hazard("H-PDA-33")
def test_vital_signs_written_down_without_network_wait_in_the_outbox_with_the_time_they_were_found(
    signed_in: Play,
) -> None:
    async def scenario(rig: Rig) -> None:
        await offline(rig)
        forms = rig.app.forms
        rig.app.open_form("vitals", "p1")
        assert rig.text(forms.state.notice) == ""
        enter(rig, temperature="38.4", pulse="112")
        found = rig.app.desk.now()
        rig.clock.advance(60)
        rig.app.tick()
        await save(rig)
        assert rig.text(forms.state.primary.missing) == "请输入体征"  # nothing of it waits on the page
        assert rig.text(rig.app.state.toast.text) == "已存本机，联网后上传"
        here = {one.code: (str(one.value), one.effective) for one in rig.app.desk.book.all(Observation)}
        assert here["MDC_TEMP_AXILLA"] == ("38.4", found)
        rig.app.go(Screen.UPLOADS)
        (row,) = rig.app.uploads.state.queue
        assert (rig.text(row.title), rig.text(row.detail)) == ("01 张建国 护理记录", "体征")
        await back(rig)
        await rig.until(lambda: rig.server.charted)
        (sent,) = rig.server.charted.values()
        assert (sent.at, sent.operator) == (found, "N20713")
        assert sent.sent > sent.at

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-87")
@pytest.mark.hazard("H-PDA-33")
def test_what_was_written_down_survives_the_end_of_the_program(tmp_path: Path) -> None:
    async def main() -> None:
        server = FakeServer(clock=FakeClock())
        async with asyncio.timeout(60):
            async with handheld(tmp_path, server) as rig:
                await rig.sign_in()
                await rig.synced()
                await offline(rig)
                rig.app.open_form("vitals", "p1")
                enter(rig, temperature="38.4")
                await save(rig)
            server.up = True
            async with handheld(tmp_path, server) as rig:
                await rig.sign_in()
                await rig.until(lambda: server.charted)
                await rig.synced()
        (sent,) = server.charted.values()
        assert [str(one.value) for one in sent.observed.values] == ["38.4"]

    asyncio.run(main())


@pytest.mark.requirement("R-PDA-87")
@pytest.mark.hazard("H-PDA-33")
def test_what_cannot_be_written_here_stays_on_its_page_and_a_second_try_is_the_same_set(
    signed_in: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("vitals", "p1")
        enter(rig, temperature="38.4")
        put, ids = rig.store.put, []

        async def full(event: Event) -> None:
            ids.append(event.id)
            if len(ids) == 1:
                raise UnavailableError("store-troubled", "the disk is full")
            await put(event)

        monkeypatch.setattr(rig.store, "put", full)
        await save(rig)
        assert rig.text(rig.app.forms.state.notice).startswith("没有保存，内容还在")
        assert rig.app.forms.state.numbers[0].number == "38.4"
        await save(rig)
        await rig.synced()
        assert len(rig.server.charted) == 1
        assert ids[0] == ids[1]

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-87")
def test_vital_signs_of_somebody_who_has_left_stay_on_the_page(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("vitals", "p1")
        enter(rig, temperature="38.4")
        stay = next(one for one in rig.server.facts.encounters if one.patient_id == "p1")
        rig.server.change(encounters=(replace(stay, status="finished"),))
        await rig.synced()
        await save(rig)
        assert rig.text(rig.app.forms.state.notice).startswith("没有保存")
        assert rig.server.charted == {}

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-87")
def test_another_nurse_finds_no_values_of_the_one_before_who_finds_her_own_again(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("vitals", "p1")
        enter(rig, temperature="38.4")
        rig.app.sign_out()
        await rig.app.settle()
        for number, found in (("N20488", ""), ("N20713", "38.4")):
            await rig.sign_in(number)
            await rig.synced()
            rig.app.open_form("vitals", "p1")
            assert rig.app.forms.state.numbers[0].number == found
            rig.app.sign_out()
            await rig.app.settle()

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-86")
def test_a_wristband_brings_the_form_of_its_patient(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("fluids", "p1")
        await rig.scan(wristband("M000002"))
        state = rig.app.forms.state
        assert (rig.app.state.screen, state.kind, state.banner.patient_id) == (Screen.FORM, "fluids", "p2")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-88")
@pytest.mark.hazard("H-PDA-10")
def test_an_amount_is_an_event_of_the_outbox_and_counts_in_the_shift_at_once(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        old = FluidRecord(
            id="f0", patient_id="p1", at=at(-600), by="N20488", direction="in", kind="oral", ml=Decimal(999)
        )
        rig.server.change(fluids=(old,))
        await rig.synced()
        await offline(rig)
        forms = rig.app.forms
        rig.app.open_form("fluids", "p1")
        assert rig.text(forms.state.primary.missing) == "请选种类"
        forms.choose("kind:urine")
        enter(rig, ml="0")
        assert not forms.state.primary.enabled
        enter(rig, ml="300")
        assert rig.text(forms.state.primary.text) == "记录尿"
        await save(rig)
        rig.clock.advance(60)
        forms.choose("kind:oral")
        enter(rig, ml="200")
        await save(rig)
        assert rig.text(forms.state.lines_title) == "本班：入 200 · 出 300 · 差 -100 mL"
        assert [rig.text(one.trailing) for one in forms.state.lines] == ["200 mL", "300 mL", "999 mL"]
        await back(rig)
        await rig.until(lambda: len(rig.api.sent(Charted)) == 2)
        first = rig.api.sent(Charted)[0].fluid
        assert (first.direction, first.kind, first.ml, first.patient_id) == (
            "out",
            "urine",
            Decimal(300),
            "p1",
        )

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-89")
@pytest.mark.hazard("H-PDA-34")
def test_a_critical_value_is_taken_in_only_after_it_was_read_back(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_form("critical", "p1")
        forms = rig.app.forms
        forms.choose("test:potassium")
        assert rig.text(forms.state.primary.missing) == "请输入结果"
        enter(rig, value="6.8")
        assert forms.state.read_back is None
        forms.number("from", "赵明 ")
        assert rig.text(forms.state.primary.missing) == "请先复述"
        shown = forms.state.read_back
        assert (rig.text(shown.what), shown.number, shown.unit) == ("血钾", "6.8", "mmol/L")
        await save(rig)
        assert rig.server.called == {}
        forms.choose(shown.choice.id)
        assert forms.state.primary.enabled
        enter(rig, value="8.6")  # misheard: it is read back again
        assert rig.text(forms.state.primary.missing) == "请先复述"
        forms.choose(forms.state.read_back.choice.id)
        forms.choose("doctor:D30115")
        await save(rig)
        await rig.synced()
        (called,) = rig.server.called.values()
        assert (called.test, called.value, called.unit) == ("potassium", "8.6", "mmol/L")
        assert (called.reported_by, called.doctor, called.received_by) == ("赵明", "D30115", "N20713")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-89")
@pytest.mark.hazard("H-PDA-34")
def test_a_critical_value_waits_on_its_page_until_the_server_has_it_and_until_a_doctor_answers(
    signed_in: Play,
) -> None:
    async def scenario(rig: Rig) -> None:
        open_now = CriticalValue(
            id="c1", patient_id="p1", test="haemoglobin", value="48", unit="g/L", reported_by="x",
            received_by="N20713", received_at=at(-30),
        )  # fmt: skip
        done = replace(
            open_now, id="c0", test="D-Dimer", received_at=at(-10), acknowledged_by="D30115",
            acknowledged_at=at(-5), action="复查",
        )  # fmt: skip
        rig.server.change(critical_values=(done, open_now))
        await rig.synced()
        await offline(rig)
        rig.app.open_form("critical", "p1")
        forms = rig.app.forms
        assert [(one.id, rig.text(one.trailing)) for one in forms.state.lines] == [
            ("c1", "等医生处理"), ("c0", "李明远 复查"),
        ]  # fmt: skip
        forms.choose("test:other")
        forms.number("test", "血氨")
        enter(rig, value="180")
        forms.number("from", "赵明")
        forms.choose(forms.state.read_back.choice.id)
        assert rig.text(forms.state.notice) == "离线：联网后才会报警，请立即打电话告知医生"
        await save(rig)
        assert [rig.text(one.trailing) for one in forms.state.lines] == [
            "等医生处理",
            "等医生处理",
            "李明远 复查",
        ]
        rig.app.go(Screen.UPLOADS)
        (row,) = rig.app.uploads.state.queue
        assert (rig.text(row.title), rig.text(row.detail)) == ("01 张建国 护理记录", "危急值 180")
        rig.app.open_form("critical", "p1")
        await back(rig)
        await rig.synced()
        (called,) = rig.server.called.values()
        assert (called.test, called.value, called.unit) == ("血氨", "180", "")
        forms.choose("test:glucose")
        forms.secondary()
        assert forms.state.groups[0].choices[2].selected is False

    signed_in(scenario)
