"""From a message to what it says for the ward: one table of message types."""

from __future__ import annotations

from collections.abc import Callable

from server.his import adt, alerts, blood, orders, results
from server.his.message import Message
from server.his.port import HospitalFact
from server.his.reading import Site
from server.his.refusal import RefusedMessageError, missing

Maker = Callable[[Message, Site], tuple[HospitalFact, ...]]
EVENTS: dict[str, dict[str, Maker]] = {
    "RDE": {"O11": orders.facts_of, "O01": orders.facts_of},
    "OMP": {"O09": orders.facts_of},
    "OMB": {"O27": orders.facts_of},
    "ORM": {"O01": orders.facts_of},
    "ORU": {"R01": results.facts_of, "R42": results.facts_of, "R40": alerts.facts_of},
}
"""Who reads which message; ADT has a table of its own, blood a table of the site."""


def facts_of(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Return what a message says; empty when it was understood and says nothing for a ward.

    Raises:
        RefusedMessageError: With the HL7 error code, the place and a sentence that says what to change.
    """
    check_header(message, site)
    return _maker(message, site)(message, site)


def check_header(message: Message, site: Site) -> None:
    """Check what every message must carry before anything else is read.

    Raises:
        RefusedMessageError: MSH-9, 10, 11 or 12 is missing or not taken here.
    """
    header = message.header
    if not message.control_id:
        raise missing("MSH-10", "message control id")
    if not message.type[0]:
        raise missing("MSH-9", "message type")
    if not header.value(12).startswith("2."):
        raise RefusedMessageError(
            "version-unsupported", "MSH-12 must be an HL7 v2 version.", hl7_code=203, where="MSH-12",
            reject=True,
        )  # fmt: skip
    if header.value(11).upper() not in site.processing_ids:
        raise RefusedMessageError(
            "processing-id",
            "MSH-11 is not a processing id this system takes.",
            hl7_code=202,
            where="MSH-11",
            reject=True,
        )


def _maker(message: Message, site: Site) -> Maker:
    kind, event = message.type
    if kind == "ADT":
        return adt.facts_of
    if blood.takes(kind, event, site):
        return blood.facts_of
    events = EVENTS.get(kind)
    if events is None:
        raise RefusedMessageError(
            "type-unsupported",
            f"Messages of type {_short(kind)} are not taken here; see the conformance table.",
            hl7_code=200,
            where="MSH-9",
            reject=True,
        )
    maker = events.get(event) if event else next(iter(events.values()))
    if maker is None:
        raise RefusedMessageError(
            "event-unsupported",
            f"{kind} event {_short(event)} is not taken here.",
            hl7_code=201,
            where="MSH-9",
            reject=True,
        )
    return maker


def _short(text: str) -> str:
    """Return a type or event name fit to repeat in an answer: three plain letters at most."""
    return "".join(letter for letter in text[:3] if letter.isascii() and letter.isalnum())
