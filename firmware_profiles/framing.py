"""Finding whole frames in a stream of bytes, and finding them again after noise."""

from __future__ import annotations

from functools import lru_cache

from firmware_profiles import encodings
from firmware_profiles.plan import Profile
from firmware_profiles.schema import Blocks, Checksum, Framing, Line


class RejectError(Exception):
    """These bytes are not a frame of this stream; ``reason`` is a short kebab-case word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@lru_cache(maxsize=512)
def unhex(text: str) -> bytes:
    """Read a profile's hex; remembered, since framing asks for the same few words at every byte."""
    return bytes.fromhex(text)


def _word(data: bytes, endian: str) -> int:
    return int.from_bytes(data, "big" if endian == "big" else "little")


def checksum_span(checksum: Checksum, length: int) -> tuple[int, int, int]:
    """Return start and stop of what is summed, and where the sum stands, for a frame of this length."""
    at = checksum.at if checksum.at >= 0 else length + checksum.at
    start = checksum.start if checksum.start >= 0 else length + checksum.start
    stop = checksum.stop if checksum.stop >= 0 else length + checksum.stop
    return start, stop, at


def checksum_holds(checksum: Checksum, frame: bytes) -> bool:
    """Whether a frame carries the right checksum."""
    size, function = encodings.CHECKSUMS[checksum.alg]
    start, stop, at = checksum_span(checksum, len(frame))
    found = frame[at : at + size]
    if at < 0 or len(found) < size or stop < start:
        return False
    return function(frame[start:stop]) == _word(found, checksum.endian)


def masked(data: bytes, mask: bytes, value: bytes) -> bool:
    """Whether ``data`` agrees with ``value`` in every bit of ``mask``."""
    return all(byte & bits == wanted for byte, bits, wanted in zip(data, mask, value, strict=False))


def _marks_hold(framing: Framing, frame: bytes) -> bool:
    mask, value = unhex(framing.mask), unhex(framing.value)
    return (
        frame.startswith(unhex(framing.start))
        and frame[: len(frame) - framing.tail].endswith(unhex(framing.end))
        and masked(frame, mask, value)
    )


def opened(framing: Framing, frame: bytes) -> bytes:
    """Free a frame of its escapes.

    Raises:
        RejectError: It ends in an escape, or a mark stands where only an escaped one may.
    """
    if not framing.escape:
        return frame
    start, end = unhex(framing.start), unhex(framing.end)
    stop = len(frame) - len(end) if end and frame.endswith(end) else len(frame)
    body, plain = frame[len(start) : stop], bytearray(frame[: len(start)])
    escape, escaped = int(framing.escape, 16), False
    for byte in body:
        if escaped:
            plain.append(byte ^ framing.escape_xor)
            escaped = False
        elif byte == escape:
            escaped = True
        elif byte in start or byte in end:
            raise RejectError("marks")
        else:
            plain.append(byte)
    if escaped:
        raise RejectError("escape")
    return bytes(plain) + frame[stop:]


def escaped(framing: Framing, frame: bytes) -> bytes:
    """Put in the escapes that the marks, and the escape itself, need inside a frame."""
    if not framing.escape:
        return frame
    start, end = unhex(framing.start), unhex(framing.end)
    special = {*start, *end, int(framing.escape, 16)}
    stop = len(frame) - len(end)
    body = bytearray()
    for byte in frame[len(start) : stop]:
        if byte in special:
            body += bytes((int(framing.escape, 16), byte ^ framing.escape_xor))
        else:
            body.append(byte)
    return frame[: len(start)] + bytes(body) + frame[stop:]


def _counted(framing: Framing, data: bytes) -> int | None:
    """Length by the frame's own word; with escapes, of the bytes on the wire."""
    at, size = framing.length_at or 0, framing.length_size
    if not framing.escape:
        field = data[at : at + size]
        return _word(field, framing.length_endian) + framing.length_add if len(field) == size else None
    wire, plain, wanted = 0, bytearray(), at + size
    while len(plain) < wanted:
        if wire >= len(data):
            return None
        if data[wire] == int(framing.escape, 16) and wire:
            if wire + 1 >= len(data):
                return None
            plain.append(data[wire + 1] ^ framing.escape_xor)
            wire += 2
        else:
            plain.append(data[wire])
            wire += 1
        if len(plain) == at + size:
            wanted = _word(bytes(plain[at:]), framing.length_endian) + framing.length_add
    return wire


def _expected_length(framing: Framing, data: bytes) -> int | None:
    """Length of the frame that begins ``data``; ``None`` when more bytes are needed to know."""
    if framing.length is not None:
        return framing.length
    if framing.length_at is not None:
        return _counted(framing, data)
    end = unhex(framing.end)
    found = data.find(end, len(unhex(framing.start)))
    return None if found < 0 else found + len(end) + framing.tail


