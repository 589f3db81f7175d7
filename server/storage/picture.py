"""The ward as it is now: every active fact, in memory, never half changed.

A :class:`Picture` is immutable. The one writer makes a new one after each commit; readers take the
current one and need no lock. The store can always rebuild it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from clinical.records import Alarm, Association, Encounter, Facts, Flow, Infusion, Patient
from server.storage.codec import KIND_OF, TYPE_OF, R, Record

EVERY_WARD = ""
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, the change that wrote it, and the ward that sees it (empty: every ward)."""

    record: Record
    seq: int
    ward: str


@dataclass(frozen=True, slots=True)
class Change:
    """One record before and after a commit; ``new`` is None when it left the picture."""

    kind: str
    id: str
    old: Record | None
    new: Record | None
    ward: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """All active facts at one cursor."""

    epoch: str
    cursor: int = 0
    kinds: Mapping[str, Mapping[str, Entry]] = field(default_factory=lambda: _EMPTY)
    gone: Mapping[tuple[str, str, str], int] = field(default_factory=dict)  # (ward, kind, id) → seq

    @property
    def version(self) -> str:
        """Name of this picture: what a handheld's check says it saw."""
        return f"{self.epoch}:{self.cursor}"

    def get(self, kind: type[R], record_id: str) -> R | None:
        """Return the record of ``kind`` with this id, or None."""
        entry = self.kinds.get(KIND_OF[kind], _EMPTY).get(record_id)
        return entry.record if entry is not None else None

    def all(self, kind: type[R]) -> Iterator[R]:
        """Every active record of ``kind``."""
        return (entry.record for entry in self.kinds.get(KIND_OF[kind], _EMPTY).values())

    def entry(self, kind: str, record_id: str) -> Entry | None:
        """Return the entry of ``kind`` with this id, or None."""
        return self.kinds.get(kind, _EMPTY).get(record_id)

    def facts(self, ward: str, since: int = 0) -> Facts:
        """Collect what ``ward`` sees and what changed after ``since``."""
        return Facts(
            **{
                kind: tuple(
                    entry.record
                    for entry in self.kinds.get(kind, _EMPTY).values()
                    if entry.seq > since and entry.ward in {ward, EVERY_WARD}
                )
                for kind in TYPE_OF
            }
        )

    def removed(self, ward: str, since: int) -> dict[str, tuple[str, ...]]:
        """Ids per kind that left ``ward`` after ``since``."""
        result: dict[str, list[str]] = {}
        for (of_ward, kind, record_id), seq in self.gone.items():
            if seq > since and of_ward == ward:
                result.setdefault(kind, []).append(record_id)
        return {kind: tuple(ids) for kind, ids in result.items()}

    def after(self, cursor: int, changes: Iterable[Change]) -> Picture:
        """Return the picture with ``changes`` made at ``cursor``; this one stays as it is."""
        kinds: dict[str, dict[str, Entry]] = {}
        gone = dict(self.gone)
        for change in changes:
            of_kind = kinds.setdefault(change.kind, dict(self.kinds.get(change.kind, _EMPTY)))
            before = of_kind.get(change.id)
            if change.new is None:
                of_kind.pop(change.id, None)
            else:
                of_kind[change.id] = Entry(change.new, cursor, change.ward)
                gone.pop((change.ward, change.kind, change.id), None)
            if before is not None and (change.new is None or before.ward != change.ward):
                gone[before.ward, change.kind, change.id] = cursor
        return replace(self, cursor=cursor, kinds={**self.kinds, **kinds}, gone=gone)


def patient_of(record: Record) -> str:
    """Id of the patient a record is about; empty when it is about none."""
    if isinstance(record, Patient):
        return record.id
    return str(getattr(record, "patient_id", ""))


def ward_of(record: Record, view: Picture) -> str:
    """Return the ward that sees ``record``; empty when every ward does."""
    match record:
        case Encounter():
            return record.ward
        case Alarm() | Infusion() | Association():
            return _ward_of_encounter(record.encounter_id, view)
        case Flow():
            infusion = view.get(Infusion, record.id)
            return _ward_of_encounter(infusion.encounter_id, view) if infusion else EVERY_WARD
        case _:
            patient_id = patient_of(record)
            return _ward_of_patient(patient_id, view) if patient_id else EVERY_WARD


def _ward_of_encounter(encounter_id: str, view: Picture) -> str:
    encounter = view.get(Encounter, encounter_id)
    return encounter.ward if encounter else EVERY_WARD


def _ward_of_patient(patient_id: str, view: Picture) -> str:
    stays = [stay for stay in view.all(Encounter) if stay.patient_id == patient_id]
    present = [stay for stay in stays if stay.status in {"in-progress", "onleave"}]
    chosen = (present or stays)[-1:]
    return chosen[0].ward if chosen else EVERY_WARD
