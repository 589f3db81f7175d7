"""Search parameters: how they are written, and whether a record fits them.

Values joined by commas mean any of them, a parameter that stands twice means both. What is not understood is
refused, unless the request says ``Prefer: handling=lenient``: then it is left out, and the self link says
what was searched for. Source: HL7 FHIR R4, search.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from server.fhir.errors import bad_request
from server.fhir.ids import fhir_id
from server.fhir.view import View

MAX_VALUES, MAX_PARAMS, MAX_TEXT = 100, 40, 500
_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_CONTROL = frozenset({"_count", "_cursor", "_format", "_pretty", "_summary", "_total"})
Span = tuple[datetime | None, datetime | None]
"""From and to; None is open. An instant is a span of no length."""
Token = tuple[str, str]
"""System and code."""
Getter = Callable[[Any, View], Iterable[Any]]


class Kind(StrEnum):
    """How a parameter is written."""

    TOKEN = "token"  # noqa: S105 - FHIR's word
    REFERENCE = "reference"
    DATE = "date"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One search parameter of a type; ``get`` takes its values out of a record."""

    name: str
    kind: Kind
    get: Getter
    target: str = ""  # of a reference without a type


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One parameter of a request: any of its values has to fit."""

    param: Param
    modifier: str
    values: tuple[Any, ...]
    raw: str

    def fits(self, record: Any, view: View) -> bool:
        """Whether a record fits."""
        found = list(self.param.get(record, view))
        hit = any(_FITS[self.param.kind](have, want, self.modifier) for have in found for want in self.values)
        return hit is not (self.modifier == "not")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a request asks for."""

    criteria: tuple[Criterion, ...]
    count: int
    cursor: str
    asked: tuple[tuple[str, str], ...]  # as understood, for the self link
    updated: tuple[Any, ...] = ()  # of _lastUpdated

    def values(self, *names: str) -> list[tuple[Any, ...]]:
        """The values asked for under any of these names, one entry for each time."""
        return [one.values for one in self.criteria if one.param.name in names and one.modifier != "not"]

    def fits(self, record: Any, view: View, *, without: frozenset[str] = frozenset()) -> bool:
        """Whether a record fits everything that was asked, but for parameters judged elsewhere."""
        return all(one.fits(record, view) for one in self.criteria if one.param.name not in without)


def parse(
    asked: Sequence[tuple[str, str]],
    params: Mapping[str, Param],
    zone: ZoneInfo,
    *,
    page: int,
    most: int,
    lenient: bool = False,
) -> Query:
    """Read the parameters of a request.

    Raises:
        FhirError: One is unknown, stands for nothing, or is not written as it should be.
    """
    if len(asked) > MAX_PARAMS:
        raise bad_request("fhir-search", "there are too many search parameters")
    criteria, kept, updated = [], [], []
    for name, raw in asked:
        bare, _, modifier = name.partition(":")
        if bare in _CONTROL:
            continue
        param = params.get(bare)
        if param is None or not _has_modifier(param, modifier):
            if lenient:
                continue
            raise bad_request(
                "fhir-parameter", "this search parameter is not known here", parameter=name[:64]
            )
        one = Criterion(param=param, modifier=modifier, values=_values(param, raw, zone), raw=raw)
        kept.append((name, raw))
        if bare == "_lastUpdated":
            updated.append(one.values)
        else:
            criteria.append(one)
    if sum(len(one.values) for one in criteria) > MAX_VALUES:
        raise bad_request("fhir-search", "there are too many search parameters")
    control = dict(asked)
    return Query(
        criteria=tuple(criteria),
        count=_count(control, page, most),
        cursor=from_cursor(control.get("_cursor", "")),
        asked=tuple(kept),
        updated=tuple(updated),
    )


def _count(control: Mapping[str, str], page: int, most: int) -> int:
    if control.get("_summary") == "count":
        return 0
    raw = control.get("_count", "")
    if not raw:
        return min(page, most)
    if not raw.isascii() or not raw.isdecimal() or len(raw) > 9:
        raise bad_request("fhir-count", "_count is a whole number from 0 on")
    return min(int(raw), most)


def _has_modifier(param: Param, modifier: str) -> bool:
    known = {Kind.STRING: {"", "exact", "contains"}, Kind.TOKEN: {"", "not"}, Kind.REFERENCE: {"", "Patient"}}
    return modifier in known.get(param.kind, {""})


def _values(param: Param, raw: str, zone: ZoneInfo) -> tuple[Any, ...]:
    parts = [part.replace("\\,", ",") for part in re.split(r"(?<!\\),", raw[: MAX_TEXT * MAX_VALUES])]
    if len(parts) > MAX_VALUES or not all(0 < len(part.strip()) <= MAX_TEXT for part in parts):
        raise bad_request(
            "fhir-value", "a search parameter needs a value, and has at most 100", parameter=param.name
        )
    return tuple(_value(param, part.strip(), zone) for part in parts)


