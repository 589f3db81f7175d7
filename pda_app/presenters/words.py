"""Facts to words: small functions that every screen uses, none of them decides anything."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from clinical.records import (
    Allergy,
    Dose,
    Encounter,
    Infusion,
    Order,
    OrderItem,
    Patient,
    Product,
    Sex,
    TaskStatus,
    present_of,
)
from pda_app.book import Book
from pda_app.presenters.states import AllergyStrip, Chip, Msg, PatientBanner, Text, Tone

NOTHING = ""
_VEIN = frozenset({"IV", "IVPB"})


def joined(separator: str, *parts: Text) -> Text:
    """Join the parts that are not empty; ``separator`` is dot, plus, space, list or lines."""
    kept = [part for part in parts if part != NOTHING]
    if len(kept) <= 1:
        return kept[0] if kept else NOTHING
    return Msg(f"join.{separator}", tuple((f"{index:02d}", part) for index, part in enumerate(kept)))


def number(value: Decimal | float, decimals: int | None = None) -> str:
    """Write a number without trailing zeros, with a leading zero, never in exponent form."""
    exact = Decimal(str(value))
    if decimals is not None:
        exact = round(exact, decimals)
    text = f"{exact:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def percent(value: float) -> str:
    """``+15%``, ``-8%``, and ``0%`` for whatever rounds to nothing."""
    whole = round(value)
    return f"{whole:+d}%" if whole else "0%"


def unit(ucum: str) -> Text:
    """A UCUM unit as it is shown."""
    return (
        Msg(f"unit.{ucum}")
        if ucum.startswith("{")
        else {"1": "", "Cel": "℃", "mm[Hg]": "mmHg"}.get(ucum, ucum)
    )


def dose(amount: Dose | None) -> Text:
    """``2 g``."""
    return NOTHING if amount is None else joined("space", number(amount.value), unit(amount.unit))


def minutes(value: float) -> Text:
    """``42 min`` or ``1 h 35``; always positive."""
    whole = abs(round(value))
    if whole < 60:
        return Msg.of("span.minutes", n=str(whole))
    return Msg.of("span.hours", h=str(whole // 60), m=f"{whole % 60:02d}")


def age(birth: date | None, today: date) -> Text:
    """Years, or months and days for the small ones."""
    if birth is None:
        return Msg("age.unknown")
    years = today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
    months = (today.year - birth.year) * 12 + today.month - birth.month - (today.day < birth.day)
    if years >= 3:
        return Msg.of("age.years", n=str(years))
    if months >= 1:
        return Msg.of("age.months", n=str(months))
    return Msg.of("age.days", n=str((today - birth).days))


def sex(value: Sex) -> Text:
    """Male, female, other or unknown."""
    return Msg(f"sex.{value}")


def encounter_of(book: Book, patient_id: str) -> Encounter | None:
    """The open stay of a patient."""
    return present_of(stay for stay in book.all(Encounter) if stay.patient_id == patient_id)


def banner(book: Book, patient: Patient, now: datetime) -> PatientBanner:
    """The patient's banner."""
    stay = encounter_of(book, patient.id)
    return PatientBanner(
        patient_id=patient.id,
        bed=stay.bed if stay else "",
        name=patient.name,
        name_latin=patient.name_latin,
        sex=sex(patient.sex),
        age=age(patient.birth_date, now.date()),
        birth_date=patient.birth_date.isoformat() if patient.birth_date else "",
        mrn=patient.mrn,
    )


def allergy_strip(book: Book, patient: Patient) -> AllergyStrip:
    """The strip below the banner: what is known, that none is, or that nobody asked."""
    known = [one for one in book.all(Allergy) if one.patient_id == patient.id]
    if known:
        return AllergyStrip(
            state="known", text=Msg.of("allergy.known", list=joined("list", *map(_allergy, known)))
        )
    if patient.allergy_status == "none":
        asked = patient.allergy_asked_at.date().isoformat() if patient.allergy_asked_at else ""
        text = Msg.of("allergy.none-asked", date=asked) if asked else Msg("allergy.none")
        return AllergyStrip(state="none", text=text)
    if patient.allergy_status == "known":
        return AllergyStrip(state="known", text=Msg("allergy.known-no-details"))
    return AllergyStrip(state="not-recorded", text=Msg("allergy.not-recorded"))


