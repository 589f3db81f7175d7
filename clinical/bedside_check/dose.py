"""DOSE: is it the right amount, of every ingredient, now and over the last 24 hours?"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from clinical import quantities, tapers
from clinical.bedside_check.case import BAG_LIKE, GIVING, Case, older_than
from clinical.bedside_check.model import Action, OverrideClass, Right, Severity
from clinical.records import Dose, Order, OrderItem, Product, age_years

if TYPE_CHECKING:
    from clinical.drug_policy import RateLimit

_TENFOLD = 5
_NEAR_TENTH = Fraction(2, 100)
_RATE_TOLERANCE = Fraction(5, 100)
_WEIGHT_DAYS, _CHILD_HOURS, _CHILD_YEARS = 7, 24, 14
_COUNTED = "{"


def judge(case: Case) -> None:
    """Judge the dose; for infusions the rate as well."""
    order = case.order
    if order is None:
        return
    if case.action is Action.RATE or (case.action in {Action.START, Action.BAG_CHANGE}):
        _rate(case, order)
        _rate_limits(case, order)
    if case.action not in GIVING or not order.items:
        return
    line = _line(case, order)
    product = case.product or case.snapshot.products.get(line.product_id)
    ordered = _ordered(case, line)
    if ordered is None:
        return
    _amount(case, line, ordered, product)
    if case.dose is not None:
        _limits(case, order)
        case.judged.add(Right.DOSE)


def _line(case: Case, order: Order) -> OrderItem:
    """Return the line of the scanned product, else the first drug of the order."""
    product = case.product
    scanned = [line for line in order.items if product is not None and line.product_id == product.id]
    drugs = [line for line in order.items if line.role != "base"]
    return (scanned or drugs or list(order.items))[0]


def _ordered(case: Case, line: OrderItem) -> Dose | None:
    """Return the ordered dose; a taper's by its day; one per kilogram needs a weight that is still true."""
    dose = _tapered(case) or line.dose
    if not dose.unit.endswith("/kg"):
        return dose
    patient = case.patient
    weighed = patient.weight_at if patient is not None else None
    limit = _CHILD_HOURS * 60 if _is_child(case) else _WEIGHT_DAYS * 1440
    if patient is None or patient.weight_kg is None:
        case.add("DOSE-WEIGHT", override=OverrideClass.NONE, reason="missing")
        return None
    if weighed is None or older_than(weighed, case.at, limit):
        case.add("DOSE-WEIGHT", reason="old", at=weighed)
    return Dose(value=dose.value * patient.weight_kg, unit=dose.unit.removesuffix("/kg"))


def _tapered(case: Case) -> Dose | None:
    order, task = case.order, case.task
    if order is None or task is None or not order.taper:
        return None
    return tapers.dose_at(order, task.planned_at, case.policy)


def _is_child(case: Case) -> bool:
    born = case.patient.birth_date if case.patient is not None else None
    return born is not None and age_years(born, case.at.date()) < _CHILD_YEARS


def _amount(case: Case, line: OrderItem, ordered: Dose, product: Product | None) -> None:
    entered = case.request.entered.dose
    if entered is None and line.dose_high is not None:
        case.need("dose")
        return
    given = ordered if entered is None else entered
    ratio = quantities.same_dose(given, ordered, product)
    if ratio is None or given.value <= 0:
        case.add("DOSE-UNIT", ordered=ordered.unit, entered=given.unit)
        return
    case.dose = given
    high = (
        quantities.same_dose(line.dose_high, ordered, product) if line.dose_high is not None else Fraction(1)
    )
    if high is None:
        case.add("DOSE-UNIT", ordered=ordered.unit, entered=given.unit)
        return
    _compare(case, ratio, high, ordered)
    if product is not None and case.bag is None:
        _split(case, given, product)


def _compare(case: Case, ratio: Fraction, high: Fraction, ordered: Dose) -> None:
    if ratio >= _TENFOLD * high:
        case.add("DOSE-TENFOLD", ordered=quantities.text(ordered))
    elif ratio > high * (1 + quantities.TOLERANCE):
        case.add("DOSE-OVER", ordered=quantities.text(ordered))
    elif any(abs(ratio * tenth - 1) <= _NEAR_TENTH for tenth in (10, 100, 1000)):
        case.add(
            "DOSE-TENFOLD",
            severity=Severity.WARN,
            override=OverrideClass.ACK,
            ordered=quantities.text(ordered),
        )
    elif ratio < 1 - quantities.TOLERANCE:
        case.add("DOSE-PARTIAL", ordered=quantities.text(ordered))
        _waste(case)


def _split(case: Case, given: Dose, product: Product) -> None:
    """Say "half a tablet" when what is given is not a whole number of countable units."""
    units = quantities.in_product_units(given, product)
    if units is None or not product.unit.startswith(_COUNTED):
        return
    nearest = max(round(units), 1)
    if abs(units - nearest) <= quantities.TOLERANCE * nearest:
        return
    quantity = quantities.decimal(units.limit_denominator(1000))
    case.add("DOSE-SPLIT", quantity=quantity, unit=product.unit)
    _waste(case)


