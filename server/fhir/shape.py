"""The small parts that every resource is made of; an empty part is left out of what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from clinical.records import Dose, Label
from server.fhir.codes import UCUM
from server.fhir.ids import fhir_id

Resource = dict[str, Any]
JSON = "application/fhir+json"
NDJSON = "application/fhir+ndjson"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def to_json(value: Any) -> bytes:
    """Encode a resource; decimals keep every digit they have."""
    return _ENCODER.encode(value)


def pruned(resource: Resource) -> Resource:
    """Return the same without what is empty: FHIR has no empty texts, lists or objects."""
    kept = {key: _pruned(part) for key, part in resource.items()}
    return {key: part for key, part in kept.items() if not _is_empty(part)}


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return pruned(dict(value))
    if isinstance(value, list | tuple):
        return [part for part in map(_pruned, value) if not _is_empty(part)]
    return value


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, dict | list) and not value)


def instant(at: datetime | None) -> str | None:
    """Return a time as FHIR writes it, to the millisecond, in UTC."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def period(start: datetime | None, end: datetime | None = None) -> Resource:
    """Return a Period; an open end is left out, and one before its start becomes its start."""
    if start is not None and end is not None and end < start:
        end = start
    return {"start": instant(start), "end": instant(end)}


def reference(kind: str, record_id: str, display: str = "") -> Resource:
    """Return a reference to a resource of this server; nothing without an id."""
    return {"reference": f"{kind}/{fhir_id(record_id)}", "display": display} if record_id else {}


def coding(system: str, code: str, display: str = "") -> Resource:
    """Return a Coding; nothing without a code."""
    return {"system": system, "code": code.strip(), "display": display} if code.strip() else {}


def concept(*codings: Resource, text: str = "") -> Resource:
    """Return a CodeableConcept."""
    return {"coding": list(codings), "text": text}


def labelled(system: str, code: str, label: Label) -> Resource:
    """Return the concept of a code with words in both languages: Chinese as its text, English beside it."""
    return concept(coding(system, code, label.en), text=label.zh)


def quantity(value: Decimal | float | None, unit: str, display: str = "") -> Resource:
    """Return a Quantity in a UCUM unit; nothing without a value."""
    if value is None:
        return {}
    return {"value": value, "unit": display or unit, "system": UCUM if unit else "", "code": unit}


def dose(one: Dose | None) -> Resource:
    """Return a dose as a Quantity."""
    return quantity(one.value, one.unit) if one is not None else {}


def identifier(system: str, value: str, kind: str = "", use: str = "") -> Resource:
    """Return an Identifier; ``kind`` is a code of HL7 table 0203. Nothing without a value."""
    if not value.strip():
        return {}
    v2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
    return {"use": use, "type": concept(coding(v2, kind)), "system": system, "value": value}


def extension(name: str, **value: Any) -> Resource:
    """Return one of this product's own extensions; nothing without a value."""
    return {"url": f"urn:wardlink:fhir:{name}", **value} if any(value.values()) else {}
