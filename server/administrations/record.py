"""What was recorded as done to one patient within a period, from the store: also what is long over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from clinical.records import Administration
from server.storage.codec import KIND_OF, from_text
from server.storage.schema import facts

_KIND = KIND_OF[Administration]


def administrations(
    connection: Connection, patient_id: str, since: datetime, until: datetime
) -> list[Administration]:
    """Return the newest version of every act on a patient, oldest first.

    The time that counts is the charted one, whenever the record came: a handheld may have been offline for
    days, and its clock may have been wrong.

    Args:
        connection: A reading one.
        patient_id: Whose record.
        since: Beginning, included.
        until: End, not included.
    """
    bodies = connection.scalars(
        select(facts.c.body)
        .where(
            facts.c.patient_id == patient_id, facts.c.kind == _KIND, facts.c.at >= since, facts.c.at < until
        )
        .order_by(facts.c.at, facts.c.id)
    )
    found = (from_text(_KIND, body) for body in bodies)
    return [one for one in found if isinstance(one, Administration)]
