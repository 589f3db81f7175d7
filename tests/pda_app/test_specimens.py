"""Taking a sample: the wristband, then the tube, then one touch; also without network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from clinical.bedside_check.model import Action
from clinical.care_records import Specimen
from clinical.exchange import CareRecorded
from clinical.records import Infusion, InfusionState, Task, TaskStatus
from clinical.specimens import draw_rank
from pda_app.presenters.states import Screen
from tests.support.handheld import FakeClock, FakeServer, Rig, at, badge, bag, wristband
from tests.support.handheld_care import add_samples, pin, said, tube_label

Play = Callable[..., None]
P1, P2, P3 = "M000001", "M000002", "M000003"


@pytest.fixture
def sampling(signed_in: Play) -> Callable[..., None]:
    """Run a scenario on a ward with tubes to fill."""

    def play(scenario: Callable[[Rig], object]) -> None:
        server = FakeServer(clock=FakeClock())
        add_samples(server)
        signed_in(scenario, server)

    return play


@pytest.mark.requirement("R-PDA-80")
def test_two_scans_and_one_touch_take_a_sample(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P2), wristband(P1), tube_label("S2"))
        state = rig.app.care.state
        assert rig.app.state.screen is Screen.CARE
        assert (rig.text(state.verdict.word), said(rig)[0]) == ("可以采集", "give")
        assert rig.text(state.primary.text) == "蓝管已采"
        rig.app.care.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(CareRecorded)
        assert (event.subject_id, event.task_id, event.request.action) == ("S2", "t-inr", Action.COLLECT)
        assert event.request.entered.container == "blue"

    sampling(scenario)


@pytest.mark.requirement("R-PDA-80")
def test_the_next_tube_of_the_same_patient_needs_no_second_wristband_scan(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), tube_label("S2"))
        rig.app.care.primary()
        await rig.app.settle()
        assert rig.app.state.screen is Screen.CARE
        assert said(rig) == ("needs", "请扫描试管")
        await rig.scan(tube_label("S1"))
        assert said(rig)[0] == "give"
        rig.app.care.primary()
        await rig.app.settle()
        assert rig.app.state.screen is Screen.PATIENT
        await rig.synced()
        assert [one.subject_id for one in rig.api.sent(CareRecorded)] == ["S2", "S1"]

    sampling(scenario)


@pytest.mark.requirement("R-PDA-81")
@pytest.mark.hazard("H-PDA-30")
def test_another_patient_s_tube_stops_and_shows_nobody_s_data(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), tube_label("S3"))
        assert said(rig) == ("stop", "试管与腕带不是同一患者，停止")
        state = rig.app.care.state
        assert (state.banner, state.lines, state.queue, state.title) == (None, (), (), "")
        assert rig.text(state.primary.text) == "重新扫描"
        rig.app.care.primary()
        await rig.app.settle()
        assert rig.api.sent(CareRecorded) == []
        await rig.scan(wristband(P1), tube_label("S1"))
        assert said(rig)[0] == "give"

    sampling(scenario)


@pytest.mark.requirement("R-PDA-81")
@pytest.mark.hazard("H-PDA-30")
def test_another_tube_than_the_one_asked_for_stops(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), tube_label("S1"))
        rig.app.care.secondary()
        await rig.app.settle()
        assert said(rig) == ("needs", "请选试管")
        rig.app.care.choose("container:red")
        await rig.app.settle()
        assert said(rig)[0] == "stop"
        rig.app.care.choose("container:purple")
        await rig.app.settle()
        assert said(rig)[0] == "give"

    sampling(scenario)


@pytest.mark.requirement("R-PDA-80")
def test_a_tube_that_nobody_knows_or_a_bag_is_no_tube(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), tube_label("S9"))
        assert said(rig)[0] == "stop"
        await rig.scan(bag("b-o1"))
        assert said(rig)[0] == "stop"
        assert rig.app.state.screen is Screen.CARE

    sampling(scenario)


@pytest.mark.requirement("R-PDA-80")
def test_tubes_are_listed_in_the_order_of_draw_and_what_is_taken_with_its_time_to_the_laboratory(
    sampling: Play,
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.app.open_task("t-cbc")
        await rig.app.settle()
        queue = rig.app.care.state.queue
        assert [(one.id, one.number) for one in queue] == [("S2", "1"), ("S1", "2")]
        assert draw_rank("blue") < draw_rank("purple")
        await rig.scan(wristband(P1), tube_label("S2"))
        rig.app.care.primary()
        await rig.app.settle()
        taken = rig.app.care.state.queue[-1]
        assert (taken.id, rig.text(taken.trailing)) == ("S2", "1 h 00内送检")
        await rig.synced()
        late = replace(rig.app.desk.book.get(Specimen, "S2"), collected_at=at(-61))
        rig.server.change(specimens=(late,))
        await rig.synced()
        taken = rig.app.care.state.queue[-1]
        assert rig.text(taken.trailing) == "送检超时 1 分"

    sampling(scenario)


@pytest.mark.requirement("R-PDA-81")
@pytest.mark.hazard("H-PDA-30")
def test_while_an_infusion_runs_the_arm_must_be_told_and_its_own_arm_is_a_warning(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        order = next(one for one in rig.server.facts.orders if one.id == "o3")
        running = Infusion(
            id="i3", order_id="o3", task_id="t-o3", encounter_id=order.encounter_id, patient_id="p3",
            state=InfusionState.RUNNING, rate_ml_h=order.rate_ml_h, drops_per_ml=20,
            volume_ml=order.volume_ml, started_at=at(-10), site="left-forearm",
        )  # fmt: skip
        rig.server.change(infusions=(running,))
        await rig.synced()
        await rig.scan(wristband(P3), tube_label("S4"))
        assert said(rig) == ("needs", "请选采血部位")
        assert not rig.app.care.state.primary.enabled
        rig.app.care.choose("site:left-elbow")
        await rig.app.settle()
        assert said(rig)[0] == "check"
        rig.app.care.choose("site:right-elbow")
        await rig.app.settle()
        assert said(rig)[0] == "give"

    sampling(scenario)


@pytest.mark.requirement("R-PDA-81")
@pytest.mark.hazard("H-PDA-30")
def test_a_cross_match_sample_needs_a_second_person_with_her_pin(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P2), tube_label("S3"))
        assert said(rig) == ("needs", "请第二人扫工牌")
        await rig.scan(badge("N20488"))
        assert rig.app.care.state.second is not None
        await rig.scan(tube_label("S1"))  # refused: the sheet covers the page
        await pin(rig)
        assert said(rig)[0] == "give"
        rig.app.care.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(CareRecorded)
        (proof,) = event.request.confirmations
        assert (event.request.witness.id, proof.by, bool(proof.token)) == ("N20488", "N20488", True)

    sampling(scenario)


@pytest.mark.requirement("R-PDA-82")
@pytest.mark.hazard("H-PDA-10")
def test_a_sample_taken_without_network_waits_in_the_outbox_and_is_taken_here_at_once(
    sampling: Play,
) -> None:
    async def scenario(rig: Rig) -> None:
        rig.server.up = False
        rig.app.desk.sync.kick()
        await rig.until(lambda: not rig.app.desk.sync.link.online)
        await rig.scan(wristband(P1), tube_label("S1"))
        assert said(rig)[0] == "give"
        assert "离线核对" in rig.text(rig.app.care.state.verdict.note)
        rig.app.care.primary()
        await rig.app.settle()
        book = rig.app.desk.book
        assert book.get(Specimen, "S1").state == "collected"
        assert book.get(Task, "t-cbc").status is TaskStatus.COMPLETED
        await rig.scan(tube_label("S1"))
        assert said(rig)[0] == "stop"
        rig.server.up = True
        rig.app.desk.sync.kick()
        await rig.until(lambda: len(rig.api.sent(CareRecorded)) == 1)

    sampling(scenario)


@pytest.mark.requirement("R-PDA-81")
@pytest.mark.hazard("H-PDA-30")
def test_a_label_that_was_printed_before_the_wristband_was_read_needs_a_reason(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        tube = next(one for one in rig.server.facts.specimens if one.id == "S1")
        rig.server.change(specimens=(replace(tube, printed_at=at(-30), state="printed"),))
        await rig.synced()
        await rig.scan(wristband(P1), tube_label("S1"))
        assert said(rig)[0] == "check"
        rig.app.care.reason("other")
        await rig.app.settle()
        assert said(rig)[0] == "check"
        rig.app.care.reason_text("护士站统一打印")
        await rig.app.settle()
        assert said(rig)[0] == "give"
        rig.app.care.reason("ward-busy")
        await rig.app.settle()
        rig.app.care.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(CareRecorded)
        assert ("SPC-PREPRINT", "ward-busy") in {(one.code, one.reason) for one in event.request.overrides}

    sampling(scenario)


@pytest.mark.requirement("R-PDA-80")
def test_leaving_the_page_forgets_it_and_another_nurse_never_gets_it(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), tube_label("S1"))
        rig.app.back()
        assert rig.app.state.dialog is not None
        rig.app.answer_dialog("leave")
        assert not rig.app.care.is_open
        await rig.scan(wristband(P1), tube_label("S1"))
        rig.app.sign_out()
        await rig.app.settle()
        assert not rig.app.care.is_open

    sampling(scenario)


@pytest.mark.requirement("R-PDA-81")
@pytest.mark.hazard("H-PDA-30")
def test_a_tube_does_not_throw_away_a_dose_that_is_ready_to_record(sampling: Play) -> None:
    async def scenario(rig: Rig) -> None:
        await rig.scan(wristband(P1), bag("b-o1"), tube_label("S1"))
        assert (rig.app.state.screen, rig.app.check.state.verdict.kind) == (Screen.CHECK, "give")
        assert rig.text(rig.app.state.toast.text) == "先记录或离开这次核对，再扫描"
        rig.app.back()
        rig.app.answer_dialog("leave")
        await rig.scan(wristband(P1), tube_label("S1"))
        assert said(rig)[0] == "give"

    sampling(scenario)
