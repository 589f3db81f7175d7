"""``/wards/{ward}/care``: what transfusions, skin tests and samples ask for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path

from clinical import worklist
from clinical.worklist import CareItem
from server.dependencies import Ctx, SignedInAs
from server.people.service import CLINICAL

router = APIRouter(tags=["worklist"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CareList:
    """The list as it stands at ``at``, most pressing first."""

    at: datetime
    items: tuple[CareItem, ...]


@router.get("/wards/{ward}/care")
def read(ward: Annotated[str, Path(max_length=64)], session: SignedInAs, context: Ctx) -> CareList:
    """Return what is to be done now for the ward's transfusions, skin tests and samples."""
    session.require(*CLINICAL)
    context.site.ward(ward)
    now = context.store.clock()
    facts = context.store.picture.facts(ward)
    return CareList(at=now, items=worklist.items(facts, now, context.site.policy))
