"""What the bedside nodes are told to watch: every open bag of the ward, to every node of the ward.

A node cannot know which bed's radio it will hear best, so each gets all targets of its ward.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from broker import topics
from broker.messages import FlowTarget, Targets, encode
from broker.topics import Down
from clinical.policy import SitePolicy
from clinical.records import Association, Encounter, Infusion, InfusionState
from server.devices.service import FLOWING
from server.storage.picture import Picture
from server.storage.store import Committed

Publish = Callable[[str, bytes], None]
_KINDS = frozenset({"infusions", "associations", "encounters"})


def targets_of(picture: Picture, ward: str) -> list[FlowTarget]:
    """Every bag of a ward that a device watches."""
    found = []
    for infusion in picture.all(Infusion):
        stay = picture.get(Encounter, infusion.encounter_id)
        device_id = _device_of(picture, infusion)
        if infusion.state in FLOWING and device_id and stay is not None and stay.ward == ward:
            found.append(
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
    return sorted(found, key=lambda target: target.infusion)


def _device_of(picture: Picture, infusion: Infusion) -> str:
    """The device that watches a bag now: the newest open association wins over what was said at the start."""
    bound = [one for one in picture.all(Association) if one.infusion_id == infusion.id and one.end is None]
    return max(bound, key=lambda one: one.start).device_id if bound else ""


class TargetPublisher:
    """Publishes targets, retained, whenever they change and whenever the broker comes back."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        publish: Publish,
        policy: SitePolicy,
        wards_of_nodes: Callable[[], Iterable[tuple[str, str]]],
    ) -> None:
        self._loop, self._publish, self._policy = loop, publish, policy
        self._wards_of_nodes = wards_of_nodes
        self._last: dict[str, bytes] = {}

    def committed(self, commit: Committed) -> None:
        """Take note of a commit (writer's thread)."""
        if any(change.kind in _KINDS for change in commit.changes) and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.send, commit.picture)

    def send(self, picture: Picture, *, always: bool = False) -> None:
        """Publish the targets of each node that differ from what it was told last."""
        thresholds = self._policy.flow.as_mapping()
        for node, ward in self._wards_of_nodes():
            targets = targets_of(picture, ward)
            body = encode(Targets(version=0, targets=targets, thresholds=thresholds))
            if always or self._last.get(node) != body:
                self._last[node] = body
                message = Targets(version=picture.cursor, targets=targets, thresholds=thresholds)
                self._publish(topics.down(node, Down.TARGETS), encode(message))
