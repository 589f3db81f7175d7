"""Orders: a change is a new version with the same id, and every version is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from clinical.errors import NotFoundError
from clinical.policy import SitePolicy
from clinical.records import Infusion, Order
from server.devices.service import FLOWING
from server.storage.store import UnitOfWork
from server.tasks.service import replan

CLOSED = frozenset({"stopped", "cancelled", "completed", "entered-in-error"})


def place(unit: UnitOfWork, order: Order, policy: SitePolicy) -> Order:
    """Store a new order and split it; placing the same order again changes nothing."""
    if unit.get(Order, order.id) is not None:
        return change(unit, order, policy)
    unit.put(replace(order, changed_at=order.changed_at or unit.now))
    unit.audit(
        "order-place", actor=order.prescriber or "his", entity=f"order:{order.id}", patient=order.patient_id
    )
    stored = get(unit, order.id)
    replan(unit, stored, policy)
    return stored


def change(unit: UnitOfWork, order: Order, policy: SitePolicy) -> Order:
    """Store a new version, if anything but its version and time differs from the present one.

    Raises:
        NotFoundError: There is no such order.
    """
    before = get(unit, order.id)
    if replace(order, version=before.version, changed_at=before.changed_at) == before:
        return before
    changed = replace(order, version=before.version + 1, changed_at=order.changed_at or unit.now)
    unit.put(changed)
    unit.audit(
        "order-change", actor=order.prescriber or "his", entity=f"order:{order.id}", patient=order.patient_id
    )
    replan(unit, changed, policy)
    return changed


def set_status(unit: UnitOfWork, order_id: str, status: str, at: datetime, policy: SitePolicy) -> Order:
    """Hold, release, stop or cancel an order; a closed order stays closed.

    Raises:
        NotFoundError: There is no such order.
    """
    before = get(unit, order_id)
    if before.status == status or before.status in CLOSED:
        return before
    stopped_at = at if status in CLOSED else before.stopped_at
    changed = replace(before, status=status, version=before.version + 1, changed_at=at, stopped_at=stopped_at)
    unit.put(changed)
    unit.audit(f"order-{status}", actor="his", entity=f"order:{order_id}", patient=before.patient_id)
    replan(unit, changed, policy)
    return changed


def get(unit: UnitOfWork, order_id: str) -> Order:
    """Return an order.

    Raises:
        NotFoundError: There is no such order.
    """
    order = unit.get(Order, order_id)
    if order is None:
        raise NotFoundError("unknown-order", "the order is not known here")
    return order


def flowing_infusions(unit: UnitOfWork, order_id: str) -> list[Infusion]:
    """Bags of this order that hang open now."""
    return [one for one in unit.all(Infusion) if one.order_id == order_id and one.state in FLOWING]
