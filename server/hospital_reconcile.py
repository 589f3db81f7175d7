"""Compares the hospital's side with the ward's: who lies where, which orders hold, what was given.

It only reads, so it may be asked while the server runs.

The hospital's side is a CSV file with the columns kind, key and value: ``census`` by patient number with
``ward^bed``, ``order`` by placer number with active, on-hold or ended, ``administration`` by placer number
with how many RAS^O17 it holds.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from clinical.errors import BadInputError
from clinical.records import ENDED, PRESENT, Encounter, Order, Patient
from server.his.message import parse
from server.his.port import MessageState
from server.storage.codec import KIND_OF, from_text
from server.storage.schema import facts, hl7_messages

KINDS = ("census", "order", "administration")
Side = Mapping[tuple[str, str], str]
"""What one side says: the value of each kind and key."""
_STATUS = {"active": "active", "on-hold": "on-hold"}
_HEAD = ["kind", "key", "value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing the two sides say differently; an empty text means that a side does not know it."""

    kind: str
    key: str
    hospital: str
    ward: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """How many things were compared of each kind, and what differs."""

    compared: Mapping[str, int]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether both sides say the same."""
        return not self.differences


def read(path: Path) -> dict[tuple[str, str], str]:
    """Read the hospital's side.

    Raises:
        BadInputError: The file cannot be read, or is not of this form.
    """
    try:
        lines = csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("reconcile-file", f"{path.name} cannot be read as UTF-8 text") from error
    if [name.strip().lower() for name in next(lines, [])] != _HEAD:
        raise BadInputError("reconcile-file", f"{path.name} must begin with the line kind,key,value")
    side: dict[tuple[str, str], str] = {}
    for number, line in enumerate(lines, start=2):
        if not any(line):
            continue
        if len(line) != len(_HEAD) or line[0] not in KINDS:
            raise BadInputError(
                "reconcile-file",
                f"{path.name} line {number} must be one of {', '.join(KINDS)}, a key, a value",
            )
        side[line[0], line[1].strip()] = line[2].strip()
    return side


def ward_side(connection: Connection) -> dict[tuple[str, str], str]:
    """Return what the ward says; an administration counts when the hospital has accepted it."""
    side: dict[tuple[str, str], str] = {}
    numbers = {one.id: one.mrn for one in _all(connection, Patient) if isinstance(one, Patient)}
    for stay in _all(connection, Encounter):
        if isinstance(stay, Encounter) and stay.status in PRESENT:
            side["census", numbers.get(stay.patient_id, stay.patient_id)] = f"{stay.ward}^{stay.bed}"
    for order in _all(connection, Order):
        if isinstance(order, Order) and order.placer_id:
            status = "ended" if order.status in ENDED else _STATUS.get(order.status, order.status)
            side["order", order.placer_id] = status
    for placer, count in _administrations(connection).items():
        side["administration", placer] = str(count)
    return side


def _all(connection: Connection, kind: type[Patient | Encounter | Order]) -> list[object]:
    name = KIND_OF[kind]
    rows = connection.execute(select(facts.c.body).where(facts.c.kind == name, facts.c.active.is_(True)))
    return [from_text(name, row.body) for row in rows]


def _administrations(connection: Connection) -> Counter[str]:
    table, told = hl7_messages, Counter[str]()
    rows = connection.execute(
        select(table.c.raw).where(
            table.c.direction == "out",
            table.c.type == "RAS^O17",
            table.c.state == MessageState.ACCEPTED.value,
        )
    )
    for row in rows:
        orc = parse(bytes(row.raw)).first("ORC")
        told[orc.value(2) if orc is not None else ""] += 1
    return told


def compare(hospital: Side, ward: Side) -> Reconciliation:
    """Compare two sides; an order that has ended need not be in the hospital's export."""
    differences = [
        Difference(kind=kind, key=key, hospital=said, ward=ward.get((kind, key), ""))
        for (kind, key), said in hospital.items()
        if ward.get((kind, key), "") != said and not (said == "ended" and (kind, key) not in ward)
    ]
    differences += [
        Difference(kind=kind, key=key, hospital="", ward=said)
        for (kind, key), said in ward.items()
        if (kind, key) not in hospital and said != "ended"
    ]
    compared = Counter(kind for kind, _ in {**hospital, **ward})
    ordered = sorted(differences, key=lambda one: (KINDS.index(one.kind), one.key))
    return Reconciliation(compared={kind: compared[kind] for kind in KINDS}, differences=tuple(ordered))
