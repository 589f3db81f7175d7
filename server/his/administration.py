"""What was done at the bedside, as RAS^O17 (HL7 v2.6)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError
from server.his.charset import UTF8
from server.his.escapes import STANDARD, escape
from server.his.port import AdministrationFact, GivenItem
from server.his.times import stamp

# RXA-20 (table HL70322) of each outcome of clinical.records.Administration.
COMPLETION = {
    "given": "CP",
    "completed": "CP",
    "partial": "PA",
    "stopped-early": "PA",
    "running": "PA",
    "paused": "PA",
    "refused": "RE",
    "held": "NA",
    "not-given": "NA",
}
_NOTHING_GIVEN = {"RE", "NA"}
_UNKNOWN_AMOUNT = "999"  # the value HL7 v2 prescribes in RXA-6
_ACTIONS = {"A", "U", "D"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Who sends to whom, and in which zone the hospital writes its times."""

    application: str = "WARDLINK"
    facility: str = "WARD"
    receiver_application: str = "HIS"
    receiver_facility: str = "HOSPITAL"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))


def control_id(fact: AdministrationFact) -> str:
    """Return the message's control id: 20 characters (MSH-10 of v2.6), the same for the same act for ever."""
    digest = hashlib.blake2b(f"{fact.event_id}/{fact.action}".encode(), digest_size=12).digest()
    return base64.b32encode(digest).decode().rstrip("=")


def ras_o17(fact: AdministrationFact, to: Addresses, *, now: datetime) -> bytes:
    """Write the administration message, segments ended by CR, in UTF-8.

    Raises:
        BadInputError: The outcome or action is no word this message knows, or no item is named.
    """
    completion = COMPLETION.get(fact.outcome)
    if completion is None or fact.action not in _ACTIONS or not fact.items:
        raise BadInputError(
            "administration-fact", "An administration needs items, a known outcome and action A, U or D."
        )
    lines = [
        _msh(fact, to, now),
        _pid(fact, to),
        _pv1(fact),
        _line("ORC", {1: "RE", 2: escape(fact.placer_id), 3: escape(fact.filler_id)}),
    ]
    for number, item in enumerate(fact.items, start=1):
        lines.append(_rxa(fact, item, number, completion, to.zone))
    site = escape(fact.site)
    lines.append(_line("RXR", {1: f"{escape(fact.route)}^^HL70162", 2: site}))
    return ("\r".join(lines) + "\r").encode("utf-8")


def _line(name: str, fields: dict[int, str]) -> str:
    last = max((number for number, text in fields.items() if text), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def _msh(fact: AdministrationFact, to: Addresses, now: datetime) -> str:
    head = f"MSH|{STANDARD.encoding_characters}"
    rest = _line("", {
        1: escape(to.application), 2: escape(to.facility),
        3: escape(to.receiver_application), 4: escape(to.receiver_facility),
        5: stamp(now, to.zone), 7: "RAS^O17^RAS_O17", 8: control_id(fact), 9: "T" if fact.demo else "P",
        10: "2.6", 15: "CHN", 16: UTF8,
    })  # fmt: skip
    return head + rest


def _pid(fact: AdministrationFact, to: Addresses) -> str:
    number = f"{escape(fact.mrn)}^^^{escape(to.receiver_facility)}^MR"
    return _line("PID", {1: "1", 3: number, 5: f"{escape(fact.name)}^^^^^^L"})


def _pv1(fact: AdministrationFact) -> str:
    place = f"{escape(fact.ward)}^^{escape(fact.bed)}" if fact.ward else ""
    return _line("PV1", {1: "1", 2: "I", 3: place, 19: escape(fact.visit_number)})


def _rxa(fact: AdministrationFact, item: GivenItem, number: int, completion: str, zone: ZoneInfo) -> str:
    people = [_person(fact.operator_id, fact.operator_name)]
    if fact.witness_id:
        people.append(_person(fact.witness_id, ""))
    nothing = completion in _NOTHING_GIVEN
    reason = f"^{escape(fact.reason)}" if fact.reason else ""
    return _line("RXA", {
        1: "0",
        2: str(number),
        3: stamp(fact.start, zone),
        4: stamp(fact.end or fact.start, zone) if fact.outcome not in {"running", "paused"} else "",
        5: f"{escape(item.code)}^{escape(item.text)}",
        6: _amount(item.amount, nothing=nothing),
        7: "" if not item.unit else f"{escape(item.unit)}^{escape(item.unit)}^UCUM",
        9: "" if nothing else reason,
        10: "~".join(people),
        12: f"{_plain(fact.rate_ml_h)} mL/h" if fact.rate_ml_h is not None else "",
        18: reason if nothing else "",
        20: completion,
        21: fact.action,
    })  # fmt: skip


def _person(number: str, name: str) -> str:
    return f"{escape(number)}^{escape(name)}".rstrip("^")


def _amount(amount: Decimal | None, *, nothing: bool) -> str:
    if nothing:
        return "0"
    return _UNKNOWN_AMOUNT if amount is None else _plain(amount)


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
