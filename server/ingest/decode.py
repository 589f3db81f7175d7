"""From bytes to a message of the contract, or to the reason why not. Nothing here touches the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import msgspec

from broker import topics
from broker.messages import (
    AlarmMessage,
    Backfill,
    Clock,
    Event,
    Readings,
    Reply,
    Status,
    UpMessage,
    Wave,
    decode,
)
from clinical.errors import BadInputError
from server.ingest.port import Packet

MAX_SEQ = 2**53
DAY_MS = timedelta(days=1) // timedelta(milliseconds=1)
_LARGEST, _SMALLEST = 1e16, 1e-15
_parsed = lru_cache(maxsize=65_536)(topics.parse)
_FIRST_YEAR, _LAST_YEAR = 2000, 2200
_KINDS: Final[dict[str, type[UpMessage]]] = {
    "readings": Readings,
    "waves": Wave,
    "events": Event,
    "alarms": AlarmMessage,
    "backfill": Backfill,
    "replies": Reply,
}
_BODIES: Final = {
    kind: msgspec.json.Decoder(message_type)
    for kind, message_type in _KINDS.items()
    if kind not in {"backfill", "replies"}
}


class Decoded(NamedTuple):
    """A good message; ``history`` when it came on the backfill lane and is never taken for new."""

    message: UpMessage | Status
    history: bool = False


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that cannot be used, with its reason; it never blocks the ones behind it."""

    packet: Packet
    reason: str


def decode_packet(packet: Packet) -> Decoded | Poison:
    """Read one packet."""
    try:
        node, direction, kind = _parsed(packet.topic)
        if direction == "status":
            return Decoded(_checked(decode(packet.payload, Status), node))
        message = _checked(decode(packet.payload, _KINDS[kind]), node)
        if isinstance(message, Backfill):
            return Decoded(_bounded(_checked(_body(message), node)), history=True)
        return Decoded(_bounded(message))
    except BadInputError as error:
        return Poison(packet, error.message)


def _body(envelope: Backfill) -> UpMessage:
    try:
        body: UpMessage = _BODIES[envelope.kind].decode(envelope.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError("payload", f"not a valid body of {envelope.kind}: {error}") from error
    return body


def _bounded(message: UpMessage) -> UpMessage:
    """Take a clock that may be off by more than a day for one that was never set.

    Nothing is filed with such an uncertainty anyway, and no store or calendar holds any number.
    """
    if not isinstance(message, Readings) or message.clock.uncertainty_ms <= DAY_MS:
        return message
    return msgspec.structs.replace(message, clock=Clock(state="unset", uncertainty_ms=DAY_MS))


M = TypeVar("M", bound=UpMessage | Status)


def _checked(message: M, node: str) -> M:
    """Refuse what types cannot say: another node's name, NULs, numbers no store holds."""
    if message.node != node:
        raise BadInputError("node-mismatch", "the message names another node than its topic")
    if "\x00" in _texts(message):
        raise BadInputError("text", "a text holds a NUL")
    if isinstance(message, UpMessage) and message.seq > MAX_SEQ:
        raise BadInputError("seq", "the sequence number is too large")
    if isinstance(message, Readings):
        _check_values(message)
    if isinstance(message, Wave) and len(message.samples) % 2:
        raise BadInputError("samples", "samples are 16-bit numbers")
    for instant in _instants(message):
        if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            raise BadInputError("time", "a time is out of this world")
    return message


def _check_values(message: Readings) -> None:
    values = message.values
    if len({value.code for value in values}) != len(values):
        raise BadInputError("codes", "one message holds one value per code")
    for value in values:
        if value.n is not None and not _SMALLEST <= abs(float(value.n)) <= _LARGEST and value.n != 0:
            raise BadInputError("number", "a value is not finite or out of this world")


def _instants(message: UpMessage | Status) -> tuple[datetime, ...]:
    match message:
        case Readings() | Wave() | Event() | AlarmMessage():
            return message.sent, message.effective
        case Status():
            return (message.since,) if message.since is not None else ()
        case _:
            return (message.sent,)


def _texts(message: UpMessage | Status) -> str:
    """Every text of a message that rests in a column, in one."""
    match message:
        case Readings():
            infusion = message.infusion or ""
            units = "".join([value.unit for value in message.values])
            return "".join((message.boot, message.outbox, message.id, message.device, infusion, units))
        case Wave():
            return "".join((message.boot, message.outbox, message.id, message.device, message.unit))
        case _:
            names = ("boot", "outbox", "id", "device", "infusion", "condition", "kind", "command")
            found = (getattr(message, name, None) for name in names)
            return "".join([text for text in found if isinstance(text, str)])
