"""What stands against a change of a running bag that was reported as done; it is stored in any case.

The same rules as at the bedside, on the bag as it was before the change and its order as it was then: a bag
is not set going again under a held order, nor at a rate nobody ordered (bc-1 §5.8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from clinical import commit
from clinical.bedside_check import check
from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Entered,
    HandheldState,
    Operator,
    Scan,
    ScanMethod,
)
from clinical.bedside_check.snapshot import Snapshot
from clinical.exchange import InfusionChanged
from clinical.identifiers import hospital
from clinical.records import Facts, Infusion, InfusionState, Order, Patient, Wristband
from server.administrations.history import order_as_of, versions
from server.administrations.judge import with_known_roles
from server.sites import Site
from server.storage.store import UnitOfWork

UNJUDGED = "check-incomplete"
_ACTIONS = {
    "pause": Action.PAUSE,
    "resume": Action.RESUME,
    "rate": Action.RATE,
    "complete": Action.COMPLETE,
    "stop-early": Action.STOP_EARLY,
}
_LETS_FLOW = frozenset({Action.RESUME, Action.RATE})
"""What is judged even when its handheld asked nothing; what only stops a flow needs no leave."""
_OF_TWO = "WIT-"
"""Whether a second person was there is judged where events come in, by badge and PIN."""


def against(unit: UnitOfWork, site: Site, infusion: Infusion, event: InfusionChanged) -> str:
    """Return the rule that is against a change; empty when none is.

    Args:
        unit: The open unit of work.
        site: The wards and the policy.
        infusion: The bag as it was before the change.
        event: What was done.
    """
    order = unit.get(Order, infusion.order_id)
    if order is not None:
        order = order_as_of(unit, order, event.at)
    for bag, action in _steps(infusion, event):
        request = _request(unit, event, bag, action)
        if request is None:
            return UNJUDGED
        found = commit.against(
            replace(check(request, _snapshot(unit, event, bag, order), site.policy), needs=())
        )
        if found and not (event.request is None and found.startswith(_OF_TWO)):
            return found
    return ""


def _steps(infusion: Infusion, event: InfusionChanged) -> Iterator[tuple[Infusion, Action]]:
    """What is judged: a bag that goes on at another rate has been set going, and then set."""
    action = _ACTIONS.get(event.action)
    if action is None or (event.request is None and action not in _LETS_FLOW):
        return
    yield infusion, action
    rate = event.rate_ml_h
    if action is Action.RESUME and rate is not None and rate != infusion.rate_ml_h:
        yield replace(infusion, state=InfusionState.RUNNING), Action.RATE


def _request(unit: UnitOfWork, event: InfusionChanged, bag: Infusion, action: Action) -> CheckRequest | None:
    """Return the question that was, or should have been, asked; None when there is nothing to ask it with."""
    asked = event.request
    if asked is not None and asked.action is not _ACTIONS[event.action]:
        return None
    if asked is None:
        asked = _unasked(unit, event, bag, action)
    if asked is None:
        return None
    entered = replace(asked.entered, rate_ml_h=event.rate_ml_h or asked.entered.rate_ml_h)
    known = with_known_roles(unit, asked)
    return replace(known, action=action, now=event.at, infusion_id=bag.id, entered=entered)


def _unasked(unit: UnitOfWork, event: InfusionChanged, bag: Infusion, action: Action) -> CheckRequest | None:
    """Ask in the place of a handheld that did not: the bag's own patient is taken as who lies there."""
    patient = unit.get(Patient, bag.patient_id)
    bands = (one for one in unit.all(Wristband) if one.patient_id == bag.patient_id and one.active)
    band = next(bands, None)
    if patient is None or band is None:
        return None
    raw = hospital.encode("wristband", patient.mrn, band.serial)
    return CheckRequest(
        id=event.id,
        action=action,
        now=event.at,
        handheld=HandheldState(id=event.handheld, last_time_sync=event.at),
        operator=Operator(id=event.operator, roles=()),
        patient_scan=Scan(raw=raw, method=ScanMethod.SCAN, at=event.at),
        entered=Entered(reason_code=event.reason, residual_ml=event.residual_ml),
    )


def _snapshot(unit: UnitOfWork, event: InfusionChanged, bag: Infusion, order: Order | None) -> Snapshot:
    entry = unit.view.entry("infusions", bag.id)
    facts = unit.view.facts(entry.ward if entry is not None else "")
    orders = tuple(order if order is not None and one.id == order.id else one for one in facts.orders)
    bags = (*(one for one in facts.infusions if one.id != bag.id), bag)
    then: Facts = replace(facts, orders=orders, infusions=bags)
    return Snapshot.of(then, version=unit.view.version, fetched_at=event.at)


def ordered_rate(unit: UnitOfWork, order: Order | None, version: int) -> Decimal | None:
    """Return the rate in the version of an order that a handheld showed; None when it is not known."""
    if order is None or version < 1:
        return None
    if version == order.version:
        return order.rate_ml_h
    past = versions(unit.connection, "orders", order.id)
    return next((one.rate_ml_h for one in past if isinstance(one, Order) and one.version == version), None)
