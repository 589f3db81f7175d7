"""What became of one bag: who did what with it, what should have run in, and what a sensor really counted.

Acts and rounds are facts and stay for good. Single counts go after the store's retention; the minutes of them
stay, and then the curve is made of those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from clinical.codes import INFUSED
from clinical.errors import NotFoundError
from clinical.infusion.curve import CurvePoint, expected
from clinical.records import Infusion, InfusionEntry
from server.storage.codec import KIND_OF, from_text
from server.storage.schema import facts, rollups, samples
from server.storage.values import COUNTS, MEANS, read_layouts, usable

POINTS = 240
"""Points of the measured curve at most."""
_MOST_SAMPLES = 200_000
_BAG, _ENTRY = KIND_OF[Infusion], KIND_OF[InfusionEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionRecord:
    """One bag from its start to its end; ``measured`` is empty where no sensor counted."""

    infusion: Infusion
    entries: tuple[InfusionEntry, ...]
    expected: tuple[CurvePoint, ...]
    measured: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A bag as the store keeps it, and the ward that sees it."""

    infusion: Infusion
    ward: str


def find(connection: Connection, infusion_id: str) -> Kept:
    """Return a bag, also one that has left the picture.

    Raises:
        NotFoundError: Nobody started it here.
    """
    row = connection.execute(
        select(facts.c.body, facts.c.ward).where(facts.c.kind == _BAG, facts.c.id == infusion_id)
    ).first()
    found = from_text(_BAG, row.body) if row is not None else None
    if row is None or not isinstance(found, Infusion):
        raise NotFoundError("unknown-infusion", "this infusion is not known here")
    return Kept(infusion=found, ward=row.ward)


def read(connection: Connection, bag: Infusion, now: datetime) -> InfusionRecord:
    """Collect the record of a bag as it stands at ``now``."""
    entries = _entries(connection, bag)
    return InfusionRecord(
        infusion=bag,
        entries=entries,
        expected=expected(bag, entries, now),
        measured=_measured(connection, bag, bag.ended_at or now),
    )


def _entries(connection: Connection, bag: Infusion) -> tuple[InfusionEntry, ...]:
    bodies = connection.scalars(
        select(facts.c.body)
        .where(facts.c.patient_id == bag.patient_id, facts.c.kind == _ENTRY, facts.c.at >= bag.started_at)
        .order_by(facts.c.at, facts.c.id)
    )
    found = (from_text(_ENTRY, body) for body in bodies)
    return tuple(one for one in found if isinstance(one, InfusionEntry) and one.infusion_id == bag.id)


def _measured(connection: Connection, bag: Infusion, until: datetime) -> tuple[CurvePoint, ...]:
    """The volume a sensor counted, thinned to what a chart can show."""
    places = _places(connection)
    points = _of_samples(connection, bag, until, places) or _of_minutes(connection, bag, until, places)
    step = -(-len(points) // POINTS) or 1
    kept = points[::-1][::step][::-1]  # the newest always stays
    return tuple(kept)


def _places(connection: Connection) -> dict[int, tuple[int, int]]:
    """Where the counted volume stands in each layout that has it, and how many values the layout has."""
    found = {}
    for number, codes in read_layouts(connection).items():
        at = next((index for index, (code, _) in enumerate(codes) if code == INFUSED), None)
        if at is not None:
            found[number] = (at, len(codes))
    return found


def _of_samples(
    connection: Connection, bag: Infusion, until: datetime, places: dict[int, tuple[int, int]]
) -> list[CurvePoint]:
    table = samples.c
    rows = connection.execute(
        select(table.layout, table.effective, table.vals, table.validity)
        .where(
            table.encounter_id == bag.encounter_id,
            table.effective >= bag.started_at,
            table.effective <= until,
            table.infusion_id == bag.id,
            table.layout.in_(places),
        )
        .order_by(table.effective)
        .limit(_MOST_SAMPLES)
    ).all()
    return [point for row in rows if (point := _sample(row, places)) is not None]


def _sample(row: Sequence[Any], places: dict[int, tuple[int, int]]) -> CurvePoint | None:
    at, width = places[row[0]]
    ml = float(usable([(row[2], row[3])], width)[0, at])
    return None if np.isnan(ml) else CurvePoint(at=row[1], ml=ml)


def _of_minutes(
    connection: Connection, bag: Infusion, until: datetime, places: dict[int, tuple[int, int]]
) -> list[CurvePoint]:
    """The minutes of the bag's own sensor: two bags never share one at a time."""
    if not bag.device_id:
        return []
    table = rollups.c
    rows = connection.execute(
        select(table.layout, table.minute, table.stats)
        .where(
            table.encounter_id == bag.encounter_id,
            table.minute >= bag.started_at,
            table.minute <= until - timedelta(minutes=1),
            table.device_id == bag.device_id,
            table.layout.in_(places),
        )
        .order_by(table.minute)
    ).all()
    found = []
    for layout, minute, stats in rows:
        at, width = places[layout]
        block = np.frombuffer(stats, dtype="<f4").reshape(4, width)
        if block[COUNTS, at] > 0:
            found.append(CurvePoint(at=minute, ml=float(block[MEANS, at])))
    return found
