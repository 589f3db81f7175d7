"""What laboratories and the gateways of other makers' devices report becomes history and newest values.

A critical result enters the closed loop of critical values and alarms until a doctor has answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from broker.messages import Value
from clinical.chart_records import CriticalValue
from clinical.codes import CODES
from clinical.errors import NotFoundError
from clinical.records import Encounter, Observation, Patient, Validity, present_of
from server.critical_values import service as critical_values
from server.his.reported import ReportMeasurements, ReportResults, ResultFact
from server.hospital_codes import CodeTables
from server.hospital_whom import must_fit, stay_for
from server.ingest.rollup import note_due
from server.observations.entries import CHART, minute_of
from server.observations.service import keep_newest
from server.patients import service as patients
from server.storage import bulk
from server.storage.columns import micros
from server.storage.last_values import observation_id
from server.storage.store import UnitOfWork
from server.storage.values import Layouts, pack

BY = "his"
NOT_HERE = "It is about nobody of these wards; it is kept and changes nothing."
_TO_OURS: dict[tuple[str, str], tuple[Decimal, Decimal]] = {
    ("[degF]", "Cel"): (Decimal(5) / Decimal(9), Decimal(-160) / Decimal(9)),
    ("kPa", "mm[Hg]"): (Decimal("7.50062"), Decimal(0)),
    ("g", "kg"): (Decimal("0.001"), Decimal(0)),
    ("mg/dL", "mmol/L"): (1 / Decimal("18.0156"), Decimal(0)),  # glucose only, see _converted
}
_GLUCOSE = ("MDC_CONC_GLU",)
_SAMPLE = (
    "id", "device_id", "node", "outbox", "seq", "effective", "recorded", "encounter_id", "unassigned",
    "infusion_id", "generation", "clock", "uncertainty_ms", "layout", "vals", "validity",
)  # fmt: skip


def measured(unit: UnitOfWork, codes: CodeTables, fact: ReportMeasurements) -> str:
    """File a report of devices on the stay it is about; returns what a person may want to know.

    Raises:
        WardlinkError: It cannot be known for certain about whom it is; see :mod:`server.hospital_whom`.
    """
    stay = stay_for(unit, codes, fact.whom)
    if stay is None:
        return NOT_HERE
    patient = must_fit(unit, stay.patient_id, fact.generation)
    device = (fact.whom.device or fact.gateway or CHART)[:96]
    by_time: dict[datetime, dict[str, Value]] = {}
    unknown: set[str] = set()
    for one in fact.values:
        value = _value(codes, one.code, one.value, one.unit, one.validity)
        if value is None:
            unknown.add(one.code)
        else:
            by_time.setdefault(min(one.at, unit.now), {})[value.code] = value
    for at, values in sorted(by_time.items()):
        _file(unit, f"{fact.gateway}/{fact.report}", at, stay, patient, values.values(), device)
    return _note(unknown)


def resulted(unit: UnitOfWork, codes: CodeTables, fact: ReportResults) -> str:
    """File a laboratory's report; critical results alarm. Returns what a person may want to know.

    Raises:
        NotFoundError: A critical result of a patient who is not known here: somebody has to hear of it.
    """
    patient = patients.by_mrn(unit, fact.whom.mrn)
    stay = present_of(unit.stays_of(patient.id)) if patient is not None else None
    if patient is None or stay is None:
        if any(one.critical for one in fact.values):
            raise NotFoundError("unknown-patient", "a critical result of a patient who is not on this ward")
        return NOT_HERE
    must_fit(unit, patient.id, fact.generation)
    unknown: set[str] = set()
    for number, one in enumerate(fact.values):
        at = min(one.at or fact.at or unit.now, unit.now)
        if one.critical:
            critical_values.receive(unit, _critical(fact, one, patient.id, unit.now))
        validity = Validity.INVALID if one.withdrawn else Validity.VALID
        value = _value(codes, one.code, one.number, one.unit, validity)
        if value is None:
            unknown.add(one.code)
        else:
            _file(unit, f"{fact.report}/{number}/{one.text}/{validity}", at, stay, patient, [value], CHART)
    return _note(unknown)


def _note(unknown: set[str]) -> str:
    if not unknown:
        return ""
    return f"Kept in the message only, for want of a code, number or unit: {', '.join(sorted(unknown))}."[
        :500
    ]


def _critical(fact: ReportResults, one: ResultFact, patient_id: str, now: datetime) -> CriticalValue:
    """Name the value by what it says, so that the same result sent again is the same critical value."""
    said = "/".join((patient_id, fact.report, one.code, one.text, str(one.at or fact.at)))
    return CriticalValue(
        id=f"lab-{hashlib.sha256(said.encode()).hexdigest()[:24]}",
        patient_id=patient_id,
        test=one.name or one.code,
        value=one.text,
        unit=one.unit,
        reported_by=fact.reported_by,
        received_by=BY,
        received_at=now,
    )


def _value(
    codes: CodeTables, code: str, number: Decimal | None, unit: str, validity: Validity
) -> Value | None:
    """Return a value in our code and unit; None where either is not known here."""
    ours = CODES.get(codes.observation(code))
    if ours is None or (number is None and validity is Validity.VALID):
        return None
    converted = _converted(ours.ref_id, number, codes.unit_of(unit), ours.ucum)
    if converted is None and number is not None:
        return None
    return Value(code=ours.ref_id, n=converted, unit=ours.ucum, validity=validity)


def _converted(code: str, number: Decimal | None, unit: str, ours: str) -> Decimal | None:
    if number is None or unit == ours:
        return number
    if code == "MDC_PULS_OXIM_PERF_REL" and unit == "1":  # monitors write the index without its percent
        return number
    line = _TO_OURS.get((unit, ours))
    if line is None or (unit == "mg/dL" and not code.startswith(_GLUCOSE)):
        return None
    return (number * line[0] + line[1]).quantize(Decimal("0.01"))


def _file(
    unit: UnitOfWork,
    name: str,
    at: datetime,
    stay: Encounter,
    patient: Patient,
    values: Iterable[Value],
    device: str,
) -> None:
    """Add one set of values of one time to a stay's history, and keep the newest of each code."""
    made, own = list(values), hashlib.sha256(f"{name}/{at.isoformat()}".encode()).hexdigest()[:32]
    if not made:
        return
    layout = Layouts().number_of(unit, tuple((value.code, value.unit) for value in made))
    row = (
        f"{BY}-{own}", device, BY, own, 0, micros(at), micros(unit.now), stay.id, "", "",
        patient.generation.value, "synchronised", 0, layout, *pack(made),
    )  # fmt: skip
    bulk.append(unit.connection, "samples", _SAMPLE, [row])
    note_due(unit, {(stay.id, minute_of(at))})
    for value in made:
        _keep(unit, patient, value, at, device)


def _keep(unit: UnitOfWork, patient: Patient, value: Value, at: datetime, device: str) -> None:
    newest = Observation(
        id=observation_id(patient.id, value.code),
        patient_id=patient.id,
        code=value.code,
        value=value.n,
        unit=value.unit,
        effective=at,
        validity=value.validity,
        device_id=device,
        generation=patient.generation,
    )
    before = unit.get(Observation, newest.id)
    if value.validity is Validity.INVALID and before is not None and before.effective == at:
        newest = replace(newest, value=before.value)  # withdrawn: shown as what it was, and never used
    keep_newest(unit, newest)
