"""``/nodes``: which bedside nodes there are and how they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from server.dependencies import Ctx, SignedInAs
from server.nodes import service

router = APIRouter(tags=["nodes"])
MAX_NODES = 2000


class Node(BaseModel):
    """One bedside node as last heard of."""

    id: str
    ward: str
    beds: list[str]
    state: str  # online, offline, never-seen
    since: datetime | None
    seen: datetime | None
    waiting: int  # rows in its outbox, as it last said
    version: str
    devices: dict[str, str]


class Nodes(BaseModel):
    """Every node of the ward."""

    nodes: list[Node]


@router.get("/nodes")
def read_nodes(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=MAX_NODES)] = MAX_NODES,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Nodes:
    """List the bedside nodes of the person's wards, and those of no ward."""
    with context.store.reading() as connection:
        known = [node for node in service.read_all(connection) if session.sees(node.ward)]
    return Nodes(
        nodes=[
            Node(
                id=node.id,
                ward=node.ward,
                beds=list(node.beds),
                state=node.state,
                since=node.since,
                seen=node.seen,
                waiting=node.waiting,
                version=node.version,
                devices=node.devices,
            )
            for node in known[offset : offset + limit]
        ]
    )
