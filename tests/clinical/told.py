"""Short ways to ask, and findings as short lines: a test states the whole of what a nurse is told."""

from __future__ import annotations

from dataclasses import replace

from clinical.bedside_check.model import Action, CheckResult, Entered
from clinical.policy import SitePolicy
from clinical.records import OrderItem
from tests.support.bedside import (
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    POLICY,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    ask,
    dose,
    infusion,
    ingredient,
    label,
    merged,
    request,
    start,
)


def told(result: CheckResult) -> list[str]:
    """Return ``CODE severity override | name=value, …`` for every finding, in the order of the answer."""
    return [
        f"{one.code} {one.severity} {one.override}"
        + (" | " + ", ".join(f"{name}={value}" for name, value in one.params) if one.params else "")
        for one in result.findings
    ]


def give(facts=FACTS, policy=POLICY, *, items=(TABLET_SCAN,), **more):
    return ask(request(Action.GIVE, *items, **more), facts, policy)


def ordered(**changes):
    return merged(FACTS, orders=(replace(TABLET_ORDER, **changes),))


def stay(**changes):
    return merged(FACTS, encounters=(replace(FACTS.encounters[0], **changes),))


def tablet(*classes, code="drug-x", **changes):
    made = replace(TABLET, ingredients=(ingredient(code, "10", "mg", *classes),), **changes)
    return merged(FACTS, products=(made,))


def running(**changes):
    return merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1", **changes),))


def flow(action, facts=None, **more):
    return ask(request(action, infusion_id="i-B1", **more), facts or running())


def line(name="TAB10", amount=None, **more):
    return OrderItem(product_id=name, display=label(name), dose=amount or dose(10, "mg"), **more)


def drip(facts=FACTS, policy=None, order=None, action=Action.START, **entered):
    changed = facts if order is None else merged(facts, orders=(order,))
    asked = start(entered=Entered(**({"device_id": DRIP} | entered)), action=action)
    return ask(asked, changed, policy or SitePolicy.default())
