"""The ward's mapping tables as data: taken in from a file as a whole, listed, and what is missing in them.

An import is one transaction with a version of its own; the audit chain keeps what every changed code was
before, so that a wrong one can be found and put back.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tomllib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, or_, select

from clinical import frequencies
from clinical.codes import CODES
from clinical.errors import BadInputError
from clinical.records import Product
from server.his.mapping import facts_of
from server.his.message import parse
from server.his.port import ChangeOrder, HospitalFact, Place, PlaceOrder, ReportMeasurements, ReportResults
from server.his.reading import Site as HisSite
from server.his.refusal import RefusedMessageError
from server.his.tables import READING, Tables, shipped
from server.his.told import Topic
from server.hospital_codes import ROUTES
from server.sites import Site
from server.storage.codec import KIND_OF
from server.storage.schema import facts, hl7_messages, mappings, meta
from server.storage.store import UnitOfWork

SYSTEMS = (
    "ward", "bed", "drug", "route", "frequency", "unit", "allergy", "observation", "tell", *sorted(READING),
)  # fmt: skip
"""What codes are of; ``tell`` says which reports the hospital wants (see :class:`server.his.told.Topic`).

Those after it are tables for reading messages; they hold from the next start of the server on."""
VERSION = "mapping-version"
_NOT_HERE = "Kept in the message only%"
_MOST = 5_000
_HEAD = ["system", "code", "target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One code of the hospital and what it is called here; ``line`` is where the file says so."""

    system: str
    code: str
    target: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A code that messages used and no table knows."""

    system: str
    code: str
    text: str  # as the hospital words it
    count: int
    last: datetime


def read(path: Path) -> tuple[list[Row], str]:
    """Read a file of codes: CSV with the columns system, code and target, or TOML, a table for each system.

    Returns:
        The rows in the order of the file, and the digest of its bytes.

    Raises:
        BadInputError: The file cannot be read, or is not of this form.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("mapping-file", f"{path.name} cannot be read as UTF-8 text") from error
    rows = list(_of_toml(path, text) if path.suffix == ".toml" else _of_csv(path, text))
    if not rows:
        raise BadInputError("mapping-file", f"{path.name} holds no code")
    return rows, hashlib.sha256(raw).hexdigest()


def _of_csv(path: Path, text: str) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text))
    head = [name.strip().lower() for name in next(lines, [])]
    if head != _HEAD:
        raise BadInputError("mapping-file", f"{path.name} must begin with the line system,code,target")
    for number, line in enumerate(lines, start=2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(_HEAD):
            raise BadInputError("mapping-file", f"{path.name} line {number} must have three columns")
        system, code, target = (cell.strip() for cell in line)
        yield Row(system=system, code=code, target=target, line=number)


def _of_toml(path: Path, text: str) -> Iterator[Row]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInputError("mapping-file", f"{path.name} is not TOML: {error}") from error
    for system, table in tables.items():
        if not isinstance(table, dict):
            raise BadInputError("mapping-file", f"{path.name}: {system} must be a table of codes")
        for code, target in table.items():
            if not isinstance(target, str):
                raise BadInputError("mapping-file", f"{path.name}: {system}.{code} must be a text")
            yield Row(system=system, code=code, target=target)


class Known:
    """What a code may become here."""

    def __init__(self, connection: Connection, site: Site) -> None:
        self._site = site
        products = select(facts.c.id).where(facts.c.kind == KIND_OF[Product], facts.c.active.is_(True))
        self._words: dict[str, Container[str]] = {
            "ward": site.wards.keys(),
            "bed": {bed for ward in site.wards.values() for bed in ward.beds},
            "drug": set(connection.scalars(products)),
            "route": ROUTES,
            "observation": CODES.keys(),
            "tell": {"on", "off"},
        }
        self.tables = reading_tables(connection)
        self.rows = {(row.system, row.code): row.target for row in connection.execute(select(mappings))}

    def fits(self, system: str, target: str) -> bool:
        """Tell whether ``target`` is a word of this system; a table that is not checked takes any text.

        An empty place in the table ``blood`` says that this hospital's message does not say it.
        """
        if system == "frequency":
            return frequencies.parse(target, "", self._site.policy) is not None
        words = self._words.get(system)
        word = target.upper() if system == "route" else target
        return word in words if words is not None else bool(target) or system == "blood"

    def has(self, system: str, *codes: str) -> bool:
        """Tell whether one of the codes is mapped, or is a word of ours already."""
        return any((system, code) in self.rows or self.fits(system, code) for code in codes)


def check(rows: Iterable[Row], known: Known) -> list[str]:
    """Return what is wrong with the rows of a file, a sentence each; empty when it can be taken."""
    wrong, seen = [], set[tuple[str, str]]()
    for row in rows:
        where = f"line {row.line}: " if row.line else f"{row.system}.{row.code}: "
        if row.system not in SYSTEMS:
            wrong.append(f"{where}there is no table {row.system!r}; known are {', '.join(SYSTEMS)}")
        elif not row.code or (row.system == "tell" and row.code not in set(Topic)):
            wrong.append(f"{where}{row.code!r} is no code of this table")
        elif not known.fits(row.system, row.target):
            wrong.append(f"{where}{row.target!r} is not known here")
        elif (row.system, row.code) in seen:
            wrong.append(f"{where}the code stands twice in the file")
        seen.add((row.system, row.code))
    return wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    version: int
    added: int
    changed: int
    same: int


def take(unit: UnitOfWork, site: Site, rows: list[Row], *, by: str, digest: str) -> Imported:
    """Write the rows of a file, all or none; codes it does not name stay.

    Raises:
        BadInputError: A row cannot be taken; the sentence names the first ones.
    """
    known = Known(unit.connection, site)
    wrong = check(rows, known)
    if wrong:
        raise BadInputError("mapping-rows", f"nothing was imported: {'; '.join(wrong[:10])}")
    before = {(row.system, row.code): known.rows.get((row.system, row.code)) for row in rows}
    version = int(_version(unit.connection)) + 1
    for row in rows:
        old = before[row.system, row.code]
        if old == row.target:
            continue
        _put(unit, row)
        said = f"{row.code} = {row.target}" if old is None else f"{row.code} = {row.target}, was {old}"
        unit.audit("mapping", actor=by, entity=f"mapping:{row.system}", detail=said)
    counts = Imported(
        version=version,
        added=sum(old is None for old in before.values()),
        changed=sum(
            old is not None and old != row.target for row, old in zip(rows, before.values(), strict=True)
        ),
        same=sum(old == row.target for row, old in zip(rows, before.values(), strict=True)),
    )
    _keep_version(unit, version)
    unit.audit("mapping-import", actor=by, entity=f"mapping-version:{version}", detail=f"sha256 {digest}")
    return counts


def _put(unit: UnitOfWork, row: Row) -> None:
    statement = unit.upsert("mappings").values(system=row.system, code=row.code, target=row.target)
    unit.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["system", "code"], set_={"target": statement.excluded.target}
        )
    )


