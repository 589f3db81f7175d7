"""Orders as the hospital writes them become orders as the ward keeps them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from clinical.policy import SitePolicy
from clinical.records import Dose, Encounter, Order, OrderItem, Patient
from server.his.port import ChangeOrder, ItemFact, PlaceOrder
from server.hospital_codes import CodeTables, UnmappedError
from server.storage.store import UnitOfWork

_CLEARABLE = {
    "end": None,
    "rate_ml_h": None,
    "volume_ml": None,
    "drops_per_ml": None,
    "instruction": "",
    "prn_reason": "",
    "group_id": "",
}
_NOT_CHECKED = ("prescriber", "prescriber_name", "filler_id")
"""What may change without anybody having to check the order again."""


def order_id(placer_id: str) -> str:
    """Our id of an order: made of the hospital's order number."""
    return f"O-{placer_id}"


def new_order(
    unit: UnitOfWork,
    codes: CodeTables,
    fact: PlaceOrder,
    patient: Patient,
    stay: Encounter,
    policy: SitePolicy,
) -> Order:
    """Build version 1 of an order; an infusion whose order names no drop factor gets the ward's own.

    Raises:
        UnmappedError: A code has no mapping, or a line gives no amount.
    """
    route = codes.route(fact.route)
    prn = fact.category == "prn" or bool(fact.prn_reason)
    frequency = codes.frequency(fact.frequency or ("prn" if prn else "once"), route)
    items = tuple(_item(codes, fact, item) for item in fact.items)
    if not items:
        raise UnmappedError("order-empty", "the order has no line to give")
    blood = fact.kind == "transfusion"
    infusion = blood or fact.kind == "infusion" or fact.rate_ml_h is not None
    return Order(
        id=order_id(fact.placer_id),
        version=1,
        status="active",
        encounter_id=stay.id,
        patient_id=patient.id,
        kind="transfusion" if blood else "infusion" if infusion else "medication",
        category=fact.category or _category(fact, frequency),
        items=items,
        route=route,
        frequency=frequency,
        start=fact.start or fact.at or unit.now,
        end=fact.end,
        rate_ml_h=fact.rate_ml_h,
        volume_ml=fact.volume_ml or (_volume(items) if infusion else None),
        drops_per_ml=fact.drops_per_ml or (policy.care.infusion.drops_per_ml if infusion else None),
        instruction=fact.instruction,
        prescriber=fact.prescriber,
        prescriber_name=fact.prescriber_name,
        nurse_verified=bool(fact.verified_by),
        pharmacist_verified=fact.encoded,
        nurse_verified_by=fact.verified_by,
        nurse_verified_at=(fact.at or unit.now) if fact.verified_by else None,
        changed_at=fact.at or unit.now,
        placer_id=fact.placer_id,
        filler_id=fact.filler_id,
        group_id=fact.group_id,
        prn_reason=fact.prn_reason,
    )


def _category(fact: PlaceOrder, frequency: str) -> str:
    if fact.priority == "stat":
        return "stat"
    return frequency if frequency in {"once", "prn"} else "standing"


def _item(codes: CodeTables, fact: PlaceOrder, item: ItemFact) -> OrderItem:
    product = codes.product(item)
    amount, unit = item.amount, codes.unit_of(item.unit)
    if amount is None and item.role == "base" and fact.volume_ml is not None:
        amount, unit = fact.volume_ml, "mL"
    if amount is None:
        raise UnmappedError("missing-amount", "a line of the order gives no amount")
    return OrderItem(
        product_id=product.id,
        display=product.display,
        dose=Dose(value=amount, unit=unit or product.unit),
        role=item.role,
        dose_high=Dose(value=item.amount_high, unit=unit or product.unit)
        if item.amount_high is not None
        else None,
    )


def _volume(items: tuple[OrderItem, ...]) -> Decimal | None:
    base = [item.dose.value for item in items if item.dose.unit.lower() == "ml"]
    return sum(base, Decimal(0)) or None


def changed_order(unit: UnitOfWork, codes: CodeTables, fact: ChangeOrder, before: Order) -> Order:
    """Write what a change says over the order; what it does not say stays, what it deletes goes.

    Raises:
        UnmappedError: A code has no mapping, or a line gives no amount.
    """
    wanted = fact.order
    route = codes.route(wanted.route) if wanted.route else before.route
    said: dict[str, object] = {
        name: value
        for name in (
            "start",
            "end",
            "rate_ml_h",
            "volume_ml",
            "drops_per_ml",
            "instruction",
            "prescriber",
            "prescriber_name",
            "prn_reason",
            "group_id",
            "category",
            "filler_id",
        )
        if (value := getattr(wanted, name)) not in {None, ""}
    }
    if wanted.frequency:
        said["frequency"] = codes.frequency(wanted.frequency, route)
    if wanted.items:
        said["items"] = tuple(_item(codes, wanted, item) for item in wanted.items)
    said |= {name: _CLEARABLE[name] for name in fact.cleared if name in _CLEARABLE}
    changed = replace(before, route=route, **said)  # type: ignore[arg-type]
    return replace(_verified(before, changed, wanted), changed_at=wanted.at or unit.now)


def _verified(before: Order, changed: Order, wanted: PlaceOrder) -> Order:
    """Say who has checked the order as it is now: a check of what it said before does not count for it."""
    nurse, pharmacist = bool(wanted.verified_by), wanted.encoded
    told: dict[str, Any] = {
        "nurse_verified_by": wanted.verified_by,
        "nurse_verified_at": wanted.at if nurse else None,
    }
    told |= {"pharmacist_verified_by": "", "pharmacist_verified_at": None}
    if replace(changed, **{name: getattr(before, name) for name in _NOT_CHECKED}) == before:
        nurse, pharmacist = nurse or before.nurse_verified, pharmacist or before.pharmacist_verified
        told = {name: value for name, value in told.items() if value}
    return replace(changed, nurse_verified=nurse, pharmacist_verified=pharmacist, **told)
