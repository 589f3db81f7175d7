"""SQL of the chart: what was written about one patient, also what has left the picture since."""

from __future__ import annotations

from sqlalchemy import Connection, select

from clinical.chart_records import FluidRecord
from server.storage.codec import KIND_OF, from_text
from server.storage.schema import facts

_KIND = KIND_OF[FluidRecord]


def fluids_of(connection: Connection, patient_id: str) -> list[FluidRecord]:
    """Return every amount that was written about a patient, the corrected ones too."""
    bodies = connection.scalars(
        select(facts.c.body).where(facts.c.patient_id == patient_id, facts.c.kind == _KIND)
    )
    found = (from_text(_KIND, body) for body in bodies)
    return [one for one in found if isinstance(one, FluidRecord)]


def fluid_of(connection: Connection, record_id: str) -> FluidRecord | None:
    """Return one amount, wherever it is kept."""
    body = connection.scalar(select(facts.c.body).where(facts.c.kind == _KIND, facts.c.id == record_id))
    found = from_text(_KIND, body) if body is not None else None
    return found if isinstance(found, FluidRecord) else None
