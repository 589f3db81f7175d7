"""One code of one patient over time, at most so many points as a chart can show.

Stretches of a minute and longer are read from the minutes that were rolled up; what is not rolled up yet,
and shorter stretches, from the samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Connection, select

from server.storage.schema import rollups, samples
from server.storage.values import COUNTS, HIGHS, LOWS, MEANS, Codes, read_layouts, usable

MAX_SAMPLES = 200_000
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Values of one stretch of time: lowest, highest and mean of the usable ones."""

    at: datetime
    low: float
    high: float
    mean: float
    count: int


@dataclass(slots=True)
class _Sum:
    """What is known of one stretch."""

    low: float
    high: float
    total: float
    count: int

    def add(self, low: float, high: float, total: float, count: int) -> None:
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.total += total
        self.count += count


Part = tuple[datetime, float, float, float, int]
"""When, lowest, highest, sum and number of usable values."""


def trend(
    connection: Connection, encounter_id: str, code: str, since: datetime, until: datetime, points: int
) -> list[Point]:
    """Collect a trend in ``points`` equal stretches; stretches without a usable value are left out."""
    stretch = (until - since) / points
    places = _places(connection, code)
    rolled_until = since
    parts: list[Part] = []
    if stretch >= MINUTE:
        parts = list(_minutes(connection, encounter_id, places, since, until))
        rolled_until = max((part[0] for part in parts), default=since - MINUTE) + MINUTE
    parts += _samples(connection, encounter_id, places, max(since, rolled_until), until)
    sums: dict[int, _Sum] = {}
    for at, low, high, total, count in parts:
        index = (at - since) // stretch
        if index in sums:
            sums[index].add(low, high, total, count)
        else:
            sums[index] = _Sum(low, high, total, count)
    return [
        Point(
            at=since + index * stretch,
            low=one.low,
            high=one.high,
            mean=one.total / one.count,
            count=one.count,
        )
        for index, one in sorted(sums.items())
    ]


def _places(connection: Connection, code: str) -> dict[int, tuple[int, int]]:
    """Where the code stands in each layout that has it, and how many values the layout has."""

    def place(codes: Codes) -> int | None:
        return next((index for index, (name, _) in enumerate(codes) if name == code), None)

    known = {number: (place(codes), len(codes)) for number, codes in read_layouts(connection).items()}
    return {number: (at, count) for number, (at, count) in known.items() if at is not None}


def _minutes(
    connection: Connection,
    encounter_id: str,
    places: dict[int, tuple[int, int]],
    since: datetime,
    until: datetime,
) -> Iterator[Part]:
    rows = connection.execute(
        select(rollups.c.minute, rollups.c.layout, rollups.c.stats).where(
            rollups.c.encounter_id == encounter_id,
            rollups.c.minute >= since,
            rollups.c.minute < until,
            rollups.c.layout.in_(places),
        )
    )
    for row in rows:
        at, count = places[row.layout]
        stats = np.frombuffer(row.stats, dtype="<f4").reshape(4, count)[:, at]
        number = int(stats[COUNTS])
        if number:
            mean = float(stats[MEANS])
            yield row.minute, float(stats[LOWS]), float(stats[HIGHS]), mean * number, number


def _samples(
    connection: Connection,
    encounter_id: str,
    places: dict[int, tuple[int, int]],
    since: datetime,
    until: datetime,
) -> Iterator[Part]:
    rows = connection.execute(
        select(samples.c.effective, samples.c.layout, samples.c.vals, samples.c.validity)
        .where(
            samples.c.encounter_id == encounter_id,
            samples.c.effective >= since,
            samples.c.effective < until,
            samples.c.layout.in_(places),
        )
        .order_by(samples.c.effective)
        .limit(MAX_SAMPLES)
    ).all()
    by_layout: dict[int, list[int]] = {}
    for number, row in enumerate(rows):
        by_layout.setdefault(row.layout, []).append(number)
    for layout, numbers in by_layout.items():
        at, count = places[layout]
        values = usable([(rows[number].vals, rows[number].validity) for number in numbers], count)[:, at]
        for number, value in zip(numbers, values, strict=True):
            if not np.isnan(value):
                yield rows[number].effective, float(value), float(value), float(value), 1
