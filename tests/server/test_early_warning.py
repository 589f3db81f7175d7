"""What a nurse writes down makes the early warning score, its alarm and its trend."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from clinical.errors import BadInputError, ConflictError, NotFoundError
from clinical.records import Alarm, Encounter, Observation
from server.his.port import DischargePatient
from server.observations import charted
from server.observations.warning import SCORE, EarlyWarning, judge
from server.storage import schema
from server.storage.values import read_layouts, unpack
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = [pytest.mark.requirement("R-SRV-36"), pytest.mark.hazard("H-SRV-16")]
UNITS = {
    "MDC_RESP_RATE": "/min", "MDC_PULS_OXIM_SAT_O2": "%", "MDC_PULS_RATE": "/min", "MDC_TEMP_AXILLA": "Cel",
    "MDC_PRESS_BLD_NONINV_SYS": "mm[Hg]", "MDCX_OXYGEN": "1", "MDCX_CONSCIOUSNESS": "1",
}  # fmt: skip
WELL = {
    "MDC_RESP_RATE": 16, "MDC_PULS_OXIM_SAT_O2": 97, "MDC_PULS_RATE": 72, "MDC_TEMP_AXILLA": Decimal("36.8"),
    "MDC_PRESS_BLD_NONINV_SYS": 122, "MDCX_OXYGEN": 0, "MDCX_CONSCIOUSNESS": 0,
}  # fmt: skip


@pytest.fixture
def stay(ward: Any) -> tuple[Any, Encounter]:
    return admitted(ward)


def admitted(ward: Any) -> tuple[Any, Encounter]:
    ward.admit("1001", "01")
    return ward, next(iter(ward.store.picture.all(Encounter)))


def some(ward: Any, number: int, values: dict[str, Any], **said: Any) -> charted.ChartedSet:
    made = tuple(
        charted.Charted(code=code, value=Decimal(value), unit=UNITS.get(code, "1"))
        for code, value in values.items()
    )
    return charted.ChartedSet(**({"id": f"set-{number:08d}", "at": ward.clock(), "values": made} | said))


def chart(ward: Any, stay: Encounter, number: int, values: dict[str, Any], **said: Any) -> Any:
    one = some(ward, number, values, **said)
    return ward.store.write(lambda unit: charted.chart(unit, ward.session(), stay.id, one))


def calling(ward: Any) -> list[tuple[str, Any, Any]]:
    return [
        (one.priority.value, one.params["total"], one.present)
        for one in ward.store.picture.all(Alarm)
        if one.condition == "early-warning"
    ]


def history(ward: Any) -> list[tuple[str, float]]:
    with ward.store.reading() as connection:
        layouts = read_layouts(connection)
        rows = connection.execute(select(schema.samples).order_by(schema.samples.c.effective)).all()
    return [
        (code, value)
        for row in rows
        for (code, _), value in zip(layouts[row.layout], unpack(row.vals, row.validity)[0], strict=True)
        if not math.isnan(value)
    ]


def test_consciousness_oxygen_and_temperature_complete_the_score(any_ward: Any) -> None:
    ward, encounter = admitted(any_ward)
    without = {code: value for code, value in WELL.items() if "MDCX" not in code}
    chart(ward, encounter, 1, without)
    found = judge(ward.store.picture, encounter.patient_id, ward.clock())
    assert (found.total, found.missing) == (None, ("oxygen", "consciousness"))
    chart(ward, encounter, 2, {"MDCX_OXYGEN": 1, "MDCX_CONSCIOUSNESS": 1})
    found = judge(ward.store.picture, encounter.patient_id, ward.clock())
    assert (found.total, found.tier, found.missing) == (5, "medium", ())
    assert ("MDC_TEMP_AXILLA", 36.8) in history(ward)


def test_the_alarm_follows_the_tier_and_a_missing_value_ends_nothing(stay: Any) -> None:
    ward, encounter = stay
    warning = EarlyWarning()

    def tick(**span: float) -> list[tuple[str, Any, Any]]:
        ward.clock.move(**span)
        ward.store.write(warning.tick)
        return calling(ward)

    assert tick(seconds=20) == []
    chart(ward, encounter, 1, WELL)
    assert tick(seconds=20) == []
    chart(ward, encounter, 2, {"MDC_RESP_RATE": 25})
    assert tick(seconds=5) == []
    assert tick(seconds=20) == [("Lo", 3, True)]
    chart(ward, encounter, 3, {"MDCX_CONSCIOUSNESS": 1})
    assert tick(seconds=20) == [("Me", 6, True)]
    chart(ward, encounter, 4, {"MDC_PULS_OXIM_SAT_O2": 91})
    assert tick(seconds=20) == [("Hi", 9, True)]
    assert tick(minutes=70) == [("Hi", 9, True)]
    chart(ward, encounter, 5, WELL)
    assert [present for *_, present in tick(seconds=20)] == [False]
    assert [value for code, value in history(ward) if code == SCORE] == [0, 3, 6, 9, 0]


def test_consciousness_of_this_morning_is_not_the_one_of_now(stay: Any) -> None:
    ward, encounter = stay
    chart(ward, encounter, 1, WELL)
    ward.clock.move(minutes=61)
    chart(ward, encounter, 2, {code: value for code, value in WELL.items() if code != "MDCX_CONSCIOUSNESS"})
    found = judge(ward.store.picture, encounter.patient_id, ward.clock())
    assert (found.total, found.missing) == (None, ("consciousness",))


def test_the_same_set_again_changes_nothing_and_another_under_its_id_is_refused(stay: Any) -> None:
    ward, encounter = stay
    chart(ward, encounter, 1, WELL)
    before = (ward.store.picture.cursor, len(history(ward)))
    chart(ward, encounter, 1, WELL)
    assert len(history(ward)) == before[1]
    with pytest.raises(ConflictError):
        chart(ward, encounter, 1, {"MDC_RESP_RATE": 40})


def test_a_late_entry_does_not_hide_what_was_found_after_it(stay: Any) -> None:
    ward, encounter = stay
    chart(ward, encounter, 1, {"MDC_RESP_RATE": 20})
    chart(ward, encounter, 2, {"MDC_RESP_RATE": 12}, at=ward.clock() - timedelta(hours=2))
    assert ward.store.picture.get(Observation, f"{encounter.patient_id}/MDC_RESP_RATE").value == 20
    assert len(history(ward)) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"MDC_RESP_RATE": 151}, {}),
        ({"MDCX_CONSCIOUSNESS": 5}, {}),
        ({"MDCX_OXYGEN": Decimal("0.5")}, {}),
        ({"MDC_ECG_HEART_RATE": 60}, {}),
        ({"MDC_RESP_RATE": 16}, {"at": timedelta(minutes=2)}),
        ({"MDC_RESP_RATE": 16}, {"at": timedelta(hours=-25)}),
    ],
)
def test_what_cannot_be_is_not_written_down(ward: Any, values: dict[str, Any], said: dict[str, Any]) -> None:
    shifted = {name: ward.clock() + span for name, span in said.items()}
    with pytest.raises(BadInputError):
        charted.check(some(ward, 1, values, **shifted), ward.clock())


def test_twice_the_same_code_or_another_unit_is_refused(ward: Any) -> None:
    one = some(ward, 1, {"MDC_RESP_RATE": 16})
    twice = charted.ChartedSet(id=one.id, at=one.at, values=one.values * 2)
    fahrenheit = charted.Charted(code="MDC_TEMP_AXILLA", value=Decimal(37), unit="[degF]")
    for bad in (twice, charted.ChartedSet(id=one.id, at=one.at, values=(fahrenheit,))):
        with pytest.raises(BadInputError):
            charted.check(bad, ward.clock())


def test_a_stay_that_has_ended_or_is_not_known_takes_nothing(stay: Any) -> None:
    ward, encounter = stay
    with pytest.raises(NotFoundError):
        ward.store.write(
            lambda unit: charted.chart(unit, ward.session(), "none", some(ward, 1, {"MDC_RESP_RATE": 1}))
        )
    assert ward.hospital.apply(DischargePatient(mrn="1001", visit_number="V1001", at=ward.clock())).ok
    ward.off()
    with pytest.raises(ConflictError):
        chart(ward, encounter, 1, WELL)


@pytest.fixture
def client(ward: Any, tmp_path: Path) -> Iterator[TestClient]:
    with serving(ward.store, ward.site, tmp_path) as client:
        yield client


def test_a_nurse_writes_down_over_http_and_reads_the_score(ward: Any, client: TestClient) -> None:
    ward.admit("1001", "01")
    stay = next(iter(ward.store.picture.all(Encounter)))
    head = bearer(token_of(ward.store, "N20713"))
    body = {
        "id": "set-00000001", "at": "2026-05-04T09:00:00+08:00",
        "values": [{"code": code, "value": str(value), "unit": UNITS[code]} for code, value in WELL.items()],
    }  # fmt: skip
    address = f"/api/v1/encounters/{stay.id}"
    answer = client.post(f"{address}/observations", headers=head, json=body)
    assert (answer.status_code, answer.json()["news2"]["total"]) == (201, 0)
    assert client.get(f"{address}/news2", headers=head).json() == {"total": 0, "tier": "low", "missing": []}
    ward.admit("1002", "02", "李秀兰")
    listed = client.get("/api/v1/wards/W1/news2", headers=head).json()["scores"]
    assert [(one["bed"], one["score"]["total"]) for one in listed] == [("01", 0), ("02", None)]
    assert "consciousness" in listed[1]["score"]["missing"]
    naive = client.post(f"{address}/observations", headers=head, json=body | {"at": "2026-05-04T09:00:00"})
    assert naive.status_code == 422
    put_person(ward.store, "E1", "engineer")
    refused = client.get(f"{address}/news2", headers=bearer(token_of(ward.store, "E1")))
    assert refused.json()["code"] == "role"
