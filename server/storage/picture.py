"""The ward as it is now: every active fact, in memory, never half changed.

A :class:`Picture` is immutable. The one writer makes a new one after each commit; readers take the
current one and need no lock. The store can always rebuild it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from clinical.chart_records import Handover
from clinical.records import (
    Alarm,
    Assignment,
    Association,
    Encounter,
    Facts,
    Flow,
    Infusion,
    Patient,
    present_of,
)
from server.storage.codec import KIND_OF, TYPE_OF, R, Record

EVERY_WARD = ""
MOST_GONE, FORGOTTEN_AT_ONCE = 20_000, 1_000
"""Removals listed for handhelds which were away; of more, the oldest are forgotten a portion at once."""
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
    left: str = ""  # the ward that saw it before, when that was another one


class View(Protocol):
    """What tells where a record is seen: a picture, or a unit of work on top of one."""

    def get(self, kind: type[R], record_id: str) -> R | None:
        """Return the record of ``kind`` with this id, or None."""
        ...

    def stays_of(self, patient_id: str) -> list[Encounter]:
        """The stays of one patient, oldest first."""
        ...


class Groups:
    """Records by one of their fields, made again only when records of the kind changed.

    Shared by the pictures that follow each other, so that a commit which touches no task groups no tasks.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[Mapping[str, Entry], dict[str, list[Any]]]] = {}

    def of(self, kind: str, by: str, entries: Mapping[str, Entry]) -> dict[str, list[Any]]:
        """Return the records among ``entries`` by their field ``by``."""
        made = self._made.get((kind, by))
        if made is not None and made[0] is entries:
            return made[1]
        groups: dict[str, list[Any]] = {}
        for entry in entries.values():
            groups.setdefault(getattr(entry.record, by), []).append(entry.record)
        self._made[kind, by] = (entries, groups)
        return groups


@dataclass(frozen=True, slots=True)
class Picture:
    """All active facts at one cursor."""

    epoch: str
    cursor: int = 0
    kinds: Mapping[str, Mapping[str, Entry]] = field(default_factory=lambda: _EMPTY)
    gone: Mapping[tuple[str, str, str], int] = field(default_factory=dict)  # (ward, kind, id) → seq
    floor: int = 0  # what left before this is no longer listed: a reader from before it starts anew
    groups: Groups = field(default_factory=Groups, compare=False, repr=False)

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

    def stays_of(self, patient_id: str) -> list[Encounter]:
        """The stays of one patient, oldest first."""
        return self.grouped(Encounter, "patient_id").get(patient_id, [])

    def grouped(self, kind: type[R], by: str) -> dict[str, list[R]]:
        """Every active record of ``kind`` by its field ``by``; not to be changed."""
        name = KIND_OF[kind]
        return self.groups.of(name, by, self.kinds.get(name, _EMPTY))

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
        gone: dict[tuple[str, str, str], int] | None = None
        for change in changes:
            of_kind = kinds.get(change.kind)
            if of_kind is None:
                of_kind = kinds[change.kind] = dict(self.kinds.get(change.kind, _EMPTY))
            before = of_kind.get(change.id)
            left = before is not None and (change.new is None or before.ward != change.ward)
            if left or (change.ward, change.kind, change.id) in self.gone:
                gone = dict(self.gone) if gone is None else gone
            if change.new is None:
                of_kind.pop(change.id, None)
            else:
                of_kind[change.id] = Entry(change.new, cursor, change.ward)
                if gone is not None:
                    gone.pop((change.ward, change.kind, change.id), None)
            if left and before is not None and gone is not None:
                gone[before.ward, change.kind, change.id] = cursor
        after = {**self.kinds, **kinds}
        if gone is None:
            return replace(self, cursor=cursor, kinds=after)
        return replace(self, cursor=cursor, kinds=after, gone=gone, floor=_bound(gone, self.floor))


def _bound(gone: dict[tuple[str, str, str], int], floor: int) -> int:
    """Forget the oldest removals when there are too many; returns the cursor from which the list is whole."""
    if len(gone) <= MOST_GONE:
        return floor
    oldest = sorted(gone, key=gone.__getitem__)[: len(gone) - MOST_GONE + FORGOTTEN_AT_ONCE]
    for key in oldest:
        floor = max(floor, gone.pop(key))
    return floor


def patient_of(record: Record) -> str:
    """Id of the patient a record is about; empty when it is about none."""
    if isinstance(record, Patient):
        return record.id
    return str(getattr(record, "patient_id", ""))


def ward_of(record: Record, view: View) -> str:
    """Return the ward that sees ``record``; empty when every ward does."""
    match record:
        case Encounter() | Handover() | Assignment():
            return record.ward
        case Alarm() | Infusion() | Association():
            return _ward_of_encounter(record.encounter_id, view)
        case Flow():
            infusion = view.get(Infusion, record.id)
            return _ward_of_encounter(infusion.encounter_id, view) if infusion else EVERY_WARD
        case _:
            patient_id = patient_of(record)
            return _ward_of_patient(patient_id, view) if patient_id else EVERY_WARD


def _ward_of_encounter(encounter_id: str, view: View) -> str:
    encounter = view.get(Encounter, encounter_id)
    return encounter.ward if encounter else EVERY_WARD


def _ward_of_patient(patient_id: str, view: View) -> str:
    stays = view.stays_of(patient_id)
    chosen = present_of(stays) or (stays[-1] if stays else None)
    return chosen.ward if chosen else EVERY_WARD
