"""One code of one patient over time, at most so many points as a chart can show.

Stretches of a minute and longer are read from the minutes that were rolled up; what is not rolled up yet,
and shorter stretches, from the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, select, type_coerce

from server.storage.columns import EPOCH, micros
from server.storage.schema import rollups, samples
from server.storage.values import COUNTS, HIGHS, LOWS, MEANS, Codes, read_layouts, usable

MAX_SAMPLES = 200_000
MINUTE = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Values of one stretch of time: lowest, highest and mean of the usable ones."""

    at: datetime
    low: float
    high: float
    mean: float
    count: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """Usable values of some times: microseconds, lowest, highest, sum and number."""

    at: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    total: NDArray[np.float64]
    count: NDArray[np.float64]


class _Place(NamedTuple):
    """Where a code stands in a layout, and how many values the layout has."""

    at: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One code of one stay, and the layouts that have it."""

    encounter_id: str
    places: Mapping[int, _Place]
    since: datetime
    until: datetime


def trend(
    connection: Connection, encounter_id: str, code: str, since: datetime, until: datetime, points: int
) -> list[Point]:
    """Collect a trend in ``points`` equal stretches; stretches without a usable value are left out."""
    stretch = max((until - since) / points, _MICROSECOND)
    places = _places(connection, code)
    asked = _Asked(encounter_id=encounter_id, places=places, since=since, until=until)
    rolled: list[_Parts] = []
    unrolled = micros(since)
    if stretch >= MINUTE:
        rolled = _minutes(connection, asked)
        last = max((int(parts.at.max()) for parts in rolled if parts.at.size), default=None)
        unrolled = unrolled if last is None else max(unrolled, last + MINUTE // _MICROSECOND)
    return _points([*rolled, *_samples(connection, asked, unrolled)], since, stretch, points)


def _points(parts: Iterable[_Parts], since: datetime, stretch: timedelta, points: int) -> list[Point]:
    """Put what is known into its stretches; what rounding leaves at the end belongs to the last one."""
    low, high = np.full(points, np.inf), np.full(points, -np.inf)
    total, count = np.zeros(points), np.zeros(points)
    for part in parts:
        index = np.minimum((part.at - micros(since)) // (stretch // _MICROSECOND), points - 1)
        np.minimum.at(low, index, part.low)
        np.maximum.at(high, index, part.high)
        np.add.at(total, index, part.total)
        np.add.at(count, index, part.count)
    return [
        Point(
            at=since + int(index) * stretch,
            low=float(low[index]),
            high=float(high[index]),
            mean=float(total[index] / count[index]),
            count=int(count[index]),
        )
        for index in np.flatnonzero(count)
    ]


def _places(connection: Connection, code: str) -> dict[int, _Place]:
    """Find the code in each layout that has it."""

    def place(codes: Codes) -> int | None:
        return next((index for index, (name, _) in enumerate(codes) if name == code), None)

    known = {number: (place(codes), len(codes)) for number, codes in read_layouts(connection).items()}
    return {number: _Place(at, width) for number, (at, width) in known.items() if at is not None}


def _minutes(connection: Connection, asked: _Asked) -> list[_Parts]:
    table = rollups.c
    rows = connection.execute(
        select(table.layout, type_coerce(table.minute, BigInteger), table.stats).where(
            table.encounter_id == asked.encounter_id,
            table.minute >= asked.since,
            table.minute < asked.until,
            table.layout.in_(asked.places),
        )
    ).all()
    found = []
    for layout, (minutes, stats) in _by_layout(rows).items():
        place = asked.places[layout]
        block = np.frombuffer(b"".join(stats), dtype="<f4").reshape(len(stats), 4, place.width)
        mine = block[:, :, place.at].astype(np.float64)
        there = mine[:, COUNTS] > 0
        mine, at = mine[there], np.array(minutes, dtype=np.int64)[there]
        count = mine[:, COUNTS]
        found.append(_Parts(at, mine[:, LOWS], mine[:, HIGHS], mine[:, MEANS] * count, count))
    return found


def _samples(connection: Connection, asked: _Asked, since: int) -> list[_Parts]:
    table = samples.c
    rows = connection.execute(
        select(table.layout, type_coerce(table.effective, BigInteger), table.vals, table.validity)
        .where(
            table.encounter_id == asked.encounter_id,
            table.effective >= EPOCH + since * _MICROSECOND,
            table.effective < asked.until,
            table.layout.in_(asked.places),
        )
        .order_by(table.effective)
        .limit(MAX_SAMPLES)
    ).all()
    found = []
    for layout, (times, vals, validity) in _by_layout(rows).items():
        place = asked.places[layout]
        values = usable(list(zip(vals, validity, strict=True)), place.width)[:, place.at]
        there = ~np.isnan(values)
        values, at = values[there], np.array(times, dtype=np.int64)[there]
        found.append(_Parts(at, values, values, values, np.ones(values.size)))
    return found


def _by_layout(rows: Iterable[Sequence[Any]]) -> dict[int, list[tuple[Any, ...]]]:
    """Columns of the rows of each layout, which is their first one."""
    groups: dict[int, list[tuple[Any, ...]]] = {}
    for layout, *row in rows:
        groups.setdefault(layout, []).append(tuple(row))
    return {layout: list(zip(*of_layout, strict=True)) for layout, of_layout in groups.items()}
