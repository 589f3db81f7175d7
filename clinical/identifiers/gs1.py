"""Reads GS1 data: element strings with FNC1, bracketed text and Digital Link URIs, all driven by one table.

Verdicts equal those of the GS1 reference syntax engine on its published test vectors. Two deliberate
differences, both on the safe side: text in brackets is what a person typed or copied, so a missing item key
there is a warning and not an error; and a lot that ends like a date gets the warning ``separator-missing``,
because a scanner that dropped FNC1 hides the expiry inside the lot and the result is still well formed.

Source: GS1 General Specifications; GS1 Syntax Dictionary and Syntax Engine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from urllib.parse import unquote_to_bytes

from clinical.identifiers.gs1_checks import CHECKS
from clinical.identifiers.gs1_table import AI_LENGTH, TABLE, Ai
from clinical.identifiers.model import Element

GS = "\x1d"
_MAX_ELEMENTS = 64
_ITEM_KEYS = frozenset({"01", "02", "03", "8006", "8026"})
_SWALLOWED_DATE = re.compile(r".(?:11|13|15|17)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])$")
_SWALLOWED_SERIAL = re.compile(r".21[0-9A-Z]*\d{4,}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The elements of one GS1 code, or the first thing that is wrong with it."""

    elements: tuple[Element, ...] = ()
    error: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the data obeys the whole standard."""
        return not self.error


class _WrongError(Exception):
    """Carries the sentence out of the nested parser; never leaves this module."""


def parse_elements(data: str, *, associations: bool = True, implied: str = "") -> Parsed:
    """Read the data of a GS1 symbol without its symbology identifier; GS (0x1D) stands for FNC1.

    Args:
        data: Characters as the scanner sends them. One leading GS is forgiven: some imagers send it.
        associations: Whether required and excluded partners are checked too.
        implied: An AI that is known from elsewhere, e.g. ``01`` of the EAN half of a composite symbol.
    """
    try:
        pairs = _split(data.removeprefix(GS))
        return _judge(pairs, associations=associations, implied=implied)
    except _WrongError as wrong:
        return Parsed(error=str(wrong))


def parse_bracketed(text: str) -> Parsed:
    r"""Read human-readable text such as ``(01)06901234567892(10)A1``; ``\(`` is a bracket in a value."""
    try:
        return _judge(_split_bracketed(text), lenient=True)
    except _WrongError as wrong:
        return Parsed(error=str(wrong))


def parse_digital_link(uri: str) -> Parsed:
    """Read a GS1 Digital Link URI; the scheme is all lower or all upper case."""
    try:
        path, query = _uri(uri)
        pairs = _path(path) + _query(query)
        _check_once([ai for ai, _ in pairs])
        return _judge(pairs)
    except _WrongError as wrong:
        return Parsed(error=str(wrong))


def _check_once(names: list[str]) -> None:
    repeated = next((name for name in names if names.count(name) > 1), "")
    if repeated:
        raise _WrongError(f"AI ({repeated}) is duplicated")


def _split(data: str) -> list[tuple[str, str]]:
    if not data:
        raise _WrongError("the AI data is empty")
    if "^" in data:
        raise _WrongError("the data contains an illegal ^ character")
    pairs, position, end = [], 0, len(data)
    while position < end:
        ai = data[position : position + AI_LENGTH.get(data[position : position + 2], 9)]
        spec = TABLE.get(ai)
        if spec is None:
            raise _WrongError(f"no known AI begins the remaining {end - position} characters")
        start = position + len(ai)
        stop = data.find(GS, start)
        stop = end if stop < 0 else stop
        if spec.predefined and stop - start > spec.predefined:
            stop = start + spec.predefined
        pairs.append((ai, data[start:stop]))
        position = stop + 1 if stop < end and data[stop] == GS else stop
    return pairs


def _split_bracketed(text: str) -> list[tuple[str, str]]:
    pairs = []
    pieces = re.split(r"(?<!\\)\(", text)
    if pieces[0] or len(pieces) < 2:
        raise _WrongError("the text must begin with an AI in brackets")
    for piece in pieces[1:]:
        ai, bracket, value = piece.partition(")")
        if not bracket:
            raise _WrongError("a bracket is not closed")
        if ai not in TABLE:
            raise _WrongError(f"unrecognised AI: {ai[:8]}")
        pairs.append((ai, value.replace("\\(", "(")))
    return pairs


def _judge(
    pairs: list[tuple[str, str]], *, associations: bool = True, implied: str = "", lenient: bool = False
) -> Parsed:
    if len(pairs) > _MAX_ELEMENTS:
        raise _WrongError(f"more than {_MAX_ELEMENTS} elements")
    for ai, value in pairs:
        _check_value(TABLE[ai], value)
    present = frozenset([ai for ai, _ in pairs] + ([implied] if implied else []))
    _check_repeats(pairs)
    warnings = _check_partners(present, lenient=lenient) if associations else ()
    elements = tuple(Element(ai=ai, value=value) for ai, value in pairs)
    return Parsed(elements=elements, warnings=warnings + _separator_warnings(pairs))


def _check_value(spec: Ai, value: str) -> None:
    match = spec.pattern.fullmatch(value)
    if match is None:
        raise _WrongError(_why(spec, value))
    if not spec.needs_checks:
        return
    for component, text in zip(spec.components, match.groups(), strict=True):
        for name in component.checks if text else ():
            wrong = CHECKS[name](text)
            if wrong:
                raise _WrongError(f"AI ({spec.ai}): {wrong}")


def _why(spec: Ai, value: str) -> str:
    """Say why a value does not fit; never repeat the value, it may name a person."""
    if not value:
        return f"AI ({spec.ai}) data is empty"
    if len(value) > spec.maximum:
        return f"AI ({spec.ai}) data is too long"
    if "^" in value:
        return f"AI ({spec.ai}) contains an illegal ^ character"
    return f"AI ({spec.ai}) has the wrong length or a character that is not allowed"


def _check_repeats(pairs: list[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for ai, value in pairs:
        if seen.setdefault(ai, value) != value:
            raise _WrongError(f"AI ({ai}) is repeated with another value")


@cache
def _wild(name: str) -> re.Pattern[str]:
    return re.compile(name)


def _holds(present: frozenset[str], names: tuple[str, ...], apart: str = "") -> bool:
    """Tell whether every name (a ``.`` is any digit) is there, leaving one AI out of consideration."""
    return all(
        (name in present and name != apart)
        if "." not in name
        else any(_wild(name).fullmatch(ai) for ai in present if ai != apart)
        for name in names
    )


@lru_cache(maxsize=256)  # the labels of one hospital use few combinations of AIs
def _check_partners(present: frozenset[str], *, lenient: bool) -> tuple[str, ...]:
    missing_key = False
    for ai in present:
        spec = TABLE[ai]
        for name in spec.excluded:
            if _holds(present, (name,), apart=ai):
                raise _WrongError(f"AI ({ai}) must not come together with {name.replace('.', 'n')}")
        for group in spec.required:
            if any(_holds(present, member) for member in group):
                continue
            if not (lenient and any(member[0] in _ITEM_KEYS for member in group)):
                raise _WrongError(f"required AIs for AI ({ai}) are not there")
            missing_key = True
    return ("item-key-missing",) if missing_key else ()


def _separator_warnings(pairs: list[tuple[str, str]]) -> tuple[str, ...]:
    for ai, value in pairs:
        if ai in {"10", "21"} and _SWALLOWED_DATE.search(value):
            return ("separator-missing",)
        if ai == "10" and _SWALLOWED_SERIAL.search(value):
            return ("separator-suspected",)
    return ()


_SCHEME = re.compile(r"(?:https?|HTTPS?)://")
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_URI_TEXT = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")


def _uri(uri: str) -> tuple[list[str], str]:
    """Return the path segments and the query of a URI."""
    scheme = _SCHEME.match(uri)
    if scheme is None:
        raise _WrongError("not a web address")
    if not _URI_TEXT.fullmatch(uri):
        raise _WrongError("the address contains illegal characters")
    rest = uri[scheme.end() :].split("#", 1)[0]
    rest, _, query = rest.partition("?")
    domain, slash, path = rest.partition("/")
    if not domain or not slash:
        raise _WrongError("the address must contain a domain and a path")
    if not _AUTHORITY.fullmatch(domain):
        raise _WrongError("the domain contains illegal characters")
    return path.split("/"), query


def _path(segments: list[str]) -> list[tuple[str, str]]:
    """Find the key and its qualifiers, reading pairs from the right end of the path."""
    pairs: list[tuple[str, str]] = []
    for index in range(len(segments) - 2, -1, -2):
        ai = segments[index]
        if ai not in TABLE:
            break
        if not segments[index + 1]:
            raise _WrongError(f"AI ({ai}) value in the path is empty")
        pairs.insert(0, (ai, _percent(segments[index + 1])))
        if TABLE[ai].qualifiers is not None:
            _check_path([name for name, _ in pairs])
            return pairs
    raise _WrongError("no GS1 key is found in the path")


def _check_path(names: list[str]) -> None:
    """Qualifiers must follow the key in their fixed order; any of them may be left out."""
    key, *rest = names
    for allowed in TABLE[key].qualifiers or ():
        if [name for name in allowed if name in rest] == rest:
            return
    raise _WrongError("the AIs in the path are not a valid sequence for the key")


def _query(query: str) -> list[tuple[str, str]]:
    pairs = []
    for part in re.split("[&;]", query):
        name, equals, value = part.partition("=")
        if not equals or not name.isdigit():
            continue
        if name not in TABLE:
            raise _WrongError(f"unknown AI ({name[:8]}) in the query")
        if not value:
            raise _WrongError(f"AI ({name}) value in the query is empty")
        pairs.append((name, _percent(value.replace("+", " "))))
    return pairs


def _percent(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise _WrongError("the percent encoding of the address is malformed")
    return unquote_to_bytes(text).decode("latin-1")
