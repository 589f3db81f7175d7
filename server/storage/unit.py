"""A unit of work: one use case's changes on top of the picture, inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from clinical.records import Encounter
from server.audit.chain import append as append_audit
from server.storage import schema
from server.storage.codec import KIND_OF, R, Record, kind_of
from server.storage.picture import Change, Entry, Picture, patient_of, ward_of

Insert = postgresql.Insert | sqlite.Insert
_EMPTY: Mapping[str, Any] = MappingProxyType({})


class UnitOfWork:
    """One use case's view: the picture, its own changes on top, and the open transaction."""

    def __init__(self, connection: Connection, base: Picture, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self._base = base
        self._changes: dict[tuple[str, str], Change] = {}
        self._own: dict[str, dict[str, Entry | None]] = {}  # what this unit wrote; None = retired
        self._merged: dict[str, Mapping[str, Entry]] = {}  # kinds with own changes, as far as asked for
        self._view: Picture | None = base
        self._after: list[Callable[[], None]] = []

    @property
    def view(self) -> Picture:
        """The picture with this unit's own changes; made when asked for, so not for every value."""
        if self._view is None:
            self._view = self._base.after(self._base.cursor + 1, self._changes.values())
        return self._view

    @property
    def changes(self) -> tuple[Change, ...]:
        """What this unit changed so far, one entry per record."""
        return tuple(self._changes.values())

    @property
    def followers(self) -> tuple[Callable[[], None], ...]:
        """What shall happen after the commit."""
        return tuple(self._after)

    def get(self, kind: type[R], record_id: str) -> R | None:
        """Return one record as this unit sees it."""
        entry = self._entry(KIND_OF[kind], record_id)
        return entry.record if entry is not None else None  # type: ignore[return-value]  # the kind tells

    def all(self, kind: type[R]) -> Iterator[R]:
        """Every active record of a kind as this unit sees it."""
        entries = self.entries(KIND_OF[kind])
        return (entry.record for entry in entries.values())  # type: ignore[misc]  # the kind tells

    def stays_of(self, patient_id: str) -> list[Encounter]:
        """The stays of one patient as this unit sees them."""
        if "encounters" not in self._own:
            return self._base.stays_of(patient_id)
        return [stay for stay in self.all(Encounter) if stay.patient_id == patient_id]

    def grouped(self, kind: type[R], by: str) -> Mapping[str, list[R]]:
        """Every active record of ``kind`` by its field ``by``; not to be changed."""
        if KIND_OF[kind] not in self._own:
            return self._base.grouped(kind, by)
        groups: dict[str, list[R]] = {}
        for record in self.all(kind):
            groups.setdefault(getattr(record, by), []).append(record)
        return groups

    def entries(self, kind: str) -> Mapping[str, Entry]:
        """Every entry of a kind; never changed afterwards, the same object until a record of it changes."""
        own = self._own.get(kind)
        if own is None:
            return self._base.kinds.get(kind, _EMPTY)
        merged = self._merged.get(kind)
        if merged is None:
            both = {**self._base.kinds.get(kind, _EMPTY), **own}
            merged = {record_id: entry for record_id, entry in both.items() if entry is not None}
            self._merged[kind] = merged
        return merged

    def put(self, record: Record, *, quiet: bool = False) -> None:
        """Write a record; writing what is already there changes nothing.

        Args:
            record: The whole record.
            quiet: Tell waiting handhelds only with the next loud change (fast-moving values).
        """
        kind = kind_of(record)
        entry = self._entry(kind, record.id)
        ward = ward_of(record, self)
        if entry is not None and entry.record == record and entry.ward == ward:
            return
        before = self._original(kind, record.id)
        left = entry.ward if entry is not None and entry.ward != ward else ""
        self._note(Change(kind, record.id, before, record, ward, quiet, left))
        if isinstance(record, Encounter) and (entry is None or entry.ward != ward):
            self._follow_ward(record)

    def _follow_ward(self, stay: Encounter) -> None:
        """Let everything about a patient be seen where the patient now is."""
        for kind in {*self._base.kinds, *self._own}:
            for entry in list(self.entries(kind).values()):
                about = getattr(entry.record, "encounter_id", None) == stay.id
                if (about or patient_of(entry.record) == stay.patient_id) and entry.record is not stay:
                    ward = ward_of(entry.record, self)
                    if ward != entry.ward:
                        record = entry.record
                        before = self._original(kind, record.id)
                        self._note(Change(kind, record.id, before, record, ward, left=entry.ward))

    def retire(self, kind: type[R], record_id: str) -> None:
        """Take a record out of the picture; the store keeps it."""
        name = KIND_OF[kind]
        entry = self._entry(name, record_id)
        if entry is not None:
            self._note(Change(name, record_id, self._original(name, record_id), None, entry.ward))

    def audit(
        self,
        action: str,
        *,
        actor: str,
        entity: str,
        patient: str = "",
        outcome: str = "ok",
        detail: str = "",
    ) -> None:
        """Append one line to the audit chain, in this same transaction."""
        append_audit(
            self.connection,
            at=self.now,
            actor=actor,
            action=action,
            entity=entity,
            patient_id=patient,
            outcome=outcome,
            detail=detail,
        )

    def after_commit(self, follower: Callable[[], None]) -> None:
        """Do something once everything is on disk; never before, not at all after a failure."""
        self._after.append(follower)

    def upsert(self, table: str) -> Insert:
        """Return an INSERT of the store's own dialect, which can say ON CONFLICT."""
        return insert_into(self.connection, table)

    def _entry(self, kind: str, record_id: str) -> Entry | None:
        own = self._own.get(kind)
        if own is not None and record_id in own:
            return own[record_id]
        return self._base.entry(kind, record_id)

    def _original(self, kind: str, record_id: str) -> Record | None:
        entry = self._base.entry(kind, record_id)
        return entry.record if entry is not None else None

    def _note(self, change: Change) -> None:
        self._changes[change.kind, change.id] = change
        entry = Entry(change.new, self._base.cursor + 1, change.ward) if change.new is not None else None
        self._own.setdefault(change.kind, {})[change.id] = entry
        self._merged.pop(change.kind, None)
        self._view = None


def insert_into(connection: Connection, table: str) -> Insert:
    """Return an INSERT into ``table`` that knows ON CONFLICT on both stores."""
    target = schema.metadata.tables[table]
    if connection.dialect.name == "postgresql":
        return postgresql.insert(target)
    return sqlite.insert(target)
