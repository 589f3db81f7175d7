"""The values a finding carries, and edges that a mutated rule would move: found by mutation testing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical.bedside_check.model import Action, Entered, Operator, OverrideClass, ScanMethod, Witness
from clinical.care_records import RunningSkinTest, Specimen
from clinical.identifiers import resolve
from clinical.identifiers.hospital import encode
from clinical.records import Observation, OrderItem, SkinTest
from tests.support.bedside import (
    BAG_SCAN,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
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
    marks,
    merged,
    request,
    scan,
    start,
    task,
)

pytestmark = [pytest.mark.requirement("R-CLIN-21"), pytest.mark.hazard("H-CLIN-02")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def give(facts=FACTS, **more):
    return ask(request(Action.GIVE, TABLET_SCAN, **more), facts)


def said(result, code):
    finding = next(one for one in result.findings if one.code == code)
    return finding.override, dict(finding.params)


def eaten(drug, value=None, code="MDC_CONC_GLU_GEN", unit="mmol/L"):
    changed = replace(TABLET, ingredients=(ingredient(drug, "10", "mg", drug),))
    seen = () if value is None else (
        Observation(id="g", patient_id="pA", code=code, value=dose(value, unit).value, unit=unit,
                    effective=NOON),
    )  # fmt: skip
    return give(merged(FACTS, products=(changed,), observations=seen))


def test_a_dose_in_another_unit_names_both():
    assert said(give(entered=Entered(dose=dose(1, "mL"))), "DOSE-UNIT")[1] == {
        "ordered": "mg",
        "entered": "mL",
    }


def test_a_tenth_of_the_dose_is_acknowledged_within_two_percent():
    found = [give(entered=Entered(dose=dose(amount, "mg"))) for amount in ("1", "1.02", "1.03")]
    assert ["DOSE-TENFOLD" in codes(result) for result in found] == [True, True, False]
    assert said(found[0], "DOSE-TENFOLD") == (OverrideClass.ACK, {"ordered": "10 mg"})


def test_a_limit_of_a_day_is_named():
    paracetamol = replace(TABLET, ingredients=(ingredient("paracetamol", "500", "mg"),))
    line = OrderItem(product_id="TAB10", display=label("x"), dose=dose(1, "g"))
    had = given(
        TABLET_TASK, NOON - 8 * HOUR, task_id="other", ingredients=(("paracetamol", dose("3.5", "g")),)
    )
    facts = merged(FACTS, products=(paracetamol,), orders=(replace(TABLET_ORDER, items=(line,)),),
                   administrations=(had,))  # fmt: skip
    assert said(give(facts), "DOSE-24H-MAX")[1] == {"limit": "4", "unit": "g", "ingredient": "paracetamol"}


def test_another_drug_does_not_count_for_the_limit():
    had = given(TABLET_TASK, NOON - 8 * HOUR, task_id="other", ingredients=(("paracetamol", dose(4, "mL")),))
    paracetamol = replace(TABLET, ingredients=(ingredient("paracetamol", "500", "mg"),))
    line = OrderItem(product_id="TAB10", display=label("x"), dose=dose(1, "g"))
    facts = merged(FACTS, products=(paracetamol,), orders=(replace(TABLET_ORDER, items=(line,)),),
                   administrations=(had,))  # fmt: skip
    assert codes(give(facts)) == []


def test_values_at_the_limit_are_not_out():
    assert codes(eaten("insulin", "3.9")) == []
    assert said(eaten("insulin", "3.8"), "SAFE-LAB-OUT")[1] == {
        "measure": "MDC_CONC_GLU_GEN", "value": "3.8", "unit": "mmol/L", "limit": "3.9",
    }  # fmt: skip
    assert codes(eaten("insulin", "22")) == []
    assert said(eaten("insulin"), "SAFE-LAB-MISSING")[1] == {"measure": "MDC_CONC_GLU_GEN", "minutes": "60"}


def test_an_unreadable_code_says_what_it_looked_like():
    assert said(ask(request(Action.GIVE, encode("badge", "n1"))), "MED-UNREADABLE")[1] == {"kind": "badge"}
    band = ask(request(Action.GIVE, TABLET_SCAN, band=BAG_SCAN))
    assert said(band, "PT-NOT-SCANNED") == (OverrideClass.NONE, {"kind": "bag"})


def test_a_patient_without_a_stay_is_told_so_and_the_check_ends():
    facts = replace(FACTS, encounters=FACTS.encounters[1:])
    result = give(facts)
    assert (codes(result), said(result, "PT-NOT-ADMITTED")[1]) == (
        ["PT-NOT-ADMITTED"],
        {"reason": "no-encounter"},
    )


def test_an_infusion_says_why_it_may_not():
    flow = infusion(DRIP_ORDER, DRIP_TASK, "B1")
    facts = merged(FACTS, infusions=(flow,))
    resumed = ask(request(Action.RESUME, infusion_id="i-B1"), facts)
    assert said(resumed, "INF-TRANSITION")[1] == {"state": "running", "reason": "state"}
    paused = ask(request(Action.PAUSE, infusion_id="i-B1", band=None), facts)
    assert marks(paused)["patient"] == "ok"
    assert said(ask(start(entered=Entered(device_id="nothing"))), "INF-DEVICE-NONE")[1] == {
        "reason": "unknown"
    }
    blood = merged(FACTS, orders=(replace(DRIP_ORDER, kind="transfusion"),))
    assert said(ask(start(), blood), "INF-TRANSITION")[1] == {"reason": "blood"}


def test_the_newest_skin_test_counts():
    needs = replace(TABLET, skin_test=True)
    tests = tuple(
        SkinTest(id=f"s{hours}", patient_id="pA", substance="drug-x", result="negative",
                 read_at=NOON - hours * HOUR)
        for hours in (100, 1)
    )  # fmt: skip
    for ordered in (tests, tests[::-1]):
        assert codes(give(replace(merged(FACTS, products=(needs,)), skin_tests=ordered))) == []


def test_a_nurse_may_instruct_a_student():
    operator = Operator(
        id="s1", roles=("student",), badge_at=NOON, instructor_id="n2", instructor_badge_at=NOON
    )
    assert codes(give(operator=operator)) == []


def test_a_level_two_drug_has_a_row_for_the_second_person():
    facts = merged(FACTS, products=(replace(TABLET, high_alert=2),))
    assert marks(give(facts))["witness"] == "warn"
    seen = give(facts, witness=Witness(id="n2", roles=("nurse",), badge_at=NOON))
    assert marks(seen)["witness"] == "ok"


def test_a_form_that_does_not_fit_names_form_and_route():
    result = give(entered=Entered(route="IV"))
    assert said(result, "ROUTE-FORM")[1] == {"form": "tablet", "route": "IV"}


def test_an_as_needed_drug_too_soon_names_the_interval():
    prn = replace(TABLET_ORDER, frequency="prn", category="prn", prn_min_interval_min=240)
    slot = task(prn, None)
    facts = replace(FACTS, orders=(prn,), tasks=(slot,), bags=(), administrations=(given(slot, NOON - HOUR),))
    result = give(facts, entered=Entered(prn_reason="pain"))
    assert said(result, "PRN-INTERVAL")[1] == {"minutes": "60", "interval": "240"}


def test_a_specimen_and_a_skin_test_say_why():
    tube = Specimen(id="T1", order_id="oT", patient_id="pA", encounter_id="eA", container="edta",
                    trough_of="drug-y")  # fmt: skip
    had = given(TABLET_TASK, NOON - HOUR, task_id="x", ingredients=(("drug-y", dose(1, "g")),))
    asked = request(Action.COLLECT, encode("tube", "T1"), entered=Entered(container="serum"))
    result = ask(asked, merged(replace(FACTS, specimens=(tube,)), administrations=(replace(
        had, at=NOON - HOUR + MINUTE),)))  # fmt: skip
    assert said(result, "SPC-TUBE")[1] == {"needed": "edta", "taken": "serum"}
    assert said(result, "SPC-TIMING")[1] == {"reason": "after-dose"}
    edge = ask(asked, merged(replace(FACTS, specimens=(tube,)), administrations=(had,)))
    assert "SPC-TIMING" not in codes(edge)
    line = infusion(TABLET_ORDER, TABLET_TASK, "B9", site="picc")
    same = request(Action.COLLECT, encode("tube", "T1"), entered=Entered(container="edta", site="picc"))
    assert codes(ask(same, merged(replace(FACTS, specimens=(tube,)), infusions=(line,)))) == ["SPC-ARM"]
    test = RunningSkinTest(id="k", patient_id="pA", order_id="oT", substance="drug-x",
                           started_at=NOON - 9 * MINUTE, started_by="n1")  # fmt: skip
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, result="negative")
    early = request(Action.SKINTEST_READ, entered=Entered(result="negative"), witness=witness)
    read = ask(early, replace(FACTS, running_skin_tests=(test,)))
    due = (NOON + 11 * MINUTE).isoformat()
    assert said(read, "SKT-EARLY")[1] == {"minutes": "9", "due": due}


def test_a_typed_code_that_is_nothing_is_no_wristband():
    result = ask(request(Action.GIVE, TABLET_SCAN, band=scan(" ", method=ScanMethod.KEY)))
    assert "PT-NOT-SCANNED" in codes(result)


@pytest.mark.parametrize("raw", ["6901234567890", "]E06901234567890"])
def test_a_retail_code_with_a_wrong_digit_is_still_known_as_one(raw):
    found = resolve(raw)
    assert (found.raw, found.kind, found.valid, found.error) == (
        raw, "ean", False, "the check digit is incorrect",
    )  # fmt: skip
    assert resolve("]E0690123456789²").error == "a retail code may only contain digits"


@pytest.mark.parametrize(
    "raw", ["https://id.gs1.org/01/06931475000124", "]d20106931475000124", "(01)06931475000124"]
)
def test_the_raw_text_is_always_kept(raw):
    assert resolve(raw).raw == raw


def test_parts_of_codes_are_named():
    own = resolve(encode("wristband", "M-1_a.b", "1"))
    assert encode("wristband", "M-1_a.b", "1").startswith("WL1:P:M-1_a.b:1:")
    assert own.elements
    assert own.value == "M-1_a.b"


def test_an_order_without_a_planned_execution_is_nobodys_to_accept():
    result = give(replace(FACTS, tasks=()))
    assert said(result, "ORD-NONE") == (OverrideClass.NONE, {"reason": "no-task"})


def test_a_bag_that_nobody_checked_says_what_is_missing():
    def bag(**change):
        return said(
            ask(start(), merged(FACTS, bags=(replace(FACTS.bags[0], **change),))), "MED-NOT-VERIFIED"
        )[1]

    assert bag(checked_by="") == {"reason": "incomplete"}
    assert bag(prepared_by="") == {"reason": "incomplete"}
    assert bag(checked_by="n2") == {"reason": "same-person"}


def test_too_much_and_too_late_say_how_much():
    assert said(give(entered=Entered(dose=dose(11, "mg"))), "DOSE-OVER")[1] == {"ordered": "10 mg"}
    late = merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=NOON - 90 * MINUTE),))
    planned = (NOON - 90 * MINUTE).isoformat()
    assert said(give(late), "TIME-LATE")[1] == {"minutes": "90", "planned": planned}
