"""One code of one patient over time, at most so many points as a chart can show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec
from sqlalchemy import Connection, select

from server.storage.schema import samples

MAX_SAMPLES = 200_000
_CODES = msgspec.json.Decoder(dict[str, tuple[Decimal | None, str, str]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Values of one stretch of time: lowest, highest and mean of the usable ones."""

    at: datetime
    low: float
    high: float
    mean: float
    count: int


def trend(
    connection: Connection, encounter_id: str, code: str, since: datetime, until: datetime, points: int
) -> list[Point]:
    """Collect a trend in ``points`` equal stretches; stretches without a usable value are left out."""
    rows = connection.execute(
        select(samples.c.effective, samples.c.codes)
        .where(
            samples.c.encounter_id == encounter_id,
            samples.c.effective >= since,
            samples.c.effective < until,
        )
        .order_by(samples.c.effective)
        .limit(MAX_SAMPLES)
    )
    stretch = (until - since) / points
    buckets: dict[int, list[float]] = {}
    for row in rows:
        value, _unit, validity = _CODES.decode(row.codes).get(code, (None, "", ""))
        if value is not None and validity in {"Vld", "Vldated"}:
            buckets.setdefault((row.effective - since) // stretch, []).append(float(value))
    return [
        Point(
            at=since + index * stretch,
            low=min(values),
            high=max(values),
            mean=sum(values) / len(values),
            count=len(values),
        )
        for index, values in sorted(buckets.items())
    ]
