"""Orders: a change is a new version with the same id, and every version is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from clinical.bedside_check import labels
from clinical.errors import ConflictError, NotFoundError
from clinical.policy import SitePolicy
from clinical.records import ENDED, Order, Task
from server.administrations import store as leases
from server.administrations.history import versions
from server.storage.store import UnitOfWork
from server.tasks.service import plan_first, replan


def place(unit: UnitOfWork, order: Order, policy: SitePolicy) -> Order:
    """Store a new order and split it; placing the same order again changes nothing.

    Placed again with other content it is a change: it neither releases a hold nor opens a closed order.

    Raises:
        ConflictError: The order is closed and this would change it.
    """
    before = unit.get(Order, order.id)
    if before is not None:
        again = replace(order, status=before.status, stopped_at=before.stopped_at)
        return change(unit, _keeping_verification(before, again), policy)
    unit.put(replace(order, changed_at=order.changed_at or unit.now))
    unit.audit(
        "order-place", actor=order.prescriber or "his", entity=f"order:{order.id}", patient=order.patient_id
    )
    stored = get(unit, order.id)
    plan_first(unit, stored, policy)
    return stored


def change(unit: UnitOfWork, order: Order, policy: SitePolicy) -> Order:
    """Store a new version, if anything but its version and time differs from the present one.

    Raises:
        NotFoundError: There is no such order.
        ConflictError: The order is closed.
    """
    before = get(unit, order.id)
    if _says_the_same(order, before):
        return before
    if before.status in ENDED:
        raise ConflictError("order-closed", "the order has ended; place a new one under its own number")
    return _keep(unit, before, order, "order-change", actor=order.prescriber or "his", policy=policy)


def set_status(unit: UnitOfWork, order_id: str, status: str, at: datetime, policy: SitePolicy) -> Order:
    """Hold, release, stop or cancel an order; a closed order stays closed.

    Raises:
        NotFoundError: There is no such order.
    """
    before = get(unit, order_id)
    if before.status == status or before.status in ENDED:
        return before
    stopped_at = at if status in ENDED else before.stopped_at
    changed = replace(before, status=status, changed_at=at, stopped_at=stopped_at)
    return _keep(unit, before, changed, f"order-{status}", actor="his", policy=policy)


def reopen(unit: UnitOfWork, before: Order, policy: SitePolicy) -> Order:
    """Let an order go on that only a discharge had ended, now that the discharge is taken back."""
    status = "active"
    for one in reversed(versions(unit.connection, "orders", before.id)):
        if isinstance(one, Order) and one.status not in ENDED:
            status = one.status
            break
    wanted = replace(before, status=status, stopped_at=None, changed_at=unit.now)
    return _keep(unit, before, wanted, "order-reopen", actor="his", policy=policy, since=before.stopped_at)


def verify(unit: UnitOfWork, order_id: str, version: int, by: str, *, pharmacist: bool) -> Order:
    """Note that a nurse, or a pharmacist, has checked this very version of an order (医嘱核对).

    Raises:
        NotFoundError: There is no such order.
        ConflictError: It has changed since it was shown, or has ended.
    """
    order = get(unit, order_id)
    if order.version != version:
        raise ConflictError("order-changed", "the order has changed; read its newest version, then verify it")
    if order.status in ENDED:
        raise ConflictError("order-closed", "the order has ended; there is nothing to verify")
    if order.pharmacist_verified_by if pharmacist else order.nurse_verified_by:
        return order
    if pharmacist:
        verified = replace(
            order, pharmacist_verified=True, pharmacist_verified_by=by, pharmacist_verified_at=unit.now
        )
    else:
        verified = replace(order, nurse_verified=True, nurse_verified_by=by, nurse_verified_at=unit.now)
    if verified != order:
        unit.put(verified)
        role = "pharmacist" if pharmacist else "nurse"
        unit.audit(
            f"order-verify-{role}", actor=by, entity=f"order:{order.id}", patient=order.patient_id,
            detail=f"version {version}",
        )  # fmt: skip
    return verified


def _keep(
    unit: UnitOfWork,
    before: Order,
    wanted: Order,
    action: str,
    *,
    actor: str,
    policy: SitePolicy,
    since: datetime | None = None,
) -> Order:
    """Keep ``wanted`` as the next version, with what it means for labels that are printed already."""
    numbered = replace(wanted, version=before.version + 1, changed_at=wanted.changed_at or unit.now)
    changed = labels.carry(_with_label_versions(before), numbered)
    unit.put(changed)
    unit.audit(action, actor=actor, entity=f"order:{before.id}", patient=before.patient_id)
    replan(unit, changed, policy, since)
    # Whoever was told GIVE was told so of the version before: the next check answers anew.
    leases.drop_leases_of(unit.connection, [task.id for task in unit.all(Task) if task.order_id == before.id])
    return changed


def _with_label_versions(order: Order) -> Order:
    """Say of an order whose earlier changes nobody noted that its newest version made older labels wrong."""
    return replace(
        order,
        label_version=order.label_version or order.version,
        rate_version=order.rate_version or order.version,
        drug_version=order.drug_version or order.version,
    )


def _says_the_same(one: Order, other: Order) -> bool:
    """Whether two versions differ in their numbers and time only."""
    return (
        replace(
            one,
            version=other.version,
            changed_at=other.changed_at,
            label_version=other.label_version,
            rate_version=other.rate_version,
            drug_version=other.drug_version,
            **_verifiers(other),
        )
        == other
    )


def _verifiers(order: Order) -> dict[str, Any]:
    """Who checked an order, and when."""
    return {
        "nurse_verified_by": order.nurse_verified_by,
        "nurse_verified_at": order.nurse_verified_at,
        "pharmacist_verified_by": order.pharmacist_verified_by,
        "pharmacist_verified_at": order.pharmacist_verified_at,
    }


def _keeping_verification(before: Order, again: Order) -> Order:
    """Let a check stand that somebody made of this very content; other content has to be checked anew."""
    verified = replace(
        again,
        nurse_verified=again.nurse_verified or before.nurse_verified,
        pharmacist_verified=again.pharmacist_verified or before.pharmacist_verified,
    )
    unchanged = replace(
        before, nurse_verified=verified.nurse_verified, pharmacist_verified=verified.pharmacist_verified
    )
    if not _says_the_same(verified, unchanged):
        return again
    said = {name: value for name, value in _verifiers(again).items() if value}
    return replace(verified, **(_verifiers(before) | said))


def get(unit: UnitOfWork, order_id: str) -> Order:
    """Return an order.

    Raises:
        NotFoundError: There is no such order.
    """
    order = unit.get(Order, order_id)
    if order is None:
        raise NotFoundError("unknown-order", "the order is not known here")
    return order
