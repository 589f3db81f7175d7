"""Printing labels from the ward's facts: every print is a fact with its serial, time and person.

A label is drawn and read back before its print is noted, so that a print on record is one that came out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from clinical.care_records import Specimen
from clinical.errors import ConflictError, NotFoundError
from clinical.records import (
    Allergy,
    Bag,
    Encounter,
    Generation,
    LabelPrint,
    Order,
    Patient,
    Practitioner,
    Product,
    Task,
    Wristband,
    present_of,
)
from server.preparations.service import OPEN
from server.prints import labels
from server.prints.canvas import Canvas
from server.prints.store import last_print
from server.prints.texts import container_word
from server.sites import Site
from server.storage.picture import Picture
from server.storage.store import Store, UnitOfWork

_TRIES = 3
_TUBES = frozenset({"planned", "printed"})


class Kind(StrEnum):
    """What a label is on."""

    WRISTBAND = "wristband"
    BAG = "bag"
    ORAL = "oral"
    TUBE = "tube"
    BED = "bed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One label somebody wants: on what, of which record, in which language, who prints it."""

    kind: Kind
    subject: str  # stay, bag, sample; of a bed "{ward}/{bed}"
    by: str
    language: str = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A label that was drawn, and the fact of it."""

    canvas: Canvas
    print: LabelPrint


def print_label(store: Store, site: Site, wish: Wish) -> Printed:
    """Draw a label from the facts and note its print.

    Raises:
        NotFoundError: There is nothing of this id.
        ConflictError: Nobody wears, uses or fills what it would be on any more, or others print it just now.
        BadInputError: A text does not fit.
        UnavailableError: No font is installed, or the code cannot be read back.
    """
    for _ in range(_TRIES):
        drawn = _drawn(store, site, wish)
        if store.write(lambda unit, drawn=drawn: _noted(unit, drawn.print)):  # type: ignore[misc]
            return drawn
    raise ConflictError("label-busy", "somebody else is printing this label; try again")


def _drawn(store: Store, site: Site, wish: Wish) -> Printed:
    picture, now, print_id = store.picture, store.clock(), f"{wish.kind}/{wish.subject}"
    with store.reading() as connection:
        before = last_print(connection, print_id)
    serial = before.serial + 1 if before is not None else 1
    content, patient_id = _CONTENT[wish.kind](_Sheet(picture, site, now, serial, wish.language), wish.subject)
    canvas = labels.render(content, language=wish.language, zone=ZoneInfo(site.policy.zone))
    made = LabelPrint(
        id=print_id, kind=wish.kind.value, subject=wish.subject, serial=serial, at=now, by=wish.by,
        patient_id=patient_id,
    )  # fmt: skip
    return Printed(canvas=canvas, print=made)


def _noted(unit: UnitOfWork, made: LabelPrint) -> bool:
    """Note a print and bring the record it is of up to it; False when another print came between."""
    before = last_print(unit.connection, made.id)
    if (before.serial if before is not None else 0) != made.serial - 1:
        return False
    unit.put(made)
    if made.kind in {Kind.BAG, Kind.ORAL}:
        bag = unit.get(Bag, made.subject)
        if bag is not None:
            unit.put(replace(bag, printed_at=made.at))
    tube = unit.get(Specimen, made.subject) if made.kind == Kind.TUBE else None
    if tube is not None and tube.state not in _TUBES:
        raise ConflictError("task-closed", "this sample is not waiting any more; nothing is printed for it")
    if tube is not None:
        unit.put(replace(tube, state="printed", printed_at=made.at))
    unit.audit(
        "label-print",
        actor=made.by,
        entity=f"label:{made.id}",
        patient=made.patient_id,
        detail=str(made.serial),
    )
    return True


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What a label is made from."""

    picture: Picture
    site: Site
    now: datetime
    serial: int
    language: str

    def whom(self, patient_id: str) -> tuple[Patient, Encounter]:
        """Return a patient and where they lie."""
        patient = self.picture.get(Patient, patient_id)
        stay = present_of(self.picture.stays_of(patient_id))
        if patient is None or stay is None:
            raise ConflictError("stay-ended", "this stay has ended; nothing is printed for it")
        return patient, stay

    def is_demo(self, patient: Patient) -> bool:
        return patient.generation is not Generation.REAL

    def name(self, person_id: str) -> str:
        person = self.picture.get(Practitioner, person_id)
        return person.name if person is not None else ""


Made = tuple[labels.LabelContent, str]


def _wristband(sheet: _Sheet, stay_id: str) -> Made:
    stay = sheet.picture.get(Encounter, stay_id)
    if stay is None:
        raise NotFoundError("encounter", "this stay is not known; refresh the ward")
    patient, stay = sheet.whom(stay.patient_id)
    band = next(
        (one for one in sheet.picture.all(Wristband) if one.patient_id == patient.id and one.active), None
    )
    if band is None:
        raise ConflictError("no-wristband", "this patient has no wristband; issue one first")
    known = (one for one in sheet.picture.all(Allergy) if one.patient_id == patient.id)
    content = labels.Wristband(
        mrn=patient.mrn, serial=band.serial, name=patient.name, name_latin=patient.name_latin,
        sex=patient.sex, birth_date=patient.birth_date, ward=stay.ward, bed=stay.bed,
        allergy="、".join(one.display.zh for one in known), printed_at=sheet.now,
        demo=sheet.is_demo(patient),
    )  # fmt: skip
    return content, patient.id


