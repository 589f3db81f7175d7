"""Where resources come from: the picture of the ward, narrowed, filtered, and given out in pages.

An item is one record with everything its resource is made of. A page is walked by the last id of the page
before, so that what changes meanwhile neither shows anything twice nor hides it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, select

from server.fhir import codes
from server.fhir.caller import Caller
from server.fhir.ids import fhir_id, is_digest, record_id
from server.fhir.search import Param, Query, date_fits
from server.fhir.shape import Resource, instant, to_json
from server.fhir.view import View
from server.storage import schema
from server.storage.picture import Entry, patient_of

_CHUNK = 400
Key = tuple[str, str]
"""Kind and id of a fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One record as it is now."""

    id: str  # FHIR id
    record: Any
    ward: str = ""
    seq: int = 0  # the change that wrote it; 0 = it is no fact of its own
    facts: tuple[Key, ...] = ()
    demo: bool = False
    updated: datetime | None = None  # where no fact says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of what was found, and the place where the next page begins (empty: there is none)."""

    resources: tuple[Resource, ...]
    next: str = ""
    total: int | None = None


class Source(Protocol):
    """What a type is read from."""

    @property
    def params(self) -> Mapping[str, Param]:
        """Search parameters by name."""
        ...

    def read(self, connection: Connection, view: View, fid: str) -> tuple[Resource, str] | None:
        """Return the resource with this id and the ward that sees it."""
        ...

    def search(self, connection: Connection, view: View, caller: Caller, query: Query) -> Page:
        """Return a page of what the caller sees and asks for."""
        ...


Candidates = Callable[[View, frozenset[str] | None], Iterable[Item]]
"""Items of a type, those of some patients alone when they are named."""
Mapper = Callable[[Any, View], Resource]


def with_meta(
    resource: Resource, fid: str, *, seq: int = 0, updated: datetime | None = None, demo: bool = False
) -> Resource:
    """Add id and meta; what is no fact of its own has a digest of itself as its version."""
    version = str(seq) if seq else hashlib.sha256(to_json(resource)).hexdigest()[:16]
    meta: Resource = {"versionId": version, **resource.get("meta", {})}
    if updated is not None:
        meta["lastUpdated"] = instant(updated)
    if demo:
        meta["tag"] = [codes.TEST_DATA]
    rest = {key: value for key, value in resource.items() if key not in {"resourceType", "meta"}}
    return {"resourceType": resource["resourceType"], "id": fid, "meta": meta, **rest}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSource:
    """A type whose resources are facts of the picture."""

    kind: str  # the type
    params: Mapping[str, Param]
    mapper: Mapper
    fact: str = ""  # kind of fact whose records these are, where it is so simple
    keep: Callable[[Any], bool] = lambda _record: True
    made: Candidates | None = None  # what makes the items where it is not

    def read(self, connection: Connection, view: View, fid: str) -> tuple[Resource, str] | None:
        """Return the resource with this id and the ward that sees it."""
        item = self.find(view, fid)
        return (self.render(connection, view, [item])[0], item.ward) if item is not None else None

    def find(self, view: View, fid: str) -> Item | None:
        """Return the item with this id."""
        own = record_id(fid)
        if self.fact and own is not None:
            entry = view.picture.entry(self.fact, own)
            return _item(view, self.fact, own, entry) if entry and self.keep(entry.record) else None
        if own is None and not is_digest(fid):
            return None
        return next((item for item in self.candidates(view, None) if item.id == fid), None)

    def candidates(self, view: View, patients: frozenset[str] | None) -> Iterable[Item]:
        """Items of this type, those of some patients alone when they are named."""
        if self.made is not None:
            return self.made(view, patients)
        return (
            _item(view, self.fact, own, entry)
            for own, entry in view.picture.kinds.get(self.fact, {}).items()
            if (patients is None or patient_of(entry.record) in patients) and self.keep(entry.record)
        )

    def search(self, connection: Connection, view: View, caller: Caller, query: Query) -> Page:
        """Return a page of what the caller sees and asks for."""
        fitting = self.matches(connection, view, caller, query)
        after = sorted((item for item in fitting if item.id > query.cursor), key=lambda item: item.id)
        page = after[: query.count]
        more = page[-1].id if query.count and len(after) > query.count else ""
        return Page(resources=tuple(self.render(connection, view, page)), next=more, total=len(fitting))

    def matches(self, connection: Connection, view: View, caller: Caller, query: Query) -> list[Item]:
        """Everything the caller sees and asks for."""
        wards: dict[str, bool] = {}
        found = []
        for item in self.candidates(view, patients_asked(query)):
            if item.ward not in wards:
                wards[item.ward] = caller.sees(self.kind, item.ward, "s")
            if wards[item.ward] and query.fits(item.record, view):
                found.append(item)
        if not query.updated:
            return found
        changed = changed_at(connection, found)
        return [
            item
            for item in found
            if (at := changed.get(item.id)) is not None
            and all(any(date_fits((at, at), want) for want in values) for values in query.updated)
        ]

    def render(self, connection: Connection, view: View, items: Sequence[Item]) -> list[Resource]:
        """Map items, with what the store knows of their last change."""
        changed = changed_at(connection, items)
        return [
            with_meta(
                self.mapper(item.record, view),
                item.id,
                seq=item.seq,
                updated=changed.get(item.id),
                demo=item.demo,
            )
            for item in items
        ]


def patients_asked(query: Query) -> frozenset[str] | None:
    """The patients a search is about, by our own ids; None when it is about all of them."""
    named = query.values("patient", "subject")
    if not named:
        return None
    first, *others = [
        {own for kind, fid in values if kind == "Patient" and (own := record_id(fid))} for values in named
    ]
    return frozenset(first.intersection(*others))


def changed_at(connection: Connection, items: Sequence[Item]) -> dict[str, datetime]:
    """When each item was last changed, by its FHIR id."""
    wanted: dict[str, list[str]] = {}
    for item in items:
        for kind, own in item.facts:
            wanted.setdefault(kind, []).append(own)
    times: dict[Key, datetime] = {}
    table = schema.facts
    for kind, ids in wanted.items():
        for start in range(0, len(ids), _CHUNK):
            rows = connection.execute(
                select(table.c.id, table.c.changed).where(
                    table.c.kind == kind, table.c.id.in_(ids[start : start + _CHUNK])
                )
            )
            times |= {(kind, row.id): row.changed for row in rows}
    found = {}
    for item in items:
        known = [times[key] for key in item.facts if key in times]
        latest = max(known) if known else item.updated
        if latest is not None:
            found[item.id] = latest
    return found


def _item(view: View, kind: str, own: str, entry: Entry) -> Item:
    """One fact as an item."""
    patient_id = patient_of(entry.record)
    return Item(
        id=fhir_id(own),
        record=entry.record,
        ward=entry.ward,
        seq=entry.seq,
        facts=((kind, own),),
        demo=view.is_demo(patient_id) if patient_id else False,
    )
