"""Other systems create: through the hospital's own use cases, all of a transaction or nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from clinical.errors import WardlinkError
from clinical.records import Encounter, Observation, Order, Patient, Task
from server.fhir.served import TYPES
from server.fhir.taking import read_json, read_resource
from server.storage import schema
from tests.support.fhir import Fhir

WRITE = ("system/*.crs",)
EXAMPLES = Path(__file__).parents[2] / "data" / "fhir_examples"
MRN, VISIT, DRUG = "urn:wardlink:mrn", "urn:wardlink:visit", "urn:wardlink:drug"
NAME = "欧阳<b>'\"𠮷㑇"


def patient(mrn: str, name: str = NAME) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": MRN, "value": mrn}],
        "name": [{"use": "official", "text": name}],
        "gender": "female",
        "birthDate": "1971-02-28",
        "telecom": [{"system": "phone", "value": "1"}],
    }


def encounter(subject: str, visit: str = "V2", bed: str = "W1.2F03") -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": VISIT, "value": visit}],
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": subject},
        "period": {"start": "2026-05-04T08:00:00+08:00"},
        "reasonCode": [{"text": "肺炎"}],
        "location": [{"location": {"reference": f"Location/{bed}"}}],
    }


def order(subject: str, placer: str = "X1", **said: Any) -> dict[str, Any]:
    dosage = {
        "text": "饭后",
        "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
        "route": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0162", "code": "PO"}]},
        "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "片"}}],
    }
    return {
        "resourceType": "MedicationRequest",
        "identifier": [{"system": "urn:wardlink:order", "value": placer}],
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": DRUG, "code": "PCT500"}], "text": "对乙酰氨基酚"},
        "subject": {"reference": subject},
        "authoredOn": "2026-05-04T09:00:00+08:00",
        "requester": {"reference": "Practitioner/D30012", "display": "李明远"},
        "dosageInstruction": [dosage | said.pop("dosage", {})],
    } | said


def observation(subject: str, number: str = "obs-1", **said: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:emr", "value": number}],
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": "2026-05-04T08:30:00+08:00",
        "valueQuantity": {"value": 88, "unit": "/min", "code": "/min"},
    } | said


def transaction(*resources: dict[str, Any], **conditions: str) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{number}",
                "resource": one,
                "request": {"method": "POST", "url": one["resourceType"]}
                | ({"ifNoneExist": conditions[f"c{number}"]} if f"c{number}" in conditions else {}),
            }
            for number, one in enumerate(resources)
        ],
    }


ALL = (observation("urn:uuid:2"), order("urn:uuid:2"), patient("2002"), encounter("urn:uuid:2"))
"""In an order in which none of them could take effect one by one."""


@pytest.fixture
def emr(fhir_as: Any) -> Fhir:
    client: Fhir = fhir_as(scopes=WRITE)
    return client


@pytest.mark.requirement("R-FHR-04")
def test_a_transaction_admits_orders_and_observes_through_the_hospitals_own_use_cases(
    full: Any, emr: Fhir
) -> None:
    answer = emr.ask("POST", "", json=transaction(*ALL))
    assert answer.status_code == 200, answer.text
    assert [one["response"]["status"] for one in answer.json()["entry"]] == ["201 Created"] * 4
    picture = full.store.picture
    stay, person = picture.get(Encounter, "E-V2"), picture.get(Patient, "P-2002")
    assert (stay.ward, stay.bed, stay.diagnosis) == ("W1", "03", "肺炎")
    assert (person.name, person.sex, str(person.birth_date)) == (NAME, "female", "1971-02-28")
    placed = picture.get(Order, "O-X1")
    assert (placed.frequency, placed.instruction, placed.prescriber) == ("tid", "饭后", "D30012")
    assert not placed.nurse_verified
    assert [task for task in picture.all(Task) if task.order_id == "O-X1"]
    assert picture.get(Observation, "P-2002/MDC_PULS_RATE").value == 88
    for one in answer.json()["entry"]:
        path = one["response"]["location"].partition("/fhir/R4")[2].partition("/_history")[0]
        assert emr.ask("GET", path).headers["etag"] == one["response"]["etag"]


@pytest.mark.requirement("R-FHR-04")
@pytest.mark.hazard("H-FHR-03")
def test_of_a_transaction_with_one_thing_wrong_nothing_is_left(full: Any, emr: Fhir) -> None:
    before = full.store.picture
    bad = order("urn:uuid:0", medicationCodeableConcept={"coding": [{"system": DRUG, "code": "NONE"}]})
    answer = emr.ask("POST", "", json=transaction(patient("2002"), encounter("urn:uuid:0"), bad))
    assert (answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]) == (
        422,
        "unmapped-drug",
    )
    assert "entry: 2" in answer.json()["issue"][0]["details"]["text"]
    assert full.store.picture.kinds == before.kinds


@pytest.mark.requirement("R-FHR-04")
@pytest.mark.hazard("H-FHR-03")
def test_what_is_there_is_answered_when_asked_and_refused_otherwise(full: Any, emr: Fhir) -> None:
    said = transaction(*ALL)
    assert emr.ask("POST", "", json=said).status_code == 200
    assert emr.refused("POST", "", json=said) == (409, "identifier-known")
    again = transaction(
        *ALL,
        c0="identifier=urn:emr|obs-1", c1="identifier=X1", c2=f"identifier={MRN}|2002",
        c3=f"identifier={VISIT}|V2",
    )  # fmt: skip
    before = _counts(full)
    answer = emr.ask("POST", "", json=again)
    assert [one["response"]["status"] for one in answer.json()["entry"]] == ["200 OK"] * 4
    assert _counts(full) == before
    known = {"if-none-exist": f"identifier={MRN}|2002"}
    one = emr.ask("POST", "/Patient", json=patient("2002"), headers=known)
    assert (one.status_code, one.json()["id"]) == (200, "P-2002")
    other = {"if-none-exist": f"identifier={MRN}|1001"}
    assert emr.refused("POST", "/Patient", json=patient("2002"), headers=other) == (412, "fhir-several")
    wrong = {"if-none-exist": "name=x"}
    assert emr.refused("POST", "/Patient", json=patient("2002"), headers=wrong) == (400, "fhir-condition")


def _counts(full: Any) -> list[int]:
    with full.store.reading() as connection:
        tables = (schema.facts, schema.fact_history, schema.samples, schema.events)
        return [connection.scalar(select(func.count()).select_from(table)) for table in tables]


@pytest.mark.requirement("R-FHR-04")
def test_single_resources_are_created_with_location_and_version(full: Any, emr: Fhir) -> None:
    answer = emr.ask("POST", "/MedicationRequest", json=order("Patient/P-1001", "X2"))
    assert answer.status_code == 201, answer.text
    assert "/MedicationRequest/O-X2/_history/" in answer.headers["location"]
    pressure = observation(
        "Patient?identifier=1001", "bp", valueQuantity=None,
        code={"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        component=[
            {"code": {"coding": [{"system": "http://loinc.org", "code": code}]},
             "valueQuantity": {"value": value, "code": "mm[Hg]"}}
            for code, value in (("8480-6", 131), ("8462-4", 84))
        ],
    )  # fmt: skip
    pressure.pop("valueQuantity")
    made = emr.ask("POST", "/Observation", json=pressure, headers={"prefer": "return=minimal"})
    assert (made.status_code, made.content) == (201, b"")
    found = emr.found("/Observation", patient="P-1001", code="85354-9", date="2026-05-04T08:30:00+08:00")
    assert [part["valueQuantity"]["value"] for part in found[0]["component"]] == [131, 84]


@pytest.mark.requirement("R-FHR-04")
def test_a_critical_result_of_a_laboratory_alarms_as_one_by_hl7_does(full: Any, emr: Fhir) -> None:
    potassium = observation(
        "Patient/P-1001", "lab-1", category=[{"coding": [{"code": "laboratory"}]}],
        code={"coding": [{"system": "http://loinc.org", "code": "6298-4"}]},
        valueQuantity={"value": 6.9, "code": "mmol/L"}, interpretation=[{"coding": [{"code": "HH"}]}],
    )  # fmt: skip
    assert emr.ask("POST", "/Observation", json=potassium).status_code == 201
    values = full.store.picture.kinds["critical_values"].values()
    assert [(one.record.value, one.record.reported_by) for one in values] == [("6.9", "emr")]


@pytest.mark.requirement("R-FHR-04")
@pytest.mark.hazard("H-FHR-03")
def test_the_hospitals_own_numbers_places_and_words_are_understood(full: Any, emr: Fhir) -> None:
    person = patient("x") | {
        "identifier": [{"value": "other"}, {"type": {"coding": [{"code": "MR"}]}, "value": "2004"}],
        "name": [{"use": "official", "family": "Chalmers", "given": ["Peter", "James"]}],
    }
    stay = encounter("urn:uuid:0", "V4") | {"location": [{"location": {"identifier": {"value": "W1^3^04"}}}]}
    answer = emr.ask("POST", "", json=transaction(person, stay))
    assert answer.status_code == 200, answer.text
    found = full.store.picture.get(Encounter, "E-V4")
    assert (found.patient_id, found.ward, found.room, found.bed) == ("P-2004", "W1", "3", "04")
    assert full.store.picture.get(Patient, "P-2004").name == "Chalmers Peter James"
    contained = [
        {"resourceType": "Medication", "id": "m", "code": {"coding": [{"system": DRUG, "code": "PCT500"}]}}
    ]
    said = order(
        "Patient/P-2004", "W1", contained=contained, medicationReference={"reference": "#m"},
        authoredOn="2026-05-04", note=[{"text": "慢"}], groupIdentifier={"value": "G1"}, priority="stat",
        requester={"identifier": {"value": "D30012"}}, encounter={"reference": "Encounter/E-V4"},
        dosage={"method": {"coding": [{"code": "1", "display": "Swallow"}]},
                "timing": {"repeat": {"count": 1}}},
        dispenseRequest={"validityPeriod": {"end": "2026-05-05T00:00:00Z"}, "quantity": {"value": 3}},
    )  # fmt: skip
    said.pop("medicationCodeableConcept")
    made = emr.ask("POST", "/MedicationRequest", json=said)
    assert made.status_code == 201, made.text
    placed = full.store.picture.get(Order, "O-W1")
    assert (placed.instruction, placed.group_id, placed.category) == ("饭后; Swallow; 慢", "G1", "stat")
    assert (placed.prescriber, placed.frequency, placed.end is not None) == ("D30012", "once", True)


@pytest.mark.requirement("R-FHR-04")
def test_a_device_on_record_or_not_stands_with_its_value(full: Any, emr: Fhir) -> None:
    for number, device in enumerate(
        ({"reference": "Device/serial.3Aoximeter-01"}, {"identifier": {"value": "GW-7"}}), 1
    ):
        said = observation(
            "Patient/P-1001", f"dev-{number}", device=device,
            code={"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "150456"}]},
            valueQuantity={"value": 95 + number, "code": "%"},
        )  # fmt: skip
        assert emr.ask("POST", "/Observation", json=said).status_code == 201
    found = emr.found("/Observation", patient="P-1001", device="serial.3Aoximeter-01")
    assert [one["valueQuantity"]["value"] for one in found] == [96]
    other = emr.found("/Observation", patient="P-1001", device="GW-7")
    assert other[0]["device"]["identifier"]["value"] == "GW-7"


IV = {"route": {"coding": [{"code": "IV"}]}}
REFUSED: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
    ("/Patient", patient("2003"), (422, "fhir-patient-alone")),
    ("/Patient", patient("1001"), (409, "identifier-known")),
    ("/Patient", patient("2003") | {"active": False}, (422, "fhir-must-understand")),
    ("/Patient", patient("2003") | {"modifierExtension": [{"url": "x"}]}, (422, "fhir-must-understand")),
    ("/Patient", patient("2003") | {"implicitRules": "x"}, (422, "fhir-must-understand")),
    ("/Patient", patient("2003") | {"gender": "m"}, (422, "fhir-code")),
    ("/Patient", patient("2003") | {"colour": "red"}, (422, "fhir-element")),
    ("/Patient", patient("2003") | {"link": []}, (422, "fhir-element")),
    ("/Patient", patient("2003") | {"identifier": []}, (422, "fhir-element")),
    ("/Patient", patient("20\x0003"), (422, "text")),
    ("/Patient", encounter("Patient/P-1001"), (422, "fhir-element")),
    ("/Encounter", encounter("Patient/P-9"), (422, "fhir-reference")),
    ("/Encounter", encounter("https://elsewhere/Patient/P-1001/x"), (422, "fhir-reference")),
    ("/Encounter", encounter("Patient/P-1001"), (409, "already-admitted")),
    ("/Encounter", encounter("Patient/P-1001") | {"status": "planned"}, (422, "fhir-status")),
    ("/Encounter", encounter("Patient/P-1001") | {"status": "lost"}, (422, "fhir-code")),
    ("/Encounter", encounter("Patient/P-1001", bed="W1.2F99"), (422, "unmapped-bed")),
    ("/Encounter", encounter("Patient/P-1001", "V1001"), (409, "identifier-known")),
    ("/MedicationRequest", order("Patient/P-1001", "M1"), (409, "identifier-known")),
    ("/MedicationRequest", order("Patient/P-1001", intent="plan"), (422, "fhir-status")),
    ("/MedicationRequest", order("Patient/P-1001", doNotPerform=True), (422, "fhir-must-understand")),
    ("/MedicationRequest", order("Patient/P-1001", priorPrescription={}), (422, "fhir-element")),
    ("/MedicationRequest", order("Patient/P-1001", dosage={"maxDosePerPeriod": {}}), (422, "fhir-element")),
    ("/MedicationRequest", order("Patient/P-1001", encounter={"reference": "Encounter/E-9"}),
     (422, "fhir-reference")),
    ("/MedicationRequest", order("Patient/P-1001", dosage={"timing": {"code": {"text": "??"}}}),
     (422, "unmapped-frequency")),
    ("/MedicationRequest", order("Patient/P-1001", dosage={"timing": {"repeat": {"frequency": 7}}}),
     (422, "fhir-dosage")),
    ("/MedicationRequest", order("Patient/P-1001", dosage={"timing": {"repeat": {"dayOfWeek": ["mon"]}}}),
     (422, "fhir-dosage")),
    ("/MedicationRequest", order("Patient/P-1001", dosage=IV | {"doseAndRate": [
        {"doseQuantity": {"value": 1, "unit": "片"}, "rateQuantity": {"value": 5, "unit": "gtt/min"}}]}),
     (422, "fhir-dosage")),
    ("/MedicationRequest", order("Patient/P-1001", dosage={"doseAndRate": [{"doseRange": {
        "low": {"value": 2, "unit": "片"}, "high": {"value": 1, "unit": "片"}}}]}), (422, "fhir-dosage")),
    ("/MedicationRequest", order("Patient/P-1001", dosage={"doseAndRate": [
        {"doseQuantity": {"value": 0, "unit": "片"}}]}), (422, "fhir-dosage")),
    ("/MedicationRequest", order("Patient/P-1001", medicationCodeableConcept=None,
                                 medicationReference={"reference": "#x"}), (422, "fhir-reference")),
    ("/MedicationRequest", order("Patient/P-1001", dosage=IV | {"doseAndRate": [{"rateRatio": {
        "numerator": {"value": 5, "unit": "mg"}, "denominator": {"value": 1, "unit": "h"}}}]}),
     (422, "fhir-dosage")),
    ("/Observation", observation("Patient/P-1001", component=[{"code": {}, "valueQuantity": {"value": 1}}]),
     (422, "fhir-required")),
    ("/Observation", observation("Patient/P-1001", status="preliminary"), (422, "fhir-status")),
    ("/Observation", observation("Patient/P-1001", valueQuantity={"value": 900, "code": "/min"}),
     (422, "observation")),
    ("/Observation", observation("Patient/P-1001", valueQuantity={"value": 88, "code": "Hz"}),
     (422, "fhir-unit")),
    ("/Observation", observation("Patient/P-1001", valueQuantity={
        "value": 88, "comparator": "<", "code": "/min"}),
     (422, "fhir-element")),
    ("/Observation", observation("Patient/P-1001", code={"text": "pulse"}), (422, "fhir-code")),
    ("/Observation", observation("Patient/P-1001", focus=[{}]), (422, "fhir-element")),
    ("/Observation", observation("Patient/P-1001", effectiveDateTime="2026-05-04"), (422, "fhir-element")),
    ("", {"resourceType": "Bundle", "type": "batch", "entry": []}, (422, "fhir-transaction")),
    ("", transaction(), (422, "fhir-transaction")),
    ("", transaction(patient("2003")) | {"implicitRules": "x"}, (422, "fhir-must-understand")),
    ("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        transaction(patient("2003"))["entry"][0] | {"modifierExtension": []}]},
     (422, "fhir-must-understand")),
    ("", {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "DELETE", "url": "Patient/1"}, "resource": {}}]}, (422, "fhir-transaction")),
    ("", transaction(patient("2003"), encounter("Patient/none")), (422, "fhir-reference")),
]  # fmt: skip


@pytest.mark.requirement("R-FHR-05")
@pytest.mark.hazard("H-FHR-03")
def test_what_is_not_taken_is_refused_with_what_to_do_and_leaves_nothing(full: Any, emr: Fhir) -> None:
    before = full.store.picture.kinds
    answers = [(path, emr.refused("POST", path, json=body)) for path, body, _ in REFUSED]
    assert answers == [(path, answer) for path, _, answer in REFUSED]
    assert full.store.picture.kinds == before


@pytest.mark.requirement("R-FHR-05")
def test_a_body_that_is_no_json_or_of_another_kind_is_refused(emr: Fhir) -> None:
    head = {"content-type": "application/fhir+json"}
    for body in (b"{", b"[]", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100_000, b"\xff"):
        assert emr.refused("POST", "/Patient", content=body, headers=head) == (400, "fhir-json")
    xml = {"content-type": "application/fhir+xml"}
    assert emr.refused("POST", "/Patient", content=b"<a/>", headers=xml) == (415, "fhir-content-type")
    half = json.dumps(patient("2003", "\ud800")).encode()
    assert emr.refused("POST", "/Patient", content=half, headers=head) == (422, "text")


DOSAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"timing": {"repeat": {"timeOfDay": ["20:00:00", "08:00:00"]}}}, {"frequency": "08:00,20:00"}),
    ({"timing": {"repeat": {"timeOfDay": ["08:00:00"], "dayOfWeek": ["wed", "mon"]}}},
     {"frequency": "@1,3 08:00"}),
    ({"timing": {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}}, {"frequency": "q6h"}),
    ({"timing": {"code": {"coding": [{"code": "BID"}]}}}, {"frequency": "bid"}),
    ({"timing": {}}, {"frequency": "once", "category": "once"}),
    ({"timing": {}, "asNeededCodeableConcept": {"text": "疼痛"}}, {"frequency": "prn", "prn_reason": "疼痛"}),
    ({"doseAndRate": [{"doseRange": {
        "low": {"value": 1, "unit": "片"}, "high": {"value": 2, "unit": "片"}}}]},
     {"frequency": "tid"}),
]  # fmt: skip


@pytest.mark.requirement("R-FHR-04")
@pytest.mark.hazard("H-FHR-03")
def test_timing_becomes_the_schedules_own_words(full: Any, emr: Fhir) -> None:
    for number, (dosage, expected) in enumerate(DOSAGES):
        answer = emr.ask(
            "POST", "/MedicationRequest", json=order("Patient/P-1001", f"D{number}", dosage=dosage)
        )
        assert answer.status_code == 201, (dosage, answer.text)
        placed = full.store.picture.get(Order, f"O-D{number}")
        assert {name: getattr(placed, name) for name in expected} == expected


@pytest.mark.requirement("R-FHR-04")
@pytest.mark.hazard("H-FHR-03")
def test_a_mixture_is_ordered_with_its_rate(full: Any, emr: Fhir) -> None:
    quantity = {"value": 100, "code": "mL"}
    mixture = {
        "resourceType": "Medication", "id": "m",
        "ingredient": [
            {"itemCodeableConcept": {"coding": [{"system": DRUG, "code": "NS100"}]}, "isActive": False,
             "strength": {"numerator": quantity, "denominator": {"value": 1}}},
            {"itemCodeableConcept": {"coding": [{"system": DRUG, "code": "PCT500"}]},
             "strength": {"numerator": {"value": 1, "unit": "片"}, "denominator": {"value": 1}}},
        ],
    }  # fmt: skip
    ratio = {"numerator": {"value": 120, "unit": "mL"}, "denominator": {"value": 2, "unit": "h"}}
    said = order(
        "Patient/P-1001", "MIX", contained=[mixture], medicationReference={"reference": "#m"},
        dosage={"timing": {}, "route": {"coding": [{"code": "IV"}]},
                "doseAndRate": [{"doseQuantity": quantity, "rateRatio": ratio}]},
    )  # fmt: skip
    said.pop("medicationCodeableConcept")
    answer = emr.ask("POST", "/MedicationRequest", json=said)
    assert answer.status_code == 201, answer.text
    placed = full.store.picture.get(Order, "O-MIX")
    assert (placed.kind, placed.rate_ml_h, [item.role for item in placed.items]) == (
        "infusion",
        60,
        ["base", "additive"],
    )
    assert answer.json()["contained"][0]["ingredient"][0]["isActive"] is False


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["value", "code", "coding", "reference", "system", "text", "low", "start"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
_SAMPLES = (patient("1"), encounter("Patient/P-1"), order("Patient/P-1"), observation("Patient/P-1"))


@pytest.mark.requirement("R-FHR-05")
@given(sample=st.sampled_from(_SAMPLES), data=st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_an_element_is_taken_or_refused_and_never_fails(
    sample: dict[str, Any], data: Any
) -> None:
    key = data.draw(st.sampled_from(sorted(sample)))
    changed = sample | {key: data.draw(_JSON)}
    try:
        read_resource(read_json(json.dumps(changed).encode()), sample["resourceType"])
    except WardlinkError:
        return


EXAMPLE_ANSWERS = {
    "encounter-example": "fhir-required",  # names no bed
    "encounter-example-f001-heart": "fhir-required",
    "medicationrequest0301": "fhir-element",  # every four to six hours
    "medicationrequestexample1": "fhir-element",  # holds from a day to a day
    "observation-example": "fhir-element",  # a day without a time
    "observation-example-bloodgroup": "fhir-element",
    "observation-example-bloodpressure": "fhir-element",
    "observation-example-body-temperature": "fhir-element",
    "observation-example-f001-glucose": "fhir-element",
    "observation-example-heart-rate": "fhir-element",
    "observation-example-sample-data": "fhir-required",
    "observation-example-satO2": "",
    "patient-example": "",
    "patient-example-chinese": "",
}


@pytest.mark.requirement("R-FHR-05")
@pytest.mark.hazard("H-FHR-03")
@given(
    sample=st.sampled_from(_SAMPLES),
    path=st.sampled_from(["", "/Patient", "/MedicationRequest"]),
    data=st.data(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_sent_is_answered_and_what_is_refused_leaves_nothing(
    full: Any, emr: Fhir, sample: dict[str, Any], path: str, data: Any
) -> None:
    key = data.draw(st.sampled_from(sorted(sample)))
    changed = sample | {key: data.draw(_JSON)}
    before = full.store.picture.kinds
    body = changed
    if not path:
        body = transaction(sample)
        body["entry"][0]["resource"] = changed
    answer = emr.ask("POST", path, json=body)
    assert answer.status_code in {200, 201, 400, 404, 409, 412, 422, 429}, answer.text
    if answer.is_error:
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert full.store.picture.kinds == before


@pytest.mark.requirement("R-FHR-05")
def test_the_examples_of_the_standard_are_read_or_refused_with_their_element() -> None:
    """Source: HL7 FHIR R4 examples (CC0); what they are refused for is what a ward cannot do without."""
    assert {path.stem: _answer(path) for path in sorted(EXAMPLES.glob("*.json"))} == EXAMPLE_ANSWERS


def _answer(path: Path) -> str:
    body = read_json(path.read_bytes())
    try:
        read_resource(body, str(body["resourceType"]))
    except WardlinkError as error:
        return error.code
    return ""


@pytest.mark.requirement("R-FHR-04")
def test_everything_that_is_created_here_is_also_read_here() -> None:
    assert {kind for kind, one in TYPES.items() if one.creates} == {
        "Patient", "Encounter", "MedicationRequest", "Observation"
    }  # fmt: skip
