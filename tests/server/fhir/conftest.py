"""A ward with something of every kind, and a FHIR client in this very process."""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from clinical.care_records import Specimen
from clinical.records import Allergy, Association, Encounter, Generation, Label, Patient
from server.administrations.service import record
from server.app import create_app
from server.context import Context
from server.fhir import tokens
from server.fhir.doors import Door
from server.hospital import HospitalFactsService
from server.infusions.service import record_started
from server.observations import charted
from server.storage import schema
from tests.support import ward_http
from tests.support.fhir import Fhir
from tests.support.ward_http import put_person, serving, token_of, with_second_ward

NAME = "欧阳<b>'\"𠮷㑇"
"""Markup, both quotes, a sign beyond the basic plane and a rare one."""


@pytest.fixture
def full(ward: Any) -> Any:
    """A ward of two, with one patient about whom there is something of every kind."""
    return _filled(ward)


@pytest.fixture
def any_full(any_ward: Any) -> Any:
    """The same on each kind of store."""
    return _filled(any_ward)


def _filled(ward: Any) -> Any:
    ward.site = with_second_ward(ward.site)
    ward.hospital = HospitalFactsService(ward.store, ward.site)
    ward.admit("1001", "01", NAME)
    stay = next(iter(ward.store.picture.stays_of("P-1001")))
    order = ward.order("1001", "M1", priority="stat")
    bag = ward.task_of(ward.order_bag("1001", "B1"))
    task = ward.task_of(order)
    ward.bag(bag.id)
    request = ward.request("r1", items=("69",))
    ward.store.write(lambda unit: record(unit, ward.site, ward.given("e1", task, request)))
    started = ward.started("e2", bag, ward.request("r2"))
    ward.store.write(lambda unit: record_started(unit, ward.site, started))
    ward.store.write(lambda unit: _facts(unit, ward, stay))
    for number, values in enumerate(_SETS):
        made = tuple(
            charted.Charted(code=code, value=Decimal(value), unit=unit) for code, value, unit in values
        )
        one = charted.ChartedSet(
            id=f"set-0000000{number}", at=ward.clock() - timedelta(minutes=number), values=made
        )
        ward.store.write(lambda unit, one=one: charted.chart(unit, ward.session(), stay.id, one))
    ward.store.write(lambda unit: _wave(unit, ward, stay))
    return ward


_SETS = (
    (
        ("MDC_PULS_RATE", "72", "/min"), ("MDC_PRESS_BLD_NONINV_SYS", "121", "mm[Hg]"),
        ("MDC_PRESS_BLD_NONINV_DIA", "78", "mm[Hg]"), ("MDC_TEMP_AXILLA", "36.8", "Cel"),
        ("MDCX_CONSCIOUSNESS", "0", "1"), ("MDC_PULS_OXIM_SAT_O2", "97", "%"),
    ),
    (("MDC_RESP_RATE", "16", "/min"), ("MDCX_PAIN_NRS", "3", "{score}")),
)  # fmt: skip


def _facts(unit: Any, ward: Any, stay: Encounter) -> None:
    unit.put(replace(stay, risks=("fall", "isolation"), diagnosis="肺炎"))
    patient = unit.get(Patient, stay.patient_id)
    unit.put(replace(patient, name_latin="OUYANG Ji", blood_group="A+", generation=Generation.DEMO))
    display = Label(zh="青霉素", en="Penicillin")
    unit.put(Allergy(id="P-1001/PEN", patient_id=patient.id, substance="PEN", display=display))
    unit.put(
        Specimen(
            id="T1", order_id="O-M1", patient_id=patient.id, encounter_id=stay.id, container="EDTA",
            state="collected", collected_at=ward.clock(), collected_by="N20713",
        )
    )  # fmt: skip
    oximeter = "serial:oximeter-02"
    unit.put(
        Association(id="A-ox", device_id=oximeter, encounter_id=stay.id, start=ward.clock(), by="N20713")
    )
    stopped = {
        "id": "check-1", "at": ward.clock(), "operator": "N20713", "handheld": "pda-1", "action": "GIVE",
        "word": "STOP", "verdict": "STOP", "codes": "PT-WRONG,DRUG-WRONG", "patient_id": patient.id,
        "task_id": "", "side": "server", "body": "{}",
    }  # fmt: skip
    unit.connection.execute(schema.evaluations.insert().values(stopped))


def _wave(unit: Any, ward: Any, stay: Encounter) -> None:
    unit.connection.execute(
        schema.waves.insert().values(
            id="w1", device_id="serial:oximeter-02", node="bed-02", effective=ward.clock(),
            encounter_id=stay.id, unassigned="", code="MDC_PULS_OXIM_PLETH", unit="1", rate_hz=75.0, gain=0.5,
            base=1.0, generation="Demo", samples=struct.pack("<5h", 0, 10, -3, 32767, -32768),
        )
    )  # fmt: skip


@functools.cache
def _application() -> FastAPI:
    """Build the application once: its routes are the same for every test, its ward is not."""
    return create_app(None)


def _over(context: Context | None) -> FastAPI:
    app = _application()
    app.state.context, app.state.fhir = context, Door()
    return app


@pytest.fixture
def http_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client over any ward."""
    monkeypatch.setattr(ward_http, "create_app", _over)
    return lambda ward: serving(ward.store, ward.site, tmp_path)


@pytest.fixture
def http(full: Any, http_over: Any) -> Iterator[TestClient]:
    with http_over(full) as client:
        yield client


@pytest.fixture
def fhir_as(full: Any, http: TestClient) -> Any:
    """A FHIR client of somebody on record, or of a system with scopes."""

    def make(person: str = "N10001", *, scopes: tuple[str, ...] = (), name: str = "emr") -> Fhir:
        if not scopes:
            return Fhir(http, token_of(full.store, person))
        made = full.store.write(
            lambda unit: tokens.make(unit, full.site, name=name, scopes=scopes, days=30, by="E90001")
        )
        return Fhir(http, made[0])

    return make


@pytest.fixture
def manager(full: Any, fhir_as: Any) -> Fhir:
    """Somebody of the whole hospital who reads everything."""
    put_person(full.store, "M1", "manager", "charge-nurse", "doctor", wards=())
    client: Fhir = fhir_as("M1")
    return client
