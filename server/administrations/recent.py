"""What was scanned lately on other handhelds: packs that were used up, and where wristbands were read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
from sqlalchemy import select

from clinical.bedside_check.case import GIVEN
from clinical.bedside_check.drug import pack_code
from clinical.bedside_check.snapshot import PackUse, Sighting
from clinical.identifiers import resolve
from clinical.records import Administration, Dose
from server.storage.schema import evaluations, events
from server.storage.store import UnitOfWork

_USES_UP = GIVEN - {"partial"}
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
    dose: Dose | None = None


class _Evaluated(msgspec.Struct):
    request: _Request = msgspec.field(default_factory=_Request)


def used_packs(unit: UnitOfWork) -> Iterator[PackUse]:
    """What was given out of packs with a serial number within the last day.

    A dose of which only a part was given leaves a rest to give, so it does not count; nor does one whose
    record was corrected since to say otherwise.
    """
    since = unit.now - USED_FOR
    rows = unit.connection.execute(
        select(events.c.id, events.c.body).where(
            events.c.type.in_(("administration", "infusion-started")), events.c.at >= since
        )
    )
    for row in rows:
        done = msgspec.json.decode(row.body, type=_Done)
        now = unit.get(Administration, row.id)
        if done.outcome == "given" and (now is None or now.outcome in _USES_UP):
            found = (resolve(scan.raw) for scan in done.request.items)
            yield from (PackUse(code=code, dose=done.dose) for one in found if (code := pack_code(one)))


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
