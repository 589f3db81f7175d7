"""What each label says, and the one function that makes it.

Every label carries the hospital's own code of :mod:`clinical.identifiers.hospital`, so that a bed label can
never be taken for a wristband; the drug package sample carries GS1. A label is read back before it leaves:
one whose symbol does not say what was asked is an error, not a print.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from clinical.errors import BadInputError, UnavailableError
from clinical.identifiers import Kind, resolve
from clinical.records import Sex
from server.prints import layouts_small, layouts_ward
from server.prints.canvas import Canvas
from server.prints.symbols import read_all

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wristband:
    """A patient's wristband, 190 × 25 mm; ``serial`` is new with every print and only the newest is valid."""

    mrn: str
    serial: str
    name: str
    name_latin: str = ""
    sex: Sex = Sex.UNKNOWN
    birth_date: date | None = None
    ward: str = ""
    bed: str = ""
    allergy: str = ""
    printed_at: datetime
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugLine:
    """One drug of a bag: its name and the amount with its UCUM unit."""

    text: str
    amount: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BagLabel:
    """The label of a prepared bag, syringe or dose (瓶签), 80 × 60 mm."""

    bag_id: str
    bed: str
    name: str
    mrn: str
    lines: tuple[DrugLine, ...]
    route: str
    planned_at: datetime
    printed_at: datetime
    frequency: str = ""
    sex: Sex = Sex.UNKNOWN
    birth_date: date | None = None
    rate_ml_h: Decimal | None = None
    drops_per_ml: int | None = None
    beyond_use: datetime | None = None
    prepared_by: str = ""
    checked_by: str = ""
    serial: str = ""  # which print of this label it is
    high_alert: bool = False
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OralLabel:
    """The label of a dose to be swallowed (口服药), 50 × 30 mm; its code is that of the dose made up."""

    bag_id: str
    bed: str
    name: str
    mrn: str
    lines: tuple[DrugLine, ...]
    planned_at: datetime
    printed_at: datetime
    frequency: str = ""
    serial: str = ""  # which print of this label it is
    high_alert: bool = False
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeLabel:
    """A specimen tube's label, 50 × 30 mm."""

    tube_id: str
    bed: str
    name: str
    mrn: str
    specimen: str
    tests: str
    collect_at: datetime
    printed_at: datetime | None = None
    serial: str = ""  # which print of this label it is
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BedLabel:
    """The label on a bed, 90 × 55 mm; its code names the place, never a person."""

    ward: str
    bed: str
    ward_name: str = ""
    printed_at: datetime | None = None
    serial: str = ""  # which print of this label it is
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLabel:
    """The label on a bedside node, 70 × 40 mm."""

    node: str
    serves: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLabel:
    """The label on a device the ward owns, 60 × 30 mm; ``uid`` as the bedside node reports it."""

    uid: str
    label: str
    kind: str = ""
    serial: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A staff badge, 54 × 86 mm. The code is only half of signing in: the PIN is the other."""

    badge: str
    name: str
    name_latin: str = ""
    role: str = ""
    hospital: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugPackage:
    """A sample of a drug package's GS1 DataMatrix, 50 × 30 mm, for tests and training."""

    gtin: str
    lot: str
    expiry: date
    serial: str
    name: str = ""
    demo: bool = True


LabelContent = (
    Wristband | BagLabel | OralLabel | TubeLabel | BedLabel | NodeLabel | DeviceLabel | Badge | DrugPackage
)
_LAYOUTS: dict[type, Callable[[Any, str, ZoneInfo], Canvas]] = {
    Wristband: layouts_ward.wristband,
    BagLabel: layouts_ward.bag,
    OralLabel: layouts_small.oral,
    TubeLabel: layouts_small.tube,
    BedLabel: layouts_small.bed,
    NodeLabel: layouts_small.node,
    DeviceLabel: layouts_small.device,
    Badge: layouts_small.badge,
    DrugPackage: layouts_small.drug,
}


def render(content: LabelContent, *, language: str = "zh", zone: ZoneInfo | None = None) -> Canvas:
    """Draw a label and read its codes back.

    Args:
        content: What it says.
        language: ``zh`` or ``en`` for the fixed words.
        zone: The ward's zone, for the printed times.

    Returns:
        The drawn label; ``.png()``, ``.pdf()`` and ``.image`` give it out.

    Raises:
        BadInputError: A text does not fit, the font lacks a character, or a code is too long.
        UnavailableError: No font is installed, or a code cannot be read back.
    """
    if language not in LANGUAGES:
        raise BadInputError("label-language", "a label is printed in zh or en")
    canvas = _LAYOUTS[type(content)](content, language, zone or ZoneInfo("Asia/Shanghai"))
    _read_back(canvas)
    return canvas


def _read_back(canvas: Canvas) -> None:
    read = {_meaning(text) for text in read_all(canvas.image)}
    wanted = {_meaning(text) for text in canvas.codes}
    if read != wanted:
        raise UnavailableError(
            "label-not-readable", "The printed code could not be read back; nothing was printed."
        )


def _meaning(text: str) -> tuple[object, ...]:
    """Return what a code says: GS1 reads the same with brackets and with separators."""
    found = resolve(text)
    return (found.kind, found.elements) if found.valid and found.kind == Kind.GS1 else (text,)


def describe(canvas: Canvas) -> list[dict[str, Any]]:
    """Return what the codes of a label are, for people and for JSON."""
    return [
        {"text": found.raw, "kind": str(found.kind), "value": found.value, "serial": found.serial}
        for found in (resolve(text) for text in dict.fromkeys(canvas.codes))
    ]
