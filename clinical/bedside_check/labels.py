"""Is a printed label still true after its order changed?

A bag labelled before a change of rate only may be given with a warning; after any other change of what the
label says it is void and has to be relabelled. What changed is not known: void, the safe side.

Source: bc-1 §5.8 label matrix, after the VistA BCMA default. An order's instruction is the prescriber's
comment there, so a changed instruction voids the label.
"""

from __future__ import annotations

from dataclasses import replace

from clinical.records import Bag, Order


def _content(order: Order) -> tuple[object, ...]:
    """Return what a label says, apart from the rate."""
    return (
        order.items, order.route, order.frequency, order.volume_ml, order.start, order.end, order.instruction,
        order.taper,
    )  # fmt: skip


def carry(old: Order, new: Order) -> Order:
    """Return the new version with the version numbers that tell which labels are still true.

    The store calls this whenever it keeps a new version of an order.
    """
    label = new.version if _content(old) != _content(new) else max(old.label_version, 1)
    rate = new.version if old.rate_ml_h != new.rate_ml_h else max(old.rate_version, 1)
    drug = new.version if (old.items, old.route) != (new.items, new.route) else old.drug_version
    return replace(new, label_version=label, rate_version=rate, drug_version=drug)


def state(bag: Bag, order: Order) -> str:
    """Return ``valid``, ``rate-changed`` or ``void`` for a bag's label."""
    if bag.state == "void":
        return "void"
    if bag.order_version >= order.version:
        return "valid"
    if not order.label_version or bag.order_version < order.label_version:
        return "void"
    return "rate-changed" if bag.order_version < order.rate_version else "valid"
