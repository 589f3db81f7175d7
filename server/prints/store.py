"""SQL of printed labels: how often one was printed, also when that has left the picture."""

from __future__ import annotations

from sqlalchemy import Connection, select

from clinical.records import LabelPrint
from server.storage.codec import KIND_OF, from_text
from server.storage.schema import facts

_KIND = KIND_OF[LabelPrint]


def last_print(connection: Connection, print_id: str) -> LabelPrint | None:
    """Return the newest print of a label."""
    body = connection.scalar(select(facts.c.body).where(facts.c.kind == _KIND, facts.c.id == print_id))
    found = from_text(_KIND, body) if body is not None else None
    return found if isinstance(found, LabelPrint) else None
