"""The flight recorder: every raw frame of the last days, in a few bounded files.

What a device really sent can so be run through a newer profile later. Only bytes, the device's uid and the
clocks are kept: no patient, no bed, no order is known here. Each row carries its length and checksum, so
that a file cut by a power failure is read up to its last whole row.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from edge_node.ports import Frame

SEGMENTS = 8
"""The oldest eighth is given up when the ring is full."""
HEADER = struct.Struct("<II")
MAX_ROW = 64 * 1024
PATTERN = "frames-*.bin"


class Row(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One frame as it arrived."""

    utc_ms: int
    mono_ns: int
    device: str
    profile: str
    stream: str
    data: bytes

    @property
    def utc(self) -> datetime:
        """When it arrived, on the node's wall clock."""
        return datetime.fromtimestamp(self.utc_ms / 1000, UTC)


class FlightRecorder:
    """A ring of files in one directory; one writer.

    Args:
        directory: Only for this.
        max_bytes: All files together.
        max_age: Older files are given up.
    """

    def __init__(self, directory: Path, *, max_bytes: int, max_age: timedelta) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.lost = 0
        self._directory = directory
        self._segment_bytes = max(max_bytes // SEGMENTS, MAX_ROW)
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._buffer = bytearray()
        self._file: Path | None = None
        self._written = 0

    def record(self, device: str, profile: str, frame: Frame) -> None:
        """Keep one frame; it is on disk after the next :meth:`flush`."""
        row = Row(
            utc_ms=int(frame.stamp.utc.timestamp() * 1000),
            mono_ns=frame.stamp.mono_ns,
            device=device,
            profile=profile,
            stream=frame.stream,
            data=frame.data,
        )
        body = msgspec.msgpack.encode(row)
        self._buffer += HEADER.pack(len(body), zlib.crc32(body)) + body

    def flush(self, now: datetime) -> None:
        """Write what waits and give up what is too much or too old; a full disk costs rows, not the node."""
        if not self._buffer:
            return
        data, self._buffer = bytes(self._buffer), bytearray()
        if self._file is None or self._written + len(data) > self._segment_bytes:
            self._begin(now)
        assert self._file is not None  # noqa: S101 - begun just before
        try:
            with self._file.open("ab") as out:
                out.write(data)
            self._written += len(data)
        except OSError:
            self.lost += 1

    def _begin(self, now: datetime) -> None:
        self._file = self._directory / f"frames-{int(now.timestamp() * 1000):014d}-{os.getpid()}.bin"
        self._written = 0
        self._give_up(now)

    def _give_up(self, now: datetime) -> None:
        """Remove whole files: those past their age, then the oldest until a new one has room."""
        files = segments(self._directory)
        oldest = (now - self._max_age).timestamp()
        for file in [file for file in files if file.stat().st_mtime < oldest]:
            file.unlink()
            files.remove(file)
        room = self._max_bytes - self._segment_bytes
        while files and sum(file.stat().st_size for file in files) > room:
            files.pop(0).unlink()


def segments(directory: Path) -> list[Path]:
    """The files of a ring, oldest first."""
    return sorted(directory.glob(PATTERN))


def rows(source: Path) -> Iterator[Row]:
    """Every whole row of a ring's directory, or of one of its files, oldest first."""
    for file in segments(source) if source.is_dir() else [source]:
        yield from _rows(file.read_bytes())


def _rows(data: bytes) -> Iterator[Row]:
    at = 0
    while at + HEADER.size <= len(data):
        size, check = HEADER.unpack_from(data, at)
        body = data[at + HEADER.size : at + HEADER.size + size]
        if size > MAX_ROW or len(body) < size or zlib.crc32(body) != check:
            return  # the power went while this was written; what follows cannot be told apart
        yield msgspec.msgpack.decode(body, type=Row)
        at += HEADER.size + size
