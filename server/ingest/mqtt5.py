"""The part of MQTT 5 that one subscriber needs, from bytes and to bytes. Source: OASIS MQTT 5.0.

QoS 2 and topic aliases are never asked for, so a broker that sends them breaks the protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14
PINGREQ = b"\xc0\x00"
GOODBYE = b"\xe0\x00"
MAX_PACKET = 1 << 20
"""Far above the broker's own limit; more than this is no packet of ours, but lost step."""
FAILURE = 0x80
"""Reason codes from here on say that it was not done."""
_MAX_ID = 65_535
_SESSION_EXPIRY, _RECEIVE_MAXIMUM = 0x11, 0x21
_PROPERTY_SIZES = {
    0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
"""Properties of CONNACK with a fixed size; every other one is a text, 0x26 is two."""
_TWO_TEXTS = 0x26


class ProtocolError(Exception):
    """The peer says what MQTT 5 does not allow, or what was never asked for."""


class Frame(NamedTuple):
    """One control packet: its kind, the flags of its first byte, and what follows the length."""

    kind: int
    flags: int
    body: bytes


class Published(NamedTuple):
    """One message; ``mid`` is 0 for QoS 0."""

    topic: bytes
    payload: bytes
    mid: int
    retained: bool


class Accepted(NamedTuple):
    """The broker's answer to CONNECT."""

    reason: int
    session_present: bool
    receive_maximum: int


class Frames:
    """Cuts a stream of bytes into packets."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Return the packets that are complete now.

        Raises:
            ProtocolError: A length is not one, or larger than any packet of ours.
        """
        rest = self._rest
        rest += data
        at, size = 0, len(rest)
        try:
            while size - at >= 2:
                begin, end = _bounds(rest, at, size)
                if end > size or end == 0:
                    break
                head = rest[at]
                yield Frame(head >> 4, head & 0x0F, bytes(rest[begin:end]))
                at = end
        finally:
            del rest[:at]


def _bounds(data: bytearray, at: int, size: int) -> tuple[int, int]:
    """Begin and end of a packet's body; the end is 0 while its length is not all there."""
    digit = data[at + 1]
    if digit < 128:
        return at + 2, at + 2 + digit
    length, shift, place = digit & 127, 7, at + 2
    while place < size:
        digit = data[place]
        place += 1
        length |= (digit & 127) << shift
        if digit < 128:
            if length > MAX_PACKET:
                raise ProtocolError("a packet is too large")
            return place, place + length
        shift += 7
        if shift > 21:
            raise ProtocolError("a length has more than four bytes")
    return place, 0


def read_publish(flags: int, body: bytes) -> Published:
    """Read one message from the flags and the body of its packet.

    Raises:
        ProtocolError: It is cut short, of QoS 2, or says its topic by an alias.
    """
    if flags & 0x04:
        raise ProtocolError("QoS 2 was never subscribed to")
    try:
        place = 2 + (body[0] << 8 | body[1])
        topic, mid = body[2:place], 0
        if flags & 0x02:
            mid = body[place] << 8 | body[place + 1]
            place += 2
        length = body[place]
        place += 1
        if length:
            place = place + length if length < 128 else _after_long_properties(body, place - 1)
    except IndexError as error:
        raise ProtocolError("a message is cut short") from error
    if not topic or place > len(body) or (flags & 0x02 and not mid):
        raise ProtocolError("a message has no topic or is cut short")
    return Published(topic, body[place:], mid, bool(flags & 0x01))


def _after_long_properties(body: bytes, place: int) -> int:
    length, begin = _number(body, place)
    return begin + length


def _number(body: bytes, place: int) -> tuple[int, int]:
    """Read a variable byte integer; returns it and the place behind it."""
    value, shift = 0, 0
    while shift <= 21:
        digit = body[place]
        place += 1
        value |= (digit & 127) << shift
        if digit < 128:
            return value, place
        shift += 7
    raise ProtocolError("a number has more than four bytes")


def read_connack(body: bytes) -> Accepted:
    """Read the answer to CONNECT.

    Raises:
        ProtocolError: It cannot be read.
    """
    try:
        present, reason = bool(body[0] & 1), body[1]
        maximum = _receive_maximum(body) if len(body) > 2 else _MAX_ID
    except (IndexError, struct.error) as error:
        raise ProtocolError("the answer to CONNECT is cut short") from error
    return Accepted(reason, present, maximum)


def _receive_maximum(body: bytes) -> int:
    length, place = _number(body, 2)
    end, maximum = place + length, _MAX_ID
    while place < end:
        name = body[place]
        place += 1
        if name == _RECEIVE_MAXIMUM:
            maximum = struct.unpack_from("!H", body, place)[0] or 1
        if name in _PROPERTY_SIZES:
            place += _PROPERTY_SIZES[name]
            continue
        for _ in range(2 if name == _TWO_TEXTS else 1):
            place += 2 + struct.unpack_from("!H", body, place)[0]
    return int(maximum)


def read_answer(body: bytes) -> tuple[int, int]:
    """Read number and reason of a PUBACK.

    Raises:
        ProtocolError: It is cut short.
    """
    if len(body) < 2:
        raise ProtocolError("an acknowledgement is cut short")
    return body[0] << 8 | body[1], body[2] if len(body) > 2 else 0


def read_suback(body: bytes) -> list[int]:
    """Read the reasons of a SUBACK, one per subscription.

    Raises:
        ProtocolError: It is cut short.
    """
    try:
        length, place = _number(body, 2)
    except IndexError as error:
        raise ProtocolError("the answer to SUBSCRIBE is cut short") from error
    return list(body[place + length :])


def connect(client_id: str, *, keepalive_s: int, session_s: int, receive_maximum: int) -> bytes:
    """Build CONNECT; an old session goes on."""
    said = struct.pack("!BIBH", _SESSION_EXPIRY, session_s, _RECEIVE_MAXIMUM, receive_maximum)
    head = text("MQTT") + struct.pack("!BBH", 5, 0, keepalive_s) + bytes([len(said)]) + said
    return packet(0x10, head + text(client_id))


def subscribe(mid: int, topics: Iterable[str]) -> bytes:
    """Build SUBSCRIBE with QoS 1 for each topic."""
    wanted = b"".join(text(topic) + b"\x01" for topic in topics)
    return packet(0x82, mid.to_bytes(2, "big") + b"\x00" + wanted)


def publish(topic: str, payload: bytes, *, mid: int = 0, retain: bool = False) -> bytes:
    """Build PUBLISH: QoS 1 with a number, QoS 0 without."""
    number = mid.to_bytes(2, "big") if mid else b""
    return packet(0x30 | bool(mid) << 1 | retain, text(topic) + number + b"\x00" + payload)


def again(published: bytes) -> bytes:
    """Mark a PUBLISH as sent before."""
    return bytes([published[0] | 0x08]) + published[1:]


def pubacks(mids: Iterable[int]) -> bytes:
    """Build one PUBACK for each number."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids])


def text(value: str) -> bytes:
    """A text with its length before it."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(head: int, body: bytes) -> bytes:
    """A packet: first byte, length, body."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | 128 if length else digit)
        if not length:
            return bytes([head]) + bytes(digits) + body
