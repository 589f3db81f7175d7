"""Values that no device sent, as rows of the same history as measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from broker.messages import Value
from clinical.records import Encounter, Generation
from server.ingest.rollup import note_due
from server.storage import bulk
from server.storage.columns import micros
from server.storage.store import UnitOfWork
from server.storage.values import Layouts, pack

_MINUTE_US = 60_000_000
CHART = "chart"
"""What stands as the device of a value that a person wrote down or the server worked out."""
_COLUMNS = (
    "id", "device_id", "node", "outbox", "seq", "effective", "recorded", "encounter_id", "unassigned",
    "infusion_id", "generation", "clock", "uncertainty_ms", "layout", "vals", "validity",
)  # fmt: skip


def append(
    unit: UnitOfWork,
    entry_id: str,
    at: datetime,
    stay: Encounter,
    generation: Generation,
    values: Sequence[Value],
) -> None:
    """Add one set of values of one time to a stay's history; the id tells sets apart."""
    layout = Layouts().number_of(unit, tuple((value.code, value.unit) for value in values))
    row = (
        entry_id, CHART, "", "", 0, micros(at), micros(unit.now), stay.id, "", "", generation.value,
        "synchronised", 0, layout, *pack(values),
    )  # fmt: skip
    bulk.append(unit.connection, "samples", _COLUMNS, [row])
    note_due(unit, {(stay.id, minute_of(at))})


def minute_of(at: datetime) -> int:
    """Return the minute of a time, as rollups name it."""
    return micros(at) // _MINUTE_US * _MINUTE_US
