"""ISBT 128 blood labels: the structure of each data identifier, without any product-code table.

ICCBBA licenses the standard: a hospital that uses it registers there and loads its own tables. This module
holds only the structures, the donation check character and the general-use ABO/RhD codes.

Source: ICCBBA ISBT 128 Standard Technical Specification (ST-001).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from clinical.identifiers.hospital import check_character
from clinical.identifiers.model import Element, Identified, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """One data structure: its number, its data identifier and what follows it."""

    number: str
    prefix: str
    pattern: re.Pattern[str]


def _structure(number: str, prefix: str, pattern: str) -> Structure:
    return Structure(number=number, prefix=prefix, pattern=re.compile(pattern))


STRUCTURES: tuple[Structure, ...] = (
    _structure("002", "=%", r"[0-9A-Za-z]{2}[0-9A-Za-z][0-9A-Za-z]"),
    _structure("003", "=<", r"[A-Z][0-9A-Z]{4}[0-9A-Z][0-9A-Za-z][0-9A-Za-z]"),
    _structure("004", "=>", r"\d{3}[0-3]\d{2}"),
    _structure("005", "&>", r"\d{3}[0-3]\d{2}[0-2]\d[0-5]\d"),
    _structure("006", "=*", r"\d{3}[0-3]\d{2}"),
    _structure("007", "&*", r"\d{3}[0-3]\d{2}[0-2]\d[0-5]\d"),
    _structure("008", "=}", r"\d{3}[0-3]\d{2}"),
    _structure("009", "&}", r"\d{3}[0-3]\d{2}[0-2]\d[0-5]\d"),
    _structure("010", "&(", r".{5}"),
    _structure("012", "=\\", r".{18}"),
    _structure("027", '&"', r".{18}"),
    _structure("023", "=+", r"\d{5}"),
    _structure("024", "=#", r"\d{10}"),
    _structure("025", "&#", r".+"),
    _structure("026", "=]", r".{6}"),
    _structure("001", "=", r"[A-NP-Z1-9][0-9A-Z]{4}\d{2}\d{6}[0-9A-Z]{2}"),
)
"""Longest identifiers first: ``=`` alone is the donation number."""

BLOOD_GROUPS: dict[str, str] = {
    "95": "O-", "51": "O+", "06": "A-", "62": "A+", "17": "B-", "73": "B+", "28": "AB-", "84": "AB+",
    "55": "O", "66": "A", "77": "B", "88": "AB",
}  # fmt: skip
"""ABO and RhD of the codes for general use; other codes restrict the unit and are never taken as a group."""

NEVER_TRANSFUSE = frozenset({"Mb", "Md", "Mq", "Mr", "Mx"})
"""In the place of a group: biohazard, discard, quarantine, research, not for transfusion."""
TUBE_FLAGS = frozenset({"06", "07", "08", "09", "10"})
"""Flags of a donation number on a tube or a form: no bag that could be hung up."""


def looks_like(text: str) -> bool:
    """Tell whether a text begins like an ISBT 128 structure."""
    return len(text) > 2 and text[0] in "=&"


def donation_check(number: str) -> str:
    """Return the check character of a 13-character donation number, typed by hand."""
    return check_character(number)


def flag_check(number: str) -> str:
    """Return the flag characters 60 to 96 that carry the check of a donation number."""
    value = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*".index(check_character(number))
    return str(60 + value)


def parse(raw: str, text: str) -> Identified:
    """Read one structure, or the several of a compound message; ``value`` is the donation number."""
    elements, position = [], 0
    while position < len(text):
        step = _next(text, position)
        if step is None:
            return Identified(raw=raw, kind=Kind.ISBT128, valid=False, error="not an ISBT 128 structure")
        element, position = step
        elements.append(element)
    donation = next((element.value[:13] for element in elements if element.ai == "001"), "")
    flags = next((element.value[13:] for element in elements if element.ai == "001"), "")
    if flags.isdigit() and 60 <= int(flags) <= 96 and flags != flag_check(donation):
        return Identified(raw=raw, kind=Kind.ISBT128, valid=False, error="check flags of the donation number")
    return Identified(
        raw=raw, kind=Kind.ISBT128, valid=True, elements=tuple(elements), value=donation, serial=flags
    )


def _next(text: str, position: int) -> tuple[Element, int] | None:
    for structure in STRUCTURES:
        if not text.startswith(structure.prefix, position):
            continue
        match = structure.pattern.match(text, position + len(structure.prefix))
        if match and (match.end() == len(text) or text[match.end()] in "=&"):
            return Element(ai=structure.number, value=match[0]), match.end()
    return None
