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


def _expected_length(framing: Framing, data: bytes) -> int | None:
    """Length of the frame that begins ``data``; ``None`` when more bytes are needed to know."""
    if framing.length is not None:
        return framing.length
    if framing.length_at is not None:
        if len(data) <= framing.length_at:
            return None
        return data[framing.length_at] + framing.length_add
    end = unhex(framing.end)
    found = data.find(end, len(unhex(framing.start)))
    return None if found < 0 else found + len(end) + framing.tail


def verify(framing: Framing, frame: bytes) -> None:
    """Check one whole frame.

    Raises:
        RejectError: Wrong length, marks, checksum or block pattern.
    """
    if framing.blocks is not None:
        _verify_blocks(framing, framing.blocks, frame)
        return
    _verify_single(framing, frame, exact=True)


def _verify_single(framing: Framing, frame: bytes, *, exact: bool) -> None:
    expected = framing.length if framing.length is not None else len(frame)
    if framing.length_at is not None:
        expected = _expected_length(framing, frame) or -1
    if exact and len(frame) != expected:
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
        _verify_single(framing, block, exact=True)
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
        if self._line is not None:
            return self._lines(self._line)
        if self._framing is None:
            frame = bytes(self._buffer)
            self._buffer.clear()
            return [frame] if frame else []
        return self._frames(self._framing)

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
        size = _expected_length(framing, bytes(self._buffer[: framing.max_length + 1]))
        if framing.blocks is not None and size is not None:
            size *= framing.blocks.count
        limit = framing.max_length * (framing.blocks.count if framing.blocks is not None else 1)
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
                _verify_single(framing, bytes(self._buffer[: framing.length]), exact=True)
                step = framing.length
            except RejectError:
                step = 1
        self._drop(step)

    def _drop(self, count: int) -> None:
        self.discarded += count
        del self._buffer[:count]