def _value(param: Param, text: str, zone: ZoneInfo) -> Any:
    match param.kind:
        case Kind.DATE:
            return _dated(param.name, text, zone)
        case Kind.TOKEN:
            system, bar, code = text.rpartition("|")
            return (system if bar else None, code)
        case Kind.REFERENCE:
            kind, _, found = text.rpartition("/")
            return (kind.rsplit("/", 1)[-1] or param.target, found)
        case _:
            return text


def _dated(name: str, text: str, zone: ZoneInfo) -> tuple[str, datetime, datetime]:
    prefix = text[:2] if text[:2].isalpha() else "eq"
    span = span_of(text.removeprefix(prefix) if text[:2].isalpha() else text, zone)
    if span is None or prefix not in _PREFIXES:
        raise bad_request(
            "fhir-date",
            "a date is written like ge2026-05-04 or lt2026-05-04T08:00:00+08:00",
            parameter=name,
        )
    return (prefix, *span)


def span_of(text: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """Return the time a FHIR date or dateTime covers (the end does not belong to it); None when it is none.

    A day without a zone is a day of the ward.
    """
    match = _DATE.fullmatch(text.replace(" ", "+"))
    if match is None or (match[4] and not match[3]):
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups()[:6])
    micro = int((match[7] or "0").ljust(6, "0")[:6])
    try:
        where = _zone(match[8]) or zone
        start = datetime(
            year or 0, _or(month, 1), _or(day, 1), hour or 0, minute or 0, second or 0, micro, where
        )
        end = _after(start, month, day, hour, second, len(match[7] or ""))
        return start.astimezone(UTC), end.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _after(
    start: datetime, month: int | None, day: int | None, hour: int | None, second: int | None, digits: int
) -> datetime:
    """The end of what a date of this precision covers."""
    if month is None:
        return start.replace(year=start.year + 1)
    if day is None:
        return start + timedelta(days=calendar.monthrange(start.year, start.month)[1])
    if hour is None:
        return start + timedelta(days=1)
    if second is None:
        return start + timedelta(minutes=1)
    return start + (timedelta(microseconds=10 ** (6 - min(digits, 6))) if digits else timedelta(seconds=1))


def _or(part: int | None, missing: int) -> int:
    return missing if part is None else part


def _zone(text: str | None) -> Any:
    if not text:
        return None
    if text == "Z":
        return UTC
    return datetime.strptime(text, "%z").tzinfo


def _token_fits(have: Token, want: tuple[str | None, str], _modifier: str) -> bool:
    system, code = want
    return (system is None or system == have[0]) and (not code or code.lower() == have[1].lower())


def _reference_fits(have: tuple[str, str], want: tuple[str, str], _modifier: str) -> bool:
    return fhir_id(have[1]) == want[1] and want[0] in {"", have[0]}


def _string_fits(have: str, want: str, modifier: str) -> bool:
    if modifier == "exact":
        return have == want
    text, wanted = have.casefold(), want.casefold()
    if modifier == "contains":
        return wanted in text
    return text.startswith(wanted) or any(word.startswith(wanted) for word in text.split())


_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def date_fits(have: Span, want: tuple[str, datetime, datetime], _modifier: str = "") -> bool:
    """Whether a time or period stands to a date as its prefix says."""
    low, high = have[0] or _FIRST, have[1] or _LAST
    prefix, start, end = want
    inside = start <= low and (high < end or (high == low and high < end))
    match prefix:
        case "eq":
            return inside
        case "ne":
            return not inside
        case "gt" | "sa":
            return high >= end if prefix == "gt" else low >= end
        case "lt" | "eb":
            return low < start if prefix == "lt" else high < start
        case "ge":
            return high >= start
        case _:
            return low < end


_FITS: Mapping[Kind, Callable[[Any, Any, str], bool]] = {
    Kind.TOKEN: _token_fits,
    Kind.REFERENCE: _reference_fits,
    Kind.STRING: _string_fits,
    Kind.DATE: date_fits,
}


def bounds(wanted: Iterable[tuple[Any, ...]]) -> Span:
    """The narrowest span that holds everything a date parameter lets through (from, to; both belong).

    Raises:
        FhirError: A value is not a simple border.
    """
    low: datetime | None = None
    high: datetime | None = None
    for values in wanted:
        if len(values) != 1 or values[0][0] == "ne":
            raise bad_request("fhir-date-here", "give each date here one value, without the prefix ne")
        one_low, one_high = _borders(*values[0])
        low = max(filter(None, (low, one_low)), default=None)
        high = min(filter(None, (high, one_high)), default=None)
    return low, high


def _borders(prefix: str, start: datetime, end: datetime) -> Span:
    last = end - timedelta(microseconds=1)
    match prefix:
        case "eq":
            return start, last
        case "gt" | "sa":
            return end, None
        case "ge":
            return start, None
        case "lt" | "eb":
            return None, start - timedelta(microseconds=1)
        case _:
            return None, last


def to_cursor(place: str) -> str:
    """Write a place in a list as a word nobody is meant to read."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def from_cursor(word: str) -> str:
    """Return the place that :func:`to_cursor` wrote.

    Raises:
        FhirError: It did not write this word.
    """
    try:
        padded = word.encode("ascii") + b"=" * (-len(word) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_request("fhir-cursor", "follow the next link as it was given") from None
