"""``/tasks/{task}/specimen`` and ``/specimens/{specimen}/received``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from clinical.care_records import Specimen
from server.dependencies import Ctx, SignedInAs
from server.specimens import service

router = APIRouter(tags=["specimens"])
_ROLES = ("nurse", "charge-nurse")


@router.post("/tasks/{task_id}/specimen", status_code=201)
def label(task_id: Annotated[str, Path(max_length=200)], session: SignedInAs, context: Ctx) -> Specimen:
    """Print a tube's label at the bed; the label is made from the answer."""
    session.require(*_ROLES)
    return context.store.write(lambda unit: service.label(unit, task_id, session.practitioner.id))


@router.post("/specimens/{specimen_id}/received")
def hand_over(
    specimen_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx
) -> Specimen:
    """Say that the laboratory has the sample."""
    session.require(*_ROLES)
    return context.store.write(lambda unit: service.hand_over(unit, specimen_id, session.practitioner.id))
