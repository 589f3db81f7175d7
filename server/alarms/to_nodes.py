"""Tells the nodes that raised an alarm that a person has seen it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from broker import topics
from broker.messages import Command, encode
from broker.topics import NODE_ID, Down
from clinical.records import Alarm
from server.alarms import store as sources
from server.storage.store import Committed, Store

Publish = Callable[[str, bytes], None]


class AcknowledgementPublisher:
    """Follows commits and passes fresh acknowledgements down."""

    def __init__(self, store: Store, publish: Publish) -> None:
        self._store, self._publish = store, publish

    def committed(self, commit: Committed) -> None:
        """Take note of a commit (writer's thread)."""
        for change in commit.changes:
            new, old = change.new, change.old
            if isinstance(new, Alarm) and new.acknowledged_by:
                before = old.acknowledged_by if isinstance(old, Alarm) else ""
                if new.acknowledged_by != before:
                    self._tell(new)

    def _tell(self, alarm: Alarm) -> None:
        with self._store.reading() as connection:
            known = sources.of_alarm(connection, alarm.id)
        for node, own_id in known:
            if own_id and NODE_ID.fullmatch(node):
                command = Command(id=secrets.token_hex(8), kind="acknowledge-alarm", alarm=own_id, by="nurse")
                self._publish(topics.down(node, Down.COMMANDS), encode(command))
