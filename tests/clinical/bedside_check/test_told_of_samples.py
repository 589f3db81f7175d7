"""What a nurse is told of tubes and of skin tests: every word, and every limit on its very edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical.bedside_check.model import Action, Entered, ScanMethod, Witness, Word
from clinical.care_records import RunningSkinTest, Specimen
from clinical.identifiers.hospital import encode
from clinical.policy import SitePolicy
from clinical.records import Observation, TaskStatus
from tests.clinical.told import told
from tests.support.bedside import (
    BAND_B,
    FACTS,
    NOON,
    TABLET_ORDER,
    TABLET_TASK,
    ask,
    dose,
    given,
    handheld,
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
]
MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
LAB = order("oL", "LAB", dose(1, "{tube}"), kind="specimen", frequency="once", category="once")
LAB_TASK = task(LAB, NOON)
TUBE = Specimen(id="T1", order_id="oL", patient_id="pA", encounter_id="eA", task_id=LAB_TASK.id)


def collect(facts=None, items=None, **more):
    tube = replace(TUBE, **{name: more.pop(name) for name in list(more) if hasattr(TUBE, name)})
    known = merged(FACTS, orders=(LAB,), tasks=(LAB_TASK,))
    known = merged(replace(known, specimens=(tube,)), **(facts or {}))
    asked = items or (scan(encode("tube", "T1")),)
    return ask(request(Action.COLLECT, items=asked, **more), known)


# --- samples ------------------------------------------------------------------------------------------------


def test_a_tube_that_is_not_the_one_says_why():
    unknown = "SPC-TUBE STOP none | reason=unknown"
    assert told(collect(items=(scan(encode("tube", "T9")),))) == [unknown]
    assert told(collect(items=(scan(encode("bag", "T1")),))) == [unknown]
    assert told(collect(items=(scan("T1"),))) == [unknown]
    for method in (ScanMethod.KEY, ScanMethod.NONE):
        typed = collect(items=(scan(" T1 ", method=method),))
        assert (typed.bag_id, typed.word is Word.STOP) == ("T1", False)
    assert told(collect(state="rejected")) == ["SPC-TUBE STOP none | reason=rejected"]
    assert told(collect(container="edta", entered=Entered(container="serum"))) == [
        "SPC-TUBE STOP none | needed=edta, taken=serum"
    ]
    assert told(collect(state="cancelled")) == ["SPC-ORDER STOP none"]


def test_the_last_tube_scanned_is_meant_and_one_beside_a_dialog_never():
    wrong = scan(encode("tube", "T9"))
    assert told(collect(items=(wrong, scan(encode("tube", "T1"))))) == []
    beside = replace(wrong, reason="dialog-open")
    assert told(collect(items=(scan(encode("tube", "T1")), beside))) == ["SYS-DIALOG-SCAN INFO none"]


def test_a_sample_that_was_taken_says_when_and_by_whom():
    at = NOON - HOUR
    taken = collect(state="collected", collected_at=at, collected_by="n2")
    assert told(taken) == [f"SPC-DONE STOP none | at={at.isoformat()}, by=n2"]
    assert told(collect(collected_at=at)) == [f"SPC-DONE STOP none | at={at.isoformat()}"]


def test_a_label_printed_before_the_wristband_says_when():
    at = NOON - SECOND
    assert told(collect(printed_at=at)) == [f"SPC-PREPRINT WARN ack | at={at.isoformat()}"]
    assert told(collect(printed_at=NOON)) == []


def test_a_trough_looks_back_an_hour_before_its_slot():
    def had(ago, code="drug-v", slot=NOON, **more):
        past = given(TABLET_TASK, NOON - ago, task_id="v", ingredients=((code, dose(1, "g")),))
        planned = {} if slot is None else {"tasks": (replace(LAB_TASK, planned_at=slot),)}
        return told(collect({"administrations": (past,), **planned}, trough_of="drug-v", **more))

    after = ["SPC-TIMING WARN ack | reason=after-dose"]
    assert [had(HOUR - SECOND), had(HOUR), had(MINUTE, "else")] == [after, [], []]
    assert had(90 * MINUTE, slot=NOON - HOUR) == after
    assert had(2 * HOUR, slot=NOON - HOUR) == []
    assert had(90 * MINUTE, slot=NOON + HOUR) == []
    assert had(30 * MINUTE, task_id="") == after


def test_a_meal_before_a_fasting_sample_says_when():
    def eaten(ago, **more):
        meal = Observation(id="m", patient_id="pA", code="MDCX_MEAL", value=dose(1, "1").value, unit="1",
                           effective=NOON - ago)  # fmt: skip
        return told(collect({"observations": (meal,)}, **more))

    at = (NOON - 8 * HOUR + SECOND).isoformat()
    assert eaten(8 * HOUR - SECOND, fasting=True) == [f"SPC-TIMING WARN ack | reason=not-fasting, at={at}"]
    assert [eaten(8 * HOUR, fasting=True), eaten(MINUTE)] == [[], []]


def test_the_arm_is_named_and_every_line_is_looked_at():
    other = infusion(TABLET_ORDER, TABLET_TASK, "B8", site="right-hand")
    mine = infusion(TABLET_ORDER, TABLET_TASK, "B9", site="left-hand")
    result = collect({"infusions": (other, mine)}, entered=Entered(site="left-elbow"))
    assert (told(result), marks(result)["route"]) == (["SPC-ARM WARN ack | site=left-elbow"], "warn")
    assert marks(collect())["route"] == "ok"
    assert {marks(collect())[right] for right in ("patient", "drug", "time")} == {"ok"}


def test_two_persons_at_a_sample_have_a_row_and_one_has_none():
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
    assert marks(collect()).get("witness") is None
    assert marks(collect(witness=witness))["witness"] == "ok"
    assert marks(collect(second_person=True))["witness"] == "stop"
    assert told(collect(second_person=True)) == ["SPC-CROSSMATCH STOP none"]


def test_a_sample_knows_its_bed_its_version_and_its_time():
    assert told(collect(handheld=handheld(bed_seen="09"))) == ["PT-BED-MISMATCH WARN second"]
    assert told(collect(order_version=9)) == ["SYS-STATE-CHANGED REFRESH none | version=1"]
    assert "TIME-FUTURE STOP none" in told(collect(entered=Entered(charted_at=NOON + HOUR)))
    assert told(collect(band=BAND_B)) == ["SPC-PATIENT STOP none"]
    stopped = replace(LAB, status="stopped", stopped_at=NOON)
    back = Entered(charted_at=NOON - MINUTE)
    assert told(collect({"orders": (stopped,)}, entered=back)) == []
    ended = replace(LAB, end=NOON)
    assert told(collect({"orders": (ended,)})) == ["SPC-ORDER STOP none"]
    assert told(collect({"orders": (ended,)}, entered=back)) == []


# --- skin tests ---------------------------------------------------------------------------------------------

PENICILLIN = product(
    "PEN", "mL", "injection", ingredient("penicillin", "500", "[iU]", "beta-lactam"),
    gtins=("06931475000131",), skin_test=True,
)  # fmt: skip
TEST_ORDER = order(
    "oS", "PEN", dose("0.1", "mL"), kind="skin-test", route="ID", frequency="once", category="once"
)
TEST_TASK = task(TEST_ORDER, NOON)
RUNNING = RunningSkinTest(
    id="k1", patient_id="pA", order_id="oS", task_id=TEST_TASK.id, substance="penicillin",
    started_at=NOON - 20 * MINUTE, started_by="n3",
)  # fmt: skip
PLACED = merged(FACTS, products=(PENICILLIN,), orders=(TEST_ORDER,), tasks=(TEST_TASK,))


def place(*tests, facts=PLACED, checks=("emergency-drugs",)):
    entered = Entered(site="left-forearm", checks=checks)
    asked = request(Action.SKINTEST_START, "]d20106931475000131", entered=entered)
    return ask(asked, replace(facts, running_skin_tests=tests))


def read(ago=20 * MINUTE, result="negative", second="negative", *, facts=PLACED, **more):
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, result=second) if second else None
    asked = request(Action.SKINTEST_READ, entered=Entered(result=result), witness=witness, **more)
    return ask(asked, replace(facts, running_skin_tests=(replace(RUNNING, started_at=NOON - ago),)))


def test_a_test_that_is_running_says_since_when_and_by_whom():
    since = RUNNING.started_at.isoformat()
    again = [f"TIME-DUP STOP none | by=n3, at={since}, reason=running"]
    assert told(place(RUNNING)) == again
    assert told(place(replace(RUNNING, substance="beta-lactam"))) == again
    assert told(place(replace(RUNNING, substance="else"), RUNNING)) == again
    assert told(place(replace(RUNNING, substance="else"))) == []
    assert place(checks=("emergency-drugs", "more")).needs == ()


def test_a_common_order_says_that_it_is_no_skin_test():
    plain = merged(PLACED, orders=(replace(TEST_ORDER, kind="medication"),))
    assert told(place(facts=plain)) == ["MED-WRONG-DRUG STOP none | reason=not-a-skin-test"]


def test_the_time_of_reading_is_exact_and_says_when_it_is_due():
    due = NOON + SECOND
    assert told(read(20 * MINUTE - SECOND)) == [f"SKT-EARLY STOP none | minutes=19, due={due.isoformat()}"]
    assert [told(read(20 * MINUTE)), told(read(30 * MINUTE))] == [[], []]
    assert told(read(30 * MINUTE + SECOND)) == ["SKT-LATE WARN ack | minutes=30"]
    assert told(read(32 * MINUTE)) == ["SKT-LATE WARN ack | minutes=32"]


def test_a_reading_carries_order_task_ticks_and_bed():
    result = read()
    assert (result.order_id, result.task_id, result.word) == ("oS", TEST_TASK.id, Word.GIVE)
    assert {marks(result)[right] for right in ("patient", "drug", "time", "safety", "witness")} == {"ok"}
    assert told(read(handheld=handheld(bed_seen="09"))) == ["PT-BED-MISMATCH WARN second"]
    assert told(read(order_version=9)) == ["SYS-STATE-CHANGED REFRESH none | version=1"]
    future = request(Action.SKINTEST_READ, entered=Entered(result="negative", charted_at=NOON + HOUR))
    found = told(ask(future, replace(PLACED, running_skin_tests=(RUNNING,))))
    assert "TIME-FUTURE STOP none" in found
    assert "SKT-SECOND STOP none" in found
    assert told(read(second="doubtful")) == ["SKT-DISAGREE STOP none"]
    assert told(read(result="doubtful", second="doubtful")) == []


def test_what_was_cancelled_is_no_task_of_a_sample():
    cancelled = replace(LAB_TASK, status=TaskStatus.CANCELLED)
    assert collect({"tasks": (cancelled,)}).task_id == LAB_TASK.id


def test_a_reading_is_of_the_very_test_that_was_placed():
    lots = [replace(PLACED, running_skin_tests=(replace(RUNNING, lot=lot),)) for lot in ("L1", "L2")]
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, result="negative")
    asked = request(Action.SKINTEST_READ, entered=Entered(result="negative"), witness=witness)
    assert ask(asked, lots[0]).input_hash != ask(asked, lots[1]).input_hash


def test_the_test_of_the_chosen_task_is_read():
    other = replace(RUNNING, id="k2", task_id="else", order_id="oT")
    facts = replace(PLACED, running_skin_tests=(other, RUNNING))
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, result="negative")
    asked = request(Action.SKINTEST_READ, entered=Entered(result="negative"), witness=witness)
    assert ask(asked, facts).needs == ("skin-test",)
    assert ask(replace(asked, task_id=TEST_TASK.id), facts).task_id == TEST_TASK.id


def test_an_older_tube_label_of_the_site_is_read():
    known = replace(merged(FACTS, orders=(LAB,), tasks=(LAB_TASK,)), specimens=(TUBE,))
    old = SitePolicy(prefixes={"TUBE:": "tube"})
    assert ask(request(Action.COLLECT, "TUBE:T1"), known, old).bag_id == "T1"
