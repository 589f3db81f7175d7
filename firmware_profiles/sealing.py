"""Marks, sizes, checksums and escapes around a frame: the way back of :mod:`firmware_profiles.framing`."""

from __future__ import annotations

from firmware_profiles import encodings
from firmware_profiles.framing import checksum_span, escaped
from firmware_profiles.schema import Checksum, Framing


def checksum_bytes(checksum: Checksum, data: bytes) -> bytes:
    """Return the checksum of some bytes as it is written."""
    size, function = encodings.CHECKSUMS[checksum.alg]
    return function(data).to_bytes(size, "big" if checksum.endian == "big" else "little")


def framed(framing: Framing, body: bytearray) -> bytes:
    """Put marks, size, checksum and escapes around (and into) a frame's content."""
    end = bytes.fromhex(framing.end)
    reserved = len(end) + framing.tail
    if framing.checksum is not None and framing.checksum.at < 0:
        reserved = max(reserved, -framing.checksum.at)
    if framing.blocks is not None:
        return _framed_blocks(framing, body)
    length = framing.length or len(body) + reserved
    frame = body + bytes(max(0, length - len(body)))
    _seal_frame(framing, frame)
    return escaped(framing, bytes(frame))


def _framed_blocks(framing: Framing, body: bytearray) -> bytes:
    assert framing.blocks is not None  # noqa: S101 - the caller looked
    size = framing.length or 1
    whole = body + bytes(max(0, size * framing.blocks.count - len(body)))
    mask, value = bytes.fromhex(framing.blocks.first_mask), bytes.fromhex(framing.blocks.first_value)
    for index in range(framing.blocks.count):
        block = whole[index * size : (index + 1) * size]
        for at, bits in enumerate(mask):
            block[at] = block[at] & ~bits & 0xFF | (value[at] if index == 0 else 0)
        _seal_frame(framing, block)
        whole[index * size : (index + 1) * size] = block
    return bytes(whole)


def _seal_frame(framing: Framing, frame: bytearray) -> None:
    start, end = bytes.fromhex(framing.start), bytes.fromhex(framing.end)
    frame[: len(start)] = start
    stop = len(frame) - framing.tail
    frame[stop - len(end) : stop] = end
    if framing.length_at is not None:
        size, order = framing.length_size, framing.length_endian
        field = (len(frame) - framing.length_add).to_bytes(size, order)
        frame[framing.length_at : framing.length_at + size] = field
    for at, (bits, wanted) in enumerate(
        zip(bytes.fromhex(framing.mask), bytes.fromhex(framing.value), strict=True)
    ):
        frame[at] = frame[at] & ~bits & 0xFF | wanted
    if framing.checksum is not None:
        first, stop, at = checksum_span(framing.checksum, len(frame))
        found = checksum_bytes(framing.checksum, bytes(frame[first:stop]))
        frame[at : at + len(found)] = found