def verify(framing: Framing, frame: bytes) -> bytes:
    """Check one whole frame as it came over the wire, and return it without its escapes.

    Raises:
        RejectError: Wrong length, marks, escapes, checksum or block pattern.
    """
    if framing.blocks is not None:
        _verify_blocks(framing, framing.blocks, frame)
        return frame
    plain = opened(framing, frame)
    _verify_single(framing, plain)
    return plain


def _plain_length(framing: Framing, frame: bytes) -> int:
    """How long a frame that is free of escapes should be; -1 when it ends before it says so."""
    if framing.length_at is None:
        return framing.length if framing.length is not None else len(frame)
    field = frame[framing.length_at : framing.length_at + framing.length_size]
    if len(field) < framing.length_size:
        return -1
    return _word(field, framing.length_endian) + framing.length_add


def _verify_single(framing: Framing, frame: bytes) -> None:
    expected = _plain_length(framing, frame)
    if len(frame) != expected:
        raise RejectError("short" if len(frame) < expected or expected < 0 else "length")
    if len(frame) > framing.max_length:
        raise RejectError("length")
    if not _marks_hold(framing, frame):
        raise RejectError("marks")
    if framing.checksum is not None and not checksum_holds(framing.checksum, frame):
        raise RejectError("checksum")


def _verify_blocks(framing: Framing, blocks: Blocks, frame: bytes) -> None:
    size = framing.length or 1
    if len(frame) != size * blocks.count:
        raise RejectError("short" if len(frame) < size * blocks.count else "length")
    mask, value = unhex(blocks.first_mask), unhex(blocks.first_value)
    for index in range(blocks.count):
        block = frame[index * size : (index + 1) * size]
        _verify_single(framing, block)
        if masked(block, mask, value) is not (index == 0):
            raise RejectError("marks")


class Framer:
    """Cuts a serial stream into frames; keeps what is not yet whole, drops what is noise.

    Args:
        profile: The device model.
        stream_id: A stream with framing or lines.
    """

    def __init__(self, profile: Profile, stream_id: str) -> None:
        stream = profile.plan(stream_id).rule
        self._framing = stream.framing
        self._line = stream.line
        self._buffer = bytearray()
        self.discarded = 0  # bytes that belonged to no frame: a rising number means noise or wrong baud

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes and return every frame that is now whole, in order, at most a few per call."""
        self._buffer += data
        if self._framing is not None:
            return self._frames(self._framing)
        if self._line is not None:
            return self._lines(self._line)
        frame = bytes(self._buffer)
        self._buffer.clear()
        return [frame] if frame else []

    def _lines(self, line: Line) -> list[bytes]:
        end = line.end.encode()
        *whole, rest = bytes(self._buffer).split(end)
        if len(rest) > line.max_length:
            self.discarded += len(rest)
            rest = b""
        self._buffer[:] = rest
        kept = [text for text in whole if 0 < len(text) <= line.max_length]
        self.discarded += sum(len(text) for text in whole if len(text) > line.max_length)
        return kept

    def _frames(self, framing: Framing) -> list[bytes]:
        frames: list[bytes] = []
        while self._buffer:
            size = self._size(framing)
            if size is None:
                break
            frame = bytes(self._buffer[:size])
            try:
                verify(framing, frame)
            except RejectError:
                self._skip(framing)
                continue
            frames.append(frame)
            del self._buffer[:size]
        return frames

    def _size(self, framing: Framing) -> int | None:
        """How long the frame at the head is; ``None`` to wait for more bytes."""
        self._seek(framing)
        limit = framing.max_length * (2 if framing.escape else 1)
        size = _expected_length(framing, bytes(self._buffer[: limit + 1]))
        if framing.blocks is not None:
            limit *= framing.blocks.count
            size = size * framing.blocks.count if size is not None else None
        if size is None:
            if len(self._buffer) <= limit:
                return None
            size = limit + 1  # no end in sight: verify refuses it, and the search goes on
        if size < 1 or size > limit:
            return min(len(self._buffer), limit + 1)
        return size if len(self._buffer) >= size else None

    def _seek(self, framing: Framing) -> None:
        """Drop bytes before the next place where a frame can begin."""
        start = unhex(framing.start)
        if start:
            found = bytes(self._buffer).find(start[:1])
            self._drop(len(self._buffer) if found < 0 else found)

    def _skip(self, framing: Framing) -> None:
        """The head is no frame. Within blocks, skip one whole good block, otherwise one byte."""
        step = 1
        if framing.blocks is not None and framing.length is not None:
            try:
                _verify_single(framing, bytes(self._buffer[: framing.length]))
                step = framing.length
            except RejectError:
                step = 1
        self._drop(step)

    def _drop(self, count: int) -> None:
        self.discarded += count
        del self._buffer[:count]
