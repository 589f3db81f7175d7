"""``/infusions/{infusion}/record``: one bag from its start to its end, as set and as measured."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from server.dependencies import Ctx, SignedInAs
from server.infusions import record
from server.infusions.record import InfusionRecord
from server.people.service import READING

router = APIRouter(tags=["infusions"])


@router.get("/infusions/{infusion_id}/record")
def read(
    infusion_id: Annotated[str, Path(max_length=200)], session: SignedInAs, context: Ctx
) -> InfusionRecord:
    """Return acts and rounds on a bag, the line that was set, and the curve a sensor counted."""
    session.require(*READING)
    with context.store.reading() as connection:
        found = record.find(connection, infusion_id)
        session.require_ward(found.ward)
        return record.read(connection, found.infusion, context.store.clock())
