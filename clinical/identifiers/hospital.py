"""The hospital's own codes: wristband, bag, tube, bed, node, badge and device label kept apart.

``WL1:<T>:<part…>:<check>``: ``T`` is one letter per kind, parts percent-encode everything but
``A-Z a-z 0-9 . _ -`` (UTF-8), and ``<check>`` is ISO/IEC 7064 MOD 37-2 over the upper-cased text before the
last colon with characters outside 0-9 and A-Z skipped, so that a damaged or mistyped code is refused.
A kind letter is inside the checked text: a bed label can never be taken for a wristband.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from clinical.errors import BadInputError
from clinical.identifiers.model import Element, Identified, Kind

PREFIX = "WL1:"
LETTERS: dict[Kind, str] = {
    Kind.WRISTBAND: "P",
    Kind.BAG: "B",
    Kind.TUBE: "T",
    Kind.BED: "L",
    Kind.NODE: "N",
    Kind.BADGE: "S",
    Kind.DEVICE: "D",
}
PARTS: dict[Kind, tuple[str, ...]] = {Kind.WRISTBAND: ("mrn", "serial"), Kind.BED: ("ward", "bed")}
"""Names of the parts; kinds not named here have the one part ``id``."""

_KINDS = {letter: kind for kind, letter in LETTERS.items()}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
_PART = re.compile(r"(?:[A-Za-z0-9._-]|%[0-9A-F]{2})+")


def check_character(text: str) -> str:
    """Return the ISO/IEC 7064 MOD 37-2 check character of ``text``, one of 0-9, A-Z or ``*``."""
    total = 0
    for character in text.upper():
        value = _ALPHABET.find(character) if character != "*" else -1
        if value >= 0:
            total = (total + value) * 2 % 37
    return _ALPHABET[(38 - total) % 37]


def encode(kind: str, *parts: str) -> str:
    """Make the text of a hospital code.

    Args:
        kind: One of wristband, bag, tube, bed, node, badge, device.
        parts: MRN and serial for a wristband, ward and bed for a bed, one id for the rest.

    Raises:
        BadInputError: Another kind, or the wrong number of parts, or an empty one.
    """
    if kind not in LETTERS:
        raise BadInputError("code-kind", "there is no hospital code of this kind")
    chosen = Kind(kind)
    if len(parts) != len(PARTS.get(chosen, ("id",))) or not all(parts):
        raise BadInputError("code-parts", f"a {kind} code needs {len(PARTS.get(chosen, ('id',)))} part(s)")
    body = PREFIX + LETTERS[chosen] + "".join(":" + _quote(part) for part in parts)
    return f"{body}:{check_character(body)}"


def _quote(part: str) -> str:
    return quote(part, safe="._-", errors="strict").replace("~", "%7E")


def looks_like(raw: str) -> bool:
    """Tell whether a code claims to be one of the hospital's own."""
    return raw.startswith(PREFIX)


def parse(raw: str) -> Identified:
    """Read a hospital code; a wrong check character or form keeps the kind but is not valid."""
    body, _, check = raw.rpartition(":")
    fields = body.split(":")
    kind = _KINDS.get(fields[1], Kind.UNKNOWN) if len(fields) > 1 else Kind.UNKNOWN
    if kind is Kind.UNKNOWN:
        return Identified(raw=raw, kind=Kind.UNKNOWN, valid=False, error="not a known hospital code")
    if check != check_character(body):
        return Identified(raw=raw, kind=kind, valid=False, error="check character is wrong: scan again")
    names = PARTS.get(kind, ("id",))
    parts = [_unquote(field) for field in fields[2:]]
    if len(parts) != len(names) or not all(parts):
        return Identified(raw=raw, kind=kind, valid=False, error="the code has the wrong parts")
    elements = tuple(Element(ai=name, value=part) for name, part in zip(names, parts, strict=True))
    serial = parts[1] if len(parts) > 1 else ""
    return Identified(raw=raw, kind=kind, valid=True, elements=elements, value=parts[0], serial=serial)


def _unquote(field: str) -> str:
    """Return the decoded part, or an empty string when it is not canonically encoded UTF-8."""
    if not _PART.fullmatch(field):
        return ""
    try:
        return unquote(field, errors="strict")
    except UnicodeDecodeError:
        return ""
