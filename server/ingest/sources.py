"""Whether a node may be believed at all: its clock is not ahead of ours, and it belongs to a ward.

A measurement cannot come from the future. One that says so would stand as the newest value until that time
comes, and hide everything measured meanwhile. So it is kept for a person and shown to nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from broker.messages import Readings, UpMessage, Wave
from clinical.records import AlarmPriority, Generation
from server.alarms import service as alarms
from server.storage.schema import nodes
from server.storage.store import UnitOfWork

AHEAD, FOREIGN = "clock-ahead", "foreign-node"
TOLERANCE = timedelta(seconds=2)
"""How far a time may lie in the future without a word: the two clocks are never quite the same."""
MOST = timedelta(minutes=1)
"""However unsure a clock is, a value further ahead than this would hide the ones after it for too long."""


class Sources:
    """What one batch shows of the nodes that sent it; one per batch."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._foreign = frozenset(unit.connection.scalars(select(nodes.c.id).where(nodes.c.ward == "")))
        self._ahead: dict[str, bool] = {}  # node → whether its newest live message was
        self._generations: dict[str, Generation] = {}

    def doubt(self, message: Readings | Wave, *, history: bool = False) -> str:
        """Return why a measurement may reach nobody; empty when nothing stands against it."""
        self._generations[message.node] = message.generation
        if message.node in self._foreign:
            return FOREIGN
        ahead = _is_ahead(message, self._unit.now)
        if ahead or not history:
            self._ahead[message.node] = ahead
        return AHEAD if ahead else ""

    def is_foreign(self, message: UpMessage) -> bool:
        """Whether no ward's seed names the node."""
        return message.node in self._foreign

    def tell(self) -> None:
        """Raise and end the technical alarms of the nodes that were heard."""
        for node, generation in self._generations.items():
            if node in self._foreign:
                alarms.begin(self._unit, _seen(FOREIGN, node, self._unit.now, generation))
            elif self._ahead.get(node):
                alarms.begin(self._unit, _seen(AHEAD, node, self._unit.now, generation))
            elif node in self._ahead:
                alarms.end_condition(self._unit, _seen(AHEAD, node, self._unit.now, generation))


def _is_ahead(message: Readings | Wave, now: datetime) -> bool:
    stated = message.clock.uncertainty_ms if isinstance(message, Readings) else 0
    allowed = max(TOLERANCE, min(timedelta(milliseconds=stated), MOST))
    return message.effective - now > allowed


def uncertainty_of(message: Readings, now: datetime, *, history: bool) -> timedelta:
    """How far the measured time may be off.

    A clock that was never set says nothing by itself. For a live message our own clock bounds its error;
    for history nothing does, so the reading waits for a person.
    """
    stated = timedelta(milliseconds=message.clock.uncertainty_ms)
    if message.clock.state != "unset":
        return stated
    return timedelta(days=36_500) if history else max(stated, abs(now - message.sent) + timedelta(seconds=1))


def _seen(condition: str, node: str, at: datetime, generation: Generation) -> alarms.Condition:
    return alarms.Condition(
        condition=condition,
        priority=AlarmPriority.MEDIUM,
        at=at,
        params={"node": node},
        generation=generation,
        subject=node,
    )
