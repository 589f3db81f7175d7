"""Which characters a font file can draw: its own ``cmap`` table, read with nothing but ``struct``."""

from __future__ import annotations

import struct
from pathlib import Path


def characters(path: Path) -> set[int]:
    """Code points of a font's 32-bit character map (OpenType ``cmap`` format 12)."""
    data = path.read_bytes()
    cmap = _table(data, b"cmap")
    found: set[int] = set()
    for index in range(struct.unpack_from(">H", data, cmap + 2)[0]):
        start = cmap + struct.unpack_from(">I", data, cmap + 4 + 8 * index + 4)[0]
        if struct.unpack_from(">H", data, start)[0] == 12:
            for group in range(struct.unpack_from(">I", data, start + 12)[0]):
                first, last, _ = struct.unpack_from(">III", data, start + 16 + 12 * group)
                found.update(range(first, last + 1))
    assert found, f"{path.name} has no 32-bit character map"
    return found


def _table(data: bytes, tag: bytes) -> int:
    for index in range(struct.unpack_from(">H", data, 4)[0]):
        name, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * index)
        if name == tag:
            return int(offset)
    message = f"no table {tag!r}"
    raise AssertionError(message)
