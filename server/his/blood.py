"""Units of blood that the blood bank issues (BPS^O29), read through a table.

Blood banks write this message in many ways, or have one of their own. The table ``blood`` says where each
part stands (``BPX-5.1``, or ``OBX[CROSSMATCH]-5`` for the OBX of that code); the tables ``blood_message``,
``blood_status``, ``blood_component`` and ``blood_group`` say what the words mean. A site changes rows, no
code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from server.his.message import Message, Segment
from server.his.port import HospitalFact
from server.his.reading import Site, number, patient_number
from server.his.refusal import RefusedMessageError, missing
from server.his.reported import IssueBlood
from server.his.times import parse_stamp

_PATH = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<code>[^\]]+)\])?-(?P<field>\d{1,3})(?:\.(?P<part>\d{1,2}))?\Z"
)
ISSUED = "issued"


def takes(kind: str, event: str, site: Site) -> bool:
    """Tell whether a message type is one by which blood is issued here."""
    return bool(site.tables.find("blood_message", f"{kind}^{event}"))


def facts_of(message: Message, site: Site) -> tuple[HospitalFact, ...]:
    """Return the units that were issued; a unit of any other status says nothing for a ward.

    Raises:
        RefusedMessageError: A part that is needed is missing, or a word is in no table.
    """
    mrn = patient_number(message.first("PID"), site)
    return tuple(fact for unit in _units(message, site) if (fact := _issued(unit, mrn)) is not None)


class _Unit:
    """The segments that speak of one unit: those before the first, and its own."""

    def __init__(self, segments: list[Segment], site: Site) -> None:
        self._segments, self._site = segments, site

    def where(self, part: str) -> str:
        """Return where a part stands, as the table says."""
        return self._site.tables.find("blood", part)

    def value(self, part: str) -> str:
        """Return one part; empty when it is not there, or the table says nowhere."""
        found = _PATH.match(self.where(part))
        if found is None:
            return ""
        for segment in reversed(self._segments):
            if segment.name == found["segment"] and found["code"] in {None, segment.value(3)}:
                return segment.value(int(found["field"]), int(found["part"] or 1))
        return ""

    def needed(self, part: str) -> str:
        """Return one part that must be there."""
        return self.value(part) or _refuse(self.where(part) or f"blood.{part}", part)

    def word(self, part: str, table: str) -> str:
        """Return what a word means by a table; empty when it is not there."""
        text = self.value(part)
        if not text:
            return ""
        word = self._site.tables.find(table, text)
        if not word:
            raise RefusedMessageError(
                "blood-word", f"{self.where(part)} holds a word that is not in the table {table}.",
                hl7_code=103, where=self.where(part).split(".")[0],
            )  # fmt: skip
        return word

    def time(self, part: str) -> datetime | None:
        """Return a time."""
        return parse_stamp(self.value(part), self._site.zone, where=self.where(part))

    def amount(self, part: str) -> Decimal | None:
        """Return a number."""
        return number(self.value(part), self.where(part))


def _refuse(where: str, part: str) -> str:
    raise missing(where.split(".", maxsplit=1)[0], part.replace("_", " "))


def _units(message: Message, site: Site) -> Iterator[_Unit]:
    """Give one unit for each segment in which its donation number stands."""
    place = _PATH.match(site.tables.find("blood", "donation"))
    name = place["segment"] if place is not None else "BPX"
    common: list[Segment] = []
    own: list[Segment] = []
    for segment in message.segments:
        if segment.name == name and own and any(one.name == name for one in own):
            yield _Unit([*common, *own], site)
            own = []
        if segment.name == "ORC" and own:
            yield _Unit([*common, *own], site)
            common, own = [one for one in common if one.name in {"MSH", "PID", "PV1"}], []
        (own if own or segment.name == name else common).append(segment)
    if own:
        yield _Unit([*common, *own], site)


def _issued(unit: _Unit, mrn: str) -> IssueBlood | None:
    if unit.where("status") and unit.word("status", "blood_status") != ISSUED:
        return None  # a hospital whose message only ever means "issued" leaves the row empty
    expires = unit.time("expires")
    if expires is None:
        raise missing(unit.where("expires").split(".")[0], "expiry")
    return IssueBlood(
        mrn=mrn,
        order=unit.needed("order"),
        donation=unit.needed("donation"),
        product=unit.needed("product"),
        product_code=unit.value("product_code") or unit.needed("product"),
        component=unit.word("component", "blood_component") or _refuse(unit.where("component"), "component"),
        group=unit.word("group", "blood_group") or _refuse(unit.where("group"), "blood group"),
        expires_at=expires,
        volume_ml=unit.amount("volume"),
        crossmatch=unit.word("crossmatch", "blood_crossmatch"),
        crossmatched_at=unit.time("crossmatched"),
        at=unit.time("issued"),
    )
