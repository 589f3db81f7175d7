"""Pieces that patient and order messages share: who, where, which number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from server.his.message import Message, Repetition, Segment
from server.his.port import Place
from server.his.refusal import RefusedMessageError, missing, wrong_form
from server.his.tables import Tables, shipped
from server.his.times import parse_stamp

_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,9})?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What differs between hospitals.

    ``mrn_types`` are the PID-3 identifier types that may hold the hospital's own patient number, the wanted
    one first. After them counts an identifier without a type, then a single one of a type not known here;
    ``other_numbers`` are types that never stand in for it.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    tables: Tables = field(default_factory=shipped)
    default_charset: str = "UNICODE UTF-8"
    mrn_types: tuple[str, ...] = ("MR", "MRN", "PI", "PT")
    other_numbers: frozenset[str] = frozenset(
        {"SS", "NI", "NNCHN", "DL", "PPN", "VN", "AN", "MC", "HC", "PN"}
    )
    processing_ids: frozenset[str] = frozenset({"P", "T", "D"})


def patient_number(pid: Segment | None, site: Site) -> str:
    """Return the hospital's own number of the patient from PID-3.

    Raises:
        RefusedMessageError: There is none; a social security or account number never stands in for it.
    """
    if pid is None:
        raise missing("PID-3", "patient identifier")
    return _number_of(pid, 3, site) or _refuse_number("PID-3")


def known_number(pid: Segment | None, site: Site) -> str:
    """Return the hospital's number of the patient, or an empty text where the sender does not know it."""
    return _number_of(pid, 3, site) if pid is not None else ""


def merged_number(mrg: Segment | None, site: Site) -> str:
    """Return the number that is given up (MRG-1)."""
    if mrg is None:
        raise missing("MRG-1", "prior patient identifier")
    return _number_of(mrg, 1, site) or _refuse_number("MRG-1")


def _refuse_number(where: str) -> str:
    raise missing(where, "patient identifier of type MR")


def _number_of(segment: Segment, position: int, site: Site) -> str:
    found: dict[str, str] = {}
    for part in segment.repetitions(position):
        kind = part.component(5).upper()
        if part.component(1):
            found.setdefault(kind, part.component(1))
    known = next((found[kind] for kind in (*site.mrn_types, "") if kind in found), "")
    others = [value for kind, value in found.items() if kind not in site.other_numbers]
    return known or (others[0] if len(others) == 1 else "")


def visit_number(message: Message) -> str:
    """Return PV1-19, or the account number PID-18 where the hospital uses that."""
    pv1, pid = message.first("PV1"), message.first("PID")
    return (pv1.value(19) if pv1 else "") or (pid.value(18) if pid else "")


def place(segment: Segment | None, position: int) -> Place | None:
    """Read a PL field; ``None`` when it names no ward, room or bed."""
    if segment is None:
        return None
    ward, room, bed = (segment.value(position, part) for part in (1, 2, 3))
    if not (ward or room or bed):
        return None
    return Place(ward=ward, room=room, bed=bed, facility=segment.value(position, 4))


def person_names(pid: Segment) -> tuple[str, str]:
    """Return the name as written at the bed and its Latin form, either may be empty."""
    names = [name for part in pid.repetitions(5) if (name := _name(part))]
    written = next((name for name in names if _IDEOGRAPH.search(name)), names[0] if names else "")
    latin = next((name for name in names if name != written and name.isascii()), "")
    return written, latin


def _name(part: Repetition) -> str:
    family, given = part.component(1), part.component(2)
    if _IDEOGRAPH.search(family + given):
        return family + given
    return " ".join(piece for piece in (family, given, part.component(3)) if piece)


def practitioner(segment: Segment, position: int) -> tuple[str, str]:
    """Read an XCN: the person's id and name."""
    parts = segment.repetitions(position)
    if not parts:
        return "", ""
    family, given = parts[0].component(2), parts[0].component(3)
    joint = "" if _IDEOGRAPH.search(family + given) else " "
    return parts[0].component(1), joint.join(piece for piece in (family, given) if piece)


def number(text: str, where: str) -> Decimal | None:
    """Read an NM; ``None`` when the field is empty.

    Raises:
        RefusedMessageError: It is not a plain number.
    """
    if not text:
        return None
    if not _NUMBER.match(text):
        raise wrong_form(where, "a number")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise wrong_form(where, "a number") from error


def event_time(message: Message, site: Site) -> datetime | None:
    """Return when it happened: EVN-6, else EVN-2, else MSH-7."""
    evn = message.first("EVN")
    texts = [("MSH-7", message.header.value(7))]
    if evn is not None:
        texts = [("EVN-6", evn.value(6)), ("EVN-2", evn.value(2)), *texts]
    where, text = next(((where, text) for where, text in texts if text), ("MSH-7", ""))
    return parse_stamp(text, site.zone, where=where)


def must_have_place(found: Place | None) -> Place:
    """Insist on a bed.

    Raises:
        RefusedMessageError: PV1-3 says none.
    """
    if found is None or not found.ward:
        raise RefusedMessageError(
            "place-missing",
            "PV1-3 must name the ward (point of care), and the bed where there is one.",
            hl7_code=101,
            where="PV1-3",
        )
    return found
