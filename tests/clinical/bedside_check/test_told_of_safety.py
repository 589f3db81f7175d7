"""What a nurse is told of route, allergies, company and measures: every word, every limit on its edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import (
    Action,
    Entered,
    Severity,
)
from clinical.drug_policy import DrugCondition, Pair
from clinical.policy import SitePolicy
from clinical.records import (
    Allergy,
    Generation,
    Observation,
    SkinTest,
)
from tests.clinical.told import give, ordered, stay, tablet, told
from tests.support.bedside import (
    DRIP_ORDER,
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
    pytest.mark.requirement("R-CLIN-16"),
    pytest.mark.requirement("R-CLIN-17"),
    pytest.mark.hazard("H-CLIN-05"),
]
MINUTE, HOUR, DAY, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def test_a_route_says_what_was_ordered_and_entered():
    assert told(give(entered=Entered(route="SL"))) == ["ROUTE-MISMATCH STOP none | ordered=PO, entered=SL"]
    assert give(entered=Entered(route="SL")).route == "SL"
    assert told(give(entered=Entered(route="IV")))[1] == "ROUTE-FORM STOP none | form=tablet, route=IV"


def test_a_site_or_a_patch_in_use_is_named():
    shot = merged(FACTS, products=(replace(TABLET, form="injection"),),
                  orders=(replace(TABLET_ORDER, route="IM"),))  # fmt: skip
    old = given(TABLET_TASK, NOON - 20 * HOUR, task_id="o", route="IM", site="left-thigh")
    asked = {"entered": Entered(site="left-thigh")}

    def used(**changes):
        return told(give(merged(shot, administrations=(replace(old, **changes),)), **asked))

    assert used() == ["ROUTE-SITE WARN ack | site=left-thigh"]
    assert used(at=NOON - DAY + SECOND) == ["ROUTE-SITE WARN ack | site=left-thigh"]
    assert [used(at=NOON - DAY), used(route="SC"), used(site="right-thigh")] == [[], [], []]
    patch = merged(FACTS, products=(replace(TABLET, form="patch"),),
                   orders=(replace(TABLET_ORDER, route="TD"),))  # fmt: skip
    on = given(TABLET_TASK, NOON - 70 * HOUR, task_id="o")

    def worn(*past):
        return told(give(merged(patch, administrations=past), entered=Entered(site="back")))

    stuck = [f"ROUTE-NOT-REMOVED STOP none | at={on.at.isoformat()}"]
    assert worn(on) == stuck
    assert worn(replace(on, order_id="other")) == []
    assert worn(replace(on, outcome="held")) == []
    assert worn(on, replace(on, id="r", outcome="removed", at=NOON + SECOND)) == stuck
    assert worn(on, replace(on, id="r", outcome="removed", at=NOON)) == []


def test_what_does_not_go_together_is_named():
    pairs = SitePolicy(incompatibilities=(Pair(a="calcium", b="cephalosporin"),))
    calcium = product("CA", "mL", "injection", ingredient("calcium", "1", "mg", "salts"))
    other = order("oC", "CA", dose(10, "mL"), kind="infusion", route="IV")
    drip = infusion(other, task(other, NOON), "B7")
    facts = merged(FACTS, products=(calcium,), orders=(other,), infusions=(drip,))
    assert told(ask(start(), facts, pairs)) == ["ROUTE-LINE STOP prescriber | a=calcium, b=cephalosporin"]
    swapped = SitePolicy(incompatibilities=(Pair(a="cephalosporin", b="salts"),))
    assert told(ask(start(), facts, swapped)) == ["ROUTE-LINE STOP prescriber | a=cephalosporin, b=salts"]
    unknown = merged(facts, orders=(replace(other, items=(replace(other.items[0], product_id="GONE"),)),))
    assert told(ask(start(), unknown, pairs)) == []
    lone = SitePolicy(incompatibilities=(Pair(a="cefazolin", b="cephalosporin"), Pair(a="salts", b="x")))
    assert told(ask(start(), facts, lone)) == []
    lost = merged(facts, infusions=(replace(drip, id="i0", order_id="gone"), drip))
    assert told(ask(start(), lost, pairs)) == ["ROUTE-LINE STOP prescriber | a=calcium, b=cephalosporin"]
    muscle = merged(facts, orders=(replace(DRIP_ORDER, route="IT"),))
    assert "ROUTE-LINE" not in codes(ask(start(), muscle, pairs))


def allergic(*known, facts=FACTS):
    found = tuple(
        Allergy(id=f"al{number}", patient_id="pA", substance=name, display=label(name), severity=severity)
        for number, (name, severity) in enumerate(known)
    )
    return merged(facts, allergies=found, patients=(replace(PATIENT_A, allergy_status="known"),))


@pytest.mark.parametrize(
    ("substance", "severity", "expected"),
    [
        ("drug-x", "mild", "SAFE-ALLERGY STOP prescriber"),
        ("drug-x", "severe", "SAFE-ALLERGY STOP prescriber"),
        ("drug-x", "anaphylaxis", "SAFE-ALLERGY STOP none"),
        ("class-x", "moderate", "SAFE-ALLERGY-CLASS WARN prescriber"),
        ("class-x", "severe", "SAFE-ALLERGY-CLASS STOP prescriber"),
        ("class-x", "anaphylaxis", "SAFE-ALLERGY-CLASS STOP prescriber"),
    ],
)  # fmt: skip
def test_an_allergy_names_its_substance_and_how_bad_it_was(substance, severity, expected):
    assert told(give(allergic((substance, severity)))) == [
        f"{expected} | substance={substance}, severity_word={severity}"
    ]


def test_each_allergy_is_told_once_and_none_hides_another():
    two = replace(TABLET, ingredients=(ingredient("a", "1", "mg", "c"), ingredient("b", "1", "mg", "c"),
                                       ingredient("b", "1", "mg")))  # fmt: skip
    facts = merged(FACTS, products=(two,))
    found = told(give(allergic(("other", "mild"), ("c", "mild"), ("b", "mild"), facts=facts)))
    assert found == [
        "SAFE-ALLERGY STOP prescriber | substance=b, severity_word=mild",
        "SAFE-ALLERGY-CLASS WARN prescriber | substance=c, severity_word=mild",
    ]


def test_an_interaction_names_both_and_becomes_a_note_when_it_was_accepted():
    policy = SitePolicy(interactions=(
        Pair(a="drug-y", b="drug-x", severity="minor"), Pair(a="drug-y", b="class-x"),
        Pair(a="q", b="drug-x"),
    ))  # fmt: skip

    def had(*names, **changes):
        past = given(TABLET_TASK, NOON - HOUR, task_id="o",
                     ingredients=tuple((name, dose(1, "mg")) for name in names))  # fmt: skip
        return told(give(merged(ordered(**changes), administrations=(past,)), policy))

    assert had("drug-y") == ["SAFE-INTERACTION WARN ack | a=drug-y, b=class-x"]
    assert had("drug-y", "q") == [
        "SAFE-INTERACTION WARN ack | a=drug-y, b=class-x", "SAFE-INTERACTION WARN ack | a=q, b=drug-x",
    ]  # fmt: skip
    assert had("drug-y", interaction_overridden=True) == ["SAFE-INTERACTION INFO ack | a=drug-y, b=class-x"]
    assert had("z") == []
    half = SitePolicy(interactions=(Pair(a="drug-x", b="nothing"), Pair(a="nothing", b="drug-x")))
    assert told(give(policy=half)) == []


def test_a_repeated_therapy_names_its_group_and_when():
    again = product("O2", "mL", "injection", ingredient("other", "1", "mg", "nsaid", "opioid"))
    facts = merged(tablet("nsaid", "opioid"), products=(again,))
    policy = SitePolicy(conditions=())

    def had(ago, code="other"):
        past = given(TABLET_TASK, NOON - ago, task_id="o", ingredients=((code, dose(1, "mg")),))
        found = told(give(merged(facts, administrations=(past,)), policy))
        return [line.replace(past.at.isoformat(), "AT") for line in found if "DUP" in line]

    nsaid, opioid = (f"SAFE-DUP-THERAPY WARN ack | group={name}, at=AT" for name in ("nsaid", "opioid"))
    assert [had(4 * HOUR - SECOND), had(4 * HOUR), had(6 * HOUR - SECOND), had(6 * HOUR)] == [
        [nsaid, opioid], [nsaid], [nsaid], [],
    ]  # fmt: skip
    assert [had(HOUR, "drug-x"), had(HOUR, "unknown")] == [[], []]
    often = tuple(given(TABLET_TASK, NOON - hours * HOUR, task_id=f"o{hours}", ingredients=(
        ("other", dose(1, "mg")),)) for hours in (2, 1))  # fmt: skip
    twice = told(give(merged(facts, administrations=often), policy))
    assert [line.split(",")[0] for line in twice] == [nsaid.split(",")[0], opioid.split(",")[0]]


def seen(code, value, unit, ago=MINUTE, **more):
    known = {"id": f"{code}{ago}", "patient_id": "pA", "effective": NOON - ago}
    return Observation(code=code, value=Decimal(value), unit=unit, **(known | more))


def test_a_measure_names_itself_its_value_and_its_limit():
    rule = DrugCondition(drug="class-x", measure="M", max_age_min=30, op="<", limit=Decimal(5), unit="g")
    below, above = rule, replace(rule, op=">", kind="lab", severity=Severity.WARN)

    def judged(*observed, rules=(below,), facts=FACTS):
        return told(give(merged(facts, observations=observed), SitePolicy(conditions=rules)))

    assert judged() == ["SAFE-VITAL-MISSING STOP second | measure=M, minutes=30"]
    assert judged(rules=(above, below)) == ["SAFE-LAB-MISSING STOP second | measure=M, minutes=30"]
    assert judged(seen("M", "4.9", "g")) == [
        "SAFE-VITAL-OUT STOP prescriber | measure=M, value=4.9, unit=g, limit=5"
    ]
    assert judged(seen("M", "5100", "mg"), rules=(above,)) == [
        "SAFE-LAB-OUT WARN prescriber | measure=M, value=5100, unit=mg, limit=5"
    ]
    assert [judged(seen("M", "5", "g"), rules=(one,)) for one in (below, above)] == [[], []]
    assert judged(seen("M", "9", "g", 30 * MINUTE)) == []
    assert judged(seen("M", "9", "g", 30 * MINUTE + SECOND)) == judged()
    assert judged(seen("M", "9", "mL")) == judged()
    unasked = replace(below, required=False)
    assert [judged(rules=(unasked, below)), judged(rules=(unasked,))] == [judged(), []]
    assert judged(seen("M", "1", "g", HOUR), rules=(unasked,)) == judged()
    elsewhere = replace(below, drug="else"), replace(below, routes=("IV",))
    assert judged(rules=(*elsewhere, below)) == judged()
    assert judged(rules=(replace(below, routes=("PO",)),)) == judged()
    plain = replace(below, unit="", op="")
    assert judged(seen("M", "1", "g"), rules=(plain,)) == []
    assert judged(seen("M", "9", "g", -MINUTE)) == []


def test_a_skin_test_that_speaks_against_it_names_the_product():
    needs = merged(FACTS, products=(replace(TABLET, skin_test=True),))

    def tested(*results, raw=TABLET_SCAN):
        tests = tuple(
            SkinTest(id=f"s{number}", patient_id="pA", substance="drug-x", result=result, lot="L1",
                     read_at=NOON - ago)
            for number, (result, ago) in enumerate(results)
        )  # fmt: skip
        return told(ask(request(Action.GIVE, raw), merged(needs, skin_tests=tests)))

    def word(kind):
        return [f"SAFE-SKIN-{kind} STOP none | product=TAB10"]

    assert tested() == word("MISSING")
    assert tested(("positive", 99 * DAY), ("negative", HOUR)) == word("POSITIVE")
    assert [tested(("negative", 72 * HOUR)), tested(("negative", 72 * HOUR + SECOND))] == [
        [],
        word("EXPIRED"),
    ]
    assert tested(("negative", HOUR), raw=f"{TABLET_SCAN}10L2") == word("LOT")
    assert tested(("negative", 0 * HOUR)) == []


def test_a_meal_counts_for_exactly_its_window():
    meal = tablet("meal-insulin")
    late = [give(merged(meal, observations=(seen("MDCX_MEAL", "1", "1", ago),)))
            for ago in (30 * MINUTE, 30 * MINUTE + SECOND)]  # fmt: skip
    assert [told(one) for one in late] == [[], ["SAFE-MEAL WARN ack | minutes=30"]]
    assert told(give(stay(risks=("fall", "fasting")))) == ["SAFE-NPO WARN ack"]
    assert told(give(stay(risks=("fall",)))) == []


def test_a_simulated_patient_may_have_simulated_values_and_real_ones():
    rule = DrugCondition(drug="drug-x", measure="M", max_age_min=30, op="<", limit=Decimal(5), unit="g")
    demo = replace(PATIENT_A, generation=Generation.DEMO)

    def judged(*observed, patient=demo):
        facts = merged(FACTS, patients=(patient,), observations=observed)
        return told(give(facts, SitePolicy(conditions=(rule,))))

    simulated = seen("M", "9", "g", generation=Generation.DEMO)
    missing = ["SAFE-VITAL-MISSING STOP second | measure=M, minutes=30"]
    assert [judged(simulated), judged(seen("M", "9", "g")), judged(simulated, patient=PATIENT_A)] == [
        [], [], missing,
    ]  # fmt: skip
    assert judged(seen("M", "9", "g", generation=Generation.TEST)) == missing


def test_of_two_values_of_one_moment_the_one_told_last_counts():
    rule = DrugCondition(drug="drug-x", measure="M", max_age_min=30, op="<", limit=Decimal(5), unit="g")
    first, last = (seen("M", value, "g", id=value) for value in ("9", "4"))
    for observed, expected in (((first, last), ["SAFE-VITAL-OUT"]), ((last, first), [])):
        facts = merged(FACTS, observations=observed)
        assert codes(give(facts, SitePolicy(conditions=(rule,)))) == expected


def test_a_measure_without_a_unit_is_compared_as_it_is():
    rule = DrugCondition(drug="drug-x", measure="M", max_age_min=30, op=">", limit=Decimal(5))

    def judged(value, **changes):
        facts = merged(FACTS, observations=(seen("M", value, "{score}"),))
        return codes(give(facts, SitePolicy(conditions=(replace(rule, **changes),))))

    assert [judged("5"), judged("5.1"), judged("5", op="<"), judged("4.9", op="<"), judged("99", op="")] == [
        [], ["SAFE-VITAL-OUT"], [], ["SAFE-VITAL-OUT"], [],
    ]  # fmt: skip
