"""What was scanned lately on other handhelds: packs that were used up, and where wristbands were read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
from sqlalchemy import select

from clinical.bedside_check.snapshot import Sighting
from clinical.identifiers import Kind, resolve
from server.storage.schema import evaluations, events
from server.storage.store import UnitOfWork

USED_FOR, SEEN_FOR = timedelta(hours=24), timedelta(minutes=5)
_WORDS = ("GIVE", "CHECK", "STOP")  # each, so that the index on word and time answers


class _Scan(msgspec.Struct):
    raw: str = ""


class _Handheld(msgspec.Struct):
    bed_seen: str = ""


class _Request(msgspec.Struct):
    items: list[_Scan] = []
    patient_scan: _Scan | None = None
    handheld: _Handheld = msgspec.field(default_factory=_Handheld)


class _Done(msgspec.Struct):
    """The few words of a stored event that tell what went into a patient."""

    request: _Request = msgspec.field(default_factory=_Request)
    outcome: str = "given"  # a started bag says none: it was opened


class _Evaluated(msgspec.Struct):
    request: _Request = msgspec.field(default_factory=_Request)


def used_codes(unit: UnitOfWork) -> Iterator[str]:
    """Serialised codes of packs that were given whole within the last day; a part leaves a rest to give."""
    since = unit.now - USED_FOR
    rows = unit.connection.scalars(
        select(events.c.body).where(
            events.c.type.in_(("administration", "infusion-started")), events.c.at >= since
        )
    )
    for body in rows:
        done = msgspec.json.decode(body, type=_Done)
        if done.outcome == "given":
            yield from (code for scan in done.request.items if (code := _serialised(scan.raw)))


def _serialised(raw: str) -> str:
    """Name one pack among all of its kind, as the bedside check does; empty when the code does not."""
    found = resolve(raw)
    if not found.serial:
        return ""
    return found.value if found.kind == Kind.TRACEABILITY else f"{found.value}:{found.serial}"


def sightings(unit: UnitOfWork) -> Iterator[Sighting]:
    """Where wristbands were read within the last minutes, as far as the handheld knew the place."""
    table = evaluations
    rows = unit.connection.execute(
        select(table.c.patient_id, table.c.handheld, table.c.at, table.c.body).where(
            table.c.word.in_(_WORDS), table.c.at >= unit.now - SEEN_FOR, table.c.patient_id != ""
        )
    )
    for row in rows:
        request = msgspec.json.decode(row.body, type=_Evaluated).request
        if request.patient_scan is not None and request.handheld.bed_seen:
            yield Sighting(
                patient_id=row.patient_id, handheld=row.handheld, bed=request.handheld.bed_seen, at=row.at
            )
