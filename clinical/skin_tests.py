"""What follows from a skin test that was read; the caller applies it.

Source: bc-1 §5.10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical.care_records import RunningSkinTest
from clinical.records import ENDED, Allergy, Label, Order, Product, SkinTest

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

POSITIVE = Label(zh="皮试阳性", en="positive skin test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The record of a reading and its consequences.

    ``stop_orders`` are orders of the patient that hold the substance or one of its class: they are stopped
    and their doctor is told. ``control`` asks for a saline control on the other arm: nothing is decided yet.
    """

    test: SkinTest | None
    allergy: Allergy | None = None
    stop_orders: tuple[str, ...] = ()
    control: bool = False


def due(test: RunningSkinTest, now: datetime, policy: SitePolicy) -> str:
    """Return ``waiting``, ``due`` or ``late`` for a test that was placed."""
    limits, waited = policy.care.skin_test, now - test.started_at
    if waited < timedelta(minutes=limits.read_after_min):
        return "waiting"
    return "late" if waited > timedelta(minutes=limits.read_until_min) else "due"


def read(
    test: RunningSkinTest, *, record_id: str, result: str, at: datetime, readers: tuple[str, str],
    orders: Iterable[Order], products: dict[str, Product],
) -> Reading:  # fmt: skip
    """Return what a reading means.

    Args:
        test: The test that was placed.
        record_id: Id of the reading, from which the allergy's id is made.
        result: negative, positive or doubtful.
        at: When it was read.
        readers: The two persons.
        orders: Orders of this patient.
        products: Formulary by id.
    """
    if result == "doubtful":
        return Reading(test=None, control=True)
    record = SkinTest(
        id=record_id, patient_id=test.patient_id, substance=test.substance, result=result, read_at=at,
        lot=test.lot, readers=readers,
    )  # fmt: skip
    if result != "positive":
        return Reading(test=record)
    allergy = Allergy(
        id=f"{record_id}/allergy", patient_id=test.patient_id, substance=test.substance,
        display=Label(zh=test.substance, en=test.substance), reaction=POSITIVE.en, severity="severe",
    )  # fmt: skip
    return Reading(test=record, allergy=allergy, stop_orders=_orders(test, orders, products))


def _orders(test: RunningSkinTest, orders: Iterable[Order], products: dict[str, Product]) -> tuple[str, ...]:
    return tuple(
        order.id
        for order in orders
        if order.patient_id == test.patient_id
        and order.status not in ENDED
        and test.substance in {code for line in order.items for code in _codes(products.get(line.product_id))}
    )


def _codes(product: Product | None) -> set[str]:
    if product is None:
        return set()
    return {code for one in product.ingredients for code in (one.code, *one.classes)}
