"""A second person proves with badge and PIN that they stand behind one question, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from clinical.bedside_check.model import CheckRequest, Confirmation, Override, Severity, Witness
from clinical.confirmation import Purpose
from clinical.errors import RefusedError
from clinical.exchange import Outcome
from clinical.records import Administration, Alarm, Dose, Product, Task
from server.administrations import service as administrations
from server.people.confirmations import Wish, issue
from server.sync.events import apply
from tests.support.ward_http import bearer, put_person, serving, token_of

TABLET = "]d2010690123450006617281231"
pytestmark = [pytest.mark.requirement("R-SRV-35"), pytest.mark.hazard("H-SRV-15")]


@pytest.fixture
def dangerous(ward: Any) -> tuple[Any, Task]:
    """One tablet of the highest alert level is due."""
    ward.admit("1001", "01")
    task = ward.task_of(ward.order("1001", "M1"))
    drug = next(one for one in ward.store.picture.all(Product) if one.id == "PCT500")
    ward.store.write(lambda unit: unit.put(replace(drug, high_alert=3)))
    return ward, task


@pytest.fixture
def client(ward: Any, tmp_path: Path) -> Iterator[TestClient]:
    with serving(ward.store, ward.site, tmp_path) as client:
        yield client


def asked(ward: Any, **said: Any) -> CheckRequest:
    request: CheckRequest = ward.request("r1", items=(TABLET,), calculated=Decimal(1))
    return replace(request, **said)


def confirm(
    client: TestClient, ward: Any, request: CheckRequest, task_id: str, badge: str = "N20488", **said: Any
) -> Any:
    pins = {"N20488": "1470", "N20713": "2580", "N10001": "3690", "D30012": "7412"}
    body = {
        "badge": badge, "pin": pins[badge], "purpose": "blind-calculation", "value": "1", "task_id": task_id,
        "request": msgspec.to_builtins(request),
    }  # fmt: skip
    token = token_of(ward.store, request.operator.id)
    return client.post("/api/v1/confirmations", headers=bearer(token), json=body | said)


def proof(ward: Any, request: CheckRequest, task_id: str, by: str = "N20488", **said: Any) -> Confirmation:
    """What the server answers once the PIN was right."""
    fields = {"purpose": Purpose.BLIND_CALCULATION, "value": Decimal(1)} | said
    wish = Wish(request=request, task_id=task_id, **fields)
    person = ward.session(by).practitioner
    session = ward.session(request.operator.id)
    made = ward.store.write(lambda unit: issue(unit, session, person, wish, ward.site.policy))
    return Confirmation(by=made.by, purpose=made.purpose.value, token=made.token)


def stops(ward: Any, request: CheckRequest) -> list[str]:
    """What the server's own check holds against a question."""
    session = ward.session(request.operator.id)
    found = ward.store.write(lambda unit: administrations.answer(unit, ward.site, session, request, "W1"))
    return [one.code for one in found.result.findings if one.severity is Severity.STOP and not one.overridden]


def witnessed(ward: Any, *confirmations: Confirmation, by: str = "N20488") -> CheckRequest:
    witness = Witness(id=by, roles=("nurse",), badge_at=ward.clock(), value=Decimal(1))
    return asked(ward, witness=witness, confirmations=confirmations)


def give(ward: Any, task: Task, request: CheckRequest, event_id: str = "e1", **said: Any) -> Outcome:
    dose = Dose(value=Decimal(1), unit="{tablet}")
    event = ward.given(event_id, task, request, **({"dose": dose} | said))
    session = ward.session(request.operator.id)
    outcome: Outcome = ward.store.write(lambda unit: apply(unit, ward.site, session, event))
    return outcome


def reasons(ward: Any) -> list[str]:
    with ward.store.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT detail FROM audit WHERE action = 'second-person' ORDER BY n"
        )
        return [row[0] for row in found]


def test_the_server_says_give_only_when_the_second_nurse_has_typed_her_pin(
    dangerous: Any, client: TestClient
) -> None:
    ward, task = dangerous
    assert stops(ward, witnessed(ward)) == ["WIT-REQUIRED"]
    offline = Confirmation(by="N20488", purpose="blind-calculation")
    assert stops(ward, witnessed(ward, offline)) == ["WIT-REQUIRED"]
    answer = confirm(client, ward, asked(ward), task.id)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    shown = Confirmation(by=made["by"], purpose=made["purpose"], token=made["token"])
    assert stops(ward, witnessed(ward, shown)) == []


