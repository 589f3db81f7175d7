"""What the bedside nodes are told to watch: the open bags whose devices they hear.

A node cannot know which bed's radio it will hear best, so it gets the targets of every device it has heard,
of those mounted at its beds, and of those nobody has heard yet. A device that comes into a node's reach is
reported by its raw counts, and its target follows at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

from broker import topics
from broker.messages import FlowTarget, Targets, encode
from broker.topics import Down
from clinical.policy import SitePolicy
from clinical.records import FLOWING, Association, Encounter, Infusion, InfusionState
from server.nodes.service import NodeState
from server.storage.picture import Picture
from server.storage.store import Committed

Publish = Callable[[str, bytes], None]
HEARD = frozenset({"ready", "streaming"})
"""Session states of :class:`broker.messages.Status` in which a node hears a device."""
_KINDS = frozenset({"infusions", "associations", "encounters"})


def targets_by_ward(picture: Picture) -> dict[str, list[FlowTarget]]:
    """Every bag that a device watches, by ward."""
    found: dict[str, list[FlowTarget]] = {}
    bound = picture.grouped(Association, "infusion_id")
    for infusion in picture.all(Infusion):
        stay = picture.get(Encounter, infusion.encounter_id)
        device_id = _device_of(bound.get(infusion.id, ()))
        if infusion.state in FLOWING and device_id and stay is not None:
            found.setdefault(stay.ward, []).append(
                FlowTarget(
                    infusion=infusion.id,
                    device=device_id,
                    state="paused" if infusion.state is InfusionState.PAUSED else "running",
                    rate_ml_h=infusion.rate_ml_h,
                    drops_per_ml=infusion.drops_per_ml,
                    volume_ml=infusion.volume_ml,
                    started=infusion.started_at,
                )
            )
    return {ward: sorted(targets, key=lambda target: target.infusion) for ward, targets in found.items()}


def targets_of(picture: Picture, ward: str) -> list[FlowTarget]:
    """Every bag of a ward that a device watches."""
    return targets_by_ward(picture).get(ward, [])


def _device_of(bound: Iterable[Association]) -> str:
    """The device that watches a bag now: the newest open association wins over what was said at the start."""
    still = [one for one in bound if one.end is None]
    return max(still, key=lambda one: one.start).device_id if still else ""


class Hearing:
    """Which node hears which device, by what nodes say of themselves and by what they measure."""

    def __init__(self) -> None:
        self._measured: dict[str, set[str]] = {}  # device → nodes that sent readings of it

    def note(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Take (node, device) pairs of readings; tells whether one of them is new."""
        new = False
        for node, device in pairs:
            nodes = self._measured.setdefault(device, set())
            new = new or node not in nodes
            nodes.add(node)
        return new

    def nodes_of(self, device: str, nodes: Iterable[NodeState]) -> set[str]:
        """Nodes that hear a device."""
        said = {node.id for node in nodes if node.devices.get(device) in HEARD}
        return said | self._measured.get(device, set())


def for_node(
    node: NodeState, nodes: Iterable[NodeState], hearing: Hearing, targets: list[FlowTarget]
) -> list[FlowTarget]:
    """Choose the targets of one node."""
    chosen = []
    for target in targets:
        heard_by = hearing.nodes_of(target.device, nodes)
        if not heard_by or node.id in heard_by or target.device in node.mounted:
            chosen.append(target)
    return chosen


class TargetPublisher:
    """Publishes targets, retained, whenever they change and whenever the broker comes back."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        publish: Publish,
        policy: SitePolicy,
        nodes: Callable[[], list[NodeState]],
    ) -> None:
        self._loop, self._publish, self._policy, self._nodes = loop, publish, policy, nodes
        self._hearing = Hearing()
        self._last: dict[str, bytes] = {}

    def committed(self, commit: Committed) -> None:
        """Take note of a commit (writer's thread)."""
        if any(change.kind in _KINDS for change in commit.changes) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.send, commit.picture)

    def heard(self, picture: Picture, pairs: Collection[tuple[str, str]]) -> None:
        """Take who heard what in one batch; a node that hears a device for the first time is told at once."""
        if self._hearing.note(pairs):
            told = {node for node, _ in pairs}
            self.send(picture, wards={node.ward for node in self._nodes() if node.id in told})

    def send(self, picture: Picture, *, always: bool = False, wards: Collection[str] | None = None) -> None:
        """Publish the targets of each node that differ from what it was told last.

        Args:
            picture: What there is now.
            always: Also those that do not differ: the broker may have forgotten them.
            wards: Only the nodes of these.
        """
        thresholds = self._policy.flow.as_mapping()
        of_ward = targets_by_ward(picture)
        near: dict[str, list[NodeState]] = {}
        for node in self._nodes():
            if node.ward and (wards is None or node.ward in wards):
                near.setdefault(node.ward, []).append(node)
        for ward, nodes in near.items():
            for node in nodes:
                targets = for_node(node, nodes, self._hearing, of_ward.get(ward, []))
                body = encode(Targets(version=0, targets=targets, thresholds=thresholds))
                if always or self._last.get(node.id) != body:
                    self._last[node.id] = body
                    message = Targets(version=picture.cursor, targets=targets, thresholds=thresholds)
                    self._publish(topics.down(node.id, Down.TARGETS), encode(message))