def _allergy(one: Allergy) -> Text:
    return (
        Msg.of("allergy.one", substance=one.display, reaction=one.reaction) if one.reaction else one.display
    )


def matches(patient: Patient, bed: str, query: str) -> bool:
    """Tell whether a patient is meant by what was typed: name, Latin spelling, its initials, or bed."""
    wanted = query.strip().casefold()
    if not wanted:
        return True
    latin = patient.name_latin.casefold()
    initials = "".join(part[:1] for part in latin.split())
    in_name = wanted in patient.name.casefold() or wanted.replace(" ", "") in latin.replace(" ", "")
    return in_name or initials.startswith(wanted) or bed.casefold().lstrip("0") == wanted.lstrip("0")


def chips(book: Book, patient: Patient) -> tuple[Chip, ...]:
    """At most two marks: allergy first, then risks."""
    stay = encounter_of(book, patient.id)
    strip = allergy_strip(book, patient)
    first = (
        ()
        if strip.state == "none"
        else (Chip(text=Msg(f"chip.allergy-{strip.state}"), tone=Tone.WARN, icon="allergy"),)
    )
    return (*first, *(risk(one) for one in (stay.risks if stay else ())))


def risk(name: str) -> Chip:
    """One risk mark."""
    return Chip(text=Msg(f"risk.{name}"), tone=Tone.LOW, icon=name)


def order_title(book: Book, order: Order) -> Text:
    """A single drug by its name; a mixed bag by its base and then every drug, all with their amounts."""
    several = len(order.items) > 1
    base_first = sorted(order.items, key=lambda item: item.role != "base")
    return joined("plus", *(_item(book, item, amount=several) for item in base_first))


def _item(book: Book, item: OrderItem, *, amount: bool) -> Text:
    product = book.get(Product, item.product_id)
    name = product.display if product is not None else item.display
    return joined("space", name, dose(item.dose)) if amount else name


def route(code: str) -> Text:
    """A route in words."""
    return Msg(f"route.{code}") if code else NOTHING


def route_of(order: Order, code: str = "") -> Text:
    """The route of an order. Into a vein it drips, is pushed, or is blood: the code alone does not say."""
    known = code or order.route
    if known in _VEIN and order.kind in {"infusion", "transfusion"}:
        return Msg(f"route.{order.kind}")
    return route(known)


def sample(order: Order) -> Text:
    """What an order for a sample asks for: the tube, fasting, two persons."""
    need = order.sample
    if need is None:
        return NOTHING
    tube = Msg(f"container.{need.container}") if need.container else NOTHING
    fasting = Msg("collect.fasting") if need.fasting else NOTHING
    return joined("dot", tube, fasting, Msg("collect.two-persons") if need.second_person else NOTHING)


def order_detail(order: Order) -> Text:
    """Dose, route, frequency and rate, as far as they are known; of a sample its tube."""
    if order.kind == "specimen":
        return sample(order)
    single = dose(order.items[0].dose) if len(order.items) == 1 else NOTHING
    rate = joined("space", number(order.rate_ml_h), "mL/h") if order.rate_ml_h is not None else NOTHING
    return joined("dot", single, route_of(order), Msg(f"frequency.{order.frequency.lower()}"), rate)


def task_icon(order: Order | None) -> str:
    """The icon's meaning."""
    kinds = {
        "infusion": "infusion", "transfusion": "blood", "specimen": "specimen", "skin-test": "skin-test",
    }  # fmt: skip
    return kinds.get(order.kind, "medicine") if order is not None else "medicine"


def site(infusion: Infusion) -> Text:
    """Where it runs in, when it was said."""
    return Msg(f"site.{infusion.site}") if infusion.site else NOTHING


TONES: dict[TaskStatus, Tone] = {
    TaskStatus.OVERDUE: Tone.BAD,
    TaskStatus.MISSED: Tone.BAD,
    TaskStatus.ERROR: Tone.BAD,
    TaskStatus.DUE: Tone.WARN,
    TaskStatus.RUNNING: Tone.ACT,
    TaskStatus.PAUSED: Tone.WARN,
}
"""Urgency of a task's tile; everything else is plain."""
