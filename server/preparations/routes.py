"""``/tasks/{task}/bags`` and ``/bags/{bag}``: label, lay out, make up, and let another person check."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, ConfigDict, Field

from clinical.records import Bag
from server.dependencies import Ctx, SignedInAs
from server.preparations import contents, service
from server.sync.sound import check_sound

router = APIRouter(tags=["preparations"])
_ROLES = ("nurse", "charge-nurse", "pharmacist")


@router.post("/tasks/{task_id}/bags", status_code=201)
def label(task_id: Annotated[str, Path(max_length=200)], session: SignedInAs, context: Ctx) -> Bag:
    """Label a bag for a task; the label is printed from the answer."""
    session.require(*_ROLES)
    return context.store.write(
        lambda unit: service.label(unit, task_id, session.practitioner.id, context.site.policy)
    )


class Scanned(BaseModel):
    """The code of a package as the scanner read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    raw: str = Field(min_length=1, max_length=512)


@router.post("/bags/{bag_id}/contents", status_code=201)
def fill(
    bag_id: Annotated[str, Path(max_length=96)], body: Scanned, session: SignedInAs, context: Ctx
) -> Bag:
    """Scan one package into a bag that is being made up."""
    session.require(*_ROLES)
    check_sound(body.raw)
    policy, by = context.site.policy, session.practitioner.id
    return context.store.write(lambda unit: contents.add(unit, policy, bag_id, body.raw, by))


@router.post("/bags/{bag_id}/laid")
def lay(bag_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> Bag:
    """Say that the drugs of a label are laid out beside it."""
    session.require(*_ROLES)
    return context.store.write(lambda unit: service.lay(unit, bag_id, session.practitioner.id))


@router.post("/bags/{bag_id}/prepared")
def prepare(bag_id: Annotated[str, Path(max_length=96)], session: SignedInAs, context: Ctx) -> Bag:
    """Say that a bag was made up."""
    session.require(*_ROLES)
    return context.store.write(lambda unit: service.prepare(unit, bag_id, session.practitioner.id))


class Checked(BaseModel):
    """What goes with a check; ``unscanned`` says why nothing was scanned into the bag."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    unscanned: Literal["", "no-code", "scanner-broken", "ready-made", "other"] = ""


_SCANNED = Checked()


@router.post("/bags/{bag_id}/check")
def check(
    bag_id: Annotated[str, Path(max_length=96)],
    session: SignedInAs,
    context: Ctx,
    body: Annotated[Checked, Body()] = _SCANNED,
) -> Bag:
    """Say that a prepared bag is right; not by the person who prepared it."""
    session.require(*_ROLES)
    policy, by = context.site.policy, session.practitioner.id
    return context.store.write(lambda unit: service.check(unit, bag_id, by, policy, body.unscanned))
