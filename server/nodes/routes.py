"""``/nodes``: which bedside nodes there are and how they are."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from server.dependencies import Ctx, SignedInAs
from server.nodes import service

router = APIRouter(tags=["nodes"])


class Node(BaseModel):
    """One bedside node as last heard of."""

    id: str
    ward: str
    beds: list[str]
    state: str  # online, offline, never-seen
    since: datetime | None
    seen: datetime | None
    waiting: int  # rows in its outbox, as it last said
    devices: dict[str, str]


class Nodes(BaseModel):
    """Every node of the ward."""

    nodes: list[Node]


@router.get("/nodes")
def read_nodes(session: SignedInAs, context: Ctx) -> Nodes:
    """List the bedside nodes."""
    del session
    with context.store.reading() as connection:
        known = service.read_all(connection)
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
                devices=node.devices,
            )
            for node in known
        ]
    )
