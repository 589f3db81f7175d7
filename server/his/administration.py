"""What was done at the bedside, as RAS^O17 (HL7 v2.6)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError
from server.his.escapes import escape
from server.his.port import AdministrationFact, GivenItem
from server.his.times import stamp
from server.his.writing import (
    Addresses,
    Subject,
    control_id_of,
    line,
    message,
    msh,
    person,
    pid,
    plain,
    pv1,
)

__all__ = ["COMPLETION", "Addresses", "control_id", "ras_o17"]

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


def control_id(fact: AdministrationFact) -> str:
    """Return the message's control id: the same for the same act for ever."""
    return control_id_of(fact.event_id, fact.action)


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
    whom = Subject(
        mrn=fact.mrn,
        name=fact.name,
        visit_number=fact.visit_number,
        ward=fact.ward,
        bed=fact.bed,
        demo=fact.demo,
    )
    return message(
        [
            msh("RAS^O17^RAS_O17", control_id(fact), to, now, demo=fact.demo),
            pid(whom, to),
            pv1(whom),
            line("ORC", {1: "RE", 2: escape(fact.placer_id), 3: escape(fact.filler_id)}),
            *(
                _rxa(fact, item, number, completion, to.zone)
                for number, item in enumerate(fact.items, start=1)
            ),
            line("RXR", {1: f"{escape(fact.route)}^^HL70162", 2: escape(fact.site)}),
        ]
    )


def _rxa(fact: AdministrationFact, item: GivenItem, number: int, completion: str, zone: ZoneInfo) -> str:
    people = [person(fact.operator_id, fact.operator_name)]
    if fact.witness_id:
        people.append(person(fact.witness_id, ""))
    nothing = completion in _NOTHING_GIVEN
    reason = f"^{escape(fact.reason)}" if fact.reason else ""
    return line("RXA", {
        1: "0",
        2: str(number),
        3: stamp(fact.start, zone),
        4: stamp(fact.end or fact.start, zone) if fact.outcome not in {"running", "paused"} else "",
        5: f"{escape(item.code)}^{escape(item.text)}",
        6: _amount(item.amount, nothing=nothing),
        7: "" if not item.unit else f"{escape(item.unit)}^{escape(item.unit)}^UCUM",
        9: "" if nothing else reason,
        10: "~".join(people),
        12: f"{plain(fact.rate_ml_h)} mL/h" if fact.rate_ml_h is not None else "",
        18: reason if nothing else "",
        20: completion,
        21: fact.action,
    })  # fmt: skip


def _amount(amount: Decimal | None, *, nothing: bool) -> str:
    if nothing:
        return "0"
    return _UNKNOWN_AMOUNT if amount is None else plain(amount)
