"""SQL of wristband serials: a serial is never used twice, also of patients who left long ago."""

from __future__ import annotations

from sqlalchemy import Connection, select

from server.storage.schema import facts


def serials_of(connection: Connection, patient_id: str) -> list[int]:
    """Serials ever given to a patient, as far as they are committed."""
    rows = connection.scalars(
        select(facts.c.id).where(facts.c.patient_id == patient_id, facts.c.kind == "wristbands")
    )
    serials = (name.rpartition("/")[2] for name in rows)
    return [int(serial) for serial in serials if serial.isdecimal()]
