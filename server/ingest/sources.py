"""Whether a node may be believed at all: its clock is not ahead of ours, and it belongs to a ward.

A measurement cannot come from the future. One that says so would stand as the newest value until that time
comes, and hide everything measured meanwhile. So it is kept for a person and shown to nobody.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from sqlalchemy import select

from broker.messages import Readings, UpMessage, Wave
from clinical.records import Alarm, AlarmPriority, Generation
from server.alarms import service as alarms
from server.storage.schema import nodes
from server.storage.store import UnitOfWork

AHEAD, FOREIGN = "clock-ahead", "foreign-node"
TOLERANCE = timedelta(seconds=2)
"""How far a time may lie in the future without a word: the two clocks are never quite the same."""
MOST = timedelta(minutes=1)
"""However unsure a clock is, a value further ahead than this would hide the ones after it for too long."""
_ASK_AGAIN_S = 2.0


class Strangers:
    """Nodes that no ward's seed names; asked for again every other second, and whenever a new node comes."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._until = 0.0

    def of(self, unit: UnitOfWork) -> frozenset[str]:
        """Return them."""
        now = time.monotonic()
        if now >= self._until:
            self._known = frozenset(unit.connection.scalars(select(nodes.c.id).where(nodes.c.ward == "")))
            self._until = now + _ASK_AGAIN_S
        return self._known

    def ask_again(self) -> None:
        """Do not trust what was known: a node has just been made known."""
        self._until = 0.0


class Sources:
    """What one batch shows of the nodes that sent it; one per batch."""

    def __init__(self, unit: UnitOfWork, strangers: Strangers | None = None) -> None:
        self._unit = unit
        self._foreign = (strangers or Strangers()).of(unit)
        self._newest = unit.now + TOLERANCE
        self._ahead: dict[str, bool] = {}  # node → whether its newest live message was
        self._generations: dict[str, Generation] = {}

    def doubt(self, message: Readings | Wave, *, history: bool = False) -> str:
        """Return why a measurement may reach nobody; empty when nothing stands against it."""
        node = message.node
        self._generations[node] = message.generation
        if node in self._foreign:
            return FOREIGN
        ahead = message.effective > self._newest and _is_ahead(message, self._unit.now)
        if ahead or not history:
            self._ahead[node] = ahead
        return AHEAD if ahead else ""

    def is_foreign(self, message: UpMessage) -> bool:
        """Whether no ward's seed names the node."""
        return message.node in self._foreign

    def tell(self) -> None:
        """Raise and end the technical alarms of the nodes that were heard."""
        standing = {
            alarm.params.get("node")
            for alarm in self._unit.all(Alarm)
            if alarm.condition == AHEAD and alarms.is_open(alarm)
        }
        strange = self._foreign & self._generations.keys() if self._foreign else frozenset()
        for node in {*strange, *(node for node, ahead in self._ahead.items() if ahead)}:
            condition = FOREIGN if node in strange else AHEAD
            alarms.begin(self._unit, _seen(condition, node, self._unit.now, self._generations[node]))
        for known in standing & self._ahead.keys():
            node = str(known)
            if not self._ahead[node] and node not in strange:
                seen = _seen(AHEAD, node, self._unit.now, self._generations[node])
                alarms.end_condition(self._unit, seen)


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