def _waste(case: Case) -> None:
    """What is left of a controlled drug is thrown away before a witness."""
    controlled = set(case.policy.controlled_classes)
    is_controlled = any(controlled & set(one.classes) for one in case.ingredients())
    unseen = case.request.witness is None
    if is_controlled and unseen and not any(found.code == "DOSE-WASTE" for found in case.findings):
        case.add("DOSE-WASTE")


def amounts(case: Case, order: Order) -> dict[str, list[Dose]]:
    """Return how much of every ingredient this administration brings, over all lines of the order."""
    judged, found = _line(case, order), dict[str, list[Dose]]()
    for line in order.items:
        product = case.snapshot.products.get(line.product_id)
        if line is judged and case.product is not None:
            product = case.product
        dose = case.dose if line is judged and case.dose is not None else line.dose
        if product is None:
            continue
        for code, amount in quantities.ingredient_amounts(dose, product):
            found.setdefault(code, []).append(amount)
    return found


def _total(doses: list[Dose], unit: str) -> Fraction:
    return sum(
        (quantities.convert(dose.value, dose.unit, unit) or Fraction(0) for dose in doses), Fraction(0)
    )


def _limits(case: Case, order: Order) -> None:
    brought = amounts(case, order)
    day = case.given(timedelta(hours=24))
    for limit in case.policy.dose_limits:
        now = _total(brought.get(limit.ingredient, []), limit.unit)
        if not now:
            continue
        if limit.single is not None and now > Fraction(limit.single):
            case.add("DOSE-SINGLE-MAX", limit=limit.single, unit=limit.unit, ingredient=limit.ingredient)
        past = [dose for found in day for code, dose in found.ingredients if code == limit.ingredient]
        if limit.per_day is not None and now + _total(past, limit.unit) > Fraction(limit.per_day):
            case.add("DOSE-24H-MAX", limit=limit.per_day, unit=limit.unit, ingredient=limit.ingredient)
    _order_maximum(case, order, day_start=case.at - timedelta(hours=24))


def _order_maximum(case: Case, order: Order, *, day_start: datetime) -> None:
    """Apply the order's own limit of amount in 24 hours (as-needed orders)."""
    most, given = order.prn_max_dose_per_day, case.dose
    if most is None or given is None:
        return
    product = case.product or case.snapshot.products.get(_line(case, order).product_id)
    doses = [found.dose for found in case.given() if found.order_id == order.id and found.at > day_start]
    shares = [quantities.same_dose(dose, most, product) for dose in (*doses, given) if dose is not None]
    if any(share is None for share in shares):
        case.add("DOSE-UNIT", ordered=most.unit, entered=given.unit)
    elif sum((share for share in shares if share is not None), Fraction(0)) > 1 + quantities.TOLERANCE:
        case.add("PRN-MAX", limit=quantities.text(most))


def _rate(case: Case, order: Order) -> None:
    entered = case.request.entered.rate_ml_h
    case.rate_ml_h = order.rate_ml_h if entered is None else entered
    if case.action is Action.RATE and entered is None:
        case.need("rate")
        return
    if case.rate_ml_h is None:
        if order.kind in BAG_LIKE or case.action is Action.RATE:
            case.need("rate")
        return
    if case.rate_ml_h <= 0:
        case.add("INF-RATE-SET", override=OverrideClass.NONE, set=case.rate_ml_h)
    elif order.rate_ml_h is not None and _differs(case.rate_ml_h, order.rate_ml_h):
        case.add("INF-RATE-SET", ordered=order.rate_ml_h, set=case.rate_ml_h)


def _rate_limits(case: Case, order: Order) -> None:
    """Judge how much of an ingredient flows into the vein in an hour."""
    rate, volume = case.rate_ml_h, order.volume_ml
    if rate is None or not volume or not order.items:
        return
    brings = amounts(case, order)
    for limit in case.policy.rate_limits:
        names = {one.code for one in case.ingredients() if limit.ingredient in {one.code, *one.classes}}
        doses = [dose for name in names for dose in brings.get(name, ())]
        hourly = (
            sum((_in_unit(dose, limit) for dose in doses), Fraction(0)) * Fraction(rate) / Fraction(volume)
        )
        unit = f"{limit.unit}/h"
        if hourly > Fraction(limit.stop):
            case.add("DOSE-RATE-MAX", ingredient=limit.ingredient, limit=limit.stop, unit=unit)
        elif hourly > Fraction(limit.warn):
            case.add(
                "DOSE-RATE-MAX", severity=Severity.WARN, override=OverrideClass.ACK,
                ingredient=limit.ingredient, limit=limit.warn, unit=unit,
            )  # fmt: skip


def _in_unit(dose: Dose, limit: RateLimit) -> Fraction:
    """Convert to the limit's unit, over the molar mass where the strength is a mass."""
    direct = quantities.convert(dose.value, dose.unit, limit.unit)
    if direct is not None:
        return direct
    grams = quantities.convert(dose.value, dose.unit, "g")
    if grams is None or not limit.g_per_mol:
        return Fraction(0)
    return quantities.convert(grams / Fraction(limit.g_per_mol), "mol", limit.unit) or Fraction(0)


def _differs(rate: Decimal, ordered: Decimal) -> bool:
    return ordered <= 0 or abs(Fraction(rate) / Fraction(ordered) - 1) > _RATE_TOLERANCE
