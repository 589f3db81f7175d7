"""Every migration down and up again with a ward in it: nobody and nothing measured is another afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from broker.messages import Clock, Readings, Value, Wave
from clinical.records import Generation, Observation, Validity
from server.infusions.flow import FlowWatch
from server.ingest.commit import BatchWriter
from server.ingest.decode import Decoded
from server.storage import care, schema
from server.storage.engine import downgrade, open_engine, upgrade
from server.storage.store import Store
from server.storage.values import read_layouts, unpack
from server.sync.events import apply
from tests.server.conftest import START, FakeClock, WardBench, plant

pytestmark = [pytest.mark.requirement("R-SRV-01"), pytest.mark.hazard("H-SRV-01")]
OXIMETER, SPO2, PULSE = "serial:oximeter-01", "MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE"
WAVE = "MDC_PULS_OXIM_PLETH"


def live(ward: WardBench) -> None:
    """A patient with a dose given, an oximeter that measures, and a reading of a device nobody knows."""
    ward.admit("1001", "01", "刘䶮<b>")
    task = ward.task_of(ward.order("1001", "M1"))
    given = ward.given("g1", task, ward.request("r1"))
    ward.store.write(lambda unit: apply(unit, ward.site, ward.session(), given))
    writer = BatchWriter(FlowWatch(ward.site.policy))
    ward.clock.move(minutes=2)
    batch = [Decoded(one, False) for one in _messages(ward)]
    ward.store.write(lambda unit: writer.write(unit, batch))


def _messages(ward: WardBench) -> Iterator[Readings | Wave]:
    for number, (device, validity) in enumerate(
        ((OXIMETER, Validity.VALID), (OXIMETER, Validity.QUESTIONABLE), ("ble:nobody", Validity.VALID)), 1
    ):
        head = {"node": "bed-01", "boot": "b", "outbox": "o", "seq": number, "sent": ward.clock()}
        yield Readings(
            id=f"r{number}", device=device, profile="nonin_oem3", mono_ns=0, generation=Generation.DEMO,
            effective=ward.clock() - timedelta(seconds=10 - number), clock=Clock(state="synchronised"),
            values=[
                Value(code=SPO2, n=Decimal("97.5"), unit="%", validity=validity),
                Value(code=PULSE, n=None if number == 1 else Decimal(72), unit="/min"),
            ],
            **head,
        )  # fmt: skip
    yield Wave(
        id="w1", device=OXIMETER, effective=ward.clock(), generation=Generation.DEMO, code=WAVE,
        unit="1", rate_hz=75.0, gain=1.0, offset=0.0, samples=b"\x01\x02" * 75,
        **(head | {"seq": 4}),
    )  # fmt: skip


def held(url: str, clock: FakeClock) -> dict[str, Any]:
    """All that a store holds and every revision can hold."""
    store = Store(open_engine(url), clock)
    try:
        with store.reading() as connection:
            layouts = read_layouts(connection)
            samples = {
                row.id: (row.effective, row.encounter_id, row.unassigned, row.node, row.outbox, row.seq, [
                    (*code, repr(number), word)
                    for code, number, word in zip(
                        layouts[row.layout], *unpack(row.vals, row.validity), strict=True
                    )
                ])
                for row in connection.execute(select(schema.samples))
            }  # fmt: skip
            whole = {
                name: sorted(map(repr, connection.execute(select(schema.metadata.tables[name]))))
                for name in ("waves", "facts", "fact_history", "events", "ingest_intervals", "audit")
            }
        return {
            "picture": store.picture.kinds,
            "version": store.picture.version,
            "samples": samples,
        } | whole
    finally:
        store.close()


@pytest.fixture
def lived(any_url: str, clock: FakeClock) -> Iterator[Engine]:
    """A store that a ward has lived in; no server runs on it any more."""
    engine = open_engine(any_url)
    upgrade(engine)
    store = Store(engine, clock)
    try:
        live(plant(store, clock))
    finally:
        store.close()
    yield engine
    engine.dispose()


@pytest.mark.parametrize("revision", ["0003", "0002", "0001"])
def test_a_ward_goes_down_to_a_revision_and_comes_up_the_same(
    lived: Engine, any_url: str, clock: FakeClock, revision: str
) -> None:
    before = held(any_url, clock)
    assert len(before["samples"]) == 3
    picture = before["picture"]
    assert {entry.record.value for entry in picture["observations"].values()} == {
        Decimal("97.5"),
        Decimal(72),
    }
    assert [entry.record.outcome for entry in picture["administrations"].values()] == ["given"]
    downgrade(lived, revision)
    upgrade(lived)
    assert held(any_url, clock) == before
    assert care.verify(any_url)["problems"] == []


def test_newest_values_of_before_stand_by_device_and_those_who_had_left_stay_out(
    any_url: str, clock: FakeClock
) -> None:
    engine = open_engine(any_url)
    upgrade(engine)
    downgrade(engine, "0003")
    row = text(
        "INSERT INTO last_values (id, patient_id, code, seq, ward, active, effective, body) "
        "VALUES (:id, :patient, :code, :seq, 'W1', :active, 0, :body)"
    )
    said = (
        '{{"id":"{id}","patient_id":"{patient}","code":"{code}","value":{value},"unit":"%",'
        '"effective":"2026-05-04T01:00:00.25Z","validity":"Vld","device_id":"氧","generation":"Demo"}}'
    )
    with engine.begin() as connection:
        for patient, code, value, active in (
            ("P1", SPO2, '"97.50"', True), ("P1", PULSE, "null", True), ("P2", SPO2, '"95"', False),
        ):  # fmt: skip
            one = {"id": f"{patient}/{code}", "patient": patient, "code": code}
            body = said.format(**one, value=value)
            connection.execute(row, one | {"seq": 7, "active": active, "body": body})
    upgrade(engine)
    assert care.verify(any_url)["problems"] == []
    store = Store(engine, clock)
    found = {one.id: one for one in store.picture.all(Observation)}
    assert {name: str(one.value) for name, one in found.items()} == {
        f"P1/{SPO2}": "97.50",
        f"P1/{PULSE}": "None",
    }
    assert found[f"P1/{SPO2}"].effective == START + timedelta(seconds=0.25)
    assert (found[f"P1/{SPO2}"].device_id, store.picture.cursor) == ("氧", 7)
    store.close()
