"""Every word our records know, as R4 an independent library accepts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clinical.care_records import Specimen
from clinical.records import (
    Administration,
    Dose,
    Generation,
    Infusion,
    InfusionState,
    Order,
    TaperStep,
    Task,
    TaskStatus,
    Validity,
)
from server.fhir.ids import fhir_id
from server.fhir.resources import devices, medication, observations, work
from server.fhir.settings import Systems
from server.fhir.shape import Resource, to_json
from server.fhir.sources import with_meta
from server.fhir.view import View
from tests.support.fhir import check


@pytest.fixture
def view(full: Any) -> View:
    return View(picture=full.store.picture, site=full.site, systems=Systems())


def valid(resource: Resource, own: str = "x") -> dict[str, Any]:
    """The resource as it goes over the wire."""
    return check(json.loads(to_json(with_meta(resource, fhir_id(own), seq=1))))


def request(view: View, **said: Any) -> dict[str, Any]:
    order = view.picture.get(Order, "O-M1")
    assert order is not None
    return valid(medication.medication_request(replace(order, **said), view))


@pytest.mark.requirement("R-FHR-01")
def test_orders_say_range_need_limit_and_what_is_not_to_be_given(view: View) -> None:
    order = view.picture.get(Order, "O-M1")
    assert order is not None
    ranged = replace(order.items[0], dose_high=Dose(value=Decimal(2), unit="{tablet}"))
    found = request(
        view, items=(ranged,), frequency="prn", category="prn", prn_reason="疼痛", do_not_give=True,
        prn_max_dose_per_day=Dose(value=Decimal(4000), unit="mg"), instruction="饭后", group_id="G1",
        filler_id="F1",
    )  # fmt: skip
    dosage = found["dosageInstruction"][0]
    assert found["doNotPerform"] is True
    assert dosage["doseAndRate"][0]["doseRange"]["high"]["value"] == 2
    assert dosage["asNeededCodeableConcept"]["text"] == "疼痛"
    assert dosage["maxDosePerPeriod"]["numerator"]["value"] == 4000
    assert request(view, category="prn")["dosageInstruction"][0]["asNeededBoolean"] is True
    assert request(view, items=())["medicationCodeableConcept"] == {"text": "unknown"}


@pytest.mark.requirement("R-FHR-01")
def test_a_taper_is_one_instruction_for_each_step_with_its_days(view: View) -> None:
    steps = tuple(TaperStep(days=days, dose=Dose(value=Decimal(days), unit="mg")) for days in (3, 2))
    found = request(view, taper=steps, frequency="bid")["dosageInstruction"]
    assert [one["sequence"] for one in found] == [1, 2]
    assert [one["doseAndRate"][0]["doseQuantity"]["value"] for one in found] == [3, 2]
    bounds = [one["timing"]["repeat"]["boundsPeriod"] for one in found]
    assert bounds[0]["end"] == bounds[1]["start"]


@pytest.mark.requirement("R-FHR-01")
@pytest.mark.parametrize(
    ("frequency", "repeat"),
    [
        ("tid", {"frequency": 3, "period": 1, "periodUnit": "d"}),
        ("q8h", {"frequency": 1, "period": 8, "periodUnit": "h"}),
        (
            "08:00,20:00",
            {"frequency": 2, "period": 1, "periodUnit": "d", "timeOfDay": ["08:00:00", "20:00:00"]},
        ),
        ("continuous", {}),
    ],
)
def test_frequencies_repeat_as_they_say(frequency: str, repeat: dict[str, Any]) -> None:
    assert medication.repeat_of(frequency) == repeat


@pytest.mark.requirement("R-FHR-01")
def test_every_outcome_of_an_act_has_its_status_and_a_refusal_its_reason(view: View) -> None:
    act = next(one for one in view.picture.all(Administration) if one.outcome == "given")
    for outcome, status in medication.ADMINISTRATION_STATUS.items():
        one = medication.Given(
            begun=replace(act, outcome=outcome, reason="asleep", site="左臂", witness="N20488")
        )
        found = valid(medication.medication_administration(one, view))
        assert found["status"] == status
        assert ("statusReason" in found) is (status == "not-done")
    lost = medication.Given(begun=replace(act, order_id="none", task_id=""))
    assert valid(medication.medication_administration(lost, view))["medicationCodeableConcept"] == {
        "text": "unknown"
    }


@pytest.mark.requirement("R-FHR-01")
def test_a_bag_is_one_act_from_its_start_to_its_end(view: View) -> None:
    begun = next(one for one in view.picture.all(Administration) if one.outcome == "running")
    infusion = next(iter(view.picture.all(Infusion)))
    end = begun.at + timedelta(hours=1)
    ended = replace(begun, id="end", outcome="stopped-early", at=end, dose=Dose(value=Decimal(40), unit="mL"))
    stopped = replace(infusion, state=InfusionState.STOPPED_EARLY)
    one = medication.Given(begun=begun, ended=ended, infusion=stopped)
    found = valid(medication.medication_administration(one, view))
    assert (found["status"], found["dosage"]["dose"]["value"]) == ("stopped", 40)
    assert found["effectivePeriod"]["end"].startswith("2026-05-04T02:00")
    assert found["dosage"]["rateQuantity"]["code"] == "mL/h"


@pytest.mark.requirement("R-FHR-01")
def test_a_value_that_cannot_be_relied_on_is_never_a_number(full: Any, view: View) -> None:
    for validity in Validity:
        value = observations.Value(code="MDC_RESP_RATE", number=16.0, unit="/min", validity=validity)
        found = valid(observations.observation(_measured(full, value), view))
        shown = validity not in {Validity.INVALID, Validity.OVERFLOW, Validity.UNDERFLOW}
        assert ("valueQuantity" in found) is shown, validity
        assert ("dataAbsentReason" in found) is not shown
        if validity in {Validity.ONGOING, Validity.QUESTIONABLE}:
            assert found["status"] == "preliminary"
    nothing = observations.Value(code="MDC_RESP_RATE", number=float("nan"), unit="/min")
    assert "valueQuantity" not in valid(observations.observation(_measured(full, nothing), view))
    systolic = observations.Value(code=observations.SYSTOLIC, number=120.0, unit="mm[Hg]")
    parts = valid(observations.observation(_measured(full, systolic), view))["component"]
    assert ["dataAbsentReason" in part for part in parts] == [False, True]


def _measured(full: Any, value: observations.Value) -> observations.Measured:
    at = full.clock()
    return observations.Measured(
        encounter_id="E-V1001",
        patient_id="P-1001",
        device_id="gateway",
        effective=at,
        recorded=at,
        values=(value,),
    )


@pytest.mark.requirement("R-FHR-01")
def test_numbers_keep_every_digit_and_no_exponent() -> None:
    value = observations.Value(code="MDC_RESP_RATE", number=Decimal("1E+2"), unit="/min")
    assert to_json(observations.result_of(value)) == (
        b'{"valueQuantity":{"value":100,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}'
    )


@pytest.mark.requirement("R-FHR-01")
def test_every_state_of_tasks_and_tubes_and_every_model_is_valid(full: Any, view: View) -> None:
    task = next(iter(view.picture.all(Task)))
    for status in TaskStatus:
        found = valid(work.task(replace(task, status=status, detail="why"), view), task.id)
        assert found["businessStatus"]["coding"][0]["code"] == status.value
    tube = view.picture.get(Specimen, "T1")
    assert tube is not None
    for state in work.SPECIMEN_STATUS:
        valid(work.specimen(replace(tube, state=state), view), tube.id)
    device = next(iter(full.store.picture.kinds["devices"].values())).record
    assert devices.metrics_of(replace(device, profile="nobody", generation=Generation.REAL)) == []


@pytest.mark.requirement("R-FHR-01")
@pytest.mark.parametrize(
    ("action", "letter"),
    [
        ("fhir-read", "R"), ("order-place", "C"), ("order-change", "U"), ("order-stopped", "U"),
        ("admit", "C"), ("administration-given", "U"), ("sign-in", "E"),
    ],
)  # fmt: skip
def test_audit_lines_have_the_letter_of_what_was_done(action: str, letter: str) -> None:
    assert work.action_of(action) == letter
