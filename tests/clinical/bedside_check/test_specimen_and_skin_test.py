"""SPC and SKT: the right tube of the right patient, and a skin test that two persons read in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical.bedside_check.model import Action, Entered, ScanMethod, Severity, Witness, Word
from clinical.care_records import RunningSkinTest, Specimen
from clinical.identifiers.hospital import encode
from clinical.records import Observation, SkinTest
from tests.support.bedside import (
    BAND_B,
    FACTS,
    NOON,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    ask,
    codes,
    dose,
    given,
    infusion,
    ingredient,
    marks,
    merged,
    order,
    product,
    request,
    scan,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-51"),
    pytest.mark.requirement("R-CLIN-52"),
    pytest.mark.hazard("H-CLIN-12"),
    pytest.mark.hazard("H-CLIN-05"),
]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TUBE_SCAN = encode("tube", "T1")
LAB = order("oL", "LAB", dose(1, "{tube}"), kind="specimen", frequency="once", category="once")
LAB_TASK = task(LAB, NOON)
TUBE = Specimen(id="T1", order_id="oL", patient_id="pA", encounter_id="eA", task_id=LAB_TASK.id)


def ward(tube=TUBE, **extra):
    facts = merged(FACTS, orders=(LAB,), tasks=(LAB_TASK,))
    return merged(replace(facts, specimens=(tube,)), **extra)


def collect(tube=TUBE, facts=None, raw=TUBE_SCAN, **more):
    items = more.pop("items", (scan(raw),))
    return ask(request(Action.COLLECT, items=items, **more), facts or ward(tube))


def test_the_right_tube_of_the_right_patient_is_taken():
    result = collect()
    assert (codes(result), result.word, result.bag_id, result.task_id) == ([], Word.GIVE, "T1", LAB_TASK.id)
    assert (marks(result)["patient"], marks(result)["drug"]) == ("ok", "ok")


def test_a_tube_of_another_patient_stops_and_shows_nothing():
    result = collect(band=BAND_B)
    assert (codes(result), result.patient_id, result.bag_id) == (["SPC-PATIENT"], "", "")
    assert collect(band=None).needs == ("patient-scan",)


def test_only_a_tube_that_is_known_is_taken():
    assert codes(collect(raw=encode("tube", "T9"))) == ["SPC-TUBE"]
    assert codes(collect(raw=TUBE_SCAN[:-1] + "*")) == ["SPC-TUBE"]
    assert codes(collect(raw=TABLET_SCAN)) == ["SPC-TUBE"]
    assert codes(collect(items=(scan("T1", method=ScanMethod.KEY),))) == ["SYS-KEYED"]
    assert collect(items=()).needs == ("item-scan",)
    assert collect(items=(scan(TUBE_SCAN, reason="dialog-open"),)).needs == ("item-scan",)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"state": "cancelled"}, "SPC-ORDER"),
        ({"state": "collected"}, "SPC-DONE"),
        ({"state": "received"}, "SPC-DONE"),
        ({"collected_at": NOON - HOUR, "collected_by": "n2"}, "SPC-DONE"),
        ({"state": "rejected"}, "SPC-TUBE"),
    ],
)
def test_a_sample_is_taken_once_and_only_while_it_is_wanted(change, expected):
    assert codes(collect(replace(TUBE, **change))) == [expected]


@pytest.mark.parametrize("change", [{"status": "stopped"}, {"status": "completed"}])
def test_a_cancelled_test_is_not_taken(change):
    assert codes(collect(facts=ward(orders=(replace(LAB, **change),)))) == ["SPC-ORDER"]
    assert codes(collect(replace(TUBE, order_id="none"))) == ["ORD-NONE"]


def test_the_container_must_be_the_one_the_test_needs():
    tube = replace(TUBE, container="edta")
    assert collect(tube).needs == ("container",)
    assert codes(collect(tube, entered=Entered(container="serum"))) == ["SPC-TUBE"]
    assert codes(collect(tube, entered=Entered(container="edta"))) == []


def test_a_label_printed_before_the_wristband_was_read_is_a_warning():
    result = collect(replace(TUBE, printed_at=NOON - MINUTE))
    assert [(one.code, one.severity) for one in result.findings] == [("SPC-PREPRINT", Severity.WARN)]
    assert codes(collect(replace(TUBE, printed_at=NOON))) == []


def test_a_trough_is_taken_before_the_dose_and_a_fasting_sample_before_the_meal():
    trough = replace(TUBE, trough_of="vancomycin")
    had = given(LAB_TASK, NOON - 20 * MINUTE, order_id="oV", task_id="tV",
                ingredients=(("vancomycin", dose(1, "g")),))  # fmt: skip
    assert codes(collect(facts=ward(trough, administrations=(had,)))) == ["SPC-TIMING"]
    assert codes(collect(facts=ward(trough, administrations=(replace(had, at=NOON - 2 * HOUR),)))) == []
    assert codes(collect(facts=ward(replace(trough, task_id=""), administrations=(had,)))) == ["SPC-TIMING"]
    meal = Observation(id="m", patient_id="pA", code="MDCX_MEAL", value=dose(1, "1").value, unit="1",
                       effective=NOON - 2 * HOUR)  # fmt: skip
    fasting = replace(TUBE, fasting=True)
    assert codes(collect(facts=ward(fasting, observations=(meal,)))) == ["SPC-TIMING"]
    assert codes(collect(fasting)) == []
    late = replace(meal, effective=NOON - 8 * HOUR)
    assert codes(collect(facts=ward(fasting, observations=(late,)))) == []


def test_blood_is_not_taken_from_the_arm_an_infusion_runs_into():
    flow = infusion(TABLET_ORDER, LAB_TASK, "B9", site="left-forearm")

    def at(site):
        return codes(collect(facts=ward(infusions=(flow,)), entered=Entered(site=site)))

    assert [at("left-elbow"), at("right-elbow"), at("picc"), at("")] == [["SPC-ARM"], [], [], []]


def test_a_cross_match_sample_needs_two_persons():
    tube = replace(TUBE, second_person=True)
    assert codes(collect(tube)) == ["SPC-CROSSMATCH"]
    assert codes(collect(tube, witness=Witness(id="n1", roles=("nurse",), badge_at=NOON))) == ["WIT-SELF"]
    result = collect(tube, witness=Witness(id="n2", roles=("nurse",), badge_at=NOON))
    assert (codes(result), marks(result)["witness"]) == ([], "ok")


# --- skin tests ---------------------------------------------------------------------------------------------

PENICILLIN = product(
    "PEN", "mL", "injection", ingredient("penicillin", "500", "[iU]", "beta-lactam"),
    gtins=("06931475000131",), skin_test=True,
)  # fmt: skip
TEST_ORDER = order(
    "oS", "PEN", dose("0.1", "mL"), kind="skin-test", route="ID", frequency="once", category="once"
)
TEST_TASK = task(TEST_ORDER, NOON)
READY = Entered(site="left-forearm", checks=("emergency-drugs",))


def place(*, facts=None, entered=READY, product_scan="]d20106931475000131", **extra):
    known = merged(FACTS, products=(PENICILLIN,), orders=(TEST_ORDER,), tasks=(TEST_TASK,))
    return ask(request(Action.SKINTEST_START, product_scan, entered=entered), facts or merged(known, **extra))


def running(minutes=20, **more):
    values = {
        "id": "k1", "patient_id": "pA", "order_id": "oS", "task_id": TEST_TASK.id, "substance": "penicillin",
        "started_at": NOON - minutes * MINUTE, "started_by": "n1", "lot": "L1",
    }  # fmt: skip
    return RunningSkinTest(**(values | more))


def test_a_skin_test_is_placed_like_a_drug_with_emergency_drugs_at_hand():
    assert (codes(place()), place().word) == ([], Word.GIVE)
    assert place(entered=Entered(site="left-forearm")).needs == ("emergency-drugs",)
    assert codes(place(running_skin_tests=(running(),))) == ["TIME-DUP"]
    assert codes(place(running_skin_tests=(running(substance="tetanus"),))) == []


def test_a_known_positive_is_not_tested_again_and_an_old_negative_is():
    def had(result):
        return SkinTest(
            id="s", patient_id="pA", substance="penicillin", result=result, read_at=NOON - 90 * HOUR
        )

    assert codes(place(skin_tests=(had("positive"),))) == ["SAFE-SKIN-POSITIVE"]
    assert codes(place(skin_tests=(had("negative"),))) == []


def test_a_common_order_is_not_placed_as_a_skin_test():
    asked = request(Action.SKINTEST_START, TABLET_SCAN, entered=READY)
    assert "MED-WRONG-DRUG" in codes(ask(asked))


def read(minutes=20, result="negative", second="negative", person="n2", tests=None, **more):
    witness = Witness(id=person, roles=("nurse",), badge_at=NOON, result=second) if person else None
    facts = merged(FACTS, products=(PENICILLIN,), orders=(TEST_ORDER,), tasks=(TEST_TASK,))
    known = replace(facts, running_skin_tests=(running(minutes),) if tests is None else tests)
    asked = request(Action.SKINTEST_READ, entered=Entered(result=result), witness=witness, **more)
    return ask(asked, known)


@pytest.mark.parametrize(
    ("minutes", "expected"), [(19, ["SKT-EARLY"]), (20, []), (30, []), (31, ["SKT-LATE"])]
)
def test_a_skin_test_is_read_between_twenty_and_thirty_minutes(minutes, expected):
    assert codes(read(minutes)) == expected


def test_two_persons_read_it_each_on_their_own():
    result = read()
    assert (result.word, result.order_id, marks(result)["witness"]) == (Word.GIVE, "oS", "ok")
    assert codes(read(person="")) == ["SKT-SECOND"]
    assert codes(read(person="n1")) == ["WIT-SELF"]
    assert codes(read(second="positive")) == ["SKT-DISAGREE"]
    assert codes(read(second="")) == ["SKT-DISAGREE"]
    assert read(result="").needs == ("skin-test-result",)
    assert read(result="perhaps", second="perhaps").needs == ("skin-test-result",)


def test_a_test_is_chosen_when_the_patient_has_more_than_one():
    two = (running(), running(id="k2", task_id="other"))
    assert read(tests=two).needs == ("skin-test",)
    assert codes(read(tests=two, task_id=TEST_TASK.id)) == []
    assert read(tests=()).needs == ("skin-test",)
    assert read(band=BAND_B).needs == ("skin-test",)


def test_the_tablet_of_the_ward_is_no_skin_test():
    assert not TABLET.skin_test
