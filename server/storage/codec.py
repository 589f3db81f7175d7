"""Records to text and back, and the words by which their kinds are known.

A kind's word is the field of :class:`clinical.records.Facts` that carries it, so that the store, the
change feed and the handheld speak of the same thing.
"""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar

import msgspec

from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry
from clinical.chart_records import Assessment, CriticalValue, FluidRecord, Handover, Round
from clinical.records import (
    Administration,
    Alarm,
    Allergy,
    Assignment,
    Association,
    Bag,
    Device,
    Encounter,
    Facts,
    Flow,
    Infusion,
    InfusionEntry,
    LabelPrint,
    Observation,
    Order,
    Patient,
    Practitioner,
    Product,
    SkinTest,
    Task,
    Wristband,
)

Record = (
    Practitioner
    | Patient
    | Encounter
    | Wristband
    | Allergy
    | Product
    | Order
    | Task
    | Bag
    | Administration
    | Infusion
    | InfusionEntry
    | Flow
    | Device
    | Association
    | Observation
    | Alarm
    | SkinTest
    | RunningSkinTest
    | BloodUnit
    | TransfusionEntry
    | Specimen
    | FluidRecord
    | Assessment
    | Round
    | CriticalValue
    | Handover
    | Assignment
    | LabelPrint
)
R = TypeVar("R", bound=Record)


def _kinds() -> dict[type[Any], str]:
    hints = typing.get_type_hints(Facts)
    return {typing.get_args(hint)[0]: name for name, hint in hints.items()}


KIND_OF: types.MappingProxyType[type[Any], str] = types.MappingProxyType(_kinds())
TYPE_OF: types.MappingProxyType[str, type[Any]] = types.MappingProxyType(
    {name: record_type for record_type, name in KIND_OF.items()}
)

# Newest values, not history: their past lives in ``samples``, so no version of them is kept.
WITHOUT_HISTORY = frozenset({"flows", "observations"})

_ENCODER = msgspec.json.Encoder()
_DECODERS = {name: msgspec.json.Decoder(record_type) for name, record_type in TYPE_OF.items()}


def kind_of(record: Record) -> str:
    """Return the word of a record's kind."""
    return KIND_OF[type(record)]


def to_text(value: Any) -> str:
    """Encode a record or any plain value as JSON text."""
    return _ENCODER.encode(value).decode()


def to_bytes(value: Any) -> bytes:
    """Encode a record or any plain value as JSON bytes."""
    return _ENCODER.encode(value)


def from_text(kind: str, text: str) -> Record:
    """Decode a stored record of ``kind``."""
    record: Record = _DECODERS[kind].decode(text)
    return record
