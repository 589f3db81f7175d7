"""Exact amounts: UCUM units, doses by strength, never a float and never a comparison of texts.

Amounts are :class:`decimal.Decimal` on the outside and :class:`fractions.Fraction` inside, so that one
third of a tablet and a thousandth of a gram stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction

from clinical.records import Dose, OrderItem, Product

TOLERANCE = Fraction(1, 10_000)
"""Relative difference that still counts as the same dose (bc-1: 1.0001), for 0.333333 of a tablet."""

_UNITS: dict[str, tuple[str, Fraction]] = {
    "kg": ("mass", Fraction(1000)),
    "g": ("mass", Fraction(1)),
    "mg": ("mass", Fraction(1, 1000)),
    "ug": ("mass", Fraction(1, 10**6)),
    "ng": ("mass", Fraction(1, 10**9)),
    "L": ("volume", Fraction(1000)),
    "dL": ("volume", Fraction(100)),
    "mL": ("volume", Fraction(1)),
    "uL": ("volume", Fraction(1, 1000)),
    "mol": ("amount", Fraction(1000)),
    "mmol": ("amount", Fraction(1)),
    "umol": ("amount", Fraction(1, 1000)),
    "k[iU]": ("iu", Fraction(1000)),
    "[iU]": ("iu", Fraction(1)),
    "m[iU]": ("iu", Fraction(1, 1000)),
    "meq": ("charge", Fraction(1)),
    "mmol/L": ("glucose", Fraction(1)),
    "mg/dL": ("glucose", Fraction(1000, 18016)),
}
_ALIASES = {
    "l": "L", "ml": "mL", "cc": "mL", "µg": "ug", "μg": "ug", "mcg": "ug", "IU": "[iU]", "iu": "[iU]",
    "U": "[iU]", "[IU]": "[iU]", "{unit}": "[iU]", "{units}": "[iU]", "units": "[iU]", "unit": "[iU]",
    "tab": "{tablet}", "tablet": "{tablet}", "{tbl}": "{tablet}", "capsule": "{capsule}", "mEq": "meq",
}  # fmt: skip


def canonical(unit: str) -> str:
    """Return the UCUM spelling of a unit as hospitals write it; an unknown unit is returned unchanged."""
    return _ALIASES.get(unit, unit)


def ratio(unit: str, other: str) -> Fraction | None:
    """Return how many ``other`` make one ``unit``; None when they measure different things."""
    first, second = canonical(unit), canonical(other)
    if first == second:
        return Fraction(1)
    known, wanted = _UNITS.get(first), _UNITS.get(second)
    if known is None or wanted is None or known[0] != wanted[0]:
        return None
    return known[1] / wanted[1]


def convert(amount: Fraction | Decimal, unit: str, wanted: str) -> Fraction | None:
    """Convert an amount; None when the units measure different things."""
    factor = ratio(unit, wanted)
    return None if factor is None else Fraction(amount) * factor


def in_product_units(dose: Dose, product: Product) -> Fraction | None:
    """Return how many of the product's units (tablets, mL, vials) hold this dose.

    A dose in the product's own unit is taken as it is; otherwise the strength of the product's only
    ingredient, or of the first one that fits, converts it. None when neither does.
    """
    direct = convert(dose.value, dose.unit, product.unit)
    if direct is not None:
        return direct
    for ingredient in product.ingredients:
        per_unit = convert(ingredient.strength.value, ingredient.strength.unit, dose.unit)
        if per_unit:
            return Fraction(dose.value) / per_unit
    return None


def same_dose(dose: Dose, other: Dose, product: Product | None) -> Fraction | None:
    """Return ``dose / other`` exactly; None when they cannot be compared, or ``other`` is zero."""
    if other.value == 0:
        return None
    factor = ratio(dose.unit, other.unit)
    if factor is not None:
        return Fraction(dose.value) * factor / Fraction(other.value)
    if product is None:
        return None
    mine, theirs = in_product_units(dose, product), in_product_units(other, product)
    return None if mine is None or not theirs else mine / theirs


def ingredient_amounts(dose: Dose, product: Product) -> tuple[tuple[str, Dose], ...]:
    """Return how much of every ingredient a dose of a product brings; empty when it cannot be known."""
    units = in_product_units(dose, product)
    if units is None:
        return ()
    return tuple(
        (ingredient.code, Dose(value=decimal(units * Fraction(ingredient.strength.value)),
                               unit=ingredient.strength.unit))
        for ingredient in product.ingredients
    )  # fmt: skip


def ingredients_given(
    items: Iterable[OrderItem], product_of: Callable[[str], Product | None], dose: Dose | None = None
) -> tuple[tuple[str, Dose], ...]:
    """Return how much of every ingredient went in with one administration.

    Args:
        items: Lines of the order.
        product_of: Finds a product by its id; a line whose product is not known is left out.
        dose: What was really given of an order with a single line; None = as ordered.
    """
    lines = tuple(items)
    single = dose if len(lines) == 1 else None
    found: list[tuple[str, Dose]] = []
    for line in lines:
        product = product_of(line.product_id)
        if product is not None:
            found += ingredient_amounts(single or line.dose, product)
    return tuple(found)


def decimal(value: Fraction) -> Decimal:
    """Return a fraction as a decimal of at most nine places, without trailing zeros."""
    rounded = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("1e-9"))
    return Decimal(format(rounded.normalize(), "f"))


def text(dose: Dose) -> str:
    """Return ``500 mg``: the value without exponent or trailing zeros, and the UCUM unit."""
    return f"{format(dose.value.normalize() if dose.value else dose.value, 'f')} {dose.unit}"
