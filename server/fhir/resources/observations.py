"""Measured and charted values: vital signs by their profile, waves as sampled data, everything else plain."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clinical.codes import CODES
from clinical.records import USABLE, Validity
from server.fhir import codes
from server.fhir.ids import short
from server.fhir.shape import Resource, coding, concept, instant, pruned, quantity, reference
from server.fhir.view import View
from server.storage.columns import micros

PRESSURE, SYSTOLIC, DIASTOLIC = "MDC_PRESS_BLD_NONINV", "MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA"
MEAN = "MDC_PRESS_BLD_NONINV_MEAN"
PANEL = (SYSTOLIC, DIASTOLIC, MEAN)
"""Values of one cuff reading, in the order of the panel's components."""
_PROFILED = {
    "59408-5": ("2708-6", "Oxygen saturation in Arterial blood"),
    "8328-7": ("8310-5", "Body temperature"),
    "8333-7": ("8310-5", "Body temperature"),
    "8331-1": ("8310-5", "Body temperature"),
    "8332-9": ("8310-5", "Body temperature"),
    "8889-8": ("8867-4", "Heart rate"),
}
"""The number that the vital signs profile asks for beside the more exact one."""
_VITAL = frozenset({
    "8867-4", "8889-8", "9279-1", "2708-6", "59408-5", "85354-9", "8480-6", "8462-4", "8310-5", "8328-7",
    "8331-1", "8332-9", "8333-7", "29463-7", "8302-2",
})  # fmt: skip
_LABORATORY = frozenset({"15074-8", "14743-9", "6298-4", "6301-6", "14979-9", "777-3"})
_SURVEY = frozenset({"MDCX_PAIN_NRS", "MDCX_CONSCIOUSNESS", "MDCX_SEDATION_RASS", "MDCX_NEWS2"})
_CONSCIOUSNESS = "MDCX_CONSCIOUSNESS"
_WORDS = (("A", "alert"), ("C", "new confusion"), ("V", "voice"), ("P", "pain"), ("U", "unresponsive"))
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a measurement; ``number`` None or not usable means that there is none to rely on."""

    code: str
    number: float | Decimal | None
    unit: str
    validity: Validity = Validity.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured or charted at one time: one value, or those of one cuff reading."""

    encounter_id: str
    patient_id: str
    device_id: str
    effective: datetime
    recorded: datetime
    values: tuple[Value, ...]

    @property
    def code(self) -> str:
        """What it is a value of: the pressure for the values of a cuff."""
        return PRESSURE if self.values[0].code in PANEL else self.values[0].code

    @property
    def id(self) -> str:
        """Id made of stay, time, device and code, so that the same value has it wherever it is met."""
        return measured_id("m", self.encounter_id, self.effective, f"{self.device_id}\x00{self.code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    """About a second of a wave; value = raw × gain + base."""

    encounter_id: str
    patient_id: str
    device_id: str
    effective: datetime
    code: str
    unit: str
    rate_hz: float
    gain: float
    base: float
    samples: bytes

    @property
    def id(self) -> str:
        """Id made as that of a value."""
        return measured_id("w", self.encounter_id, self.effective, f"{self.device_id}\x00{self.code}")


def measured_id(kind: str, encounter_id: str, effective: datetime, what: str) -> str:
    """Return a FHIR id that leads back to the stay and the time: ``m-{stay}-{time}-{what}``."""
    number, digits = abs(micros(effective)), ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return f"{kind}-{short(encounter_id, 10)}-{digits or '0'}-{short(what, 16)}"


def concept_of(code: str) -> Resource:
    """Return the concept of one of our codes: LOINC where it has a number, MDC, else our own."""
    known = CODES.get(code)
    if known is None:
        return concept(coding(codes.LOCAL, code))
    exact = coding(codes.LOINC, known.loinc, known.label.en)
    wanted = _PROFILED.get(known.loinc)
    profiled = coding(codes.LOINC, *wanted) if wanted else {}
    device = (
        coding(codes.MDC, str(known.mdc), code) if known.mdc else coding(codes.LOCAL, code, known.label.en)
    )
    return concept(*((exact, profiled) if known.loinc else ()), device, text=known.label.zh)


def unit_concept(ucum: str) -> Resource:
    """Return a UCUM unit as a concept."""
    return concept(coding(codes.UCUM, ucum))


def is_vital(code: str) -> bool:
    """Whether a code is one of the vital signs profile."""
    return code in CODES and CODES[code].loinc in _VITAL


def category_of(code: str) -> str:
    """Return the category of a code."""
    if is_vital(code):
        return "vital-signs"
    if code in _SURVEY:
        return "survey"
    loinc = CODES[code].loinc if code in CODES else ""
    return "laboratory" if loinc in _LABORATORY else "therapy" if code.startswith("MDC_FL") else "procedure"


def result_of(one: Value) -> Resource:
    """Return a value, or why there is none."""
    absent = one.number is None or (isinstance(one.number, float) and math.isnan(one.number))
    if absent or one.validity in {Validity.INVALID, Validity.OVERFLOW, Validity.UNDERFLOW}:
        why = "unknown" if absent and one.validity in USABLE | {Validity.NOT_AVAILABLE} else "error"
        return {"dataAbsentReason": concept(coding(codes.ABSENT, why))}
    number = one.number if isinstance(one.number, Decimal) else Decimal(repr(one.number))
    if one.code == _CONSCIOUSNESS and number in range(len(_WORDS)):
        return {"valueCodeableConcept": concept(coding("urn:wardlink:acvpu", *_WORDS[int(number)]))}
    return {"valueQuantity": quantity(_plain(number), one.unit)}


def _plain(number: Decimal) -> Decimal:
    """The same number without an exponent, which a FHIR decimal may have but many readers refuse."""
    whole = number.to_integral_value()
    return whole.quantize(Decimal(1)) if number == whole and abs(whole) < 10**15 else number


def observation(one: Measured, view: View) -> Resource:
    """Map a measurement."""
    sure = all(value.validity in USABLE for value in one.values)
    numbers = all(value.validity not in {Validity.ONGOING, Validity.QUESTIONABLE} for value in one.values)
    panel = one.code == PRESSURE
    charted = one.device_id == "chart"
    return pruned(
        {
            "resourceType": "Observation",
            "meta": {"profile": [codes.VITAL_SIGNS] if is_vital(one.code) else []},
            "status": "final" if sure or numbers else "preliminary",
            "category": [concept(coding(codes.CATEGORY, category_of(one.code)))],
            "code": concept_of(one.code),
            "subject": view.patient(one.patient_id),
            "encounter": reference("Encounter", one.encounter_id),
            "effectiveDateTime": instant(one.effective),
            "issued": instant(max(one.recorded, one.effective)),
            **({} if panel else result_of(one.values[0])),
            "device": {} if charted else view.device(one.device_id),
            "component": _components(one.values) if panel else [],
        }
    )


def _components(values: Sequence[Value]) -> list[Resource]:
    """The pressures of a cuff; the profile wants systolic and diastolic, absent or not."""
    by_code = {value.code: value for value in values}
    blank = {code: Value(code=code, number=None, unit="mm[Hg]") for code in (SYSTOLIC, DIASTOLIC)}
    both = {**blank, **by_code}
    return [{"code": concept_of(code), **result_of(both[code])} for code in PANEL if code in both]


def wave(one: Waveform, view: View) -> Resource:
    """Map a stretch of a wave as sampled data."""
    count = len(one.samples) // 2
    raw = struct.unpack(f"<{count}h", one.samples[: count * 2])
    return pruned(
        {
            "resourceType": "Observation",
            "status": "final",
            "category": [concept(coding(codes.CATEGORY, "procedure"))],
            "code": concept_of(one.code),
            "subject": view.patient(one.patient_id),
            "encounter": reference("Encounter", one.encounter_id),
            "effectiveDateTime": instant(one.effective),
            "device": view.device(one.device_id),
            "valueSampledData": {
                "origin": quantity(one.base, one.unit),
                "period": 1000 / one.rate_hz,
                "factor": one.gain,
                "dimensions": 1,
                "data": " ".join(map(str, raw)),
            },
        }
    )
