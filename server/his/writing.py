"""Pieces of every message we send: segments, header, who it is about."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from server.his.charset import UTF8
from server.his.escapes import STANDARD, escape
from server.his.times import stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Who sends to whom, and in which zone the hospital writes its times."""

    application: str = "WARDLINK"
    facility: str = "WARD"
    receiver_application: str = "HIS"
    receiver_facility: str = "HOSPITAL"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a message is about, and where the person lies."""

    mrn: str
    name: str
    visit_number: str = ""
    ward: str = ""
    bed: str = ""
    demo: bool = False


def control_id_of(*said: str) -> str:
    """Return a control id of 20 characters (MSH-10 of v2.6) that is the same for the same thing for ever."""
    digest = hashlib.blake2b("/".join(said).encode(), digest_size=12).digest()
    return base64.b32encode(digest).decode().rstrip("=")


def line(name: str, fields: dict[int, str]) -> str:
    """Write a segment; fields that are not named are empty, empty ones at the end are left out."""
    last = max((number for number, text in fields.items() if text), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def message(lines: Iterable[str]) -> bytes:
    """End every segment with CR, in UTF-8."""
    return "".join(f"{one}\r" for one in lines).encode("utf-8")


def msh(
    kind: str, control_id: str, to: Addresses, now: datetime, *, demo: bool = False, profile: str = ""
) -> str:
    """Write the header; with a ``profile`` of IHE in the enhanced mode that the profile asks for."""
    head = f"MSH|{STANDARD.encoding_characters}"
    rest = line("", {
        1: escape(to.application), 2: escape(to.facility),
        3: escape(to.receiver_application), 4: escape(to.receiver_facility),
        5: stamp(now, to.zone), 7: kind, 8: control_id, 9: "T" if demo else "P", 10: "2.6",
        13: "AL" if profile else "", 14: "NE" if profile else "", 15: "CHN", 16: UTF8, 19: profile,
    })  # fmt: skip
    return head + rest


def pid(whom: Subject, to: Addresses) -> str:
    """Write who it is about: the hospital's number and the name as written at the bed."""
    number = f"{escape(whom.mrn)}^^^{escape(to.receiver_facility)}^MR"
    return line("PID", {1: "1", 3: number, 5: f"{escape(whom.name)}^^^^^^L"})


def pv1(whom: Subject) -> str:
    """Write where the person lies."""
    place = f"{escape(whom.ward)}^^{escape(whom.bed)}" if whom.ward else ""
    return line("PV1", {1: "1", 2: "I", 3: place, 19: escape(whom.visit_number)})


def person(number: str, name: str) -> str:
    """Write a person who works here (XCN)."""
    return f"{escape(number)}^{escape(name)}".rstrip("^")


def plain(value: Decimal) -> str:
    """Write a number without needless digits."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
