"""A resuscitation is called and ended; what is given in it on a doctor's word waits for the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from clinical import resuscitation
from clinical.bedside_check.model import CheckRequest, Confirmation, Override
from clinical.confirmation import Purpose
from clinical.exchange import Outcome, ResuscitationChanged
from clinical.identifiers import hospital
from clinical.records import Administration, Alarm, Dose, Encounter
from server.infusions.flow import FlowWatch
from server.people.confirmations import Wish, issue
from server.sync import events
from server.ticker import Ticker
from server.verbal_orders import spoken
from tests.server.conftest import WardBench
from tests.support.ward_http import bearer, put_person, serving, token_of

TABLET = "]d2010690123450006617281231"
STAY = "E-V1001"


@pytest.fixture
def patient(ward: WardBench) -> WardBench:
    ward.admit("1001", "01")
    return ward


def tell(ward: WardBench, action: str, *, person: str = "N20713", **said: Any) -> Outcome:
    fields: dict[str, Any] = {
        "id": f"{action}-{ward.clock().isoformat()}", "at": ward.clock(), "sent": ward.clock(),
        "operator": person, "handheld": "pda-1", "encounter_id": STAY, "action": action,
    }  # fmt: skip
    event = ResuscitationChanged(**(fields | said))
    return ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(person), event))


def lasts(ward: WardBench) -> bool:
    stay = ward.store.picture.get(Encounter, STAY)
    assert stay is not None
    return resuscitation.lasts(stay, ward.clock(), ward.site.policy)


def audited(ward: WardBench, action: str) -> list[tuple[str, str]]:
    with ward.store.reading() as connection:
        found = connection.exec_driver_sql(
            "SELECT actor, outcome FROM audit WHERE action = ? ORDER BY n", (action,)
        )
        return [(row[0], row[1]) for row in found]


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
def test_a_nurse_calls_it_a_doctor_ends_it_and_both_stand_in_the_audit_chain(patient: WardBench) -> None:
    assert tell(patient, "begin").status == "accepted"
    patient.clock.move(minutes=29)
    assert lasts(patient)
    assert tell(patient, "end", person="D30012").status == "accepted"
    patient.clock.move(minutes=1)
    assert not lasts(patient)
    assert tell(patient, "end").status == "accepted"
    assert audited(patient, "resuscitation-begin") == [("N20713", "ok")]
    assert audited(patient, "resuscitation-end") == [("D30012", "ok"), ("N20713", "no-change")]


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
def test_a_call_that_comes_late_counts_from_when_it_was_made_and_once(patient: WardBench) -> None:
    at = patient.clock()
    patient.clock.move(minutes=20)
    first = tell(patient, "begin", id="late", at=at, sent=at)
    assert (first.status, tell(patient, "begin", id="late").status) == ("accepted", "replayed")
    assert lasts(patient)
    patient.clock.move(minutes=11)
    assert not lasts(patient)


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
def test_who_may_not_call_it_and_what_is_no_call_is_refused(patient: WardBench) -> None:
    put_person(patient.store, "S1", "student")
    assert tell(patient, "begin", person="S1").code == "role"
    assert tell(patient, "pause").code == "unknown-action"
    assert tell(patient, "begin", id="none", encounter_id="E-none").code == "unknown-patient"
    assert not lasts(patient)


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
def test_a_move_to_another_bed_keeps_the_resuscitation(patient: WardBench) -> None:
    tell(patient, "begin")
    patient.admit("1001", "02")
    assert lasts(patient)


@pytest.fixture
def client(patient: WardBench, tmp_path: Path) -> Iterator[TestClient]:
    with serving(patient.store, patient.site, tmp_path) as client:
        yield client


@pytest.mark.requirement("R-ORD-05")
@pytest.mark.hazard("H-ORD-03")
def test_over_http_it_is_called_for_a_patient_who_is_here(patient: WardBench, client: TestClient) -> None:
    doctor = bearer(token_of(patient.store, "D30012"))
    path = f"/api/v1/encounters/{STAY}/resuscitation"
    answer = client.post(path, headers=doctor, json={"action": "begin"})
    assert answer.json()["resuscitation_until"] == "2026-05-04T01:30:00Z"
    assert client.post(path, headers=doctor, json={"action": "pause"}).status_code == 422
    none = client.post("/api/v1/encounters/E-none/resuscitation", headers=doctor, json={"action": "end"})
    assert (none.status_code, none.json()["code"]) == (404, "unknown-patient")

    def leave(unit: Any) -> None:
        unit.put(replace(unit.get(Encounter, STAY), status="finished"))

    patient.store.write(leave)
    assert client.post(path, headers=doctor, json={"action": "end"}).json()["code"] == "patient-left"


def word(ward: WardBench, *, by: str = "D30012", via: str = "read-back", **said: Any) -> CheckRequest:
    override = Override(code="TIME-TOO-EARLY", reason="resuscitation", by=by, via=via)
    return replace(ward.request("r1", items=(TABLET,)), overrides=(override,), **said)


def give(ward: WardBench, request: CheckRequest, event_id: str = "e1", **said: Any) -> Administration:
    task = ward.task_of(ward.order("1001", event_id))
    dose = Dose(value=Decimal(1), unit="{tablet}")
    event = ward.given(event_id, task, request, **({"dose": dose} | said))
    outcome = ward.store.write(lambda unit: events.apply(unit, ward.site, ward.session(), event))
    assert outcome.status in {"accepted", "accepted-exception"}
    kept = ward.store.picture.get(Administration, event_id)
    assert kept is not None
    return kept


def waiting(ward: WardBench) -> list[str]:
    return [one.id for one in spoken.waiting(ward.store.picture.all(Administration))]


def late(ward: WardBench) -> list[bool]:
    ward.store.write(lambda unit: spoken.tick(unit, ward.site))
    known = ward.store.picture.all(Alarm)
    return [one.present for one in known if one.condition == spoken.UNACKNOWLEDGED]


@pytest.mark.requirement("R-ORD-06")
@pytest.mark.hazard("H-ORD-03")
def test_what_a_doctor_said_and_the_nurse_read_back_waits_and_sounds_after_six_hours(
    patient: WardBench,
) -> None:
    tell(patient, "begin")
    assert give(patient, word(patient)).spoken_by == "D30012"
    patient.clock.move(hours=6)
    assert (waiting(patient), late(patient)) == (["e1"], [])
    patient.clock.move(minutes=1)
    assert late(patient) == [True]
    seen = patient.store.write(lambda unit: spoken.acknowledge(unit, "e1", "D30012"))
    assert (seen.acknowledged_by, seen.acknowledged_at) == ("D30012", patient.clock())
    assert (waiting(patient), late(patient)) == ([], [False])
    again = patient.store.write(lambda unit: spoken.acknowledge(unit, "e1", "D99999"))
    assert again == seen
    assert audited(patient, "word-acknowledge") == [("D30012", "ok")]


@pytest.mark.requirement("R-ORD-06")
@pytest.mark.hazard("H-ORD-03")
@pytest.mark.parametrize("proof", ["none", "offline", "another"])
def test_a_doctor_who_was_not_asked_for_the_pin_acknowledges_later(patient: WardBench, proof: str) -> None:
    shown = {
        "none": (),
        "offline": (Confirmation(by="D30012", purpose="prescriber"),),
        "another": (Confirmation(by="D30012", purpose="prescriber", token="made-up"),),
    }[proof]
    assert give(patient, word(patient, via="app", confirmations=shown)).spoken_by == "D30012"


@pytest.mark.requirement("R-ORD-06")
def test_a_doctor_who_typed_the_pin_and_a_second_nurse_have_nothing_left_to_do(patient: WardBench) -> None:
    request = word(patient, via="app")
    doctor = patient.session("D30012").practitioner
    order = patient.order("1001", "e1")
    wish = Wish(
        purpose=Purpose.PRESCRIBER,
        request=request,
        task_id=patient.task_of(order).id,
        codes=("TIME-TOO-EARLY",),
    )
    made = patient.store.write(lambda unit: issue(unit, patient.session(), doctor, wish, patient.site.policy))
    proof = Confirmation(by="D30012", purpose="prescriber", token=made.token)
    assert give(patient, replace(request, confirmations=(proof,))).spoken_by == ""
    assert give(patient, word(patient, by="N20488"), "e2").spoken_by == ""
    assert give(patient, word(patient), "e3", outcome="refused", dose=None).spoken_by == ""
    assert waiting(patient) == []


@pytest.mark.requirement("R-ORD-06")
@pytest.mark.hazard("H-ORD-03")
@pytest.mark.parametrize(
    ("resuscitated", "doctor", "named"),
    [(True, "D30012", "D30012"), (True, "", spoken.NOBODY), (False, "D30012", "D30012"), (False, "", "")],
)
def test_an_emergency_dose_without_an_order_is_filed_on_the_wristband_and_waits_for_a_doctor(
    patient: WardBench, resuscitated: bool, doctor: str, named: str
) -> None:
    if resuscitated:
        tell(patient, "begin")
    overrides = (Override(code="ORD-NONE", reason="resuscitation", by=doctor),)
    request = replace(patient.request("r1", items=(TABLET,)), overrides=overrides)
    kept = give(patient, request, task_id="", order_id="")
    assert (kept.patient_id, kept.flagged, kept.spoken_by) == ("P-1001", "accepted-exception", named)
    assert [code for code, _ in kept.ingredients] == ["paracetamol"]


@pytest.mark.requirement("R-ORD-06")
@pytest.mark.parametrize("raw", ["", TABLET, hospital.encode("wristband", "9999", "1")])
def test_a_dose_without_an_order_and_without_a_known_wristband_is_nobodys(
    patient: WardBench, raw: str
) -> None:
    request = patient.request("r1", items=(TABLET,))
    request = replace(request, patient_scan=patient.scan(raw) if raw else None)
    assert give(patient, request, task_id="", order_id="").patient_id == ""


@pytest.mark.requirement("R-ORD-06")
def test_the_amount_of_a_dose_that_names_none_is_not_invented(patient: WardBench) -> None:
    request = patient.request("r1", items=(TABLET, "X"))
    assert give(patient, request, task_id="", order_id="", dose=None).ingredients == ()


@pytest.mark.requirement("R-ORD-06")
@pytest.mark.hazard("H-ORD-03")
def test_over_http_doctors_see_what_waits_and_acknowledge_it(patient: WardBench, client: TestClient) -> None:
    give(patient, word(patient))
    nurse = bearer(token_of(patient.store, "N20713"))
    doctor = bearer(token_of(patient.store, "D30012"))
    path = "/api/v1/administrations"
    assert [one["id"] for one in client.get(f"{path}/unacknowledged", headers=nurse).json()] == ["e1"]
    assert client.post(f"{path}/e1/acknowledge", headers=nurse).status_code == 403
    assert client.post(f"{path}/none/acknowledge", headers=doctor).json()["code"] == "unknown-act"
    assert client.post(f"{path}/e1/acknowledge", headers=doctor).json()["acknowledged_by"] == "D30012"
    assert client.get(f"{path}/unacknowledged", headers=nurse).json() == []


@pytest.mark.requirement("R-ORD-06")
def test_the_ticker_watches_over_it(patient: WardBench) -> None:
    give(patient, word(patient))
    ticker = Ticker(patient.store, patient.site, FlowWatch(patient.site.policy), (), timedelta(hours=48))
    patient.clock.move(hours=7)
    patient.store.write(ticker.step)
    assert spoken.UNACKNOWLEDGED in [one.condition for one in patient.store.picture.all(Alarm)]
