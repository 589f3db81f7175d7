"""Who may say what: roles per event, operators that are proven, times that cannot be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from clinical.bedside_check.model import Action, CheckRequest, Word
from clinical.exchange import AlarmAcknowledged, CheckAnswer, InfusionChanged, Outcome, PatrolRecorded
from clinical.identifiers import hospital
from clinical.records import Administration, Alarm, AlarmPriority, Dose, Infusion, Product, Task
from server.administrations import service as administrations
from server.alarms import service as alarms
from server.his.port import ChangeOrder, HoldOrder, PlaceOrder, StopOrder
from server.people import service as people
from server.storage import schema
from server.sync.events import apply

TABLET = "]d2010690123450006617281231"
PACK = TABLET + "21ABC123"


def send(ward: Any, event: Any, person: str = "N20713", handheld: str = "pda-1") -> Outcome:
    session = replace(ward.session(person), handheld=handheld)
    outcome: Outcome = ward.store.write(lambda unit: apply(unit, ward.site, session, event))
    return outcome


def ask(ward: Any, request: CheckRequest, person: str = "N20713", handheld: str = "pda-1") -> CheckAnswer:
    session = replace(ward.session(person), handheld=handheld)
    answer: CheckAnswer = ward.store.write(
        lambda unit: administrations.answer(unit, ward.site, session, request, "W1")
    )
    return answer


def said(answer: CheckAnswer) -> list[str]:
    return [finding.code for finding in answer.result.findings]


def raised(ward: Any) -> list[tuple[str, str, str]]:
    return [
        (one.kind, one.priority.value, str(one.params.get("code", "")))
        for one in ward.store.picture.all(Alarm)
        if one.condition == "given-against-order"
    ]


@pytest.fixture
def tablet(ward: Any) -> tuple[Any, Task]:
    ward.admit("1001", "01")
    return ward, ward.task_of(ward.order("1001", "M1"))


def dose(ward: Any, task: Task, person: str = "N20713", **more: Any) -> Any:
    request = ward.request("r1", items=(TABLET,), person=person)
    return ward.given("e1", task, request, **({"dose": Dose(value=Decimal(1), unit="{tablet}")} | more))


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
def test_an_engineer_records_nothing_clinical(tablet: Any) -> None:
    ward, task = tablet
    outcome = send(ward, dose(ward, task, "E90001"), "E90001")
    assert (outcome.status, outcome.code) == ("refused", "role")
    assert list(ward.store.picture.all(Administration)) == []


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
def test_a_dose_a_doctor_reports_is_kept_and_flagged_and_a_patrol_of_theirs_is_refused(tablet: Any) -> None:
    ward, task = tablet
    outcome = send(ward, dose(ward, task, "D30012"), "D30012")
    assert (outcome.status, outcome.code) == ("accepted-exception", "role")
    patrol = PatrolRecorded(
        id="e2", at=ward.clock(), sent=ward.clock(), operator="D30012", handheld="pda-1", infusion_id="I"
    )
    assert send(ward, patrol, "D30012").status == "refused"


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
def test_a_dose_in_anothers_name_is_kept_flagged_and_alarmed_when_nothing_proves_it(tablet: Any) -> None:
    ward, task = tablet
    outcome = send(ward, dose(ward, task, "N20488"), "N20713")
    assert (outcome.status, outcome.code) == ("accepted-exception", "operator-unproven")
    assert ward.store.picture.get(Administration, "e1").flagged == "accepted-exception"
    assert raised(ward) == [("technical", "Lo", "operator-unproven")]


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
@pytest.mark.parametrize(
    ("handheld", "written", "status"),
    [("pda-1", 5, "accepted"), ("pda-2", 5, "accepted-exception"), ("pda-1", 60, "accepted-exception")],
)
def test_a_colleague_uploads_what_was_done_on_the_same_handheld_while_its_nurse_was_signed_in(
    tablet: Any, handheld: str, written: int, status: str
) -> None:
    ward, task = tablet
    limits = people.Limits(attempts=3, lockout=timedelta(minutes=5), life=timedelta(minutes=30))
    colleague = ward.session("N20488").practitioner
    ward.store.write(
        lambda unit: people.open_session(unit, limits, colleague, kind="bearer", handheld="pda-1")
    )
    at = ward.clock() + timedelta(minutes=written)
    event = dose(ward, task, "N20488", at=at, sent=at, handheld="pda-1")
    ward.clock.now = at + timedelta(minutes=1)
    assert send(ward, event, "N20713", handheld).status == status


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
def test_the_handheld_of_an_event_is_the_one_that_is_signed_in(tablet: Any) -> None:
    ward, task = tablet
    send(ward, dose(ward, task, handheld="pda-9"))
    with ward.store.reading() as connection:
        assert connection.scalar(select(schema.events.c.handheld)) == "pda-1"


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-12")
def test_a_dose_from_the_future_is_kept_as_given_now(tablet: Any) -> None:
    ward, task = tablet
    outcome = send(ward, dose(ward, task, at=ward.clock() + timedelta(hours=1)))
    assert (outcome.status, outcome.code) == ("accepted-exception", "TIME-FUTURE")
    assert ward.store.picture.get(Administration, "e1").at == ward.clock()


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
def test_a_change_of_a_bag_in_anothers_name_is_kept_and_alarmed(ward: Any) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    send(ward, ward.started("e1", task, ward.request("r1", Action.START)))
    changed = InfusionChanged(
        id="e2", at=ward.clock(), sent=ward.clock(), operator="N20488", handheld="pda-1",
        infusion_id="I-e1", action="pause",
    )  # fmt: skip
    outcome = send(ward, changed, "N20713")
    assert (outcome.status, outcome.code) == ("accepted-exception", "operator-unproven")
    assert ward.store.picture.get(Infusion, "I-e1").state.value == "paused"
    assert ("technical", "Lo", "operator-unproven") in raised(ward)


@pytest.mark.requirement("R-SRV-28")
@pytest.mark.hazard("H-SRV-13")
@pytest.mark.parametrize(
    ("person", "operator", "code"),
    [("D30012", "D30012", ""), ("E90001", "E90001", "role"), ("E90001", "N20713", "operator-unproven")],
)
def test_an_alarm_is_silenced_by_the_same_people_everywhere(
    ward: Any, person: str, operator: str, code: str
) -> None:
    ward.admit("1001", "01")
    seen = alarms.Condition(
        condition="node-offline", priority=AlarmPriority.MEDIUM, at=ward.clock(), subject="n"
    )
    alarm = ward.store.write(lambda unit: alarms.begin(unit, seen))
    event = AlarmAcknowledged(
        id="e1", at=ward.clock() + timedelta(days=1), sent=ward.clock(), operator=operator, handheld="pda-1",
        alarm_id=alarm.id,
    )  # fmt: skip
    outcome = send(ward, event, person)
    now = ward.store.picture.get(Alarm, alarm.id)
    if code:
        assert (outcome.code, now.acknowledged_by) == (code, "")
    else:
        assert (now.acknowledged_by, now.acknowledged_at) == (person, ward.clock())


@pytest.mark.requirement("R-SRV-29")
@pytest.mark.hazard("H-SRV-05")
@pytest.mark.parametrize(
    ("action", "items", "status", "code"),
    [
        (Action.GIVE, (TABLET,), "accepted", ""),
        (Action.GIVE, (), "accepted-exception", "check-incomplete"),
        (Action.HOLD, (TABLET,), "accepted-exception", "check-incomplete"),
    ],
)
def test_a_dose_without_a_whole_check_is_kept_and_flagged(
    tablet: Any, action: Action, items: tuple[str, ...], status: str, code: str
) -> None:
    ward, task = tablet
    outcome = send(ward, ward.given("e1", task, ward.request("r1", action, items=items)))
    assert (outcome.status, outcome.code) == (status, code)
    assert raised(ward) == ([("technical", "Lo", code)] if code else [])


@pytest.mark.requirement("R-SRV-29")
@pytest.mark.hazard("H-SRV-05")
def test_a_late_dose_without_a_reason_is_kept_and_flagged(tablet: Any) -> None:
    ward, task = tablet
    ward.clock.now = task.latest + timedelta(minutes=5)
    outcome = send(ward, dose(ward, task))
    assert (outcome.status, outcome.code) == ("accepted-exception", "check-incomplete")


@pytest.mark.requirement("R-SRV-29")
@pytest.mark.hazard("H-SRV-05")
def test_a_stop_stays_louder_than_a_missing_check(tablet: Any) -> None:
    ward, task = tablet
    ward.admit("1002", "02", "李秀兰")
    send(ward, ward.given("e1", task, ward.request("r1", mrn="1002", items=(TABLET,))))
    assert [(kind, priority) for kind, priority, _ in raised(ward)] == [("physiological", "Me")]


def leased(ward: Any) -> tuple[Any, Any]:
    ward.admit("1001", "01")
    order_id = ward.order_bag("1001", "B1")
    bag = ward.bag(ward.task_of(order_id).id)
    label = hospital.encode("bag", bag.id)
    request = ward.request("r1", Action.START, items=(label,), device_id="ble:c0-00-00-00-01-01")
    assert ask(ward, request).lease is not None
    return order_id, request


def leases(ward: Any) -> int:
    with ward.store.reading() as connection:
        return len(connection.execute(select(schema.leases)).all())


@pytest.mark.requirement("R-SRV-05")
@pytest.mark.hazard("H-SRV-04")
@pytest.mark.parametrize(
    "fact",
    [
        StopOrder(mrn="1001", placer_id="B1"),
        HoldOrder(mrn="1001", placer_id="B1"),
        ChangeOrder(
            order=PlaceOrder(
                mrn="1001", placer_id="B1", rate_ml_h=Decimal(40), items=(), route="", frequency=""
            )
        ),
    ],
)
def test_a_stopped_held_or_changed_order_frees_its_tasks_at_once(ward: Any, fact: Any) -> None:
    _, request = leased(ward)
    assert leases(ward) == 1
    assert ward.hospital.apply(fact).ok
    assert leases(ward) == 0
    assert ask(ward, replace(request, id="r2")).result.word is not Word.GIVE


@pytest.mark.requirement("R-SRV-05")
@pytest.mark.hazard("H-SRV-04")
def test_the_same_nurse_on_a_second_handheld_is_told_that_her_first_one_holds_the_task(ward: Any) -> None:
    _, request = leased(ward)
    second = ask(ward, replace(request, id="r2"), handheld="pda-2")
    assert (second.result.word, second.lease) == (Word.STOP, None)
    assert second.result.findings[0].code == "TASK-LEASED"
    assert dict(second.result.findings[0].params) == {"operator": "N20713", "own_handheld": "pda-1"}
    assert ask(ward, replace(request, id="r3")).lease is not None


@pytest.mark.requirement("R-SRV-30")
@pytest.mark.hazard("H-SRV-05")
def test_a_pack_that_was_given_is_not_given_again_within_a_day(tablet: Any) -> None:
    ward, task = tablet
    one = next(one for one in ward.store.picture.all(Product) if one.id == "PCT500")
    ward.store.write(lambda unit: unit.put(replace(one, pack_units=Decimal(1))))
    send(ward, ward.given("e1", task, ward.request("r1", items=(PACK,))))
    other = ward.task_of(ward.order("1001", "M2"))
    again = ask(ward, replace(ward.request("r2", items=(PACK,)), task_id=other.id))
    assert "MED-USED" in said(again)
    ward.clock.move(hours=25)
    assert "MED-USED" not in said(ask(ward, ward.request("r3", items=(PACK,))))


@pytest.mark.requirement("R-SRV-30")
@pytest.mark.hazard("H-SRV-05")
def test_a_box_of_many_doses_may_be_opened_again(tablet: Any) -> None:
    ward, task = tablet
    send(ward, ward.given("e1", task, ward.request("r1", items=(PACK,))))
    other = ward.task_of(ward.order("1001", "M2"))
    assert "MED-USED" not in said(ask(ward, replace(ward.request("r2", items=(PACK,)), task_id=other.id)))


@pytest.mark.requirement("R-SRV-30")
@pytest.mark.hazard("H-SRV-05")
@pytest.mark.parametrize("outcome", ["partial", "refused", "not-given"])
def test_a_pack_that_was_not_used_up_may_still_be_given(tablet: Any, outcome: str) -> None:
    ward, task = tablet
    send(ward, ward.given("e1", task, ward.request("r1", items=(PACK,)), outcome=outcome))
    assert "MED-USED" not in said(ask(ward, ward.request("r2", items=(PACK,))))


@pytest.mark.requirement("R-SRV-30")
@pytest.mark.hazard("H-SRV-09")
@pytest.mark.parametrize(
    ("bed", "minutes", "warns"), [("07", 1, True), ("", 1, False), ("01", 1, False), ("07", 6, False)]
)
def test_a_wristband_read_at_two_places_at_once_is_doubted(
    tablet: Any, bed: str, minutes: int, warns: bool
) -> None:
    ward, _ = tablet
    first = ward.request("r1", items=(TABLET,))
    ask(ward, replace(first, handheld=replace(first.handheld, id="pda-2", bed_seen=bed)), handheld="pda-2")
    ward.clock.move(minutes=minutes)
    second = ward.request("r2", items=(TABLET,))
    here = replace(second, handheld=replace(second.handheld, bed_seen="01"))
    assert ("PT-SCAN-IMPLAUSIBLE" in said(ask(ward, here))) is warns
