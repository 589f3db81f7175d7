"""Facts and events to JSON and back; the one place where the handheld turns bytes into records."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import msgspec

from clinical.errors import BadInputError
from clinical.exchange import Event

T = TypeVar("T")

EVENT_TYPES: dict[str, type[Any]] = {
    kind.__dataclass_fields__["type"].default: kind for kind in get_args(Event)
}
"""The ``type`` word of each event → its class."""

_ENCODER = msgspec.json.Encoder()


class _Tag(msgspec.Struct):
    type: str = ""


def encode(value: Any) -> bytes:
    """Encode a record, an event or any plain value as JSON; decimals become strings, so exact."""
    return _ENCODER.encode(value)


def decode(data: bytes, kind: type[T]) -> T:
    """Read JSON as ``kind``; unknown keys of newer senders are ignored.

    Raises:
        BadInputError: The bytes are not what they should be.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadInputError(
            "not-understood", f"the data are not a {kind.__name__}: update this program"
        ) from error


def decode_event(data: bytes) -> Event:
    """Read one event, whichever of the known types it is.

    Raises:
        BadInputError: The type is not known, or the bytes do not fit it.
    """
    tag = decode(data, _Tag).type
    kind = EVENT_TYPES.get(tag)
    if kind is None:
        raise BadInputError("not-understood", "the event's type is not known: update this program")
    event: Event = decode(data, kind)
    return event
