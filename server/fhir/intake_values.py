"""Observations that were taken in as reports of a laboratory, a device or a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clinical.codes import CODES
from clinical.records import Generation, Validity
from server.fhir import codes
from server.fhir.errors import unprocessable
from server.fhir.incoming import Concept, ObservationIn, Quantity
from server.fhir.intake import id_of
from server.fhir.resources.observations import PANEL, PRESSURE
from server.his.reported import MeasuredFact, ReportMeasurements, ReportResults, ResultFact, Whom
from server.observations.charted import RANGES

_CRITICAL = frozenset({"HH", "LL", "AA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report with what its resource will be called: the code, the device and the time."""

    fact: ReportMeasurements | ReportResults
    code: str
    device: str
    at: datetime


def report(one: ObservationIn, mrn: str, name: str, sender: str, *, demo: bool) -> Reported:
    """One observation as a report: of a laboratory when it says so, else of a device or a person.

    Raises:
        FhirError: It is not final, has no value, or a code, unit or value that cannot be.
    """
    at = one.effectiveDateTime or one.effectiveInstant
    if one.status not in {"final", "corrected", "amended"} or at is None:
        raise unprocessable(
            "fhir-status", "an observation is final and has its time", element="Observation.status"
        )
    values = _values_of(one, at)
    generation = Generation.DEMO if demo else Generation.REAL
    device = _device(one)
    whom = Whom(mrn=mrn, device=device)
    if any(concept.code_of(codes.CATEGORY) == "laboratory" for concept in one.category):
        critical = any(concept.code_of() in _CRITICAL for concept in one.interpretation)
        results = tuple(
            ResultFact(
                code=value.code, name=CODES[value.code].label.en, text=str(value.value), number=value.value,
                unit=value.unit, critical=critical, at=at,
            )
            for value in values
        )  # fmt: skip
        lab = ReportResults(
            whom=whom, report=name, reported_by=sender, values=results, at=at, generation=generation
        )
        return Reported(fact=lab, code=values[0].code, device="", at=at)
    measured = ReportMeasurements(
        whom=whom, gateway="", report=name, values=tuple(values), at=at, generation=generation
    )
    code = PRESSURE if values[0].code in PANEL else values[0].code
    return Reported(fact=measured, code=code, device=device, at=at)


def _device(one: ObservationIn) -> str:
    if one.device is None:
        return ""
    if one.device.identifier is not None:
        return one.device.identifier.value[:96]
    return id_of(one.device.reference, "Device", "Observation.device")[:96]


def _values_of(one: ObservationIn, at: datetime) -> list[MeasuredFact]:
    if one.valueQuantity is not None and not one.component:
        pairs = [(one.code, one.valueQuantity)]
    elif one.component and one.valueQuantity is None:
        pairs = [(part.code, part.valueQuantity) for part in one.component]
    else:
        raise unprocessable(
            "fhir-required", "an observation has one value, or components", element="Observation.value"
        )
    made = [_value(code, quantity, at) for code, quantity in pairs]
    if len({value.code for value in made}) != len(made):
        raise unprocessable("fhir-code", "one code stands twice", element="Observation.component.code")
    if len(made) > 1 and not all(value.code in PANEL for value in made):
        raise unprocessable(
            "fhir-code", "only the pressures of one cuff stand together", element="Observation.component.code"
        )
    return made


def _value(concept: Concept, quantity: Quantity, at: datetime) -> MeasuredFact:
    code = our_code(concept)
    if not code:
        raise unprocessable(
            "fhir-code", "this observation has no code that is known here", element="Observation.code"
        )
    known, allowed = CODES[code], RANGES.get(code)
    if quantity.ucum != known.ucum:
        raise unprocessable(
            "fhir-unit",
            "this code is taken in another unit",
            element="Observation.valueQuantity",
            unit=known.ucum,
        )
    if allowed is not None and not Decimal(allowed[0]) <= quantity.value <= Decimal(allowed[1]):
        raise unprocessable(
            "observation", "this value cannot be; check it", element="Observation.valueQuantity"
        )
    return MeasuredFact(code=code, value=quantity.value, unit=known.ucum, validity=Validity.VALID, at=at)


_LOINC = {
    **{known.loinc: code for code, known in reversed(CODES.items()) if known.loinc},
    **{CODES[code].loinc: code for code in RANGES if CODES[code].loinc},
    "2708-6": "MDC_PULS_OXIM_SAT_O2",
}
"""Our code of a LOINC number: where several share one, that which is written down by hand."""
_NUMBERED = {str(known.mdc): code for code, known in CODES.items() if known.mdc}


def our_code(concept: Concept) -> str:
    """Our code of an observation; the device's own number says more than LOINC, which says more than text."""
    for one in concept.coding:
        if one.system == codes.MDC and one.code in _NUMBERED:
            return _NUMBERED[one.code]
    for one in concept.coding:
        if one.system == codes.LOINC and one.code in _LOINC:
            return _LOINC[one.code]
        if one.system == codes.LOCAL and one.code in CODES:
            return one.code
    return ""