def test_a_confirmed_dose_is_accepted_and_its_proof_counts_once(dangerous: Any) -> None:
    ward, task = dangerous
    shown = proof(ward, asked(ward), task.id)
    assert give(ward, task, witnessed(ward, shown)).status == "accepted"
    again = give(ward, task, witnessed(ward, shown), "e2")
    assert again.status == "duplicate"
    assert reasons(ward) == ["confirmation-used"]
    assert give(ward, task, witnessed(ward, shown)).status == "replayed"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "confirmation-missing"),
        ({"token": "made-up"}, "confirmation-unknown"),
        ({"by": "N10001"}, "confirmation-missing"),
        ({"purpose": Purpose.WITNESS}, "confirmation-other-purpose"),
        ({"purpose": Purpose.WITNESS, "value": None}, "confirmation-other-purpose"),
        ({"value": Decimal(2)}, "confirmation-other-value"),
        ({"task": "another"}, "confirmation-other-question"),
        ({"drug": "other"}, "confirmation-other-question"),
        ({"later": 7}, "confirmation-expired"),
    ],
)
def test_what_does_not_fit_the_act_keeps_the_dose_and_flags_it(
    dangerous: Any, change: dict[str, Any], reason: str
) -> None:
    ward, task = dangerous
    question = asked(ward, items=(ward.scan("X"),)) if "drug" in change else asked(ward)
    wish = {name: change[name] for name in ("purpose", "value") if name in change}
    shown = proof(ward, question, change.get("task", task.id), **wish)
    shown = replace(shown, **{name: change[name] for name in ("token", "by") if name in change})
    ward.clock.move(minutes=change.get("later", 0))
    request = witnessed(ward, *([shown] if change else []))
    outcome = give(ward, task, request)
    assert (outcome.status, outcome.code) == ("accepted-exception", "second-unproven")
    assert reasons(ward) == [reason]
    kept = ward.store.picture.get(Administration, "e1")
    assert (kept.witness, kept.flagged) == ("N20488", "accepted-exception")
    (alarm,) = (one for one in ward.store.picture.all(Alarm) if one.condition == "given-against-order")
    assert (alarm.kind, alarm.params["code"]) == ("technical", "second-unproven")


def test_a_proof_for_one_nurse_is_worth_nothing_in_anothers_hand(dangerous: Any) -> None:
    ward, task = dangerous
    shown = proof(ward, asked(ward), task.id, "N10001")
    other = ward.request("r2", items=(TABLET,), calculated=Decimal(1), person="N20488")
    witness = Witness(id="N10001", roles=("nurse",), badge_at=ward.clock(), value=Decimal(1))
    outcome = give(ward, task, replace(other, witness=witness, confirmations=(shown,)))
    assert outcome.code == "second-unproven"
    assert reasons(ward) == ["confirmation-other-nurse"]
    assert give(ward, task, witnessed(ward, shown, by="N10001"), "e2").status == "duplicate"
    assert reasons(ward) == ["confirmation-other-nurse"]


def test_a_dose_that_was_confirmed_offline_is_kept_and_shown_to_the_charge_nurse(dangerous: Any) -> None:
    ward, task = dangerous
    offline = Confirmation(by="N20488", purpose="blind-calculation")
    outcome = give(ward, task, witnessed(ward, offline))
    assert (outcome.status, outcome.code) == ("accepted-exception", "confirmed-offline")
    assert reasons(ward) == ["confirmed-offline"]


def test_a_dose_that_is_uploaded_hours_later_is_judged_by_when_it_was_given(dangerous: Any) -> None:
    ward, task = dangerous
    shown = proof(ward, asked(ward), task.id)
    request, at = witnessed(ward, shown), ward.clock()
    ward.clock.move(hours=3)
    assert give(ward, task, request, at=at, sent=at).status == "accepted"


@pytest.mark.parametrize(
    ("badge", "said", "code"),
    [
        ("N20713", {}, "confirmation-self"),
        ("D30012", {}, "confirmation-role"),
        ("N20488", {"purpose": "prescriber"}, "confirmation-role"),
        ("N20488", {"pin": "0000"}, "sign-in"),
        ("N20488", {"purpose": "whatever"}, "request"),
    ],
)
def test_nobody_confirms_for_herself_or_without_the_right(
    dangerous: Any, client: TestClient, badge: str, said: dict[str, str], code: str
) -> None:
    ward, task = dangerous
    answer = confirm(client, ward, asked(ward), task.id, badge, **said)
    assert answer.json()["code"] == code
    assert answer.status_code in {401, 403, 422}


def test_a_student_cannot_be_the_second_and_a_question_of_another_nurse_is_not_confirmed(
    dangerous: Any, client: TestClient
) -> None:
    ward, task = dangerous
    put_person(ward.store, "N20488", "nurse", "student")
    with pytest.raises(RefusedError):
        proof(ward, asked(ward), task.id)
    body = {
        "badge": "N10001", "pin": "3690", "purpose": "witness", "request": msgspec.to_builtins(asked(ward))
    }  # fmt: skip
    other = client.post("/api/v1/confirmations", headers=bearer(token_of(ward.store, "N10001")), json=body)
    assert other.json()["code"] == "operator"


def test_a_prescriber_lifts_only_what_was_confirmed(dangerous: Any) -> None:
    ward, task = dangerous
    drug = next(one for one in ward.store.picture.all(Product) if one.id == "PCT500")
    ward.store.write(lambda unit: unit.put(replace(drug, high_alert=0)))
    ward.clock.now = task.earliest - timedelta(hours=4)
    question = asked(ward, task_id=task.id)
    early = stops(ward, question)
    assert early
    overrides = tuple(Override(code=code, reason="clinical-judgement", by="D30012") for code in early)
    assert stops(ward, replace(question, overrides=overrides)) == early
    said: dict[str, Any] = {"purpose": Purpose.PRESCRIBER, "value": None}
    without = proof(ward, question, task.id, "D30012", **said)
    assert stops(ward, replace(question, overrides=overrides, confirmations=(without,))) == early
    shown = proof(ward, question, task.id, "D30012", codes=tuple(early), **said)
    assert stops(ward, replace(question, overrides=overrides, confirmations=(shown,))) == []
