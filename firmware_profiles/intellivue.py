"""Numerics out of a Philips IntelliVue data message: lists within lists within lists.

A poll result (Data Export Interface, Programming Guide) holds contexts, these hold objects, these hold
attributes; of all of them only the observed values are taken, each ten bytes: physiological id, state,
unit, and a FLOAT, all big endian.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware_profiles.framing import RejectError

DATA_EXPORT = 0xE100
RESULT, LINKED_RESULT = 2, 5
CONFIRMED_ACTION = 7
POLL, EXTENDED_POLL = 0x0C16, 0xF13B
OBSERVED, OBSERVED_LIST = 0x0950, 0x094B
VALUE_BYTES = 10


class _Reader:
    """Takes words from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise RejectError("short")
        self._at += size
        return taken

    def word(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def block(self) -> _Reader:
        """A part that is preceded by its own length."""
        return _Reader(self.take(self.word()))

    def items(self) -> Iterator[_Reader]:
        """The items of a list (count, length, items): each reads on where the last one stopped."""
        count = self.word()
        inner = self.block()
        for _ in range(count):
            yield inner


def numerics(frame: bytes) -> bytes:
    """Return every observed value of a poll result, ten bytes each.

    Args:
        frame: The frame without escapes: C0, header (protocol 11, type 01, length), data, FCS, C1.

    Raises:
        RejectError: Not a poll result, or one that is cut.
    """
    header, body = frame[1:5], frame[5:-3]
    if header[:2] != b"\x11\x01" or int.from_bytes(header[2:], "big") != len(body):
        raise RejectError("length")
    reader = _Reader(body)
    if reader.word() != DATA_EXPORT:
        raise RejectError("value")
    reader.word()
    kind = reader.word()
    if kind not in {RESULT, LINKED_RESULT}:
        raise RejectError("value")
    found = b"".join(_values(_poll(reader.block(), linked=kind == LINKED_RESULT)))
    if not found:
        raise RejectError("empty")
    return found


def _poll(reader: _Reader, *, linked: bool) -> _Reader:
    """Step over everything before the list of contexts."""
    if linked:
        reader.take(2)
    reader.word()
    if reader.word() != CONFIRMED_ACTION:
        raise RejectError("value")
    action = reader.block()
    action.take(6)
    kind = action.word()
    if kind not in {POLL, EXTENDED_POLL}:
        raise RejectError("value")
    reply = action.block()
    reply.take(2 if kind == POLL else 4)
    reply.take(4 + 8 + 4 + 2)
    return reply


def _values(reply: _Reader) -> Iterator[bytes]:
    for context in reply.items():
        context.word()
        for thing in context.items():
            thing.word()
            for attribute in thing.items():
                kind, value = attribute.word(), attribute.block()
                if kind == OBSERVED:
                    yield value.take(VALUE_BYTES)
                elif kind == OBSERVED_LIST:
                    for one in value.items():
                        yield one.take(VALUE_BYTES)
