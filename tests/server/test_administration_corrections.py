"""Records of acts are corrected by a new event: by their owner for a day, by the head nurse later."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from clinical.bedside_check.model import Action
from clinical.exchange import AdministrationCorrected, InfusionChanged, Outcome
from clinical.identifiers import hospital
from clinical.records import Administration, Dose, Task, TaskStatus
from server.administrations import recent
from server.administrations.history import versions
from server.administrations.outbound import tell_pending
from server.his.administration import ras_o17
from server.his.port import AdministrationFact
from server.his.writing import Addresses
from server.storage.codec import to_bytes
from server.storage.schema import administrations_to_tell
from server.sync import events
from tests.server.conftest import WardBench

pytestmark = [pytest.mark.requirement("R-GIVE-05"), pytest.mark.hazard("H-GIVE-04")]
PACK = "(01)06901234500066(17)281231(10)L1(21)S77"
HALF = Dose(value=Decimal("0.5"), unit="{tablet}")


@pytest.fixture
def given(ward: WardBench) -> tuple[WardBench, Task]:
    """An as-needed tablet that was recorded as given, so that its effect is to be looked at."""
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "M1", frequency="prn"))
    request = ward.request("r1", items=("]d2010690123450006617281231",), prn_reason="pain")
    event = ward.given("e1", task, request, dose=Dose(value=Decimal(1), unit="{tablet}"))
    ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(), event))
    return ward, task


def correct(ward: WardBench, event_id: str, outcome: str, person: str = "N20713", **said: Any) -> Outcome:
    fields = {"administration_id": "e1", "reason": "wrong button"} | said
    event = AdministrationCorrected(
        id=event_id, at=ward.clock(), sent=ward.clock(), operator=person, handheld="pda-1", outcome=outcome,
        **fields,
    )  # fmt: skip
    item = msgspec.json.decode(to_bytes(event))
    return events.receive(ward.store, ward.site, ward.session(person), [item])[0]


def kept(ward: WardBench, record_id: str = "e1") -> Administration:
    found = ward.store.picture.get(Administration, record_id)
    assert found is not None
    return found


def task_status(ward: WardBench, task: Task) -> TaskStatus:
    found = ward.store.picture.get(Task, task.id)
    assert found is not None
    return found.status


def following(ward: WardBench, task: Task) -> list[TaskStatus]:
    return [one.status for one in ward.store.picture.all(Task) if one.follows == task.id]


def told(ward: WardBench) -> list[tuple[str, str, str, Decimal | None]]:
    with ward.store.reading() as connection:
        rows = connection.execute(
            select(administrations_to_tell).order_by(administrations_to_tell.c.event_id)
        ).all()
    facts = [msgspec.json.decode(row.body, type=AdministrationFact) for row in rows]
    return [(one.event_id, one.action, one.outcome, one.items[0].amount) for one in facts]


def test_a_dose_that_was_not_given_is_corrected_and_what_followed_is_taken_back(
    given: tuple[WardBench, Task],
) -> None:
    ward, task = given
    assert following(ward, task) == [TaskStatus.PENDING]
    ward.clock.move(minutes=5)
    assert correct(ward, "e2", "not-given").status == "accepted"
    now = kept(ward)
    assert (now.outcome, now.dose, now.ingredients) == ("not-given", None, ())
    assert (now.corrected_by, now.corrected_at, now.correction) == ("N20713", ward.clock(), "wrong button")
    assert task_status(ward, task) is TaskStatus.NOT_GIVEN
    assert following(ward, task) == [TaskStatus.CANCELLED]
    with ward.store.reading() as connection:
        before = versions(connection, "administrations", "e1")
    assert [one.outcome for one in before if isinstance(one, Administration)] == ["given", "not-given"]
    assert told(ward)[1][:3] == ("e2", "U", "not-given")


def test_a_dose_is_corrected_to_the_amount_that_went_in_and_back(given: tuple[WardBench, Task]) -> None:
    ward, task = given
    assert correct(ward, "e2", "partial", dose=HALF).status == "accepted"
    assert kept(ward).ingredients == (("paracetamol", Dose(value=Decimal(250), unit="mg")),)
    assert task_status(ward, task) is TaskStatus.PARTIAL
    assert correct(ward, "e3", "not-given").status == "accepted"
    assert correct(ward, "e4", "given").status == "accepted"
    assert following(ward, task) == [TaskStatus.PENDING]
    assert kept(ward).dose == Dose(value=Decimal(1), unit="{tablet}")
    assert [one[:3] for one in told(ward)] == [
        ("e1", "A", "given"), ("e2", "U", "partial"), ("e3", "U", "not-given"), ("e4", "U", "given"),
    ]  # fmt: skip


def test_a_record_of_nothing_is_withdrawn_and_its_task_waits_again(given: tuple[WardBench, Task]) -> None:
    ward, task = given
    assert correct(ward, "e2", "entered-in-error").status == "accepted"
    assert kept(ward).outcome == "entered-in-error"
    assert task_status(ward, task) is TaskStatus.DUE
    assert told(ward)[1] == ("e2", "D", "given", Decimal(1))
    assert correct(ward, "e3", "given").code == "correction-impossible"


def test_the_second_of_two_records_is_withdrawn_and_the_first_still_stands(
    given: tuple[WardBench, Task],
) -> None:
    ward, task = given
    again = ward.given("e9", task, ward.request("r9", items=(PACK,)))
    ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(), again))
    assert correct(ward, "e10", "entered-in-error", administration_id="e9").status == "accepted"
    assert task_status(ward, task) is TaskStatus.GIVEN
    assert [use.code for use in ward.store.write(lambda unit: list(recent.used_packs(unit)))] == []


def test_the_hospital_reads_each_correction_as_a_message_of_its_own(given: tuple[WardBench, Task]) -> None:
    ward, _task = given
    correct(ward, "e2", "partial", dose=HALF)
    correct(ward, "e3", "entered-in-error")
    sent: list[AdministrationFact] = []

    class Sink:
        def administered(self, fact: AdministrationFact) -> None:
            sent.append(fact)

    assert tell_pending(ward.store, Sink()) == 3
    to = Addresses()
    actions = [
        ras_o17(one, to, now=ward.clock()).decode().split("RXA|")[1].split("\r")[0][-1] for one in sent
    ]
    assert actions == ["A", "U", "D"]


def test_the_owner_corrects_for_a_day_and_the_head_nurse_later(given: tuple[WardBench, Task]) -> None:
    ward, _task = given
    assert correct(ward, "x1", "not-given", "N20488").code == "not-yours"
    ward.clock.move(hours=24, minutes=1)
    assert correct(ward, "x2", "not-given").code == "not-yours"
    assert correct(ward, "x3", "not-given", "N10001").status == "accepted"
    assert kept(ward).corrected_by == "N10001"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"outcome": "partial"}, "correction-impossible"),
        ({"outcome": "completed", "dose": HALF}, "correction-impossible"),
        ({"outcome": "given", "dose": Dose(value=Decimal(0), unit="{tablet}")}, "correction-impossible"),
        ({"outcome": "running"}, "correction-impossible"),
        ({"outcome": "not-given", "reason": "  "}, "reason-missing"),
        ({"outcome": "not-given", "administration_id": "nobody"}, "unknown-administration"),
        ({"outcome": "not-given", "person": "D30012"}, "role"),
    ],
)
def test_what_cannot_be_is_refused_and_the_record_stays(
    given: tuple[WardBench, Task], said: dict[str, Any], code: str
) -> None:
    ward, _task = given
    before = kept(ward)
    told_so_far = told(ward)
    outcome = correct(ward, "x1", **said)
    assert (outcome.status, outcome.code) == ("refused", code)
    assert (kept(ward), told(ward)) == (before, told_so_far)


def test_what_really_went_in_of_a_bag_is_corrected(ward: WardBench) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "I"))
    label = hospital.encode("bag", ward.bag(task.id).id)
    begun = ward.started("s1", task, ward.request("r1", Action.START, items=(label,)), device_id="")
    end = InfusionChanged(
        id="e1", at=ward.clock(), sent=ward.clock(), operator="N20713", handheld="pda-1",
        infusion_id=begun.infusion_id, action="complete", residual_ml=Decimal(0),
    )  # fmt: skip
    for event in (begun, end):
        ward.store.write(lambda unit, event=event: events.apply(unit, ward.site, ward.session(), event))  # type: ignore[misc]
    assert correct(ward, "e2", "stopped-early").code == "correction-impossible"
    amount = Dose(value=Decimal(60), unit="mL")
    assert correct(ward, "e3", "stopped-early", dose=amount).status == "accepted"
    assert (kept(ward).dose, kept(ward).ingredients) == (amount, ())
    assert task_status(ward, task) is TaskStatus.STOPPED_EARLY
    whole = Dose(value=Decimal(100), unit="mL")
    assert correct(ward, "e4", "completed", dose=whole).status == "accepted"
    assert kept(ward).ingredients != ()


def test_a_dose_of_an_unknown_order_is_corrected_and_stays_here(given: tuple[WardBench, Task]) -> None:
    ward, task = given
    ghost = replace(task, id="no-task", order_id="no-order")
    event = ward.given("e7", ghost, ward.request("r7", items=(PACK,)))
    ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(), event))
    assert correct(ward, "e8", "entered-in-error", administration_id="e7").status == "accepted"
    assert len(told(ward)) == 1
