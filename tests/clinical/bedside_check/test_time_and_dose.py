"""TIME, DOSE and PRN: when, how much, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action, Entered, OverrideClass, Severity, Witness, Word
from clinical.policy import DoseLimit, SitePolicy
from clinical.records import OrderItem, TaskStatus
from tests.support.bedside import (
    BAG,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    PATIENT_A,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ack,
    ask,
    codes,
    dose,
    given,
    infusion,
    ingredient,
    label,
    merged,
    order,
    product,
    request,
    start,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-14"),
    pytest.mark.requirement("R-CLIN-15"),
    pytest.mark.requirement("R-CLIN-18"),
    pytest.mark.hazard("H-CLIN-03"),
    pytest.mark.hazard("H-CLIN-04"),
]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ZERO = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


def give(facts=FACTS, policy=None, **more):
    return ask(request(Action.GIVE, TABLET_SCAN, **more), facts, policy or SitePolicy.default())


def slot(planned, **changes):
    """The tablet order with one slot at ``planned`` and other order fields changed."""
    changed = replace(TABLET_ORDER, **changes)
    return replace(FACTS, orders=(changed,), tasks=(task(changed, planned),), bags=())


def at(hour, minute=0, second=0, day=0):
    return ZERO + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


@pytest.mark.parametrize(
    ("frequency", "planned", "now", "code", "variance"),
    [
        ("q8h", at(8), at(7), None, -60),
        ("q8h", at(8), at(6, 59, 59), "TIME-EARLY", -61),
        ("q8h", at(8), at(9, 0, 59), None, 60),
        ("q8h", at(8), at(9, 1), "TIME-LATE", 61),
        ("q12h", at(23, 30), at(0, 25, day=1), None, 55),
        ("q12h", at(23, 30), at(0, 45, day=1), "TIME-LATE", 75),
        ("q6h", at(0, 10, day=1), at(23, 50), None, -20),
        ("qd", at(8), at(10), None, 120),
        ("qd", at(8), at(10, 1), "TIME-LATE", 121),
        ("q1h", at(8), at(8, 15), None, 15),
        ("q1h", at(8), at(8, 16), "TIME-LATE", 16),
    ],
)
def test_windows_at_the_minute_across_midnight(frequency, planned, now, code, variance):
    result = give(slot(planned, frequency=frequency), now=now)
    assert codes(result) == ([code] if code else [])
    assert (result.variance_min, result.word) == (variance, Word.CHECK if code else Word.GIVE)


def test_a_time_critical_order_is_late_after_half_an_hour():
    facts = slot(NOON, time_critical=True)
    assert codes(give(facts, now=NOON + 30 * MINUTE)) == []
    assert codes(give(facts, now=NOON + 31 * MINUTE)) == ["TIME-LATE"]


def test_far_too_early_needs_the_prescriber():
    result = give(slot(NOON), now=NOON - 121 * MINUTE)
    assert (codes(result), result.word) == (["TIME-TOO-EARLY"], Word.STOP)
    assert give(slot(NOON), now=NOON - 120 * MINUTE).word is Word.CHECK


def test_nearer_to_the_slot_before_is_too_early():
    facts = slot(NOON, frequency="q2h", time_critical=True)
    before = task(facts.orders[0], NOON - 2 * HOUR, status=TaskStatus.NOT_GIVEN)
    result = give(merged(facts, tasks=(before,)), now=NOON - 61 * MINUTE)
    assert codes(result) == ["TIME-TOO-EARLY"]


def test_a_slot_already_given_stops_and_says_who_and_when():
    facts = merged(FACTS, administrations=(given(TABLET_TASK, NOON - 10 * MINUTE),))
    result = give(facts)
    assert "TIME-DUP" in codes(result)
    assert dict(result.findings[0].params)["by"] == "n2"


def test_a_dose_that_was_held_or_refused_may_still_be_given():
    for status in (TaskStatus.HELD, TaskStatus.REFUSED, TaskStatus.NOT_GIVEN):
        facts = merged(FACTS, tasks=(replace(TABLET_TASK, status=status),))
        assert give(facts).word is Word.GIVE, status


def test_a_once_only_order_is_given_once():
    facts = slot(NOON, frequency="once", category="once")
    assert give(facts).word is Word.GIVE
    done = merged(facts, tasks=(replace(facts.tasks[0], status=TaskStatus.GIVEN),))
    assert codes(give(done)) == ["TIME-ONCE-DONE"]


def test_an_earlier_slot_is_refused_after_a_later_one():
    later = task(TABLET_ORDER, NOON + 8 * HOUR, status=TaskStatus.GIVEN)
    assert codes(give(merged(FACTS, tasks=(later,)))) == ["TIME-LATER-GIVEN"]
    pending = replace(later, status=TaskStatus.PENDING)
    recorded = merged(FACTS, tasks=(pending,), administrations=(given(pending, NOON - 5 * HOUR),))
    assert codes(give(recorded)) == ["TIME-LATER-GIVEN"]


def test_an_earlier_given_slot_is_no_obstacle():
    before = task(TABLET_ORDER, NOON - 8 * HOUR, status=TaskStatus.GIVEN)
    assert codes(give(merged(FACTS, tasks=(before,)))) == []


def past_dose(ago, code="drug-x", **more):
    other = order("oOld", "TAB10", dose(10, "mg"), status="completed")
    return given(task(other, NOON - ago), NOON - ago, ingredients=((code, dose(10, "mg")),), **more)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(239 * MINUTE, ["TIME-INTERVAL"]), (240 * MINUTE, []), (60 * MINUTE, ["TIME-INTERVAL"])],
)
def test_the_same_ingredient_too_soon_stops_whatever_order_it_came_from(ago, expected):
    assert codes(give(merged(FACTS, administrations=(past_dose(ago),)))) == expected


def test_the_same_ingredient_within_two_hours_is_noted_when_no_interval_says_more():
    facts = merged(slot(NOON, frequency="once", category="once"), administrations=(past_dose(60 * MINUTE),))
    assert codes(give(facts)) == ["TIME-RECENT"]
    assert codes(give(merged(facts, administrations=(past_dose(121 * MINUTE),)))) == ["TIME-RECENT"]
    assert codes(give(replace(facts, administrations=(past_dose(121 * MINUTE),)))) == []


def test_carriers_other_ingredients_and_doses_not_given_do_not_count():
    assert codes(give(merged(FACTS, administrations=(past_dose(MINUTE, "other"),)))) == []
    assert codes(give(merged(FACTS, administrations=(past_dose(MINUTE, outcome="held"),)))) == []
    saline = past_dose(MINUTE, "sodium-chloride")
    assert codes(ask(start(), merged(FACTS, administrations=(saline,)))) == []


def test_a_missed_slot_needs_the_prescribers_note():
    after = task(TABLET_ORDER, NOON + 8 * HOUR)
    facts = merged(FACTS, tasks=(after,))
    result = give(facts, now=NOON + 7 * HOUR, task_id=TABLET_TASK.id)
    assert set(codes(result)) == {"TIME-LATE", "TIME-MISSED-SLOT"}
    over = give(merged(FACTS, tasks=(after,)), now=NOON + 2 * HOUR, task_id=TABLET_TASK.id)
    assert codes(over) == ["TIME-LATE"]
    last = give(slot(NOON, end=NOON + 3 * HOUR), now=NOON + 2 * HOUR)
    assert codes(last) == ["TIME-LATE"]


@pytest.mark.parametrize(
    ("back", "code", "severity", "override"),
    [
        (-timedelta(seconds=61), "TIME-FUTURE", Severity.STOP, OverrideClass.NONE),
        (16 * MINUTE, "TIME-BACKDATED", Severity.WARN, OverrideClass.ACK),
        (24 * HOUR + MINUTE, "TIME-BACKDATED", Severity.STOP, OverrideClass.SECOND),
    ],
)
def test_a_charted_time_in_the_future_or_the_past(back, code, severity, override):
    found = give(entered=Entered(charted_at=NOON - back)).findings
    mine = next(finding for finding in found if finding.code == code)
    assert (mine.severity, mine.override) == (severity, override)


def test_a_charted_time_a_quarter_of_an_hour_back_is_plain():
    assert codes(give(entered=Entered(charted_at=NOON - 15 * MINUTE))) == []


# --- dose --------------------------------------------------------------------------------------------


def dosed(entered, ordered=None, facts=FACTS, **more):
    entry = Entered(dose=entered) if entered else Entered()
    if ordered is not None:
        line = OrderItem(product_id="TAB10", display=label("x"), dose=ordered, **more)
        facts = merged(facts, orders=(replace(TABLET_ORDER, items=(line,)),))
    return ask(request(Action.GIVE, TABLET_SCAN, entered=entry), facts)


def test_half_a_tablet_is_said_and_acknowledged():
    result = dosed(dose("0.5", "{tablet}"), dose(5, "mg"))
    assert (codes(result), result.word) == (["DOSE-SPLIT"], Word.CHECK)
    assert dict(result.findings[0].params)["quantity"] == "0.5"
    half = OrderItem(product_id="TAB10", display=label("x"), dose=dose(5, "mg"))
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, items=(half,)),))
    asked = request(
        Action.GIVE, TABLET_SCAN, entered=Entered(dose=dose("0.5", "{tablet}")), overrides=ack("DOSE-SPLIT")
    )
    assert ask(asked, facts).word is Word.GIVE


def test_a_whole_tablet_where_half_is_ordered_is_too_much():
    assert codes(dosed(dose(1, "{tablet}"), dose(5, "mg"))) == ["DOSE-OVER"]


def test_a_third_of_a_tablet_is_a_third():
    result = dosed(dose("0.333333333", "{tablet}"), dose("0.333333", "{tablet}"))
    assert codes(result) == ["DOSE-SPLIT"]


def test_millilitres_and_milligrams_and_grams_are_compared_exactly():
    syrup = product("TAB10", "mL", "oral-liquid", ingredient("drug-x", "10", "mg"), gtins=TABLET.gtins)
    facts = merged(FACTS, products=(syrup,))
    assert codes(dosed(dose(20, "mg"), dose(2, "mL"), facts)) == []
    assert codes(dosed(dose(1000, "mg"), dose(1, "g"), facts)) == []


@pytest.mark.parametrize(
    ("entered", "code", "severity"),
    [
        ("50", "DOSE-TENFOLD", Severity.STOP),
        ("25", "DOSE-TENFOLD", Severity.STOP),
        ("24", "DOSE-OVER", Severity.STOP),
        ("0.5", "DOSE-TENFOLD", Severity.WARN),
        ("0.05", "DOSE-TENFOLD", Severity.WARN),
        ("4", "DOSE-PARTIAL", Severity.WARN),
        ("5.0004", None, None),
        ("4.9996", None, None),
    ],
)
def test_too_much_too_little_and_slipped_decimal_points(entered, code, severity):
    unit = product("TAB10", "[iU]", "injection", ingredient("drug-x", "1", "[iU]"), gtins=TABLET.gtins)
    result = dosed(dose(entered, "{unit}"), dose(5, "[iU]"), merged(FACTS, products=(unit,)))
    assert [(finding.code, finding.severity) for finding in result.findings] == (
        [(code, severity)] if code else []
    )


@pytest.mark.parametrize("entered", [("1", "mL"), ("0", "mg"), ("-1", "mg")])
def test_a_dose_that_cannot_be_compared_stops(entered):
    result = dosed(dose(*entered))
    assert codes(result) == ["DOSE-UNIT"]
    assert result.word is Word.STOP


def test_a_ranged_dose_must_be_chosen_and_may_not_pass_its_end():
    assert dosed(None, dose(10, "mg"), dose_high=dose(20, "mg")).needs == ("dose",)
    assert codes(dosed(dose(20, "mg"), dose(10, "mg"), dose_high=dose(20, "mg"))) == []
    assert codes(dosed(dose(30, "mg"), dose(10, "mg"), dose_high=dose(20, "mg"))) == ["DOSE-OVER"]
    assert codes(dosed(dose(10, "mg"), dose(10, "mg"), dose_high=dose(20, "mL"))) == ["DOSE-UNIT"]


PARACETAMOL = product(
    "TAB10", "{tablet}", "tablet", ingredient("paracetamol", "500", "mg"), gtins=TABLET.gtins
)


def test_a_day_of_one_ingredient_over_all_products_has_a_limit():
    facts = merged(FACTS, products=(PARACETAMOL,))
    combination = past_dose(6 * HOUR, "paracetamol")
    had = replace(combination, ingredients=(("codeine", dose(30, "mg")), ("paracetamol", dose("3.5", "g"))))
    result = dosed(dose(1, "g"), dose(1, "g"), merged(facts, administrations=(had,)))
    assert codes(result) == ["DOSE-24H-MAX"]
    yesterday = replace(had, at=NOON - 24 * HOUR)
    assert codes(dosed(dose(1, "g"), dose(1, "g"), merged(facts, administrations=(yesterday,)))) == []


def test_the_events_of_one_bag_count_once():
    facts = merged(FACTS, products=(PARACETAMOL,))
    bag = replace(
        past_dose(6 * HOUR, "paracetamol"), outcome="running", ingredients=(("paracetamol", dose(2, "g")),)
    )
    done = replace(bag, id="done", outcome="completed", at=NOON - 5 * HOUR)
    assert codes(dosed(dose(1, "g"), dose(1, "g"), merged(facts, administrations=(bag, done)))) == []
    twice = merged(facts, administrations=(bag, replace(done, task_id="another")))
    assert codes(dosed(dose(1, "g"), dose(1, "g"), twice)) == ["DOSE-24H-MAX"]
    before = replace(bag, id="before", at=NOON - 25 * HOUR, ingredients=(("paracetamol", dose("3.5", "g")),))
    assert codes(dosed(dose(1, "g"), dose(1, "g"), merged(facts, administrations=(before,)))) == []
    ran_into = replace(before, id="after", outcome="completed", at=NOON - 5 * HOUR)
    both = merged(facts, administrations=(before, ran_into))
    assert codes(dosed(dose(1, "g"), dose(1, "g"), both)) == ["DOSE-24H-MAX"]


def test_one_dose_of_an_ingredient_has_a_limit():
    facts = merged(FACTS, products=(PARACETAMOL,))
    assert codes(dosed(dose(2, "g"), dose(2, "g"), facts)) == ["DOSE-SINGLE-MAX"]
    open_limit = SitePolicy(dose_limits=(DoseLimit(ingredient="paracetamol", unit="g"),))
    line = OrderItem(product_id="TAB10", display=label("x"), dose=dose(2, "g"))
    changed = merged(facts, orders=(replace(TABLET_ORDER, items=(line,)),))
    assert codes(give(changed, open_limit)) == []


def test_a_dose_per_kilogram_needs_a_weight_that_is_still_true():
    per_kg = dose("0.5", "mg/kg")
    assert codes(dosed(dose(30, "mg"), per_kg)) == []
    old = merged(FACTS, patients=(replace(PATIENT_A, weight_at=NOON - timedelta(days=8)),))
    result = dosed(dose(30, "mg"), per_kg, old)
    assert (codes(result), result.findings[0].override) == (["DOSE-WEIGHT"], OverrideClass.SECOND)
    never = merged(FACTS, patients=(replace(PATIENT_A, weight_kg=None),))
    result = dosed(dose(30, "mg"), per_kg, never)
    assert (codes(result), result.findings[0].override) == (["DOSE-WEIGHT"], OverrideClass.NONE)


@pytest.mark.parametrize(("hours", "expected"), [(24, []), (25, ["DOSE-WEIGHT"])])
def test_a_childs_weight_is_true_for_a_day(hours, expected):
    child = replace(
        PATIENT_A, birth_date=datetime(2020, 6, 1, tzinfo=UTC).date(), weight_at=NOON - hours * HOUR
    )
    assert codes(dosed(dose(30, "mg"), dose("0.5", "mg/kg"), merged(FACTS, patients=(child,)))) == expected
    unknown = replace(child, birth_date=None)
    assert codes(dosed(dose(30, "mg"), dose("0.5", "mg/kg"), merged(FACTS, patients=(unknown,)))) == []


def test_what_is_left_of_a_controlled_drug_is_wasted_before_a_witness():
    controlled = replace(TABLET, ingredients=(ingredient("drug-x", "10", "mg", "controlled"),))
    facts = merged(FACTS, products=(controlled,))
    result = dosed(dose("0.5", "{tablet}"), dose(10, "mg"), facts)
    assert set(codes(result)) == {"DOSE-WASTE", "DOSE-PARTIAL", "DOSE-SPLIT"}
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
    seen = ask(
        request(Action.GIVE, TABLET_SCAN, entered=Entered(dose=dose("5", "mg")), witness=witness), facts
    )
    assert "DOSE-WASTE" not in codes(seen)


def test_an_order_without_lines_or_with_an_unknown_product_is_never_give():
    empty = merged(FACTS, orders=(replace(DRIP_ORDER, items=()),))
    assert ask(start(), empty).needs == ("dose",)
    unknown = ask(start(), replace(FACTS, products=()))
    assert (codes(unknown), unknown.word) == (["MED-UNKNOWN"], Word.STOP)
    by_eye = start(overrides=ack("MED-UNKNOWN", by="n2"), entered=Entered(dose=dose(1, "mL"), device_id=DRIP))
    assert codes(ask(by_eye, replace(FACTS, products=())))[0] == "DOSE-UNIT"


# --- as needed ---------------------------------------------------------------------------------------

PRN = order(
    "oT",
    "TAB10",
    dose(1, "{tablet}"),
    frequency="prn",
    category="prn",
    prn_min_interval_min=240,
    prn_max_dose_per_day=dose(6, "{tablet}"),
    prn_max_per_day=4,
    items=(
        OrderItem(
            product_id="TAB10", display=label("x"), dose=dose(1, "{tablet}"), dose_high=dose(2, "{tablet}")
        ),
    ),
)
PRN_TASK = task(PRN, None)
PRN_FACTS = replace(FACTS, orders=(PRN,), tasks=(PRN_TASK,), bags=())


def needed(tablets, *past, reason="pain", facts=PRN_FACTS):
    entered = Entered(dose=dose(tablets, "{tablet}"), prn_reason=reason)
    return ask(request(Action.GIVE, TABLET_SCAN, entered=entered), merged(facts, administrations=past))


def took(ago, tablets):
    return given(PRN_TASK, NOON - ago, id=f"p{ago}", dose=dose(tablets, "{tablet}"))


def test_an_as_needed_drug_needs_its_reason():
    assert needed(1, reason="").needs == ("prn-reason",)
    assert needed(1).word is Word.GIVE


def test_an_as_needed_drug_keeps_its_distance_and_shows_its_history():
    assert set(codes(needed(1, took(239 * MINUTE, 1)))) == {"PRN-INTERVAL", "PRN-HISTORY"}
    result = needed(1, took(240 * MINUTE, 1))
    assert (codes(result), result.word) == (["PRN-HISTORY"], Word.GIVE)
    many = needed(1, *(took(timedelta(days=day), 1) for day in range(1, 8)))
    assert len(dict(many.findings[0].params)["times"].split()) == 4


def test_an_as_needed_drug_has_a_most_per_day_in_amount_and_in_times():
    five = (took(20 * HOUR, 2), took(14 * HOUR, 2), took(8 * HOUR, 1))
    assert "PRN-MAX" in codes(needed(2, *five))
    assert "PRN-MAX" not in codes(needed(1, *five))
    four = (took(20 * HOUR, 1), took(15 * HOUR, 1), took(10 * HOUR, 1), took(5 * HOUR, 1))
    assert "PRN-MAX" in codes(needed(1, *four))
    odd = needed(1, replace(took(20 * HOUR, 1), dose=dose(1, "mL")))
    assert "DOSE-UNIT" in codes(odd)


def test_an_as_needed_order_without_limits_has_none():
    free = replace(PRN, prn_min_interval_min=None, prn_max_per_day=None, prn_max_dose_per_day=None)
    result = needed(1, took(MINUTE, 1), facts=replace(PRN_FACTS, orders=(free,)))
    assert codes(result) == ["PRN-HISTORY"]


def test_the_effect_of_the_last_dose_is_asked_for_first():
    effect = task(PRN, NOON - HOUR, id="fx", kind="prn-effect", status=TaskStatus.OVERDUE)
    assert "PRN-EFFECT" in codes(needed(1, facts=merged(PRN_FACTS, tasks=(effect,))))
    seen = replace(effect, status=TaskStatus.COMPLETED)
    assert "PRN-EFFECT" not in codes(needed(1, facts=merged(PRN_FACTS, tasks=(seen,))))


def test_a_bag_change_of_the_same_drug_is_not_too_soon():
    old = infusion(DRIP_ORDER, DRIP_TASK, "B0")
    had = past_dose(MINUTE, "cefazolin")
    facts = merged(FACTS, infusions=(old,), administrations=(had,))
    result = ask(start(action=Action.BAG_CHANGE, infusion_id="i-B0"), facts)
    assert codes(result) == []
    assert BAG.id == result.bag_id
    assert result.rate_ml_h == Decimal(60)
