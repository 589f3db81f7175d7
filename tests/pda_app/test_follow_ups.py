"""A patch comes off, an effect is written down, blood is started as blood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from clinical import follow_ups
from clinical.bedside_check.model import Action
from clinical.exchange import AdministrationRecorded, CheckEvaluated
from clinical.policy import SitePolicy
from clinical.records import Administration, Order, Task, TaskStatus
from pda_app.presenters.judging import action_of
from tests.support.handheld import Rig, at, drug_order, product, task_of, wristband
from tests.support.handheld_care import add_blood

Play = Callable[..., None]
POLICY = SitePolicy.default()


def given(task: Task, minutes: float) -> Administration:
    return Administration(
        id="a1", task_id=task.id, order_id=task.order_id, patient_id="p1", outcome="given", at=at(minutes),
        operator="N20488",
    )  # fmt: skip


async def following(rig: Rig, order: Order, task: Task, minutes: float) -> Task:
    """Something was given so many minutes ago, and the ward knows what follows on it."""
    record = given(task, minutes)
    found = follow_ups.after(order, task, record, POLICY)[0]
    due = replace(found, status=TaskStatus.DUE)
    rig.server.change(orders=(order,), tasks=(task, due), administrations=(record,))
    await rig.synced()
    return due


@pytest.mark.requirement("R-CLIN-61")
@pytest.mark.hazard("H-CLIN-03")
def test_a_patch_is_taken_off_by_its_own_task(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        patch = replace(product("fentanyl", "芬太尼贴剂", "Fentanyl patch"), form="patch")
        rig.server.change(products=(patch,))
        order = drug_order(
            "o9", "p1", "fentanyl", at(-72 * 60), route="TD", frequency="q72h", start=at(-72 * 60)
        )
        done = replace(task_of(order, at(-72 * 60)), status=TaskStatus.GIVEN)
        due = await following(rig, order, done, -72 * 60)
        check = rig.app.check
        shown = [row for group in rig.app.today.state.groups for row in group.rows]
        row = next(row for row in shown if row.task_id == due.id)
        assert rig.text(row.title) == "取下 芬太尼贴剂"
        rig.app.open_task(due.id)
        await rig.scan(wristband("M000001"))
        assert (check.state.verdict.kind, rig.text(check.state.primary.text)) == ("give", "确认已取下")
        check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        assert (event.outcome, event.task_id, event.request.action) == ("removed", due.id, Action.REMOVE)
        assert rig.app.desk.book.get(Task, due.id).status is TaskStatus.COMPLETED

    signed_in(scenario)


@pytest.mark.requirement("R-CLIN-61")
def test_the_effect_of_an_as_needed_drug_is_chosen_and_recorded(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        order = drug_order("o9", "p1", "aspirin", at(-60), frequency="prn", category="prn")
        slot = replace(task_of(order, at(0)), planned_at=None, earliest=None, latest=None)
        due = await following(rig, order, slot, -60)
        check = rig.app.check
        rig.app.open_task(due.id)
        assert (check.state.verdict.kind, rig.text(check.state.verdict.reason)) == ("needs", "请选用药效果")
        assert check.state.reasons is not None
        assert [one.id for one in check.state.reasons.choices] == list(POLICY.prn_effects)
        check.reason("partly")
        await rig.app.settle()
        assert rig.text(check.state.primary.text) == "记录效果"
        check.primary()
        await rig.app.settle()
        await rig.synced()
        (event,) = rig.api.sent(AdministrationRecorded)
        assert (event.outcome, event.request.entered.reason_code, event.dose) == ("effect", "partly", None)

    signed_in(scenario)


@pytest.mark.requirement("R-CLIN-50")
@pytest.mark.hazard("H-CLIN-11")
def test_a_transfusion_is_asked_as_the_start_of_blood(signed_in: Play) -> None:
    async def scenario(rig: Rig) -> None:
        add_blood(rig.server, state="checked")
        await rig.synced()
        rig.app.open_task("t-blood")
        await rig.scan(wristband("M000001"))
        await rig.synced()
        asked = [event.request.action for event in rig.api.sent(CheckEvaluated)]
        assert set(asked) == {Action.BLOOD_START}
        order = next(one for one in rig.server.facts.orders if one.id == "blood")
        assert action_of(order, task_of(order, at(0))) is Action.BLOOD_START

    signed_in(scenario)


def test_what_is_asked_follows_from_the_order_and_from_what_follows_on_it() -> None:
    tablet = drug_order("o9", "p1", "aspirin", at(0))
    assert action_of(None) is Action.GIVE
    assert action_of(tablet, task_of(tablet, at(0))) is Action.GIVE
    assert action_of(replace(tablet, kind="infusion")) is Action.START
    assert action_of(tablet, replace(task_of(tablet, at(0)), kind="removal")) is Action.REMOVE
    assert action_of(tablet, replace(task_of(tablet, at(0)), kind="prn-effect")) is Action.PRN_EFFECT
