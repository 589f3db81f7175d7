"""Finds the samples that are there already under another number: heard by two nodes, or read out twice.

The number of a message tells its own repeats (:mod:`server.ingest.intervals`). The id of a sample tells two
hearings of one. Nearly every sample can have no twin: its device is heard by one outbox alone, and it was
sent as it was measured. Only the others are looked for, among the samples of the device's patients of about
the same time; so the tables need no unique id, whose index would be by far the dearest thing in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import Table, select

from broker.messages import Readings, Wave
from clinical.records import Association
from server.storage import schema
from server.storage.unit import UnitOfWork

AS_MEASURED = timedelta(seconds=5)
"""Sent later than this, a sample may come out of a device's own memory for a second time."""
APART = timedelta(minutes=2)
"""How far two nodes' clocks may put one sample apart and still be recognised."""
MOST_APART = timedelta(minutes=10)
_CHUNK = 500
Source = tuple[str, str]  # node, outbox


class Repeats:
    """Remembers who has sent samples of which device; used on the writer's thread."""

    def __init__(self) -> None:
        self._hearers: dict[str, frozenset[Source]] | None = None
        self._fresh: dict[str, frozenset[Source]] = {}

    def begin(self, unit: UnitOfWork) -> None:
        """Start a batch; what it notes is remembered when it is on disk."""
        if self._hearers is None:
            self._hearers = _read(unit)
        self._fresh = {}
        hearers, fresh = self._hearers, self._fresh
        unit.after_commit(lambda: hearers.update(fresh))

    def may_have_twin(self, unit: UnitOfWork, message: Readings | Wave) -> bool:
        """Whether a sample could be in the store already; notes who has sent it."""
        source = (message.node, message.outbox)
        known = self._fresh.get(message.device) or (self._hearers or {}).get(message.device, frozenset())
        if source not in known:
            row = {"device_id": message.device, "node": message.node, "outbox": message.outbox}
            unit.connection.execute(unit.upsert("device_hearers").values(row).on_conflict_do_nothing())
            known = self._fresh[message.device] = known | {source}
        return len(known) > 1 or message.sent - message.effective > AS_MEASURED

    @staticmethod
    def twins(unit: UnitOfWork, table: Table, doubtful: Iterable[Readings | Wave]) -> set[str]:
        """Return the ids among ``doubtful`` that are in the store."""
        by_device: dict[str, list[Readings | Wave]] = {}
        for message in doubtful:
            by_device.setdefault(message.device, []).append(message)
        stays = unit.grouped(Association, "device_id") if by_device else {}
        found: set[str] = set()
        for device, of_device in by_device.items():
            places = {"", *(one.encounter_id for one in stays.get(device, ()))}
            for start in range(0, len(of_device), _CHUNK):
                found |= _in_store(unit, table, places, of_device[start : start + _CHUNK])
        return found


def _read(unit: UnitOfWork) -> dict[str, frozenset[Source]]:
    found: dict[str, frozenset[Source]] = {}
    for row in unit.connection.execute(select(schema.device_hearers)):
        found[row.device_id] = found.get(row.device_id, frozenset()) | {(row.node, row.outbox)}
    return found


def _in_store(unit: UnitOfWork, table: Table, places: set[str], doubtful: list[Readings | Wave]) -> set[str]:
    apart = max(_apart(message) for message in doubtful)
    times = [message.effective for message in doubtful]
    return set(
        unit.connection.scalars(
            select(table.c.id).where(
                table.c.encounter_id.in_(places),
                table.c.effective.between(min(times) - apart, max(times) + apart),
                table.c.id.in_([message.id for message in doubtful]),
            )
        )
    )


def _apart(message: Readings | Wave) -> timedelta:
    stated = message.clock.uncertainty_ms if isinstance(message, Readings) else 0
    return min(APART + timedelta(milliseconds=stated), MOST_APART)
