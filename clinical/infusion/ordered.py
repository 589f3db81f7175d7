"""What a bag that hangs open asks for: its order has changed, it runs too long, or it is through.

A bag goes on as it was set whatever becomes of its order: only a person at the bedside ends it or sets
another rate, and until then it is said aloud. An order whose time is merely over (``Order.end``) lets the
last bag run out; one that somebody ended does not.

Source: bc-1 §5.8 (INF-ORDER-ENDED, INF-OVERRUN; resume under a held order is refused, PSPO-823).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from clinical.infusion.rounds import is_overrun
from clinical.records import (
    DISCONTINUED,
    ENDED,
    FLOWING,
    AlarmPriority,
    Bag,
    Flow,
    Infusion,
    InfusionState,
    Order,
)

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

CONDITIONS = frozenset({
    "infusion-order-ended", "infusion-order-on-hold", "infusion-order-changed", "infusion-rate-changed",
    "infusion-overrun",
})  # fmt: skip
"""Names that sound as alarms; ``infusion-complete`` is only listed, the empty bag itself sounds."""
_MEDIUM, _LOW, _NONE = AlarmPriority.MEDIUM, AlarmPriority.LOW, AlarmPriority.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One thing a bag asks for; ``name`` is its condition, ``due`` since when."""

    code: str
    name: str
    priority: AlarmPriority
    due: datetime
    params: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """A bag that hangs open and what belongs to it, as far as it is known."""

    bag: Infusion
    order: Order | None = None
    label: Bag | None = None
    flow: Flow | None = None
    blood: bool = False  # has a watch of its own over how long it runs


def asks(one: Hanging, now: datetime, policy: SitePolicy) -> Iterator[Ask]:
    """Return what a bag asks for now; nothing once it is down."""
    if one.bag.state not in FLOWING:
        return
    if one.order is not None:
        yield from _against_order(one.bag, one.order, now)
    beyond_use = one.label.beyond_use if one.label is not None else None
    if not one.blood and is_overrun(one.bag, now, policy.flow.overrun_percent, beyond_use):
        yield Ask(code="INF-OVERRUN", name="infusion-overrun", priority=_LOW, due=now)
    if one.flow is not None and one.flow.state == "empty":
        infused = one.flow.infused_ml
        params = (("infused_ml", infused),) if infused is not None else ()
        yield Ask(
            code="INF-COMPLETE", name="infusion-complete", priority=_NONE, due=one.flow.effective,
            params=params,
        )  # fmt: skip


def _against_order(bag: Infusion, order: Order, now: datetime) -> Iterator[Ask]:
    """What the order as it is now holds against a bag; an ended order makes the rest meaningless."""
    runs = bag.state is InfusionState.RUNNING
    since = order.changed_at or now
    if order.status in ENDED:
        loud = AlarmPriority.HIGH if runs and order.status in DISCONTINUED else _MEDIUM
        due = order.stopped_at or since
        yield Ask(code="INF-ORDER-ENDED", name="infusion-order-ended", priority=loud, due=due)
        return
    if order.status == "on-hold" and runs:
        yield Ask(code="INF-ORDER-ON-HOLD", name="infusion-order-on-hold", priority=_MEDIUM, due=since)
    if 0 < bag.order_version < order.drug_version:
        yield Ask(code="INF-ORDER-CHANGED", name="infusion-order-changed", priority=_MEDIUM, due=since)
    if rate_has_changed(bag, order) and order.rate_ml_h is not None:
        yield Ask(
            code="INF-RATE-CHANGED", name="infusion-rate-changed", priority=_MEDIUM if runs else _LOW,
            due=since, params=(("ordered", float(order.rate_ml_h)), ("set", float(bag.rate_ml_h))),
        )  # fmt: skip


def rate_has_changed(bag: Infusion, order: Order) -> bool:
    """Tell whether another rate has been ordered since the bag's was set; a prescriber's exception stands."""
    known = bag.rate_ml_h if bag.ordered_rate_ml_h is None else bag.ordered_rate_ml_h
    return order.rate_ml_h is not None and order.rate_ml_h not in {known, bag.rate_ml_h}
