"""Nodes that are called online and say nothing.

A broker that was killed may repeat an old presence after its return: what it retains is only as new as its
last save. A node says how it is every 30 s, so one that has not for three times as long is as good as gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clinical.records import AlarmPriority
from server.alarms import service as alarms
from server.nodes import service
from server.storage.store import UnitOfWork

SILENT_AFTER = timedelta(seconds=90)
LOOK_EVERY = timedelta(seconds=10)


class SilentNodes:
    """Looks at every node's last word now and then.

    Args:
        since: When this server began to listen; nobody is silent for what came before.
    """

    def __init__(self, since: datetime) -> None:
        self._since = self._looked = since

    def tick(self, unit: UnitOfWork) -> None:
        """Alarm for nodes that are silent; their next status ends it."""
        if timedelta(0) <= unit.now - self._looked < LOOK_EVERY:
            return
        self._looked = unit.now
        for node in service.read_all(unit.connection):
            heard = max(node.seen or self._since, self._since)
            if node.state == "online" and unit.now - heard > SILENT_AFTER:
                alarms.begin(
                    unit,
                    alarms.Condition(
                        condition="node-offline",
                        priority=AlarmPriority.MEDIUM,
                        at=unit.now,
                        params={"node": node.id},
                        generation=node.generation,
                        subject=node.id,
                    ),
                )
