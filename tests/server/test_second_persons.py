# ruff: noqa: F811 - fixtures of another file are imported by name
"""Every step that needs two persons asks the second one for the PIN; an id alone is worth nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clinical.bedside_check.model import Action, Confirmation, Entered, Override, Witness
from clinical.care_records import BloodUnit, RunningSkinTest
from clinical.confirmation import Purpose
from clinical.exchange import InfusionChanged, Outcome
from clinical.records import Alarm, Product, SkinTest
from server.administrations import service as administrations
from server.people.confirmations import Wish, issue
from server.sync import events
from tests.server.conftest import WardBench
from tests.server.test_care import (  # noqa: F401 - fixtures
    blood,
    check_at_bed,
    flags,
    placed,
    receive,
    second,
    start,
    stored,
)
from tests.server.test_care import care as step
from tests.server.test_care import send as upload
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = [pytest.mark.requirement("R-SRV-67"), pytest.mark.hazard("H-SRV-15")]
UNPROVEN, OFFLINE = "second-unproven", "confirmed-offline"


def test_a_check_of_blood_by_a_second_name_without_a_pin_is_flagged_and_has_to_be_done_again(
    ward: WardBench, blood: BloodUnit
) -> None:
    outcome = receive(ward, proof="none")
    assert (outcome.status, outcome.code) == ("accepted-exception", UNPROVEN)
    assert (stored(ward).state, stored(ward).received_by) == ("issued", ())
    assert receive(ward, proof="pin").status == "replayed"  # the same event; a new one is another check
    assert flags(ward) == [UNPROVEN]


def test_blood_that_two_have_not_provably_checked_does_not_start_unseen(
    ward: WardBench, blood: BloodUnit
) -> None:
    assert receive(ward).status == "accepted"
    assert check_at_bed(ward, proof="none").code == UNPROVEN
    assert stored(ward).state == "received"
    assert start(ward).status == "accepted-exception"
    assert check_at_bed(ward, "e-again").status == "accepted-exception"  # it runs already


def test_a_second_person_whom_the_handheld_recognised_counts_and_is_shown_to_the_charge_nurse(
    ward: WardBench, blood: BloodUnit
) -> None:
    assert receive(ward, proof="offline").code == OFFLINE
    assert check_at_bed(ward, proof="offline").code == OFFLINE
    assert (stored(ward).state, stored(ward).checked_by) == ("checked", ("N20713", "N20488"))
    assert start(ward).status == "accepted"
    assert flags(ward) == [OFFLINE, OFFLINE]
    known = [one for one in ward.store.picture.all(Alarm) if one.condition == "given-against-order"]
    assert {one.kind for one in known} == {"technical"}


def test_what_the_check_holds_against_an_offline_step_is_told_first_and_the_unit_stays(
    ward: WardBench, blood: BloodUnit
) -> None:
    looked = Entered(checks=("bag-intact",), symptoms=("clot",))
    assert receive(ward, proof="offline", entered=looked).code == "BLD-LEAK-CLOT"
    assert stored(ward).state == "issued"


def test_what_the_second_person_scanned_cannot_be_changed_after_the_pin(
    ward: WardBench, blood: BloodUnit
) -> None:
    assert receive(ward).status == "accepted"
    seen = second(ward)
    honest = step(ward, "e-x", Action.BLOOD_CHECK, "u1", witness=seen)
    other = replace(seen, scans=(*seen.scans[:1], *(replace(one, raw="=X") for one in seen.scans[1:])))
    changed = replace(honest, request=replace(honest.request, witness=other))
    assert upload(ward, changed).code == UNPROVEN


def read(ward: WardBench, event_id: str, result: str, proof: str, **said: Any) -> Outcome:
    event = step(
        ward, event_id, Action.SKINTEST_READ, "SKT-1", task_id=ward.task_of("O-skin-test").id,
        entered=Entered(result=result), witness=second(ward, result=result), proof=proof,
    )  # fmt: skip
    return upload(ward, replace(event, request=replace(event.request, **said)))


def test_a_negative_reading_by_a_second_name_alone_decides_nothing(
    ward: WardBench, placed: RunningSkinTest
) -> None:
    ward.clock.move(minutes=20)
    assert read(ward, "e1", "negative", "none").code == UNPROVEN
    assert not list(ward.store.picture.all(SkinTest))
    assert read(ward, "e2", "negative", "offline").code == OFFLINE
    assert [one.result for one in ward.store.picture.all(SkinTest)] == ["negative"]


def test_a_positive_reading_counts_whoever_has_seen_it(ward: WardBench, placed: RunningSkinTest) -> None:
    ward.clock.move(minutes=20)
    assert read(ward, "e1", "positive", "none").code == UNPROVEN
    assert [one.result for one in ward.store.picture.all(SkinTest)] == ["positive"]


def test_a_reading_that_is_changed_after_the_pin_is_nobodys(ward: WardBench, placed: RunningSkinTest) -> None:
    ward.clock.move(minutes=20)
    changed = second(ward, result="negative")
    doubtful = read(ward, "e1", "doubtful", "pin", witness=changed, entered=Entered(result="negative"))
    assert doubtful.code == UNPROVEN
    assert not list(ward.store.picture.all(SkinTest))


def test_a_finding_of_a_step_that_a_colleague_is_said_to_have_accepted_needs_her_pin_too(
    ward: WardBench, blood: BloodUnit
) -> None:
    receive(ward)
    check_at_bed(ward)
    event = step(ward, "e-o", Action.BLOOD_OBS, "u1")
    said = replace(event.request, overrides=(Override(code="BLD-15", reason="ward-busy", by="N20488"),))
    start(ward)
    assert upload(ward, replace(event, request=said, infusion_id="I1")).code == UNPROVEN


@pytest.fixture
def student(ward: WardBench) -> WardBench:
    """A student, and a tablet that is due."""
    ward.admit("1001", "01")
    put_person(ward.store, "S1", "student")
    return ward


@pytest.mark.parametrize(("proof", "code"), [("none", UNPROVEN), ("offline", OFFLINE), ("pin", "")])
def test_a_students_instructor_stands_by_with_the_pin(student: WardBench, proof: str, code: str) -> None:
    task = student.task_of(student.order("1001", "M1"))
    asked = student.request("r1", items=("]d2010690123450006617281231",), person="S1")
    operator = replace(asked.operator, instructor_id="N20488", instructor_badge_at=student.clock())
    asked = replace(asked, operator=operator)
    if proof == "pin":
        session, person = student.session("S1"), student.session("N20488").practitioner
        wish = Wish(purpose=Purpose.WITNESS, request=asked, task_id=task.id)
        made = student.store.write(lambda unit: issue(unit, session, person, wish, student.site.policy))
        asked = replace(
            asked, confirmations=(Confirmation(by="N20488", purpose="witness", token=made.token),)
        )
    elif proof == "offline":
        asked = replace(asked, confirmations=(Confirmation(by="N20488", purpose="witness"),))
    assert stops(student, asked) == ([] if proof == "pin" else ["SYS-STUDENT"])
    event = student.given("e1", task, asked)
    outcome = student.store.write(lambda unit: events.apply(unit, student.site, student.session("S1"), event))
    assert outcome.code == code


def stops(ward: WardBench, asked: Any) -> list[str]:
    session = ward.session(asked.operator.id)
    found = ward.store.write(lambda unit: administrations.answer(unit, ward.site, session, asked, "W1"))
    return [one.code for one in found.result.findings if one.code == "SYS-STUDENT"]


def new_rate(ward: WardBench, event_id: str, **said: Any) -> Outcome:
    fields: dict[str, Any] = {
        "id": event_id, "at": ward.clock(), "sent": ward.clock(), "operator": "N20713", "handheld": "pda-1",
        "infusion_id": "I-s1", "action": "rate", "rate_ml_h": Decimal(60),
    }  # fmt: skip
    event = InfusionChanged(**(fields | said))
    return ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(), event))


def test_a_new_rate_of_the_highest_alert_level_is_set_by_two(ward: WardBench) -> None:
    ward.admit("1001", "01")
    task = ward.task_of(ward.order_bag("1001", "B1"))
    begun = ward.started("s1", task, ward.request("r1", Action.START))
    ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(), begun))
    assert new_rate(ward, "c1").status == "accepted"
    saline = ward.store.picture.get(Product, "NS100")
    assert saline is not None
    ward.store.write(lambda unit: unit.put(replace(saline, high_alert=3)))
    assert new_rate(ward, "c2").code == UNPROVEN
    assert new_rate(ward, "c3", action="pause").status == "accepted"
    assert new_rate(ward, "c3b", action="resume").status == "accepted"
    request = replace(ward.request("r2", Action.RATE), infusion_id="I-s1")
    witness = Witness(id="N20488", roles=("nurse",), badge_at=ward.clock())
    claimed = replace(request, witness=witness)
    assert new_rate(ward, "c4", request=claimed).code == UNPROVEN
    session, person = ward.session(), ward.session("N20488").practitioner
    wish = Wish(purpose=Purpose.WITNESS, request=claimed, task_id="")
    made = ward.store.write(lambda unit: issue(unit, session, person, wish, ward.site.policy))
    proof = Confirmation(by="N20488", purpose="witness", token=made.token)
    assert new_rate(ward, "c5", request=replace(claimed, confirmations=(proof,))).status == "accepted"


def test_who_heard_a_verbal_order_read_back_types_a_pin(ward: WardBench, tmp_path: Path) -> None:
    ward.admit("1001", "01")
    said = {
        "id": "0198c0de-0001", "patient_id": "P-1001", "prescriber": "D30012", "route": "PO",
        "read_back": True, "lines": [{"product_id": "PCT500", "value": "1", "unit": "{tablet}"}],
    }  # fmt: skip
    with serving(ward.store, ward.site, tmp_path) as client:
        head = bearer(token_of(ward.store, "N20713"))

        def take(**more: Any) -> Any:
            return client.post("/api/v1/verbal-orders", headers=head, json=said | more).json()

        assert take(witness="N20488")["code"] == "second-unproven"
        assert take(witness="N20488", witness_pin="0000")["code"] == "sign-in"
        assert take(witness="D30012", witness_pin="7412")["code"] == "confirmation-role"
        assert take(witness="nobody", witness_pin="1")["code"] == "unknown-person"
        assert take(witness="N20488", witness_pin="1470")["verbal"]["witness_proven"] is True
        assert take(id="0198c0de-0002")["verbal"]["witness_proven"] is False
        client.post("/api/v1/encounters/E-V1001/resuscitation", headers=head, json={"action": "begin"})
        hurried = take(id="0198c0de-0003", emergency=True, witness="N20488")
        assert (hurried["verbal"]["witness"], hurried["verbal"]["witness_proven"]) == ("N20488", False)
