"""Bedside nodes: which beds they serve and what they last said of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select, update

from broker.messages import Status
from clinical.records import Generation
from server.storage import bulk
from server.storage.codec import to_text
from server.storage.columns import micros
from server.storage.schema import device_places, nodes
from server.storage.store import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One node as last heard of."""

    id: str
    ward: str
    beds: tuple[str, ...]
    state: str = "never-seen"
    since: datetime | None = None
    seen: datetime | None = None
    waiting: int = 0
    version: str = ""
    outbox: str = ""  # id of the outbox it uses now
    generation: Generation = Generation.REAL
    devices: dict[str, str] = field(default_factory=dict)
    mounted: frozenset[str] = frozenset()  # devices fixed at its beds


def read_all(connection: Connection) -> list[NodeState]:
    """Every node the ward knows."""
    result = []
    mounted: dict[tuple[str, str], list[str]] = {}
    for place in connection.execute(select(device_places)):
        mounted.setdefault((place.ward, place.bed), []).append(place.device_id)
    for row in connection.execute(select(nodes).order_by(nodes.c.id)):
        said = msgspec.json.decode(row.status, type=Status) if row.status else None
        beds = tuple(msgspec.json.decode(row.beds, type=list[str]))
        result.append(
            NodeState(
                id=row.id,
                ward=row.ward,
                beds=beds,
                state=said.state if said else "never-seen",
                since=said.since if said else None,
                seen=row.seen,
                waiting=said.depth if said else 0,
                version=said.version if said else "",
                outbox=(said.outbox or "") if said else "",
                generation=said.generation if said else Generation.REAL,
                devices=dict(said.devices) if said else {},
                mounted=frozenset(device for bed in beds for device in mounted.get((row.ward, bed), ())),
            )
        )
    return result


def note_status(unit: UnitOfWork, status: Status) -> bool:
    """Keep what a node says of itself; False when the ward does not know the node."""
    changed = unit.connection.execute(
        update(nodes).where(nodes.c.id == status.node).values(status=to_text(status), seen=unit.now)
    )
    return bool(changed.rowcount)


def ensure_all(unit: UnitOfWork, names: Iterable[str]) -> None:
    """Make nodes known that the broker let in but no seed names: they serve no bed yet, and are seen."""
    rows = [(name, "", "[]", micros(unit.now), "") for name in sorted(names)]
    bulk.add_missing(unit.connection, "nodes", ("id", "ward", "beds", "since", "status"), rows)
