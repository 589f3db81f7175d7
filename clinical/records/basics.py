"""Words that every record uses: how a value came to be, whether it may be relied on, texts and amounts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Generation(StrEnum):
    """How a value came to be (BICEPS ``GenerationMode``). Demo never mixes with Real."""

    REAL = "Real"
    TEST = "Test"
    DEMO = "Demo"


class Validity(StrEnum):
    """Whether a measured value may be relied on (BICEPS ``MeasurementValidity``)."""

    VALID = "Vld"
    VALIDATED = "Vldated"
    ONGOING = "Ong"
    QUESTIONABLE = "Qst"
    CALIBRATING = "Calib"
    INVALID = "Inv"
    OVERFLOW = "Oflw"
    UNDERFLOW = "Uflw"
    NOT_AVAILABLE = "NA"


USABLE = frozenset({Validity.VALID, Validity.VALIDATED})
"""Validities of a value that may be judged, charted and relied on; everything else is only shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text a person reads, in both of the product's languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """An amount with its UCUM unit, exact: ``500 mg``, ``0.333333 {tablet}``."""

    value: Decimal
    unit: str
