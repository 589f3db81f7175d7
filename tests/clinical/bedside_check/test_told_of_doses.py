"""What a nurse is told of amounts and rates: every word, and every limit on its very edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action, Entered, Witness
from clinical.policy import DoseLimit, SitePolicy
from clinical.records import TaperStep
from tests.clinical.told import drip, line, told
from tests.support.bedside import (
    CEFA,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    PATIENT_A,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ask,
    codes,
    dose,
    given,
    ingredient,
    merged,
    product,
    request,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-15"),
    pytest.mark.requirement("R-CLIN-18"),
    pytest.mark.hazard("H-CLIN-04"),
]
MINUTE, HOUR, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def give(amount=None, *, ordered=None, facts=FACTS, policy=None, items=(TABLET_SCAN,), **more):
    entered = Entered(dose=None if amount is None else dose(*amount))
    if ordered is not None:
        facts = merged(facts, orders=(replace(TABLET_ORDER, items=(line(amount=dose(*ordered), **more),)),))
    return ask(request(Action.GIVE, *items, entered=entered), facts, policy or SitePolicy.default())


# --- comparing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("10.001", []),
        ("10.0011", ["DOSE-OVER STOP prescriber | ordered=10 mg"]),
        ("50", ["DOSE-TENFOLD STOP none | ordered=10 mg"]),
        ("9.999", []),
        ("9.9989", ["DOSE-PARTIAL WARN ack | ordered=10 mg"]),
        ("1.02", ["DOSE-TENFOLD WARN ack | ordered=10 mg"]),
        ("0.98", ["DOSE-TENFOLD WARN ack | ordered=10 mg"]),
        ("0.979", ["DOSE-PARTIAL WARN ack | ordered=10 mg"]),
        ("0.1", ["DOSE-TENFOLD WARN ack | ordered=10 mg"]),
        ("0.102", ["DOSE-TENFOLD WARN ack | ordered=10 mg"]),
        ("0.0102", ["DOSE-TENFOLD WARN ack | ordered=10 mg"]),
        ("0.0103", ["DOSE-PARTIAL WARN ack | ordered=10 mg"]),
        ("0.001", ["DOSE-PARTIAL WARN ack | ordered=10 mg"]),
    ],
)
def test_the_limits_of_too_much_and_too_little_are_exact(amount, expected):
    syrup = product("TAB10", "mL", "oral-liquid", ingredient("drug-x", "10", "mg"), gtins=TABLET.gtins)
    assert told(give((amount, "mg"), facts=merged(FACTS, products=(syrup,)))) == expected


def test_a_ranged_dose_is_measured_from_its_upper_end():
    def ranged(amount):
        found = codes(give((amount, "mg"), ordered=(10, "mg"), dose_high=dose(20, "mg")))
        return [code for code in found if code != "DOSE-SPLIT"]

    assert [ranged(amount) for amount in ("9", "20.002", "20.01", "99", "100")] == [
        ["DOSE-PARTIAL"], [], ["DOSE-OVER"], ["DOSE-OVER"], ["DOSE-TENFOLD"],
    ]  # fmt: skip


def test_a_dose_that_cannot_be_compared_names_both_units():
    assert told(give((1, "mL"))) == ["DOSE-UNIT STOP none | ordered=mg, entered=mL"]
    high = give((10, "mg"), ordered=(10, "mg"), dose_high=dose(20, "mL"))
    assert told(high) == ["DOSE-UNIT STOP none | ordered=mg, entered=mg"]
    assert high.dose == dose(10, "mg")
    assert give((0, "mg")).dose is None
    assert told(give(("0.001", "mg")))[0].startswith("DOSE-PARTIAL")


def test_without_an_entry_the_ordered_dose_is_given():
    assert give().dose == dose(10, "mg")
    assert give(("1", "{tablet}")).dose == dose(1, "{tablet}")


# --- parts of a unit, and what is left of them --------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        ("2.0002", "{tablet}", []),
        ("2.0003", "{tablet}", ["DOSE-SPLIT WARN ack | quantity=2, unit={tablet}"]),
        ("0.4", "{tablet}", ["DOSE-SPLIT WARN ack | quantity=0.4, unit={tablet}"]),
        ("0.333333333", "{tablet}", ["DOSE-SPLIT WARN ack | quantity=0.333333333, unit={tablet}"]),
        ("25", "mg", ["DOSE-SPLIT WARN ack | quantity=2.5, unit={tablet}"]),
    ],
)
def test_a_part_of_a_tablet_is_named(amount, unit, expected):
    assert told(give((amount, unit), ordered=(amount, unit))) == expected


def test_liquids_and_prepared_bags_have_no_parts():
    syrup = product("TAB10", "mL", "oral-liquid", ingredient("drug-x", "10", "mg"), gtins=TABLET.gtins)
    assert told(give((25, "mg"), ordered=(25, "mg"), facts=merged(FACTS, products=(syrup,)))) == []
    half = replace(
        DRIP_ORDER, items=(replace(DRIP_ORDER.items[0], dose=dose(500, "mg")), DRIP_ORDER.items[1])
    )
    assert told(drip(order=half)) == []


def controlled(of):
    first = replace(of.ingredients[0], classes=("controlled",))
    return merged(FACTS, products=(replace(of, ingredients=(first,)),))


def test_what_is_left_of_a_controlled_drug_is_asked_for_once_from_either_side():
    waste, partial, split = "DOSE-WASTE STOP none", "DOSE-PARTIAL WARN ack", "DOSE-SPLIT WARN ack"
    less = drip(controlled(CEFA), dose=dose(500, "mg"))
    assert told(less) == [waste, f"{partial} | ordered=1 g"]
    halved = give((5, "mg"), ordered=(5, "mg"), facts=controlled(TABLET))
    assert told(halved) == [waste, f"{split} | quantity=0.5, unit={{tablet}}"]
    both = give((5, "mg"), facts=controlled(TABLET))
    assert told(both) == [waste, f"{partial} | ordered=10 mg", f"{split} | quantity=0.5, unit={{tablet}}"]
    assert waste not in told(give((5, "mg")))
    whole = give(facts=controlled(TABLET))
    assert told(whole) == []
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
    asked = request(Action.GIVE, TABLET_SCAN, entered=Entered(dose=dose(5, "mg")), witness=witness)
    assert waste not in told(ask(asked, controlled(TABLET)))


# --- which line ---------------------------------------------------------------------------------------------

SECOND_GTIN = "06901234567892"
SECOND_DRUG = product("TAB2", "{tablet}", "tablet", ingredient("drug-z", "5", "mg"), gtins=(SECOND_GTIN,))


def test_the_dose_is_that_of_the_scanned_line():
    pair = replace(TABLET_ORDER, items=(line(), line("TAB2", dose(5, "mg"))))
    facts = merged(FACTS, products=(SECOND_DRUG,), orders=(pair,))
    for items, amount in (
        ((TABLET_SCAN, f"]d201{SECOND_GTIN}"), dose(10, "mg")),
        ((f"]d201{SECOND_GTIN}", TABLET_SCAN), dose(5, "mg")),
    ):
        assert give(facts=facts, items=items).dose == amount


def test_of_a_bag_the_dose_is_that_of_the_drug_and_not_of_its_base():
    swapped = replace(DRIP_ORDER, items=DRIP_ORDER.items[::-1])
    assert drip(order=swapped).dose == dose(1, "g")
    base_only = replace(DRIP_ORDER, items=DRIP_ORDER.items[1:])
    assert drip(order=base_only).dose == dose(250, "mL")


# --- by weight, by step -------------------------------------------------------------------------------------


def weighed(weight_at, **person):
    facts = merged(FACTS, patients=(replace(PATIENT_A, weight_at=weight_at, **person),))
    return give((30, "mg"), ordered=("0.5", "mg/kg"), facts=facts)


def test_a_weight_says_why_it_does_not_count():
    assert told(weighed(NOON - DAY, weight_kg=None)) == ["DOSE-WEIGHT STOP none | reason=missing"]
    since = NOON - 7 * DAY - SECOND
    assert told(weighed(since)) == [f"DOSE-WEIGHT STOP second | reason=old, at={since.isoformat()}"]
    assert told(weighed(None)) == ["DOSE-WEIGHT STOP second | reason=old"]
    assert told(weighed(NOON - 7 * DAY)) == []
    exact = give(ordered=("0.5", "mg/kg"))
    assert exact.dose == dose("30.0", "mg")


def test_a_child_is_one_until_the_fourteenth_birthday():
    since = NOON - DAY - SECOND
    aged = [weighed(since, birth_date=date(2012, 3, day)) for day in (2, 3)]
    assert [told(one) for one in aged] == [
        [], [f"DOSE-WEIGHT STOP second | reason=old, at={since.isoformat()}"],
    ]  # fmt: skip


def test_a_taper_gives_the_dose_of_its_day():
    steps = (TaperStep(days=2, dose=dose(40, "mg")), TaperStep(days=9, dose=dose(20, "mg")))
    tapered = replace(TABLET_ORDER, taper=steps, start=NOON - 2 * DAY)
    facts = merged(FACTS, orders=(tapered,), tasks=(task(tapered, NOON),))
    assert (give(facts=facts).dose, told(give(facts=facts))) == (dose(20, "mg"), [])
    plain = merged(FACTS, orders=(replace(TABLET_ORDER, taper=()),))
    assert give(facts=plain).dose == dose(10, "mg")


# --- limits -------------------------------------------------------------------------------------------------

PARACETAMOL = product(
    "TAB10", "{tablet}", "tablet", ingredient("paracetamol", "500", "mg"), gtins=TABLET.gtins
)
PAIN = merged(FACTS, products=(PARACETAMOL,))


def had(amount, ago, *, unit="g", code="paracetamol", **more):
    return given(
        TABLET_TASK, NOON - ago, task_id=f"t{ago}", ingredients=((code, dose(amount, unit)),), **more
    )


def test_a_limit_is_passed_only_above_it_and_counts_exactly_a_day():
    assert told(give((1, "g"), ordered=(1, "g"), facts=PAIN)) == []
    assert told(give(("1.5", "g"), ordered=("1.5", "g"), facts=PAIN)) == [
        "DOSE-SINGLE-MAX STOP prescriber | limit=1, unit=g, ingredient=paracetamol"
    ]

    def day(amount, ago, **more):
        return told(give((1, "g"), ordered=(1, "g"), facts=merged(PAIN, administrations=(
            had(amount, ago, **more),))))  # fmt: skip

    over = ["DOSE-24H-MAX STOP prescriber | limit=4, unit=g, ingredient=paracetamol"]
    assert [day("3", 9 * HOUR), day("3.001", 9 * HOUR), day("3001", 9 * HOUR, unit="mg")] == [[], over, over]
    assert [day("4", DAY), day("4", DAY - SECOND), day("4", 9 * HOUR, code="other")] == [[], over, []]


def test_every_limit_of_the_site_is_looked_at():
    first = DoseLimit(ingredient="else", unit="g", single=Decimal(0), per_day=Decimal(0))
    only = DoseLimit(ingredient="paracetamol", unit="mg", per_day=Decimal(900))

    def limited(*limits):
        return told(give((1, "g"), ordered=(1, "g"), facts=PAIN, policy=SitePolicy(dose_limits=limits)))

    words = "limit=900, unit=mg, ingredient=paracetamol"
    assert limited(first, only) == [f"DOSE-24H-MAX STOP prescriber | {words}"]
    at_once = replace(only, single=only.per_day, per_day=None)
    assert limited(at_once) == [f"DOSE-SINGLE-MAX STOP prescriber | {words}"]


def test_all_lines_of_an_order_count_together_with_what_was_entered():
    mixture = replace(SECOND_DRUG, ingredients=(ingredient("paracetamol", "600", "mg"),))
    pair = replace(TABLET_ORDER, items=(line(amount=dose(1, "{tablet}")), line("TAB2", dose(1, "{tablet}"))))
    facts = merged(PAIN, products=(mixture,), orders=(pair,))
    items = (TABLET_SCAN, f"]d201{SECOND_GTIN}")
    over = "DOSE-SINGLE-MAX STOP prescriber | limit=1, unit=g, ingredient=paracetamol"
    assert over in told(give(facts=facts, items=items))
    less = told(give(("0.5", "{tablet}"), facts=facts, items=items))
    assert over not in less
    close = SitePolicy(dose_limits=(DoseLimit(ingredient="paracetamol", unit="mg", single=Decimal(820)),))
    assert "DOSE-SINGLE-MAX" in codes(give(("0.5", "{tablet}"), facts=facts, items=items, policy=close))
    alone = replace(pair, items=(line(amount=dose(1, "{tablet}")), line("GONE", dose(9, "g"))))
    lost = merged(PAIN, orders=(replace(alone, kind="infusion", route="IV"),))
    assert over not in told(ask(request(Action.GIVE, TABLET_SCAN), lost))


# --- as needed ----------------------------------------------------------------------------------------------

PRN = replace(
    TABLET_ORDER, frequency="prn", category="prn", prn_max_dose_per_day=dose(6, "{tablet}"),
    items=(line(amount=dose(1, "{tablet}"), dose_high=dose(3, "{tablet}")),),
)  # fmt: skip
PRN_TASK = task(PRN, None)


def needed(tablets, *past, order=PRN):
    facts = replace(FACTS, orders=(order,), tasks=(PRN_TASK,), bags=(), administrations=past)
    entered = Entered(dose=dose(tablets, "{tablet}"), prn_reason="pain")
    result = ask(request(Action.GIVE, TABLET_SCAN, entered=entered), facts)
    return [line for line in told(result) if not line.startswith("PRN-HISTORY")]


def took(amount, ago, **more):
    values = {"id": f"x{ago}", "dose": None if amount is None else dose(*amount)}
    return given(PRN_TASK, NOON - ago, **(values | more))


def test_the_most_of_an_as_needed_order_is_named_and_exact():
    over = ["PRN-MAX STOP prescriber | limit=6 {tablet}"]
    assert needed(1, took((5, "{tablet}"), 9 * HOUR)) == []
    assert needed(1, took(("5.0006", "{tablet}"), 9 * HOUR)) == []
    assert needed(1, took(("5.0007", "{tablet}"), 9 * HOUR)) == over
    assert needed(1, took((6, "{tablet}"), DAY)) == []
    assert needed(1, took((6, "{tablet}"), DAY - SECOND)) == over
    assert needed(1, took((60, "mg"), 9 * HOUR)) == over
    assert needed(1, took((6, "{tablet}"), 9 * HOUR, order_id="other")) == []
    assert needed(1, took(None, 9 * HOUR)) == []
    odd = needed(1, took((1, "mL"), 9 * HOUR))
    assert odd == ["DOSE-UNIT STOP none | ordered={tablet}, entered={tablet}"]


def test_an_as_needed_order_counts_its_times_within_exactly_a_day():
    counted = replace(PRN, prn_max_dose_per_day=None, prn_max_per_day=2)
    over = ["PRN-MAX STOP prescriber | limit=2"]
    one = took((1, "{tablet}"), HOUR)
    assert needed(1, one, order=counted) == []
    assert needed(1, one, took((1, "{tablet}"), DAY), order=counted) == []
    assert needed(1, took((1, "{tablet}"), DAY - SECOND), one, order=counted) == over
    soon = replace(PRN, prn_min_interval_min=60)
    assert needed(1, one, order=soon) == []
    assert needed(1, took((1, "{tablet}"), HOUR - SECOND), order=soon) == [
        "PRN-INTERVAL STOP prescriber | minutes=59, interval=60"
    ]


def test_the_upper_end_of_a_range_may_be_in_another_unit():
    def ranged(amount):
        return told(give((amount, "mg"), ordered=(10, "mg"), dose_high=dose(2, "{tablet}")))

    assert [ranged("20"), ranged("30")] == [[], ["DOSE-OVER STOP prescriber | ordered=10 mg"]]


def test_what_cannot_be_converted_adds_nothing_to_a_day():
    past = tuple(had(4, hours * HOUR, unit="mL") for hours in (9, 10, 11, 12))
    assert told(give((1, "g"), ordered=(1, "g"), facts=merged(PAIN, administrations=past))) == []


def test_the_most_of_a_day_counts_in_the_units_of_the_bag_s_drug():
    needed_bag = replace(DRIP_ORDER, prn_max_dose_per_day=dose(2, "{vial}"))
    assert told(drip(order=needed_bag)) == []
    past = given(DRIP_TASK, NOON - 9 * HOUR, task_id="o", dose=dose("1.5", "g"))
    over = told(drip(merged(FACTS, administrations=(past,)), order=needed_bag))
    assert over == ["PRN-MAX STOP prescriber | limit=2 {vial}"]


def test_an_unknown_line_hides_no_other_and_a_dose_at_this_very_time_counts():
    vials = replace(CEFA, ingredients=(ingredient("paracetamol", "1", "g"),))
    lost = replace(DRIP_ORDER, items=(line("GONE", dose(9, "g")), line("CEFA", dose(2, "{vial}"))))
    over = "DOSE-SINGLE-MAX STOP prescriber | limit=1, unit=g, ingredient=paracetamol"
    assert over in told(drip(merged(FACTS, products=(vials,)), order=lost))
    now = told(give((1, "g"), ordered=(1, "g"), facts=merged(PAIN, administrations=(had("3.5", 0 * HOUR),))))
    assert "DOSE-24H-MAX STOP prescriber | limit=4, unit=g, ingredient=paracetamol" in now
