"""``/wards/{ward}/care``: what transfusions, skin tests and samples ask for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clinical import worklist
from clinical.worklist import CareItem
from server.dependencies import Ctx, SignedInAs
from server.people.service import READING

router = APIRouter(tags=["worklist"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CareList:
    """The list as it stands at ``at``, most pressing first."""

    at: datetime
    items: tuple[CareItem, ...]
    total: int  # how many there are on all pages


@router.get("/wards/{ward}/care")
def read(
    ward: Annotated[str, Path(max_length=64)],
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> CareList:
    """Return what is to be done now for the ward's transfusions, skin tests and samples."""
    session.require(*READING)
    context.site.ward(ward)
    now = context.store.clock()
    facts = context.store.picture.facts(ward)
    items = worklist.items(facts, now, context.site.policy)
    return CareList(at=now, items=items[offset : offset + limit], total=len(items))
