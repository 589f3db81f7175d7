"""Today, the ward and the patient's page: every number with the word that decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from clinical.records import AlarmPriority, Observation, TaskStatus, Validity
from pda_app.presenters.states import Screen, Tone
from tests.support.handheld import Rig, alarm, at

Play = Callable[..., None]


@pytest.mark.requirement("R-PDA-40")
def test_today_counts_and_groups_by_patient_in_walking_order(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        state = rig.app.today.state
        assert {one.id: one.count for one in state.counters} == {"all": 3, "overdue": 1, "due": 2, "done": 0}
        assert [group.bed for group in state.groups] == ["01", "02", "03"]
        late = state.groups[1].rows[0]
        assert (rig.text(late.distance), late.tone) == ("逾期 1 h 42", Tone.BAD)
        assert rig.text(late.distance, "en") == "1 h 42 late"
        assert rig.text(state.groups[0].rows[0].distance) == "剩 1 h 00"

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-40")
def test_today_filters_arranges_by_time_and_searches(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        today = rig.app.today
        today.show("overdue")
        assert [group.name for group in today.state.groups] == ["李秀兰"]
        today.show("all")
        today.arrange("time")
        assert [row.bed for row in today.state.rows] == ["02", "01", "03"]
        for query, beds in (("zj", ["01"]), ("wangzhi", ["03"]), ("李", ["02"]), ("3", ["03"]), ("xyz", [])):
            today.search(query)
            assert [row.bed for row in today.state.rows] == beds
        assert rig.text(today.state.empty) == "没有找到：xyz"

    signed_in(scenario)


def test_an_order_that_could_not_be_planned_is_seen_as_a_fault(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        broken = replace(rig.server.facts.tasks[0], id="t-x", status=TaskStatus.ERROR, detail="frequency")
        rig.server.change(tasks=(broken,))
        await rig.synced()
        rows = rig.app.today.state.groups[0].rows
        assert "无法安排" in rig.text(next(row for row in rows if row.task_id == "t-x").distance)

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-40")
def test_the_edge_of_a_bed_card_tells_the_worst_open_thing(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(alarms=(alarm("a1", "03", "near-end", AlarmPriority.MEDIUM),))
        await rig.synced()
        rig.app.go(Screen.WARD)
        edges = {card.bed: card.edge for card in rig.app.ward.state.cards}
        assert edges == {"01": Tone.WARN, "02": Tone.BAD, "03": Tone.BAD}
        rig.app.ward.show("alarm")
        assert [card.bed for card in rig.app.ward.state.cards] == ["03"]
        assert rig.text(rig.app.ward.state.cards[0].next.text) == "输液将完"

    signed_in(scenario)


def test_an_empty_bed_is_an_outline(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        gone = replace(rig.server.facts.encounters[1], status="finished")
        rig.server.change(encounters=(gone,))
        await rig.synced()
        rig.app.go(Screen.WARD)
        card = rig.app.ward.state.cards[1]
        assert (card.patient_id, rig.text(card.demographics)) == ("", "空床")

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-41")
def test_the_patient_s_page_shows_banner_allergy_vitals_and_tasks(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        seen = Observation(
            id="v1",
            patient_id="p1",
            code="MDC_PULS_OXIM_SAT_O2",
            value=Decimal(93),
            unit="%",
            effective=at(-1),
        )
        bad = replace(seen, id="v2", code="MDC_PULS_OXIM_PULS_RATE", unit="/min", validity=Validity.INVALID)
        rig.server.change(observations=(seen, bad))
        await rig.synced()
        rig.app.open_patient("p1")
        state = rig.app.patient.state
        assert state.banner is not None
        assert (state.banner.bed, state.banner.name, rig.text(state.banner.age)) == ("01", "张建国", "68 岁")
        assert rig.text(state.allergy.text) == "过敏：青霉素（皮疹）"
        values = {tile.code: tile.value for tile in state.vitals}
        assert values == {"MDC_PULS_OXIM_SAT_O2": "93", "MDC_PULS_OXIM_PULS_RATE": "--"}
        assert [row.task_id for row in state.tasks] == ["t-o1"]

    signed_in(scenario)


@pytest.mark.parametrize(
    ("status", "strip", "said"),
    [
        ("none", "none", "无已知过敏"),
        ("not-recorded", "not-recorded", "过敏未记录"),
        ("known", "known", "过敏：有，未写明"),
    ],
)
def test_the_allergy_strip_never_says_none_when_nobody_asked(
    signed_in: Play, status: str, strip: str, said: str
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.change(patients=(replace(rig.server.facts.patients[1], allergy_status=status),))
        await rig.synced()
        rig.app.open_patient("p2")
        assert (rig.app.patient.state.allergy.state, rig.text(rig.app.patient.state.allergy.text)) == (
            strip,
            said,
        )

    signed_in(scenario)


def test_a_language_switch_translates_what_is_already_on_the_screen(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        row = rig.app.today.state.groups[2].rows[0]
        rig.app.set_language("en")
        assert rig.app.catalog().text(row.title) == "0.9% NaCl"
        assert rig.app.catalog().text(row.detail) == "100 mL · IV infusion · twice daily · 120 mL/h"

    signed_in(scenario)


def test_opening_a_task_begins_its_check_and_back_leaves_it(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_task("t-o2")
        assert rig.app.state.screen is Screen.CHECK
        assert rig.app.check.state.banner.name == "李秀兰"
        assert rig.text(rig.app.check.state.verdict.reason) == "请扫描患者腕带"
        rig.app.back()
        assert rig.app.state.screen is Screen.TODAY
        assert not rig.app.check.is_open

    signed_in(scenario)


@pytest.mark.requirement("R-PDA-40")
def test_the_ward_is_searched_by_name_initials_and_bed_and_the_next_nurse_sees_it_whole(
    signed_in: Play,
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.go(Screen.WARD)
        ward = rig.app.ward
        for query, beds in (("zj", ["01"]), ("wang zhi", ["03"]), ("李", ["02"]), ("2", ["02"]), ("xyz", [])):
            ward.search(query)
            assert [card.bed for card in ward.state.cards] == beds
        assert rig.text(ward.state.empty) == "没有找到：xyz"
        rig.app.today.search("zj")
        rig.app.lock()
        await rig.sign_in("N20488")
        assert (rig.app.today.state.query, ward.state.query) == ("", "")
        assert len(rig.app.today.state.groups) == 3

    signed_in(scenario)
