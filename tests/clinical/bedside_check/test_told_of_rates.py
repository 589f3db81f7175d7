"""What a nurse is told of rates: every word, and every limit on its very edge."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action
from clinical.drug_policy import RateLimit
from clinical.policy import SitePolicy
from tests.clinical.told import drip, line, told
from tests.support.bedside import (
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    ask,
    codes,
    dose,
    infusion,
    ingredient,
    merged,
    product,
    request,
    start,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-15"),
    pytest.mark.requirement("R-CLIN-18"),
    pytest.mark.hazard("H-CLIN-04"),
]


def test_a_rate_names_what_is_set_and_what_is_ordered():
    assert told(drip(rate_ml_h=Decimal(0))) == ["INF-RATE-SET STOP none | set=0"]
    assert told(drip(rate_ml_h=Decimal(-1))) == ["INF-RATE-SET STOP none | set=-1"]
    assert [told(drip(rate_ml_h=Decimal(rate))) for rate in ("57", "63")] == [[], []]
    for rate in ("56.9", "63.1"):
        assert told(drip(rate_ml_h=Decimal(rate))) == [
            f"INF-RATE-SET STOP prescriber | ordered=60, set={rate}"
        ]
    assert drip(rate_ml_h=Decimal(61)).rate_ml_h == Decimal(61)
    assert drip().rate_ml_h == Decimal(60)
    one = replace(DRIP_ORDER, rate_ml_h=Decimal(1))
    assert told(drip(order=one)) == []
    assert told(drip(rate_ml_h=Decimal("90.0"))) == ["INF-RATE-SET STOP prescriber | ordered=60, set=90"]
    assert told(drip(rate_ml_h=Decimal("9E+1"))) == ["INF-RATE-SET STOP prescriber | ordered=60, set=90"]
    changed = drip(facts=merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B0"),)),
                   action=Action.BAG_CHANGE, rate_ml_h=Decimal(90))  # fmt: skip
    assert codes(changed) == ["INF-RATE-SET"]


def test_only_what_flows_needs_a_rate():
    for kind, needs in (("infusion", ("rate",)), ("transfusion", ("rate",)), ("medication", ())):
        assert drip(order=replace(DRIP_ORDER, kind=kind, rate_ml_h=None)).needs == needs
    by_hand = merged(FACTS, orders=(replace(DRIP_ORDER, kind="medication"),))
    assert ask(request(Action.GIVE, items=start().items), by_hand).rate_ml_h is None


POTASSIUM = product("CEFA", "{vial}", "injection", ingredient("salt", "20", "mmol", "potassium-chloride"))


HOURLY = RateLimit(ingredient="potassium-chloride", unit="mmol", warn=Decimal(10), stop=Decimal(20))


def flows(rate, *, drug=POTASSIUM, limits=(HOURLY,), **more):
    items = (line("CEFA", dose(1, "{vial}")), line("NS", dose(250, "mL"), role="base"))
    ordered = replace(DRIP_ORDER, items=items, rate_ml_h=Decimal(rate), **more)
    found = drip(merged(FACTS, products=(drug,)), SitePolicy(rate_limits=limits, conditions=()), ordered)
    return [one for one in told(found) if one.startswith("DOSE-RATE")]


def test_how_much_of_an_ingredient_flows_in_an_hour_is_exact():
    words = "ingredient=potassium-chloride"
    warn = [f"DOSE-RATE-MAX WARN ack | {words}, limit=10, unit=mmol/h"]
    stop = [f"DOSE-RATE-MAX STOP prescriber | {words}, limit=20, unit=mmol/h"]
    assert [flows(rate) for rate in ("125", "125.1", "250", "250.1")] == [[], warn, warn, stop]
    other = replace(HOURLY, ingredient="calcium")
    assert flows("250.1", limits=(other, HOURLY)) == stop
    assert flows("250.1", volume_ml=Decimal(0)) == []
    by_mass = replace(POTASSIUM, ingredients=(ingredient("potassium-chloride", "1491", "mg"),))
    molar = replace(HOURLY, g_per_mol=Decimal("74.55"))
    assert [flows(rate, drug=by_mass, limits=(molar,)) for rate in ("125", "125.1")] == [[], warn]
    assert flows("9999", drug=by_mass) == []
    by_volume = replace(POTASSIUM, ingredients=(ingredient("potassium-chloride", "10", "mL"),))
    assert flows("9999", drug=by_volume, limits=(molar,)) == []


def test_the_units_of_a_bag_s_drug_are_those_of_the_formulary():
    assert told(drip(dose=dose(1, "{vial}"))) == []
    meq = replace(HOURLY, unit="meq", g_per_mol=Decimal("74.55"), warn=Decimal("0.1"))
    by_mass = replace(POTASSIUM, ingredients=(ingredient("potassium-chloride", "1491", "mg"),))
    assert flows("9999", drug=by_mass, limits=(meq,)) == []
    puffs = replace(DRIP_ORDER, items=(line("CEFA", dose(1, "{puff}")),), rate_ml_h=Decimal(900))
    found = drip(merged(FACTS, products=(POTASSIUM,)), SitePolicy(rate_limits=(HOURLY,)), puffs)
    assert "DOSE-RATE-MAX" not in codes(found)