def _version(connection: Connection) -> str:
    return connection.scalar(select(meta.c.value).where(meta.c.key == VERSION)) or "0"


def _keep_version(unit: UnitOfWork, version: int) -> None:
    statement = unit.upsert("meta").values(key=VERSION, value=str(version))
    unit.connection.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"value": statement.excluded.value})
    )


def listed(connection: Connection, system: str = "") -> tuple[int, list[Row]]:
    """Return the version of the tables and their rows, of one system where one is named."""
    query = select(mappings).order_by(mappings.c.system, mappings.c.code)
    if system:
        query = query.where(mappings.c.system == system)
    rows = [Row(system=row.system, code=row.code, target=row.target) for row in connection.execute(query)]
    return int(_version(connection)), rows


def reading_tables(connection: Connection) -> Tables:
    """Return the tables for reading messages: those that are shipped with the ward's own rows on top."""
    rows: dict[str, dict[str, str]] = {}
    for row in connection.execute(select(mappings).where(mappings.c.system.in_(READING))):
        rows.setdefault(row.system, {})[row.code] = row.target
    return shipped().with_rows(rows)


def unmapped(connection: Connection, site: Site) -> list[Missing]:
    """Return the codes that messages used and nobody has mapped yet, those used most first."""
    table, known = hl7_messages, Known(connection, site)
    query = (
        select(table.c.raw, table.c.received)
        .where(
            table.c.direction == "in",
            or_(table.c.error_code.like("unmapped-%"), table.c.detail.like(_NOT_HERE)),
        )
        .order_by(table.c.n.desc())
        .limit(_MOST)
    )
    found: dict[tuple[str, str], Missing] = {}
    for row in connection.execute(query):
        for system, code, text in missing_in(bytes(row.raw), known):
            before = found.get((system, code))
            found[system, code] = Missing(
                system=system,
                code=code,
                text=text,
                count=before.count + 1 if before else 1,
                last=before.last if before else row.received,
            )
    return sorted(found.values(), key=lambda one: (-one.count, one.system, one.code))


def missing_in(raw: bytes, known: Known) -> set[tuple[str, str, str]]:
    """Return the codes of one message that no table knows: system, code and the hospital's text."""
    try:
        said = facts_of(parse(raw), HisSite(tables=known.tables))
    except RefusedMessageError:
        return set()
    return {
        (system, code, text)
        for fact in said
        for system, codes, text in _codes(fact)
        if (code := codes[0]) and not known.has(system, *codes)
    }


def _codes(fact: HospitalFact) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Give every code of a fact: its system, the forms in which it may be mapped, and its text."""
    if isinstance(fact, ReportResults):
        yield from (("observation", (one.code,), one.name) for one in fact.values)
        return
    if isinstance(fact, ReportMeasurements):
        yield from (("observation", (one.code,), "") for one in fact.values)
        return
    order = fact.order if isinstance(fact, ChangeOrder) else fact
    if isinstance(order, PlaceOrder):
        yield from (("drug", (item.code,), item.text) for item in order.items)
        yield "route", (order.route,), ""
        yield "frequency", (order.frequency,), ""
    place = getattr(fact, "place", None)
    if isinstance(place, Place):
        yield "ward", (place.ward,), ""
        room = f"{place.room}^{place.bed}"
        yield "bed", (place.bed, room, f"{place.ward}^{room}"), room if place.room else ""
