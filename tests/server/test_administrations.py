"""Checks at the bedside and what is reported as done: bc-1 §5.7 on both stores."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from clinical import worklist
from clinical.bedside_check.model import Action, Word
from clinical.exchange import AlarmAcknowledged, CheckAnswer, Outcome
from clinical.identifiers import hospital
from clinical.records import Administration, Alarm, Dose, Task, TaskStatus
from server.administrations import service as administrations
from server.his.port import HoldOrder, StopOrder
from server.storage import schema
from server.sync import events
from server.sync.events import apply
from tests.support.ward_http import bearer, put_person, serving, token_of

TABLET = "]d2010690123450006617281231"


def codes(answer: CheckAnswer) -> list[str]:
    return [finding.code for finding in answer.result.findings]


def ask(ward: Any, request: Any, person: str = "N20713") -> CheckAnswer:
    session = ward.session(person)
    return ward.store.write(lambda unit: administrations.answer(unit, ward.site, session, request, "W1"))


def send(ward: Any, event: Any, person: str = "N20713") -> Outcome:
    session = ward.session(person)
    return ward.store.write(lambda unit: apply(unit, ward.site, session, event))


def status_of(ward: Any, task: Task) -> TaskStatus:
    found = ward.store.picture.get(Task, task.id)
    assert found is not None
    return found.status


@pytest.fixture
def tablet(any_ward: Any) -> tuple[Any, Task]:
    any_ward.admit("1001", "01")
    any_ward.admit("1002", "02", "李秀兰")
    task = any_ward.task_of(any_ward.order("1001", "M1"))
    return any_ward, task


def prepared(ward: Any, order_id: str, mrn: str = "1001") -> Any:
    task = ward.task_of(order_id)
    bag = ward.bag(task.id)
    return task, bag, hospital.encode("bag", bag.id)


def test_right_patient_and_right_bag_is_give_and_reserves_the_task(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    task, _bag, label = prepared(any_ward, any_ward.order_bag("1001", "B1"))
    request = any_ward.request("r1", Action.START, items=(label,), device_id="ble:c0-00-00-00-01-01")
    answer = ask(any_ward, request)
    assert (answer.result.word, codes(answer)) == (Word.GIVE, []), answer.result
    assert answer.lease is not None
    assert answer.lease.task_id == task.id
    assert answer.lease.expires - any_ward.clock() == timedelta(seconds=120)


def test_two_nurses_ask_for_one_task_and_exactly_one_sees_give(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    _task, _bag, label = prepared(any_ward, any_ward.order_bag("1001", "B1"))
    device = "ble:c0-00-00-00-01-01"
    first = ask(any_ward, any_ward.request("r1", Action.START, items=(label,), device_id=device))
    other = any_ward.request("r2", Action.START, items=(label,), device_id=device, person="N20488")
    second = ask(any_ward, other, "N20488")
    assert (first.result.word, second.result.word) == (Word.GIVE, Word.STOP)
    assert codes(second)[0] == "TASK-LEASED"
    assert second.lease is None


@pytest.mark.requirement("R-SRV-05")
@pytest.mark.hazard("H-SRV-04")
def test_a_lease_that_has_expired_lets_the_next_nurse_go_on(ward: Any) -> None:
    ward.admit("1001", "01")
    _task, _bag, label = prepared(ward, ward.order_bag("1001", "B1"))
    device = "ble:c0-00-00-00-01-01"
    ask(ward, ward.request("r1", Action.START, items=(label,), device_id=device))
    ward.clock.move(seconds=121)
    second = ask(
        ward, ward.request("r2", Action.START, items=(label,), device_id=device, person="N20488"), "N20488"
    )
    assert second.result.word is Word.GIVE, second.result


def test_wrong_patient_is_a_stop_that_is_stored_as_a_near_miss_and_shows_nobody(any_ward: Any) -> None:
    any_ward.admit("1001", "01")
    any_ward.admit("1002", "02", "李秀兰")
    _task, _bag, label = prepared(any_ward, any_ward.order_bag("1001", "B1"))
    answer = ask(any_ward, any_ward.request("r1", Action.START, mrn="1002", items=(label,)))
    assert answer.result.word is Word.STOP
    assert "MED-WRONG-PATIENT" in codes(answer)
    with any_ward.store.reading() as connection:
        row = connection.execute(select(schema.evaluations)).one()
    assert (row.word, row.side) == ("STOP", "server")


def test_a_dose_given_is_accepted_once_and_replayed_after(tablet: Any) -> None:
    ward, task = tablet
    event = ward.given(
        "e1", task, ward.request("r1", items=(TABLET,)), dose=Dose(value=Decimal(1), unit="{tablet}")
    )
    assert send(ward, event) == Outcome(event_id="e1", status="accepted")
    again = send(ward, event)
    assert (again.status, again.params) == ("replayed", {"first": "accepted"})
    assert status_of(ward, task) is TaskStatus.GIVEN
    done = ward.store.picture.get(Administration, "e1")
    assert done is not None
    assert done.ingredients == (("paracetamol", Dose(value=Decimal(500), unit="mg")),)
    with ward.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.administrations_to_tell)) == 1


@pytest.mark.requirement("R-SRV-06")
@pytest.mark.hazard("H-SRV-05")
def test_a_second_dose_of_one_slot_is_stored_flagged_and_alarmed_never_refused(tablet: Any) -> None:
    ward, task = tablet
    send(ward, ward.given("e1", task, ward.request("r1", items=(TABLET,))))
    second = send(
        ward, ward.given("e2", task, ward.request("r2", items=(TABLET,), person="N20488")), "N20488"
    )
    assert (second.status, second.code) == ("duplicate", "TIME-DUP")
    assert second.params == {"by": "N20713", "at": ward.clock().isoformat()}
    stored = ward.store.picture.get(Administration, "e2")
    assert stored is not None
    assert stored.flagged == "duplicate"
    alarms = [alarm for alarm in ward.store.picture.all(Alarm) if alarm.condition == "possible-double-dose"]
    assert [(alarm.priority.value, alarm.bed, alarm.params["escalated"]) for alarm in alarms] == [
        ("Hi", "01", "doctor")
    ]


@pytest.mark.requirement("R-SRV-06")
@pytest.mark.hazard("H-SRV-05")
def test_a_dose_given_after_its_order_was_stopped_is_an_exception_with_an_alarm(tablet: Any) -> None:
    ward, task = tablet
    stopped = ward.clock.move(minutes=10)
    assert ward.hospital.apply(StopOrder(mrn="1001", placer_id="M1", at=stopped)).ok
    given_at = ward.clock.move(minutes=10)
    ward.clock.move(hours=1)
    outcome = send(ward, ward.given("e1", task, ward.request("r1", items=(TABLET,)), at=given_at))
    assert (outcome.status, outcome.code) == ("accepted-exception", "ORD-DISCONTINUED")
    told = [
        one.params["escalated"]
        for one in ward.store.picture.all(Alarm)
        if one.condition == "given-against-order"
    ]
    assert told == ["doctor"]


@pytest.mark.requirement("R-SRV-06")
@pytest.mark.hazard("H-SRV-05")
def test_a_dose_given_before_its_order_was_stopped_is_accepted_though_uploaded_later(tablet: Any) -> None:
    ward, task = tablet
    given_at = ward.clock.move(minutes=5)
    request = ward.request("r1", items=(TABLET,))
    stopped = ward.clock.move(minutes=5)
    assert ward.hospital.apply(StopOrder(mrn="1001", placer_id="M1", at=stopped)).ok
    ward.clock.move(hours=1)
    outcome = send(ward, ward.given("e1", task, request, at=given_at))
    assert (outcome.status, outcome.code) == ("accepted", "")


def test_a_dose_under_an_order_on_hold_is_an_exception(tablet: Any) -> None:
    ward, task = tablet
    assert ward.hospital.apply(HoldOrder(mrn="1001", placer_id="M1", at=ward.clock())).ok
    ward.clock.move(minutes=1)
    outcome = send(ward, ward.given("e1", task, ward.request("r1", items=(TABLET,))))
    assert (outcome.status, outcome.code) == ("accepted-exception", "ORD-ON-HOLD")


def test_a_dose_for_a_task_nobody_knows_is_still_kept(tablet: Any) -> None:
    ward, task = tablet
    ghost = replace(task, id="no-such-task")
    outcome = send(ward, ward.given("e1", ghost, ward.request("r1", items=(TABLET,))))
    assert (outcome.status, outcome.code) == ("accepted-exception", "unknown-task")
    assert ward.store.picture.get(Administration, "e1") is not None


@pytest.mark.requirement("R-GIVE-02")
@pytest.mark.hazard("H-SRV-05")
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_dose_of_unknown_task_and_order_belongs_to_the_scanned_patient(tablet: Any, by_hand: bool) -> None:
    ward, task = tablet
    request = ward.request("r1", items=(TABLET,))
    if by_hand:
        request = replace(request, patient_scan=replace(request.patient_scan, raw=" 1001 "))
    ghost = replace(task, id="no-such-task", order_id="no-such-order")
    assert send(ward, ward.given("e1", ghost, request)).code == "unknown-task"
    kept = ward.store.picture.get(Administration, "e1")
    assert kept is not None
    assert kept.patient_id == "P-1001"
    alarms = [one for one in ward.store.picture.all(Alarm) if one.condition == "given-against-order"]
    assert [(one.bed, one.params["subject"]) for one in alarms] == [("01", "e1")]


@pytest.mark.requirement("R-GIVE-02")
def test_a_bag_of_unknown_task_and_order_hangs_at_the_scanned_patient(tablet: Any) -> None:
    ward, task = tablet
    ghost = replace(task, id="no-such-task", order_id="no-such-order")
    begun = ward.started("s1", ghost, ward.request("r1", Action.START))
    assert send(ward, begun).code == "unknown-task"
    assert ward.infusion("I-s1").patient_id == "P-1001"
    assert [one.bed for one in ward.store.picture.all(Alarm)] == ["01"]


@pytest.mark.requirement("R-GIVE-02")
@pytest.mark.parametrize("band", [None, "9999"])
def test_a_dose_for_somebody_nobody_knows_is_kept_and_its_alarm_names_the_event(
    tablet: Any, band: str | None
) -> None:
    ward, task = tablet
    request = ward.request("r1", mrn=band or "1001", items=(TABLET,))
    request = request if band else replace(request, patient_scan=None)
    ghost = replace(task, id="no-such-task", order_id="no-such-order")
    assert send(ward, ward.given("e1", ghost, request)).status == "accepted-exception"
    alarms = [one for one in ward.store.picture.all(Alarm) if one.condition == "given-against-order"]
    assert [(one.patient_id, one.params["subject"]) for one in alarms] == [("", "e1")]


def test_a_dose_not_given_because_the_drug_was_missing_is_told_to_the_station(tablet: Any) -> None:
    ward, task = tablet
    request = ward.request("r1", Action.NOT_GIVEN, reason_code="drug-not-available")
    assert send(ward, ward.given("e1", task, request, outcome="not-given")).status == "accepted"
    assert status_of(ward, task) is TaskStatus.NOT_GIVEN
    assert any(alarm.condition == "supply-failure" for alarm in ward.store.picture.all(Alarm))


def test_a_bad_event_is_put_aside_with_its_reason_and_stops_none_of_the_others(tablet: Any) -> None:
    ward, task = tablet
    good = asdict(ward.given("e1", task, ward.request("r1", items=(TABLET,))))
    naive = {**good, "id": "e2", "at": "2026-05-04T09:00:00"}
    outcomes = events.receive(ward.store, ward.site, ward.session(), [{"type": "nonsense"}, naive, 7, good])
    assert [outcome.status for outcome in outcomes] == ["refused", "refused", "refused", "accepted"]
    with ward.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.quarantined_events)) == 3


def test_a_check_for_another_person_than_the_one_signed_in_is_refused(ward: Any) -> None:
    from clinical.errors import RefusedError

    ward.admit("1001", "01")
    with pytest.raises(RefusedError):
        ask(ward, ward.request("r1", person="N20488"), "N20713")


@pytest.mark.requirement("R-GIVE-03")
@pytest.mark.hazard("H-GIVE-02")
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "accepted-exception"),
        ({"offline": True}, "accepted"),
        ({"before": True}, "accepted"),
        ({"own": True}, "accepted"),
    ],
)
def test_an_online_act_past_somebody_elses_hold_is_kept_and_told(
    ward: Any, change: dict[str, bool], status: str
) -> None:
    ward.admit("1001", "01")
    task, _bag, label = prepared(ward, ward.order_bag("1001", "B1"))
    earlier = ward.clock()
    ward.clock.move(seconds=10)
    device = "ble:c0-00-00-00-01-01"
    held = ask(ward, ward.request("r1", Action.START, items=(label,), device_id=device))
    assert held.lease is not None
    ward.clock.move(seconds=10)
    request = ward.request("r2", Action.START, items=(label,), device_id=device, person="N20488")
    if "offline" in change:
        request = replace(request, handheld=replace(request.handheld, online=False))
    begun = ward.started(
        "s1", task, request, bag_id=label, at=earlier if "before" in change else ward.clock()
    )
    if "own" in change:
        begun = replace(begun, lease_id=held.lease.id)
    outcome = send(ward, begun, "N20488")
    assert (outcome.status, outcome.code) == (status, "TASK-LEASED" if status != "accepted" else "")


@pytest.mark.requirement("R-GIVE-04")
@pytest.mark.hazard("H-GIVE-03")
def test_a_missing_drug_reaches_the_pharmacist_who_may_answer_it_and_nothing_else(tablet: Any) -> None:
    ward, task = tablet
    put_person(ward.store, "PH1", "pharmacist")
    request = ward.request("r1", Action.NOT_GIVEN, reason_code="drug-not-available")
    send(ward, ward.given("e1", task, request, outcome="not-given"))
    missing = next(one for one in ward.store.picture.all(Alarm) if one.condition == "supply-failure")
    assert missing.params["escalated"] == "pharmacist"
    facts = ward.store.picture.facts("W1")
    listed = list(worklist.items(facts, ward.clock(), ward.site.policy))
    assert [(one.name, one.subject_id, one.patient_id) for one in listed] == [
        ("supply-failure", "e1", "P-1001")
    ]
    send(ward, ward.given("e2", task, ward.request("r2", items=(TABLET,))))
    send(ward, ward.given("e3", task, ward.request("r3", items=(TABLET,))))
    other = next(one for one in ward.store.picture.all(Alarm) if one.condition == "possible-double-dose")
    answers = [
        send(ward, acknowledged(ward, f"k-{one.condition}", one.id), "PH1") for one in (missing, other)
    ]
    assert [(one.status, one.code) for one in answers] == [("accepted", ""), ("refused", "role")]
    facts = ward.store.picture.facts("W1")
    assert worklist.items(facts, ward.clock(), ward.site.policy) == ()


@pytest.mark.requirement("R-GIVE-04")
def test_the_pharmacist_answers_a_missing_drug_over_http_too(tablet: Any, tmp_path: Path) -> None:
    ward, task = tablet
    put_person(ward.store, "PH1", "pharmacist")
    request = ward.request("r1", Action.NOT_GIVEN, reason_code="drug-not-available")
    send(ward, ward.given("e1", task, request, outcome="not-given"))
    alarm = next(one for one in ward.store.picture.all(Alarm) if one.condition == "supply-failure")
    with serving(ward.store, ward.site, tmp_path) as client:
        answer = client.post(
            f"/api/v1/alarms/{alarm.id}/acknowledge", headers=bearer(token_of(ward.store, "PH1"))
        )
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "PH1")


def acknowledged(ward: Any, event_id: str, alarm_id: str) -> AlarmAcknowledged:
    return AlarmAcknowledged(
        id=event_id, at=ward.clock(), sent=ward.clock(), operator="PH1", handheld="pda-1", alarm_id=alarm_id
    )
