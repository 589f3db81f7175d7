"""``/tasks/{task}/bags`` and ``/bags/{bag}/check``: prepare, then let another person check."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from clinical.records import Bag
from server.dependencies import Ctx, SignedInAs
from server.preparations import service

router = APIRouter(tags=["preparations"])
_ROLES = ("nurse", "charge-nurse", "pharmacist")


@router.post("/tasks/{task_id}/bags", status_code=201)
def label(task_id: Annotated[str, Path(max_length=200)], session: SignedInAs, context: Ctx) -> Bag:
    """Label a bag for a task; the label is printed from the answer."""
    session.require(*_ROLES)
    return context.store.write(lambda unit: service.label(unit, task_id, session.practitioner.id))


@router.post("/bags/{bag_id}/check")
def check(bag_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> Bag:
    """Say that a prepared bag is right; not by the person who prepared it."""
    session.require(*_ROLES)
    return context.store.write(lambda unit: service.check(unit, bag_id, session.practitioner.id))
