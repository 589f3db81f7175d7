"""ROUTE, SAFE and WIT: the way in, this patient's body, and the second person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action, Entered, OverrideClass, Severity, Witness, Word
from clinical.policy import Pair, SitePolicy
from clinical.records import Allergy, Generation, Observation, SkinTest, Validity
from tests.support.bedside import (
    CEFA,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    PATIENT_A,
    SALINE,
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
    marks,
    merged,
    order,
    product,
    request,
    start,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-16"),
    pytest.mark.requirement("R-CLIN-17"),
    pytest.mark.requirement("R-CLIN-19"),
    pytest.mark.hazard("H-CLIN-05"),
    pytest.mark.hazard("H-CLIN-06"),
]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def give(facts=FACTS, policy=None, **more):
    return ask(request(Action.GIVE, TABLET_SCAN, **more), facts, policy or SitePolicy.default())


def tablet(*classes, code="drug-x", **changes):
    """The ward with another active substance in the tablet."""
    changed = replace(TABLET, ingredients=(ingredient(code, "10", "mg", *classes),), **changes)
    return merged(FACTS, products=(changed,))


def by(route, **changes):
    changed = replace(TABLET, form=changes.pop("form", "injection"), **changes)
    return merged(FACTS, products=(changed,), orders=(replace(TABLET_ORDER, route=route),))


# --- route -------------------------------------------------------------------------------------------


def test_another_route_than_ordered_stops():
    result = give(entered=Entered(route="SL"))
    assert (codes(result), result.word) == (["ROUTE-MISMATCH"], Word.STOP)


def test_a_form_that_may_not_go_in_that_way_stops():
    assert codes(give(by("IV", form="oral-liquid"))) == ["ROUTE-FORM"]
    assert codes(give(by("IM", routes=("IV",)), entered=Entered(site="left-arm"))) == ["ROUTE-FORM"]
    assert codes(give(by("IV", form="unheard-of"))) == []


def test_an_injection_needs_its_site_and_not_the_same_one_within_a_day():
    facts = by("IM")
    assert give(facts).needs == ("site",)
    other = task(TABLET_ORDER, NOON - 20 * HOUR)
    had = given(other, NOON - 20 * HOUR, route="IM", site="left-thigh")
    asked = {"entered": Entered(site="left-thigh")}
    assert codes(give(merged(facts, administrations=(had,)), **asked)) == ["ROUTE-SITE"]
    old = replace(had, at=NOON - 24 * HOUR)
    assert codes(give(merged(facts, administrations=(old,)), **asked)) == []


def test_an_incompatible_drug_on_the_line_needs_the_prescriber():
    policy = SitePolicy(incompatibilities=(Pair(a="calcium", b="cefazolin"), Pair(a="x", b="y")))
    calcium = product("CA", "mL", "injection", ingredient("calcium", "1", "mg"))
    other = order("oC", "CA", dose(10, "mL"), kind="infusion", route="IV")
    other_task = task(other, NOON)
    facts = merged(
        FACTS, products=(calcium,), orders=(other,), tasks=(other_task,),
        infusions=(infusion(other, other_task, "B7"),),
    )  # fmt: skip
    assert codes(ask(start(), facts, policy)) == ["ROUTE-LINE"]
    assert codes(ask(start(), facts)) == []
    assert codes(give(facts, policy)) == []
    swapped = SitePolicy(incompatibilities=(Pair(a="cefazolin", b="calcium"),))
    assert codes(ask(start(), facts, swapped)) == ["ROUTE-LINE"]
    lost = replace(facts, orders=tuple(found for found in facts.orders if found.id != "oC"))
    assert codes(ask(start(), lost, policy)) == []


def test_the_old_patch_comes_off_before_the_new_one_goes_on():
    facts = by("TD", form="patch")
    last = given(task(TABLET_ORDER, NOON - 72 * HOUR), NOON - 72 * HOUR)
    asked = {"entered": Entered(site="back")}
    assert codes(give(merged(facts, administrations=(last,)), **asked)) == ["ROUTE-NOT-REMOVED"]
    off = replace(last, id="off", at=NOON - HOUR, outcome="removed")
    assert codes(give(merged(facts, administrations=(last, off)), **asked)) == []
    assert codes(give(facts, **asked)) == []


# --- allergies and company ---------------------------------------------------------------------------


def allergic(substance, severity="moderate", facts=FACTS):
    found = Allergy(
        id="al", patient_id="pA", substance=substance, display=label(substance), severity=severity
    )
    patient = replace(PATIENT_A, allergy_status="known")
    return merged(facts, allergies=(found,), patients=(patient,))


@pytest.mark.parametrize(
    ("substance", "severity", "code", "weight", "override"),
    [
        ("drug-x", "mild", "SAFE-ALLERGY", Severity.STOP, OverrideClass.PRESCRIBER),
        ("drug-x", "anaphylaxis", "SAFE-ALLERGY", Severity.STOP, OverrideClass.NONE),
        ("class-x", "mild", "SAFE-ALLERGY-CLASS", Severity.WARN, OverrideClass.PRESCRIBER),
        ("class-x", "severe", "SAFE-ALLERGY-CLASS", Severity.STOP, OverrideClass.PRESCRIBER),
    ],
)
def test_a_known_allergy_speaks_at_the_scan(substance, severity, code, weight, override):
    found = give(allergic(substance, severity)).findings
    assert [(one.code, one.severity, one.override) for one in found] == [(code, weight, override)]
    assert codes(give(allergic("other"))) == []


def test_an_allergy_to_the_carrier_of_a_bag_counts_too():
    assert codes(ask(start(), allergic("sodium-chloride"))) == ["SAFE-ALLERGY"]


@pytest.mark.parametrize("status", ["not-recorded", "known"])
def test_an_allergy_nobody_asked_about_is_a_warning(status):
    facts = merged(FACTS, patients=(replace(PATIENT_A, allergy_status=status),))
    assert codes(give(facts)) == ["SAFE-ALLERGY-UNKNOWN"]
    assert give(facts, overrides=ack("SAFE-ALLERGY-UNKNOWN")).word is Word.GIVE


def had(code, ago=HOUR, facts=FACTS):
    other = given(task(order("o9", "TAB10", dose(1, "mg")), NOON - ago), NOON - ago)
    return merged(facts, administrations=(replace(other, ingredients=((code, dose(1, "mg")),)),))


def test_a_major_interaction_warns_unless_the_prescriber_has_accepted_it():
    policy = SitePolicy(
        interactions=(Pair(a="drug-y", b="drug-x"), Pair(a="drug-x", b="z", severity="minor"))
    )
    result = give(had("drug-y"), policy)
    assert (codes(result), result.word) == (["SAFE-INTERACTION"], Word.CHECK)
    accepted = merged(had("drug-y"), orders=(replace(TABLET_ORDER, interaction_overridden=True),))
    assert give(accepted, policy).word is Word.GIVE
    assert codes(give(had("drug-y", 25 * HOUR), policy)) == []
    swapped = SitePolicy(interactions=(Pair(a="drug-x", b="class-z"),))
    with_class = merged(
        had("drug-y"), products=(product("Y", "mL", "injection", ingredient("drug-y", "1", "mg", "class-z")),)
    )
    assert codes(give(with_class, swapped)) == ["SAFE-INTERACTION"]


def test_another_drug_of_the_same_class_within_its_duration_warns():
    facts = merged(
        had("other-opioid", facts=tablet("opioid")),
        products=(product("O2", "mL", "injection", ingredient("other-opioid", "1", "mg", "opioid")),),
        observations=(seen("MDC_RESP_RATE", "16", "/min"),),
    )
    assert codes(give(facts)) == ["SAFE-DUP-THERAPY"]
    assert codes(give(merged(facts, products=(replace(SALINE),), administrations=()), None)) == [
        "SAFE-DUP-THERAPY"
    ]
    assert codes(give(replace(facts, administrations=()))) == []
    unknown = had("not-in-formulary", facts=replace(facts, administrations=()))
    assert codes(give(unknown)) == []


# --- measures ----------------------------------------------------------------------------------------


def seen(code, value, unit, ago=10 * MINUTE, **more):
    number = None if value is None else Decimal(value)
    return Observation(
        id=f"{code}{ago}", patient_id="pA", code=code, value=number, unit=unit, effective=NOON - ago, **more
    )


GLUCOSE = "MDC_CONC_GLU_GEN"


def insulin(*observations):
    return merged(tablet("insulin"), observations=observations)


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(GLUCOSE, "8", "mmol/L", 60 * MINUTE), []),
        (seen(GLUCOSE, "8", "mmol/L", 61 * MINUTE), ["SAFE-LAB-MISSING"]),
        (seen(GLUCOSE, "68", "mg/dL"), ["SAFE-LAB-OUT"]),
        (seen(GLUCOSE, "23", "mmol/L"), ["SAFE-LAB-OUT"]),
        (seen("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "8", "mmol/L"), []),
        (seen(GLUCOSE, "8", "furlong"), ["SAFE-LAB-MISSING"]),
        (seen(GLUCOSE, None, "mmol/L"), ["SAFE-LAB-MISSING"]),
        (seen(GLUCOSE, "8", "mmol/L", validity=Validity.QUESTIONABLE), ["SAFE-LAB-MISSING"]),
        (seen(GLUCOSE, "8", "mmol/L", generation=Generation.DEMO), ["SAFE-LAB-MISSING"]),
        (seen(GLUCOSE, "8", "mmol/L", -2 * MINUTE), ["SAFE-LAB-MISSING"]),
    ],
)
def test_insulin_needs_a_fresh_trusted_glucose_within_limits(observation, expected):
    assert codes(give(insulin(observation))) == expected


def test_a_missing_measure_is_named_once_and_a_high_one_is_only_a_warning():
    assert codes(give(insulin())) == ["SAFE-LAB-MISSING"]
    high = give(insulin(seen(GLUCOSE, "23", "mmol/L")))
    assert [one.severity for one in high.findings] == [Severity.WARN]
    low = give(insulin(seen(GLUCOSE, "3", "mmol/L")))
    assert [(one.severity, one.override) for one in low.findings] == [
        (Severity.STOP, OverrideClass.PRESCRIBER)
    ]


def test_the_newest_of_equivalent_measures_counts():
    older, newer = (
        seen(GLUCOSE, "3", "mmol/L", 20 * MINUTE),
        seen("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "8", "mmol/L"),
    )
    assert codes(give(insulin(older, newer))) == []
    assert codes(give(insulin(seen(GLUCOSE, "8", "mmol/L", 5 * MINUTE), seen(GLUCOSE, "3", "mmol/L")))) == []


def test_a_vital_sign_out_of_its_limit_stops_and_a_missing_one_needs_a_second_nurse():
    opioid = tablet("opioid")
    assert codes(give(opioid)) == ["SAFE-VITAL-MISSING"]
    assert codes(give(merged(opioid, observations=(seen("MDC_RESP_RATE", "9", "/min"),)))) == [
        "SAFE-VITAL-OUT"
    ]
    assert give(opioid, overrides=ack("SAFE-VITAL-MISSING", by="n3")).word is Word.GIVE


def test_a_condition_for_infusions_only_does_not_stop_tablets_and_presence_is_enough_without_a_limit():
    assert codes(give(tablet("heparin"))) == []
    heparin = merged(FACTS, products=(replace(CEFA, ingredients=(ingredient("heparin", "1", "g"),)),))
    found = ask(start(), heparin)
    assert codes(found) == ["SAFE-LAB-MISSING", "SAFE-LAB-MISSING"]
    known = (seen("MDCX_PLATELETS", "150", "10*9/L"), seen("MDCX_APTT", "60", "s"))
    policy = SitePolicy(
        conditions=tuple(
            replace(one, unit="") for one in SitePolicy.default().conditions if one.drug == "heparin"
        )
    )
    assert codes(ask(start(), merged(heparin, observations=known[1:]), policy))[:1] == ["SAFE-LAB-MISSING"]


# --- skin test, food ---------------------------------------------------------------------------------


def skin_tested(result="negative", ago=HOUR, lot="L1", substance="drug-x"):
    test = SkinTest(id="st", patient_id="pA", substance=substance, result=result, read_at=NOON - ago, lot=lot)
    return merged(FACTS, products=(replace(TABLET, skin_test=True),), skin_tests=(test,))


@pytest.mark.parametrize(
    ("facts", "lot", "expected"),
    [
        (skin_tested(), "L1", []),
        (skin_tested(substance="class-x"), "L1", []),
        (skin_tested(lot=""), "L2", []),
        (skin_tested(), "L2", ["SAFE-SKIN-LOT"]),
        (skin_tested("positive", 100 * HOUR), "L1", ["SAFE-SKIN-POSITIVE"]),
        (skin_tested(ago=73 * HOUR), "L1", ["SAFE-SKIN-EXPIRED"]),
        (skin_tested("doubtful"), "L1", ["SAFE-SKIN-MISSING"]),
        (skin_tested(substance="other"), "L1", ["SAFE-SKIN-MISSING"]),
        (skin_tested(ago=-HOUR), "L1", ["SAFE-SKIN-MISSING"]),
    ],
)
def test_a_required_skin_test_is_negative_fresh_and_of_the_same_lot(facts, lot, expected):
    assert codes(ask(request(Action.GIVE, f"{TABLET_SCAN}10{lot}"), facts)) == expected


def test_a_required_skin_test_without_a_lot_on_the_bag_still_needs_the_test():
    facts = merged(FACTS, products=(replace(CEFA, skin_test=True),))
    assert codes(ask(start(), facts)) == ["SAFE-SKIN-MISSING"]
    good = SkinTest(
        id="st", patient_id="pA", substance="cefazolin", result="negative", read_at=NOON, lot="L1"
    )
    assert codes(ask(start(), merged(facts, skin_tests=(good,)))) == []


def test_fasting_patients_take_nothing_by_mouth_without_a_thought():
    facts = merged(FACTS, encounters=(replace(FACTS.encounters[0], risks=("fasting",)),))
    assert codes(give(facts)) == ["SAFE-NPO"]
    assert codes(ask(start(), facts)) == []


def test_insulin_for_a_meal_asks_for_the_meal():
    facts = tablet("meal-insulin")
    assert codes(give(facts)) == ["SAFE-MEAL"]
    eaten = merged(facts, observations=(seen("MDCX_MEAL", "1", "1", 30 * MINUTE),))
    assert codes(give(eaten)) == []
    late = merged(facts, observations=(seen("MDCX_MEAL", "1", "1", 31 * MINUTE),))
    assert codes(give(late)) == ["SAFE-MEAL"]


# --- witness -----------------------------------------------------------------------------------------


def second(name="n2", ago=timedelta(0), value=None, roles=("nurse",)):
    number = None if value is None else Decimal(value)
    return Witness(id=name, roles=roles, badge_at=NOON - ago, value=number)


def test_a_level_three_drug_needs_a_second_nurse_and_level_two_recommends_one():
    three = tablet(high_alert=3)
    result = give(three)
    assert (codes(result), marks(result)["witness"]) == (["WIT-REQUIRED"], "stop")
    assert give(three, overrides=ack("WIT-REQUIRED", by="n2")).word is Word.STOP
    assert give(three, witness=second()).needs == ("second-calculation", "own-calculation")
    both = give(three, witness=second(value=Decimal(10)), entered=Entered(calculated=Decimal(10)))
    assert both.word is Word.GIVE
    two = tablet(high_alert=2)
    assert (codes(give(two)), give(two).word) == (["WIT-RECOMMENDED"], Word.CHECK)
    assert codes(give(tablet(high_alert=1))) == []


def test_blood_always_needs_a_second_nurse():
    blood = merged(FACTS, orders=(replace(DRIP_ORDER, kind="transfusion"),))
    assert "WIT-REQUIRED" in codes(ask(start(), blood))


@pytest.mark.parametrize(
    ("witness", "code"),
    [
        (second("n1"), "WIT-SELF"),
        (second(""), "WIT-SELF"),
        (second("s1"), "WIT-ROLE"),
        (second("d1"), "WIT-ROLE"),
        (second("nobody"), "WIT-ROLE"),
        (second("n2", 6 * MINUTE), "WIT-STALE"),
    ],
)
def test_the_witness_is_another_nurse_whose_badge_is_fresh(witness, code):
    assert codes(give(tablet(high_alert=3), witness=witness)) == [code]


def started(value, calculated, rate="8.4"):
    facts = merged(
        FACTS, products=(replace(CEFA, high_alert=3),), orders=(replace(DRIP_ORDER, rate_ml_h=Decimal(rate)),)
    )
    entered = Entered(device_id=DRIP, calculated=None if calculated is None else Decimal(calculated))
    return ask(start(entered=entered, witness=second(value=value)), facts)


def test_two_calculations_that_differ_stop():
    assert codes(started("8.0", "8.4")) == ["DOSE-CALC-DIFF"]
    assert codes(started("8.4", "8.4")) == []
    assert codes(started("8.0", "8.0")) == ["WIT-DISAGREE"]
    assert codes(started("8.0", None)) == ["WIT-DISAGREE"]
    assert codes(started(None, "8.4")) == []


def test_a_witness_of_a_dose_compares_with_the_dose():
    result = give(tablet(high_alert=3), witness=second(value="20"))
    assert codes(result) == ["WIT-DISAGREE"]
    assert codes(give(tablet(high_alert=3), witness=second(value="10"))) == []


def test_the_stand_in_facts_are_what_the_tests_say():
    assert (DRIP_TASK.order_id, TABLET_TASK.order_id) == ("oD", "oT")
