"""Exact amounts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical import quantities
from clinical.records import OrderItem
from tests.support.bedside import CEFA, SALINE, TABLET, dose, ingredient, product

pytestmark = [pytest.mark.requirement("R-CLIN-03"), pytest.mark.hazard("H-CLIN-04")]

FAMILIES = [
    ["kg", "g", "mg", "ug", "ng"],
    ["L", "dL", "mL", "uL"],
    ["mol", "mmol", "umol"],
    ["k[iU]", "[iU]", "m[iU]"],
]


@given(st.sampled_from(FAMILIES), st.decimals(0, 10**6, places=6), st.data())
def test_conversion_there_and_back_is_exact(family, amount, data):
    first, second = data.draw(st.sampled_from(family)), data.draw(st.sampled_from(family))
    there = quantities.convert(amount, first, second)
    assert there is not None
    assert quantities.convert(there, second, first) == Fraction(amount)


@pytest.mark.parametrize(
    ("one", "other"), [("mg", "mL"), ("furlong", "mg"), ("mg", "furlong"), ("{tablet}", "{capsule}")]
)
def test_different_things_are_not_converted(one, other):
    assert quantities.convert(Decimal(1), one, other) is None


def test_units_as_hospitals_write_them_are_understood():
    assert quantities.canonical("mcg") == "ug"
    assert quantities.ratio("{unit}", "[iU]") == 1
    assert round(float(quantities.convert(Decimal(68), "mg/dL", "mmol/L") or 0), 2) == 3.77


def test_a_dose_is_counted_in_units_of_its_product():
    assert quantities.in_product_units(dose(5, "mg"), TABLET) == Fraction(1, 2)
    assert quantities.in_product_units(dose(2, "{tablet}"), TABLET) == 2
    assert quantities.in_product_units(dose(500, "mg"), CEFA) == Fraction(1, 2)
    assert quantities.in_product_units(dose(1, "{patch}"), TABLET) is None


def test_doses_are_compared_directly_or_by_strength():
    assert quantities.same_dose(dose(20, "mg"), dose(2, "{tablet}"), TABLET) == 1
    assert quantities.same_dose(dose(20, "mg"), dose(2, "{tablet}"), None) is None
    assert quantities.same_dose(dose(20, "mg"), dose(0, "mg"), TABLET) is None
    assert quantities.same_dose(dose(20, "mg"), dose(2, "{patch}"), TABLET) is None
    assert quantities.same_dose(dose(1, "{patch}"), dose(2, "mg"), TABLET) is None


def test_every_ingredient_of_a_combination_is_counted():
    both = product(
        "C", "{tablet}", "tablet", ingredient("codeine", "30", "mg"), ingredient("paracetamol", "500", "mg")
    )
    amounts = dict(quantities.ingredient_amounts(dose("1.5", "{tablet}"), both))
    assert (amounts["codeine"].value, amounts["paracetamol"].value) == (45, 750)
    assert quantities.ingredient_amounts(dose(1, "{patch}"), SALINE) == ()


@pytest.mark.parametrize(
    ("value", "expected"), [("500", "500 mg"), ("0.50", "0.5 mg"), ("0", "0 mg"), ("1E+2", "100 mg")]
)
def test_amounts_are_written_without_exponents_or_trailing_zeros(value, expected):
    assert quantities.text(dose(value, "mg")) == expected


def test_a_third_is_written_with_nine_places():
    assert quantities.decimal(Fraction(1, 3)) == Decimal("0.333333333")


def test_what_went_in_is_counted_by_ingredient():
    known = {product.id: product for product in (TABLET, SALINE)}
    one = OrderItem(product_id=TABLET.id, display=TABLET.display, dose=dose(10, "mg"))
    base = OrderItem(product_id=SALINE.id, display=SALINE.display, dose=dose(100, "mL"))
    lost = OrderItem(product_id="?", display=SALINE.display, dose=dose(1, "mL"))
    brought = quantities.ingredients_given
    assert brought((one,), known.get) == (("drug-x", dose(10, "mg")),)
    assert brought((one,), known.get, dose("0.5", "{tablet}")) == (("drug-x", dose(5, "mg")),)
    assert brought((one, base, lost), known.get, dose(1, "{tablet}")) == (
        ("drug-x", dose(10, "mg")), ("sodium-chloride", dose(900, "mg")),
    )  # fmt: skip
    assert brought((), known.get) == ()
