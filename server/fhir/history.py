"""What was measured on a stay, out of the store's rows, newest first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select

from clinical.records import Encounter
from server.fhir.resources.observations import PANEL, PRESSURE, Measured, Value, Waveform
from server.fhir.search import Span
from server.storage import schema
from server.storage.values import Codes, read_layouts, unpack

Found = Measured | Waveform


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some of what there is; ``cut`` is the time of the last row when there may be more before it."""

    found: tuple[Found, ...]
    cut: datetime | None = None


def values(
    connection: Connection, stay: Encounter, span: Span, wanted: frozenset[str] | None, limit: int
) -> Stretch:
    """Measurements of a stay within a span (both ends belong to it), of ``limit`` rows at most."""
    layouts = read_layouts(connection)
    table = schema.samples
    query = _spanned(table, stay, span)
    if wanted is not None:
        layouts = {number: found for number, found in layouts.items() if _has(found, wanted)}
        query = query.where(table.c.layout.in_(layouts))
    rows = connection.execute(query.limit(limit)).all()
    found = (one for row in rows for one in _measured(row, stay, layouts[row.layout]))
    kept = tuple(one for one in found if wanted is None or one.code in wanted)
    return Stretch(found=kept, cut=rows[-1].effective if len(rows) == limit else None)


def waves(
    connection: Connection, stay: Encounter, span: Span, wanted: frozenset[str] | None, limit: int
) -> Stretch:
    """Waves of a stay within a span, of ``limit`` rows at most."""
    table = schema.waves
    query = _spanned(table, stay, span)
    if wanted is not None:
        query = query.where(table.c.code.in_(wanted))
    rows = connection.execute(query.limit(limit)).all()
    kept = tuple(_wave(row, stay) for row in rows)
    return Stretch(found=kept, cut=rows[-1].effective if len(rows) == limit else None)


def _spanned(table: Table, stay: Encounter, span: Span) -> Select[Any]:
    low, high = span
    query = select(table).where(table.c.encounter_id == stay.id)
    if low is not None:
        query = query.where(table.c.effective >= low)
    if high is not None:
        query = query.where(table.c.effective <= high)
    return query.order_by(table.c.effective.desc())


def _has(layout: Codes, wanted: frozenset[str]) -> bool:
    return any(code in wanted or (code in PANEL and PRESSURE in wanted) for code, _ in layout)


def _measured(row: Row[Any], stay: Encounter, layout: Codes) -> Iterator[Measured]:
    numbers, validity = unpack(bytes(row.vals), bytes(row.validity))
    made = (
        Value(code=code, number=None if math.isnan(number) else number, unit=unit, validity=how)
        for (code, unit), number, how in zip(layout, numbers, validity, strict=True)
    )
    for group in _grouped(made):
        yield Measured(
            encounter_id=stay.id,
            patient_id=stay.patient_id,
            device_id=row.device_id,
            effective=row.effective,
            recorded=row.recorded,
            values=group,
        )


def _grouped(found: Iterable[Value]) -> Iterator[tuple[Value, ...]]:
    """Each value by itself, those of one cuff reading together."""
    cuff = []
    for value in found:
        if value.code in PANEL:
            cuff.append(value)
        else:
            yield (value,)
    if cuff:
        yield tuple(cuff)


def _wave(row: Row[Any], stay: Encounter) -> Waveform:
    return Waveform(
        encounter_id=stay.id,
        patient_id=stay.patient_id,
        device_id=row.device_id,
        effective=row.effective,
        code=row.code,
        unit=row.unit,
        rate_hz=row.rate_hz,
        gain=row.gain,
        base=row.base,
        samples=bytes(row.samples),
    )
