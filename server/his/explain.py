"""Says field by field what a message means and what it would do, without doing it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from server.his.answers import verdict_of
from server.his.mapping import facts_of
from server.his.message import Segment, parse
from server.his.port import ChangeOrder, HospitalFact, Place, PlaceOrder
from server.his.reading import Site
from server.his.refusal import RefusedMessageError
from server.his.reported import MeasuredFact, ReportMeasurements, ReportResults, ResultFact

_UNKNOWN = {"zh": "不使用的段（保留原文）", "en": "segment that is not used (kept as sent)"}


@cache
def _catalog(name: str) -> Mapping[str, Any]:
    text = resources.files("server.his").joinpath("i18n", f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def explain(raw: bytes, site: Site) -> dict[str, Any]:
    """Return what a message says, as plain data ready for JSON.

    Returns:
        ``accepted`` and ``answer`` (AA, AE or AR), ``type``, ``control_id``, ``reason`` when it would be
        refused, ``effects`` (one sentence each in zh and en, with the fact's fields), and ``segments``.
        Whether codes are mapped is only known on the ward's own server.
    """
    try:
        message = parse(raw, default_charset=site.default_charset)
    except RefusedMessageError as refusal:
        return {"type": "", "control_id": "", **_refused(refusal), "effects": [], "segments": []}
    result: dict[str, Any] = {"type": "^".join(message.type), "control_id": message.control_id}
    try:
        facts = facts_of(message, site)
        result |= {"accepted": True, "answer": "AA", "reason": None, "effects": _effects(facts)}
    except RefusedMessageError as refusal:
        result |= {**_refused(refusal), "effects": []}
    return result | {"segments": [_segment(segment) for segment in message.segments]}


def lacking(result: dict[str, Any], codes: list[dict[str, str]]) -> dict[str, Any]:
    """Return what a message would do on a ward whose tables lack these codes; see :func:`explain`.

    A value whose code is not known is kept in its message only; any other code refuses the message.
    """
    refusing = next((one for one in codes if one["system"] != "observation"), None)
    found = result | {"unmapped": codes}
    if refusing is None or not result["accepted"]:
        return found
    where = f"{refusing['system']} {refusing['code']}"
    refusal = RefusedMessageError(
        "unmapped-code",
        f"The ward's tables do not know {where}; map it, then send again.",
        hl7_code=103,
        where=where,
    )
    return found | _refused(refusal)


def _refused(refusal: RefusedMessageError) -> dict[str, Any]:
    reason = {
        "code": refusal.code,
        "hl7_code": refusal.hl7_code,
        "where": refusal.where,
        "en": refusal.message,
        "zh": _catalog("refusals")[refusal.code].format(where=refusal.where),
    }
    return {"accepted": False, "answer": verdict_of(refusal).value, "reason": reason}


def _effects(facts: tuple[HospitalFact, ...]) -> list[dict[str, Any]]:
    if not facts:
        return [{"fact": "nothing", **_catalog("effects")["nothing"], "fields": {}}]
    return [_effect(fact) for fact in facts]


def _effect(fact: HospitalFact) -> dict[str, Any]:
    kind = type(fact).__name__
    words = _words(fact)
    sentences = {language: text.format_map(words) for language, text in _catalog("effects")[kind].items()}
    return {"fact": kind, **sentences, "fields": plain(fact)}


def _words(fact: HospitalFact) -> dict[str, str]:
    whole = fact.order if isinstance(fact, ChangeOrder) else fact
    words = {field.name: str(getattr(whole, field.name) or "–") for field in dataclasses.fields(whole)}
    place = getattr(whole, "place", None)
    if isinstance(place, Place):
        words["place"] = " ".join(part for part in (place.ward, place.room, place.bed) if part)
    if isinstance(whole, ReportResults | ReportMeasurements):
        words["values"] = ", ".join(_value(value) for value in whole.values)
    if isinstance(whole, PlaceOrder):
        words["items"] = (
            " + ".join(
                f"{item.text} {'' if item.amount is None else format(item.amount, 'f')} {item.unit}".strip()
                for item in whole.items
            )
            or "–"
        )
    return words


def _value(value: ResultFact | MeasuredFact) -> str:
    if isinstance(value, ResultFact):
        return f"{value.name} {value.text} {value.unit}".strip()
    shown = "–" if value.value is None else format(value.value, "f")
    return f"{value.code} {shown} {value.unit}".strip()


def plain(value: Any) -> Any:
    """Turn a fact into JSON data; what was not said is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(part) for name, part in pairs if part not in (None, "", frozenset())}
    if isinstance(value, (tuple, frozenset)):
        return [plain(part) for part in (sorted(value) if isinstance(value, frozenset) else value)]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value


def _segment(segment: Segment) -> dict[str, Any]:
    known = _catalog("segments").get(segment.name)
    name = known["name"] if known else _UNKNOWN
    fields = (
        []
        if known is None
        else [
            _field(segment, number, known[str(number)])
            for number in range(1, len(segment))
            if str(number) in known and segment.raw_field(number)
        ]
    )
    return {"segment": segment.name, "name": name, "fields": fields}


def _field(segment: Segment, number: int, label: Mapping[str, str]) -> dict[str, Any]:
    parts = [part.strip() for part in segment.raw_field(number).split(segment.message.marks.component)]
    value = " ".join(segment.message.plain(part) for part in parts if part)
    return {
        "field": f"{segment.name}-{number}",
        "label": dict(label),
        "raw": segment.raw_field(number),
        "value": "" if segment.is_deleted(number) else value,
        "deletes": segment.is_deleted(number),
    }
