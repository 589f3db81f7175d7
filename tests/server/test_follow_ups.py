"""What follows on a dose becomes a task of its own, survives every change of the order, and is done once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from clinical.bedside_check.model import Action, Word
from clinical.exchange import CheckAnswer, Outcome
from clinical.records import EFFECT, REMOVAL, Administration, Task, TaskStatus
from server.administrations import service as administrations
from server.his.port import HoldOrder, StopOrder
from server.storage import schema
from server.sync.events import apply

pytestmark = [pytest.mark.requirement("R-CLIN-61"), pytest.mark.hazard("H-CLIN-03")]
TABLET = "]d2010690123450006617281231"


def send(ward: Any, event: Any) -> Outcome:
    outcome: Outcome = ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), event))
    return outcome


def ask(ward: Any, request: Any) -> CheckAnswer:
    answer: CheckAnswer = ward.store.write(
        lambda unit: administrations.answer(unit, ward.site, ward.session(), request, "W1")
    )
    return answer


def follows(ward: Any, kind: str) -> list[Task]:
    return [task for task in ward.store.picture.all(Task) if task.kind == kind]


def told(ward: Any) -> int:
    with ward.store.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(schema.administrations_to_tell)))


def test_the_effect_of_an_as_needed_drug_is_asked_for_after_an_hour_and_written_down_once(ward: Any) -> None:
    ward.admit("1001", "01")
    slot = ward.task_of(ward.order("1001", "M1", category="prn", prn_reason="pain", frequency="prn"))
    given = ward.request("r1", items=(TABLET,), prn_reason="pain")
    assert send(ward, ward.given("e1", slot, given)).status == "accepted"
    (effect,) = follows(ward, EFFECT)
    assert (effect.planned_at, effect.follows) == (ward.clock() + timedelta(hours=1), slot.id)
    assert send(ward, ward.given("e1", slot, given)).status == "replayed"
    assert len(follows(ward, EFFECT)) == 1
    ward.clock.move(hours=1)
    seen = ward.request("r2", Action.PRN_EFFECT, reason_code="relieved")
    answer = ask(ward, replace(seen, task_id=effect.id))
    assert (answer.result.word, answer.lease is not None) == (Word.GIVE, True)
    before = told(ward)
    event = ward.given("e2", effect, replace(seen, task_id=effect.id), outcome="effect")
    assert send(ward, event).status == "accepted"
    assert follows(ward, EFFECT)[0].status is TaskStatus.COMPLETED
    record = ward.store.picture.get(Administration, "e2")
    assert (record.outcome, record.reason, record.dose, record.ingredients) == (
        "effect",
        "relieved",
        None,
        (),
    )
    assert told(ward) == before


@pytest.mark.parametrize("change", [HoldOrder, StopOrder])
def test_what_is_on_the_body_comes_off_whatever_becomes_of_its_order(ward: Any, change: Any) -> None:
    ward.admit("1001", "01")
    order_id = ward.order("1001", "M1", route="TD", frequency="q72h")
    put_on = ward.task_of(order_id)
    send(ward, ward.given("e1", put_on, ward.request("r1", items=(TABLET,), site="back")))
    (removal,) = follows(ward, REMOVAL)
    assert removal.planned_at == put_on.planned_at + timedelta(hours=72)
    assert ward.hospital.apply(change(mrn="1001", placer_id="M1")).ok
    assert follows(ward, REMOVAL)[0].status is TaskStatus.PENDING
    ward.clock.move(hours=72)
    taken_off = replace(ward.request("r2", Action.REMOVE), task_id=removal.id)
    assert ask(ward, taken_off).result.word is Word.GIVE
    assert send(ward, ward.given("e2", removal, taken_off, outcome="removed")).status == "accepted"
    assert follows(ward, REMOVAL)[0].status is TaskStatus.COMPLETED
    again = send(ward, ward.given("e3", removal, taken_off, outcome="removed"))
    assert (again.status, again.code) == ("accepted-exception", "TIME-DUP")
