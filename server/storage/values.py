"""The values of one sample side by side: numbers as float64, validity as one byte each.

Which value stands where is said once, by a layout: the codes and units in their order. A device sends the
same few layouts all its life. float64 gives back every number of up to 15 digits as the device showed it;
a missing number is NaN, which no device can send.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from broker.messages import Value
from clinical.records import USABLE, Validity
from server.storage import schema
from server.storage.unit import UnitOfWork

Codes = tuple[tuple[str, str], ...]
"""Codes and units, in the order of the values."""
WORDS = tuple(map(Validity, ("Vld", "Vldated", "Qst", "Calib", "Inv", "Oflw", "Uflw", "NA", "Ong")))
"""Validity by byte; stored bytes depend on this order, so it only ever grows at its end."""
_BYTE_OF = {word: number for number, word in enumerate(WORDS)}
_USABLE = bytes(word in USABLE for word in WORDS)
_NAN = math.nan
_VALID = Validity.VALID
_MOST_KNOWN = 10_000
LOWS, HIGHS, MEANS, COUNTS = range(4)


@cache
def _packer(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}d")


def pack(values: Sequence[Value]) -> tuple[bytes, bytes]:
    """Return numbers and validity of a sample as they are stored."""
    numbers = [_NAN if one.n is None else float(one.n) for one in values]
    for one in values:
        if one.validity is not _VALID:
            return _packer(len(numbers)).pack(*numbers), bytes([_BYTE_OF[value.validity] for value in values])
    return _packer(len(numbers)).pack(*numbers), b""


def unpack(vals: bytes, validity: bytes) -> tuple[tuple[float, ...], tuple[Validity, ...]]:
    """Return numbers (NaN = none) and validity of a stored sample."""
    numbers = _packer(len(vals) // 8).unpack(vals)
    return numbers, tuple(WORDS[byte] for byte in validity) or (_VALID,) * len(numbers)


def usable(rows: Sequence[tuple[bytes, bytes]], count: int) -> NDArray[np.float64]:
    """Return the usable numbers of samples of one layout, one row each; what is not usable is NaN."""
    numbers = np.frombuffer(b"".join(row[0] for row in rows), dtype="<f8").reshape(len(rows), count).copy()
    good = np.frombuffer(_USABLE, dtype=np.uint8)
    for index, (_, validity) in enumerate(rows):
        if validity:
            numbers[index, good[np.frombuffer(validity, dtype=np.uint8)] == 0] = np.nan
    return numbers


def stats_of(rows: Sequence[tuple[bytes, bytes]], count: int) -> bytes:
    """Lowest, highest, mean and number of the usable values of each code, as a rollup keeps them."""
    numbers = usable(rows, count)
    there = ~np.isnan(numbers)
    counts = there.sum(axis=0)
    some = counts > 0
    stats = np.full((4, count), np.nan, dtype="<f4")
    stats[LOWS] = np.where(some, np.where(there, numbers, np.inf).min(axis=0), np.nan)
    stats[HIGHS] = np.where(some, np.where(there, numbers, -np.inf).max(axis=0), np.nan)
    stats[MEANS] = np.where(some, np.where(there, numbers, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
    stats[COUNTS] = counts
    return stats.tobytes()


class Layouts:
    """Numbers of layouts, given once and for ever; used on the writer's thread."""

    def __init__(self) -> None:
        self._numbers: dict[Codes, int] = {}

    def number_of(self, unit: UnitOfWork, codes: Codes) -> int:
        """Return the number of a layout; a new one is written in this same transaction."""
        number = self._numbers.get(codes)
        if number is None:
            number = _number_of(unit, codes)
            unit.after_commit(lambda: self._remember(codes, number))
        return number

    def _remember(self, codes: Codes, number: int) -> None:
        if len(self._numbers) >= _MOST_KNOWN:
            self._numbers.clear()
        self._numbers[codes] = number


def _number_of(unit: UnitOfWork, codes: Codes) -> int:
    table = schema.sample_layouts
    text = msgspec.json.encode(codes).decode()
    number = unit.connection.scalar(select(table.c.id).where(table.c.codes == text))
    if number is None:
        number = int(unit.connection.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0) + 1
        unit.connection.execute(table.insert().values(id=number, codes=text))
    return int(number)


def read_layouts(connection: Connection) -> dict[int, Codes]:
    """Every layout there is, by number."""
    rows = connection.execute(select(schema.sample_layouts))
    return {row.id: msgspec.json.decode(row.codes, type=Codes) for row in rows}
