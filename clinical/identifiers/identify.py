"""Says what a raw scan is: one entry for every scanner, every symbology and typed text.

The order of the attempts is fixed and each form is recognised by something the others cannot have, so a
code can never be taken for something else: a bed card, a chart label or a badge is not a wristband.
The raw text is always kept. No network, no table of the hospital: meaning comes later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from clinical.identifiers import gs1, hospital, isbt128, traceability, udi
from clinical.identifiers.gs1_checks import has_check_digit
from clinical.identifiers.model import Element, Identified, Kind

_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_GS1_DATA = frozenset({"]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1"})
_PLAIN_2D = frozenset({"]d1", "]Q1", "]J0"})
_RETAIL = {"]E0": 13, "]E4": 8}
_URI = re.compile(r"https?://", re.IGNORECASE)
_WEDGE_GS1 = re.compile(r"01\d{14}|00\d{18}|80(?:17|18)\d{18}|414\d{13}")
_MAX_TEXT = 4096
_NO_PREFIXES: Mapping[str, str] = MappingProxyType({})


def resolve(raw: str, *, symbology: str = "", prefixes: Mapping[str, str] = _NO_PREFIXES) -> Identified:
    """Say what a scanned or typed code is.

    Args:
        raw: Characters as the reader sent them, with or without an AIM symbology identifier (``]d2``).
        symbology: The AIM identifier when the reader tells it apart from the data.
        prefixes: The hospital's own older codes: beginning of the text → kind (``{"PID:": "wristband"}``).

    Returns:
        What it is; never raises for any text. ``valid`` is false for damaged or unknown codes.
    """
    if len(raw) > _MAX_TEXT:
        return Identified(raw=raw[:64], kind=Kind.UNKNOWN, valid=False, error="the code is too long")
    match = _SYMBOLOGY.match(raw)
    aim, text = (match[0], raw[3:]) if match else (symbology, raw)
    text = text.rstrip("\r\n")
    own = _own(raw, text, prefixes)
    if own is not None:
        return own
    if aim in _GS1_DATA:
        return _gs1(raw, gs1.parse_elements(text))
    if aim in _RETAIL:
        return _retail(raw, text, _RETAIL[aim])
    return _by_form(raw, text, aim)


def _own(raw: str, text: str, prefixes: Mapping[str, str]) -> Identified | None:
    """Read the hospital's own codes, whatever symbol carried them."""
    if hospital.looks_like(text):
        found = hospital.parse(text)
        return Identified(
            raw=raw, kind=found.kind, valid=found.valid, elements=found.elements, error=found.error,
            value=found.value, serial=found.serial,
        )  # fmt: skip
    for prefix, kind in prefixes.items():
        if text.startswith(prefix) and len(text) > len(prefix):
            return Identified(raw=raw, kind=Kind(kind), valid=True, value=text[len(prefix) :])
    return None


def _by_form(raw: str, text: str, aim: str) -> Identified:
    """Recognise a code by its form alone: keyboard wedges and some cameras tell no symbology."""
    if _URI.match(text):
        return _gs1(raw, gs1.parse_digital_link(text))
    if text.startswith("(") and aim not in _PLAIN_2D:
        return _gs1(raw, gs1.parse_bracketed(text))
    if traceability.looks_like(text):
        return traceability.parse(raw, text)
    if udi.looks_like(text):
        return udi.parse(raw, text)
    if isbt128.looks_like(text):
        return isbt128.parse(raw, text)
    return _wedge(raw, text) if not aim else _plain(raw, text, aim)


def _wedge(raw: str, text: str) -> Identified:
    """Try GS1 and retail forms in text that came without a symbology identifier."""
    if gs1.GS in text:
        return _gs1(raw, gs1.parse_elements(text))
    if _WEDGE_GS1.match(text):
        parsed = gs1.parse_elements(text)
        if parsed.valid:
            return _gs1(raw, parsed)
    if re.fullmatch(r"\d{13}", text) and (text.startswith("69") or has_check_digit(text)):
        return _retail(raw, text, 13)
    return _plain(raw, text, "")


def _plain(raw: str, text: str, aim: str) -> Identified:
    if aim in _PLAIN_2D:
        return Identified(raw=raw, kind=Kind.UNKNOWN, valid=True, value=text)
    if aim == "]C0" or not aim:
        error = "this code is not known here"
    else:
        error = "a symbol of this type is not used here"
    return Identified(raw=raw, kind=Kind.UNKNOWN, valid=False, value=text, error=error)


def _retail(raw: str, text: str, length: int) -> Identified:
    """Read an EAN-13 or EAN-8, with the second half of a composite symbol when there is one."""
    digits, bar, composite = text.partition("|]e0")
    wrong = ""
    if len(digits) != length:
        wrong = "the retail code has the wrong length"
    elif not (digits.isascii() and digits.isdigit()):
        wrong = "a retail code may only contain digits"
    elif not has_check_digit(digits):
        wrong = "the check digit is incorrect"
    if wrong:
        return Identified(raw=raw, kind=Kind.EAN, valid=False, error=wrong)
    parsed = gs1.parse_elements(composite, implied="01") if bar else gs1.Parsed()
    return Identified(
        raw=raw, kind=Kind.EAN, valid=parsed.valid, elements=parsed.elements, warnings=parsed.warnings,
        error=parsed.error, value=digits.zfill(14), serial=_first(parsed.elements, "21"),
    )  # fmt: skip


def _first(elements: tuple[Element, ...], *ais: str) -> str:
    return next((element.value for element in elements if element.ai in ais), "")


def _gs1(raw: str, parsed: gs1.Parsed) -> Identified:
    """Name what GS1 data identifies: a patient by GSRN 8018, otherwise an item by GTIN."""
    elements = parsed.elements
    patient = _first(elements, "8018")
    return Identified(
        raw=raw,
        kind=Kind.WRISTBAND if patient else Kind.GS1,
        valid=parsed.valid,
        elements=elements,
        warnings=parsed.warnings,
        error=parsed.error,
        value=patient or _first(elements, "01", "8006", "02")[:14],
        serial=_first(elements, "8019") if patient else _first(elements, "21"),
    )