def _prepared(sheet: _Sheet, bag_id: str) -> tuple[Bag, Order, Task | None]:
    bag = sheet.picture.get(Bag, bag_id)
    order = sheet.picture.get(Order, bag.order_id) if bag is not None else None
    if bag is None or order is None:
        raise NotFoundError("unknown-bag", "there is no such bag")
    if bag.state not in OPEN:
        raise ConflictError("bag-closed", "this bag is void, running or used; label a new one")
    return bag, order, sheet.picture.get(Task, bag.task_id)


def _lines(order: Order) -> tuple[labels.DrugLine, ...]:
    return tuple(
        labels.DrugLine(text=item.display.zh, amount=item.dose.value, unit=item.dose.unit)
        for item in order.items
    )


def _is_high_alert(sheet: _Sheet, order: Order) -> bool:
    products = (sheet.picture.get(Product, item.product_id) for item in order.items)
    return any(one is not None and one.high_alert > 0 for one in products)


def _bag(sheet: _Sheet, bag_id: str) -> Made:
    bag, order, task = _prepared(sheet, bag_id)
    patient, stay = sheet.whom(bag.patient_id)
    content = labels.BagLabel(
        bag_id=bag.id, bed=stay.bed, name=patient.name, mrn=patient.mrn, sex=patient.sex,
        birth_date=patient.birth_date, lines=_lines(order), route=order.route, frequency=order.frequency,
        planned_at=_planned(sheet, task), printed_at=sheet.now, rate_ml_h=order.rate_ml_h,
        drops_per_ml=order.drops_per_ml, beyond_use=bag.beyond_use, prepared_by=sheet.name(bag.prepared_by),
        checked_by=sheet.name(bag.checked_by), serial=str(sheet.serial),
        high_alert=_is_high_alert(sheet, order), demo=sheet.is_demo(patient),
    )  # fmt: skip
    return content, patient.id


def _oral(sheet: _Sheet, bag_id: str) -> Made:
    bag, order, task = _prepared(sheet, bag_id)
    patient, stay = sheet.whom(bag.patient_id)
    content = labels.OralLabel(
        bag_id=bag.id, bed=stay.bed, name=patient.name, mrn=patient.mrn, lines=_lines(order),
        planned_at=_planned(sheet, task), printed_at=sheet.now, frequency=order.frequency,
        serial=str(sheet.serial), high_alert=_is_high_alert(sheet, order), demo=sheet.is_demo(patient),
    )  # fmt: skip
    return content, patient.id


def _planned(sheet: _Sheet, task: Task | None) -> datetime:
    return task.planned_at if task is not None and task.planned_at is not None else sheet.now


def _tube(sheet: _Sheet, specimen_id: str) -> Made:
    tube = sheet.picture.get(Specimen, specimen_id)
    order = sheet.picture.get(Order, tube.order_id) if tube is not None else None
    if tube is None or order is None:
        raise NotFoundError("unknown-specimen", "there is no such sample")
    if tube.state not in _TUBES:
        raise ConflictError("task-closed", "this sample is not waiting any more; nothing is printed for it")
    patient, stay = sheet.whom(tube.patient_id)
    task = sheet.picture.get(Task, tube.task_id)
    content = labels.TubeLabel(
        tube_id=tube.id, bed=stay.bed, name=patient.name, mrn=patient.mrn,
        specimen=container_word(tube.container, sheet.language),
        tests="、".join(item.display.zh for item in order.items), collect_at=_planned(sheet, task),
        printed_at=sheet.now, serial=str(sheet.serial), demo=sheet.is_demo(patient),
    )  # fmt: skip
    return content, patient.id


def _bed(sheet: _Sheet, place: str) -> Made:
    ward_id, _, bed = place.partition("/")
    ward = sheet.site.wards.get(ward_id)
    if ward is None or bed not in ward.beds:
        raise NotFoundError("unknown-bed", "this ward has no such bed")
    content = labels.BedLabel(
        ward=ward.id, bed=bed, ward_name=ward.display.zh, printed_at=sheet.now, serial=str(sheet.serial),
        demo=sheet.site.generations.get(ward.id, Generation.REAL) is not Generation.REAL,
    )  # fmt: skip
    return content, ""


_CONTENT: dict[Kind, Callable[[_Sheet, str], Made]] = {
    Kind.WRISTBAND: _wristband,
    Kind.BAG: _bag,
    Kind.ORAL: _oral,
    Kind.TUBE: _tube,
    Kind.BED: _bed,
}
