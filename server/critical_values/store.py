"""SQL of critical values: every one of a patient, also what has left the picture since."""

from __future__ import annotations

from sqlalchemy import Connection, select

from clinical.chart_records import CriticalValue
from server.storage.codec import KIND_OF, from_text
from server.storage.schema import facts

_KIND = KIND_OF[CriticalValue]


def of_patient(connection: Connection, patient_id: str) -> list[CriticalValue]:
    """Return a patient's critical values, newest first."""
    bodies = connection.scalars(
        select(facts.c.body).where(facts.c.patient_id == patient_id, facts.c.kind == _KIND)
    )
    found = (from_text(_KIND, body) for body in bodies)
    values = [one for one in found if isinstance(one, CriticalValue)]
    return sorted(values, key=lambda one: (one.received_at, one.id), reverse=True)
