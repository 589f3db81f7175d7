"""Vital signs and critical values that a handheld wrote down, perhaps without network: once and whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from clinical.chart_records import CriticalValue, Observed, ObservedSet
from clinical.exchange import Charted, Outcome
from clinical.records import Alarm, Encounter, Observation
from server.storage import schema
from server.storage.codec import to_bytes
from server.sync import events
from tests.server.conftest import START, WardBench
from tests.support.ward_http import bearer, put_person, serving, token_of, with_second_ward

pytestmark = [pytest.mark.requirement("R-CHART-08"), pytest.mark.hazard("H-CHART-03")]
STAY = "E-V1001"


@pytest.fixture
def patient(ward: WardBench) -> WardBench:
    ward.admit("1001", "01")
    return ward


def found(*values: tuple[str, str, str]) -> ObservedSet:
    some = values or (("MDC_TEMP_AXILLA", "38.4", "Cel"), ("MDC_PULS_RATE", "112", "/min"))
    observed = tuple(Observed(code=code, value=Decimal(value), unit=unit) for code, value, unit in some)
    return ObservedSet(encounter_id=STAY, values=observed)


def called(**said: Any) -> CriticalValue:
    fields: dict[str, Any] = {
        "id": "", "patient_id": "P-1001", "test": "potassium", "value": "6.8", "unit": "mmol/L",
        "reported_by": "赵明", "received_by": "somebody", "received_at": START,
    }  # fmt: skip
    return CriticalValue(**(fields | said))


def send(
    ward: WardBench, event_id: str = "e1", *, person: str = "N20713", back: float = 0, **said: Any
) -> Outcome:
    """Upload what was found ``back`` minutes ago."""
    fields: dict[str, Any] = {
        "id": event_id, "at": ward.clock() - timedelta(minutes=back), "sent": ward.clock(),
        "operator": person, "handheld": "pda-1",
    }  # fmt: skip
    if isinstance(said.get("critical"), CriticalValue):
        said["critical"] = replace(said["critical"], received_at=ward.clock())
    item = msgspec.json.decode(to_bytes(Charted(**(fields | said))))
    return events.receive(ward.store, ward.site, ward.session(person), [item])[0]


def kept(ward: WardBench) -> dict[str, tuple[Decimal | None, datetime]]:
    return {one.code: (one.value, one.effective) for one in ward.store.picture.all(Observation)}


def rows(ward: WardBench) -> int:
    with ward.store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(schema.samples)) or 0


def test_a_set_becomes_the_newest_values_and_one_row_of_history_however_often_it_is_sent(
    any_ward: WardBench,
) -> None:
    patient = any_ward
    patient.admit("1001", "01")
    at = patient.clock() - timedelta(minutes=30)
    assert send(patient, back=30, observed=found()).status == "accepted"
    again = send(patient, back=30, observed=found())
    assert (again.status, again.params["first"]) == ("replayed", "accepted")
    values = kept(patient)
    assert values["MDC_TEMP_AXILLA"] == (Decimal("38.4"), at)
    assert values["MDC_PULS_RATE"] == (Decimal(112), at)
    assert rows(patient) == 1


def test_an_older_set_that_comes_later_is_history_and_no_newest_value(patient: WardBench) -> None:
    send(patient, "e1", observed=found(("MDC_PULS_RATE", "80", "/min")))
    send(patient, "e2", back=60, observed=found(("MDC_PULS_RATE", "130", "/min")))
    assert kept(patient)["MDC_PULS_RATE"][0] == 80
    assert rows(patient) == 2


def test_how_late_it_is_counts_from_when_it_was_written_down(patient: WardBench) -> None:
    wrote = patient.clock()
    patient.clock.move(hours=60)
    late: dict[str, Any] = {"at": wrote - timedelta(hours=1), "sent": wrote}
    assert send(patient, "e1", observed=found(), person="N20713", **late).status == "accepted"
    assert send(patient, "e2", observed=found(), at=wrote - timedelta(hours=25), sent=wrote).code == "time"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ((("MDC_PULS_RATE", "900", "/min"),), "observation"),
        ((("MDC_PULS_RATE", "80", "bpm"),), "observation"),
        ((("NO_SUCH_CODE", "80", "/min"),), "observation"),
        ((("MDC_PULS_RATE", "80", "/min"), ("MDC_PULS_RATE", "81", "/min")), "observation"),
    ],
)
def test_what_cannot_be_is_refused_and_goes_back_to_the_nurse(
    patient: WardBench, values: tuple[tuple[str, str, str], ...], code: str
) -> None:
    outcome = send(patient, observed=found(*values))
    assert (outcome.status, outcome.code) == ("refused", code)
    assert (kept(patient), rows(patient)) == ({}, 0)


def test_an_empty_set_and_one_of_nobody_known_are_refused(patient: WardBench) -> None:
    assert send(patient, "e1", observed=ObservedSet(encounter_id=STAY, values=())).code == "observation"
    nobody = replace(found(), encounter_id="E-none")
    assert send(patient, "e2", observed=nobody).code == "unknown-patient"


def test_what_was_found_before_the_patient_left_is_kept_and_nothing_after(patient: WardBench) -> None:
    left = patient.clock()

    def leave(unit: Any) -> None:
        unit.put(replace(unit.get(Encounter, STAY), status="finished", moved_at=left))

    patient.store.write(leave)
    patient.clock.move(minutes=20)
    assert send(patient, "e1", back=30, observed=found()).status == "accepted"
    assert send(patient, "e2", back=10, observed=found()).code == "stay-ended"


def test_a_doctor_writes_vital_signs_a_stranger_and_another_ward_do_not(ward: WardBench) -> None:
    ward.admit("1001", "01")
    put_person(ward.store, "PH1", "pharmacist")
    put_person(ward.store, "N9", "nurse", wards=("W9",))
    assert send(ward, "e1", person="D30012", observed=found()).status == "accepted"
    assert send(ward, "e2", person="PH1", observed=found()).code == "role"
    assert send(ward, "e3", person="N9", observed=found()).code == "other-ward"
    assert send(ward, "e4", person="N9", critical=called()).code == "other-ward"
    assert with_second_ward(ward.site).wards.keys() == {"W1", "W2"}


def test_the_same_id_over_http_and_as_an_event_is_one_record(ward: WardBench, tmp_path: Path) -> None:
    ward.admit("1001", "01")
    with serving(ward.store, ward.site, tmp_path) as client:
        head = bearer(token_of(ward.store, "N20713"))
        body = {
            "id": "set-00000001", "at": ward.clock().isoformat(),
            "values": [{"code": "MDC_PULS_RATE", "value": "80", "unit": "/min"}],
        }  # fmt: skip
        path = f"/api/v1/encounters/{STAY}/observations"
        assert client.post(path, headers=head, json=body).status_code == 201
        pulse = found(("MDC_PULS_RATE", "80", "/min"))
        assert send(ward, "set-00000001", observed=pulse).status == "replayed"
        assert send(ward, "set-00000002", observed=pulse).status == "accepted"
        again = client.post(path, headers=head, json=body | {"id": "set-00000002"})
        assert (again.status_code, again.json()["code"]) == (409, "observation-known")
    assert rows(ward) == 2


def alarms(ward: WardBench) -> list[bool]:
    return [one.present for one in ward.store.picture.all(Alarm) if one.condition == "critical-value"]


def test_a_critical_value_alarms_once_and_bears_the_name_and_time_of_who_read_it_back(
    patient: WardBench,
) -> None:
    at = patient.clock() - timedelta(minutes=40)
    said = called(doctor="D30012", acknowledged_by="D30012", action="made up")
    assert send(patient, back=40, critical=said).status == "accepted"
    assert send(patient, back=40, critical=said).status == "replayed"
    (value,) = patient.store.picture.all(CriticalValue)
    assert (value.id, value.received_by, value.received_at, value.told_at) == ("e1", "N20713", at, at)
    assert (value.acknowledged_by, value.acknowledged_at, value.action) == ("", None, "")
    assert alarms(patient) == [True]


@pytest.mark.parametrize("said", [{"test": ""}, {"value": "x" * 41}, {"reported_by": ""}, {"unit": "u" * 33}])
def test_a_critical_value_that_is_not_whole_is_refused(patient: WardBench, said: dict[str, str]) -> None:
    assert send(patient, critical=called(**said)).code == "critical-value"
    assert send(patient, "e2", critical=called(patient_id="P-0")).code == "unknown-patient"
    assert alarms(patient) == []


def test_one_event_writes_one_thing(patient: WardBench) -> None:
    assert send(patient, "e1").code == "one-record"
    assert send(patient, "e2", observed=found(), critical=called()).code == "one-record"
