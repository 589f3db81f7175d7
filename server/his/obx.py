"""Reads observation segments (OBX): which value it is, its number and unit, its time, whether it may be used.

Codes become those of :mod:`clinical.codes` by their MDC number, their LOINC number or the table
``observation``; a code that none of them knows stays the sender's own and is looked up again on the ward.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from clinical.codes import CODES, by_loinc, by_mdc
from clinical.records import Generation, Validity
from server.his.message import Message, Segment
from server.his.reading import Site, known_number, number, place
from server.his.reported import Whom
from server.his.times import parse_stamp

_LOINC = re.compile(r"\d{1,7}-\d\Z", re.ASCII)
_MDC_NUMBER = re.compile(r"\d{1,9}\Z", re.ASCII)
_CODED = ((1, 2, 3), (4, 5, 6))  # code, text and system of OBX-3, and of its alternative
_NUMERIC = frozenset({"NM", "SN", ""})
_VALIDITY = {  # OBX-8, IHE PCD TF-2 appendix B
    "INV": Validity.INVALID,
    "QUES": Validity.QUESTIONABLE,
    "NAV": Validity.NOT_AVAILABLE,
    "CAL": Validity.CALIBRATING,
    "BUSY": Validity.ONGOING,
    "EARLY": Validity.QUESTIONABLE,
}
WITHDRAWN = frozenset({"D", "W"})
"""OBX-11 of a result that was deleted, or was told of the wrong patient."""


def code_of(obx: Segment, site: Site) -> str:
    """Return the value's code: one of ours where it can be known, else as the sender wrote it."""
    for code, text, system in _CODED:
        found = _known(obx.value(3, code), obx.value(3, text), obx.value(3, system).upper(), site)
        if found:
            return found
    return obx.value(3) or obx.value(3, 2)


def _known(code: str, text: str, system: str, site: Site) -> str:
    named = site.tables.find("observation", code) or site.tables.find("observation", text)
    if named:
        return named
    if system in {"MDC", ""} and _MDC_NUMBER.match(code):
        row = by_mdc(int(code))
        if row is not None:
            return row.ref_id
    if system in {"LN", ""} and _LOINC.match(code):
        row = by_loinc(code)
        return row.ref_id if row is not None else ""
    return next((word for word in (text, code) if word in CODES), "")


def unit_of(obx: Segment, site: Site) -> str:
    """Return the unit in UCUM where the table knows it, else as it was written."""
    words = [obx.value(6, part) for part in (1, 2, 4, 5)]
    known = (site.tables.find("measure_unit", word) for word in words if word)
    return next((word for word in known if word), words[0])


def number_of(obx: Segment) -> Decimal | None:
    """Return the numeric value; None where there is none, or only "more than" or a range.

    Raises:
        RefusedMessageError: OBX-2 says number and OBX-5 is none.
    """
    kind = obx.value(2).upper()
    if kind == "SN":
        exact = obx.value(5) in {"", "="} and not obx.value(5, 3)
        return number(obx.value(5, 2), "OBX-5") if exact else None
    return number(obx.value(5), "OBX-5") if kind == "NM" else None


def text_of(obx: Segment) -> str:
    """Return the value as a person reads it."""
    if obx.value(2).upper() == "SN":
        return "".join(obx.value(5, part) for part in (1, 2, 3, 4))
    if obx.value(2).upper() in {"CE", "CWE", "CNE"}:
        return obx.value(5, 2) or obx.value(5, 9) or obx.value(5)
    return obx.text(5)


def is_value(obx: Segment) -> bool:
    """Tell whether a segment of a device's report carries a number, and is no row of its containment tree."""
    return obx.value(2).upper() in _NUMERIC and bool(obx.raw_field(5).strip()) and bool(obx.raw_field(3))


def validity_of(obx: Segment) -> Validity:
    """Say whether a device's value may be used (OBX-8 and OBX-11).

    "Cannot be obtained" beside a value contradicts itself: the value is shown and never judged.
    """
    flags = (part.component(1).upper() for part in obx.repetitions(8))
    said = next((_VALIDITY[flag] for flag in flags if flag in _VALIDITY), None)
    if said is not None:
        return said
    return Validity.QUESTIONABLE if obx.value(11).upper() == "X" else Validity.VALID


@dataclass(slots=True)
class Tree:
    """What the rows of a containment tree say for those below them: when, and which equipment."""

    site: Site
    _times: dict[str, datetime] = field(default_factory=dict)
    equipment: str = ""

    def take(self, obx: Segment) -> datetime | None:
        """Note a row, and return its own time or that of the nearest row above it."""
        where = obx.value(4)
        at = parse_stamp(obx.value(14), self.site.zone, where="OBX-14")
        if at is not None:
            self._times[where] = at
        self.equipment = self.equipment or obx.value(18) or obx.value(18, 3)
        return at or next((self._times[up] for up in _above(where) if up in self._times), None)


def _above(where: str) -> Iterator[str]:
    parts = where.split(".")
    for level in range(min(len(parts), 4) - 1, 0, -1):
        yield ".".join([*parts[:level], *["0"] * (4 - level)])


def report_time(message: Message, site: Site) -> datetime | None:
    """Return when a report was made: OBR-7, OBR-8, OBR-22, else MSH-7."""
    obr = message.first("OBR")
    texts = [(f"OBR-{at}", obr.value(at) if obr else "") for at in (7, 8, 22)]
    texts.append(("MSH-7", message.header.value(7)))
    where, text = next(((where, text) for where, text in texts if text), ("MSH-7", ""))
    return parse_stamp(text, site.zone, where=where)


def whom_of(message: Message, site: Site, equipment: str = "") -> Whom:
    """Say about whom a device's report is: the number of PID-3, the bed of PV1-3, its equipment."""
    mrn = known_number(message.first("PID"), site)
    return Whom(mrn=mrn, place=place(message.first("PV1"), 3), device=equipment)


def gateway_of(message: Message) -> str:
    """Return the name of the sending gateway (MSH-3)."""
    return (message.header.value(3) or message.header.value(3, 2))[:48]


def generation_of(message: Message) -> Generation:
    """Return whether a message is of the real world (MSH-11)."""
    words = {"T": Generation.TEST, "D": Generation.DEMO}
    return words.get(message.header.value(11).upper(), Generation.REAL)
