"""INF, not-given outcomes, and the answer itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import Action, Entered, OverrideClass, Severity, Verdict, Word
from clinical.bedside_check.rules import RULES
from clinical.identifiers.hospital import encode
from clinical.policy import SitePolicy
from clinical.records import Association, InfusionState, TaskStatus
from tests.support.bedside import (
    BAG,
    BAG_SCAN,
    BAND_B,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ack,
    ask,
    codes,
    infusion,
    marks,
    merged,
    order,
    request,
    start,
    task,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-20"),
    pytest.mark.requirement("R-CLIN-21"),
    pytest.mark.hazard("H-CLIN-07"),
]
HOUR = timedelta(hours=1)
RUNNING, PAUSED = InfusionState.RUNNING, InfusionState.PAUSED
FINISHING = Entered(reason_code="pain", residual_ml=Decimal(20))


def flow(action, state=RUNNING, facts=FACTS, **more):
    asked = {"entered": FINISHING if action is Action.STOP_EARLY else Entered(rate_ml_h=Decimal(60))} | more
    running = infusion(DRIP_ORDER, DRIP_TASK, "B1", state=state)
    return ask(request(action, infusion_id="i-B1", **asked), merged(facts, infusions=(running,)))


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        (Action.PAUSE, {RUNNING}),
        (Action.RESUME, {PAUSED}),
        (Action.RATE, {RUNNING}),
        (Action.COMPLETE, {RUNNING, PAUSED}),
        (Action.STOP_EARLY, {RUNNING, PAUSED}),
        (Action.PATROL, {RUNNING, PAUSED}),
    ],
)
def test_an_infusion_moves_only_along_its_states(action, allowed):
    for state in InfusionState:
        result = flow(action, state)
        assert (result.word is Word.GIVE) is (state in allowed), state
        assert codes(result) == ([] if state in allowed else ["INF-TRANSITION"])


def test_on_an_order_on_hold_a_flow_may_only_be_paused_or_ended():
    held = merged(FACTS, orders=(replace(DRIP_ORDER, status="on-hold"),))
    assert codes(flow(Action.RESUME, PAUSED, held)) == ["INF-TRANSITION"]
    assert codes(flow(Action.RATE, RUNNING, held)) == ["INF-TRANSITION"]
    for action in (Action.PAUSE, Action.COMPLETE, Action.STOP_EARLY, Action.PATROL):
        assert codes(flow(action, RUNNING, held)) == []


@pytest.mark.parametrize("changes", [{"status": "stopped"}, {"end": NOON}, {"status": "completed"}])
def test_on_an_ended_order_a_flow_may_only_be_ended(changes):
    over = merged(FACTS, orders=(replace(DRIP_ORDER, **changes),))
    assert codes(flow(Action.PAUSE, RUNNING, over)) == ["INF-TRANSITION"]
    assert codes(flow(Action.COMPLETE, RUNNING, over)) == []


def test_the_infusion_is_named_or_found_by_its_bag():
    assert ask(request(Action.COMPLETE)).needs == ("infusion",)
    running = merged(FACTS, infusions=(infusion(DRIP_ORDER, DRIP_TASK, "B1"),))
    assert ask(request(Action.COMPLETE, BAG_SCAN), running).word is Word.GIVE
    other = merged(running, bags=(replace(BAG, id="B5"),))
    wrong = ask(request(Action.COMPLETE, encode("bag", "B5"), infusion_id="i-B1"), other)
    assert codes(wrong) == ["MED-WRONG-DRUG"]
    unlabelled = ask(request(Action.COMPLETE, TABLET_SCAN, infusion_id="i-B1"), running)
    assert codes(unlabelled) == ["MED-WRONG-DRUG"]


def test_an_infusion_without_its_order_is_no_order():
    lost = infusion(DRIP_ORDER, DRIP_TASK, "B1", order_id="gone", task_id="gone")
    assert codes(ask(request(Action.PAUSE, infusion_id="i-B1"), merged(FACTS, infusions=(lost,)))) == [
        "ORD-NONE"
    ]


def test_stopping_early_needs_reason_and_residual():
    assert flow(Action.STOP_EARLY, entered=Entered()).needs == ("reason", "residual")


def test_a_new_rate_is_the_ordered_one_or_the_prescribers():
    assert flow(Action.RATE, entered=Entered()).needs == ("rate",)
    assert codes(flow(Action.RATE, entered=Entered(rate_ml_h=Decimal(63)))) == []
    faster = flow(Action.RATE, entered=Entered(rate_ml_h=Decimal("63.1")))
    assert [(one.code, one.override) for one in faster.findings] == [
        ("INF-RATE-SET", OverrideClass.PRESCRIBER)
    ]
    zero = flow(Action.RATE, entered=Entered(rate_ml_h=Decimal(0)))
    assert [(one.code, one.override) for one in zero.findings] == [("INF-RATE-SET", OverrideClass.NONE)]
    unrated = merged(FACTS, orders=(replace(DRIP_ORDER, rate_ml_h=None),))
    assert codes(flow(Action.RATE, facts=unrated)) == []
    assert ask(start(), unrated).needs == ("rate",)
    nothing = merged(FACTS, orders=(replace(DRIP_ORDER, rate_ml_h=Decimal(0)),))
    assert codes(flow(Action.RATE, facts=nothing)) == ["INF-RATE-SET"]


def test_an_infusion_that_runs_too_long_warns_when_it_is_changed():
    long = infusion(DRIP_ORDER, DRIP_TASK, "B1", started_at=NOON - 6 * HOUR)
    asked = request(Action.RATE, infusion_id="i-B1", entered=Entered(rate_ml_h=Decimal(60)))
    assert codes(ask(asked, merged(FACTS, infusions=(long,)))) == ["INF-OVERRUN"]
    unbagged = merged(replace(FACTS, bags=()), infusions=(long,))
    assert codes(ask(asked, unbagged)) == ["INF-OVERRUN"]


@pytest.mark.parametrize("state", [RUNNING, PAUSED])
def test_a_second_bag_of_the_order_does_not_start_beside_the_first(state):
    first = infusion(DRIP_ORDER, DRIP_TASK, "B0", state=state)
    assert codes(ask(start(), merged(FACTS, infusions=(first,)))) == ["INF-SECOND-BAG"]
    other = merged(FACTS, infusions=(replace(first, order_id="else"),))
    assert codes(ask(start(), other)) == []


def test_a_bag_is_changed_for_the_one_that_runs():
    old = infusion(DRIP_ORDER, DRIP_TASK, "B0")
    facts = merged(FACTS, infusions=(old,))
    assert ask(start(action=Action.BAG_CHANGE), facts).word is Word.GIVE
    assert codes(ask(start(action=Action.BAG_CHANGE))) == ["INF-TRANSITION"]
    assert codes(ask(start(action=Action.BAG_CHANGE, infusion_id="i-none"), facts)) == [
        "INF-TRANSITION",
        "INF-SECOND-BAG",
    ]


def test_a_tablet_is_not_started():
    assert codes(ask(request(Action.START, TABLET_SCAN))) == ["INF-TRANSITION"]


def bound(encounter):
    return merged(
        FACTS, associations=(Association(id="as", device_id=DRIP, encounter_id=encounter, start=NOON),)
    )


def test_the_device_belongs_to_this_patient_or_to_nobody():
    assert codes(ask(start(), bound("eA"))) == []
    assert codes(ask(start(), bound("eB"))) == ["INF-DEVICE-OTHER"]
    assert codes(ask(start(entered=Entered(device_id="ble:unknown")))) == ["INF-DEVICE-NONE"]
    assert codes(ask(start(entered=Entered()))) == ["INF-DEVICE-NONE"]
    assert codes(ask(start(entered=Entered()), bound("eA"))) == []
    assert codes(ask(start(entered=Entered()), bound("eB"))) == ["INF-DEVICE-NONE"]
    retired = merged(FACTS, devices=(replace(FACTS.devices[0], active=False),))
    assert codes(ask(start(), retired)) == ["INF-DEVICE-NONE"]


# --- not given ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Action.HOLD, Action.REFUSE, Action.NOT_GIVEN])
def test_a_dose_not_given_needs_a_coded_reason_and_words_for_other(action):
    def skip(**entered):
        return ask(request(action, band=None, task_id=TABLET_TASK.id, entered=Entered(**entered)))

    assert skip().needs == ("reason",)
    assert skip(reason_code="whatever").needs == ("reason",)
    assert skip(reason_code="other").needs == ("reason-text",)
    assert skip(reason_code="other", reason_text="in theatre").word is Word.GIVE
    result = skip(reason_code="asleep")
    assert (result.word, result.task_id, result.dose) == (Word.GIVE, TABLET_TASK.id, None)


def test_a_dose_is_skipped_by_scanning_it_too_but_never_after_it_was_given():
    asked = request(Action.HOLD, TABLET_SCAN, entered=Entered(reason_code="asleep"))
    assert ask(asked).task_id == TABLET_TASK.id
    done = merged(FACTS, tasks=(replace(TABLET_TASK, status=TaskStatus.GIVEN),))
    assert codes(ask(asked, done)) == ["TIME-DUP"]
    nothing = ask(request(Action.HOLD, entered=Entered(reason_code="asleep")))
    assert nothing.needs == ("task",)
    unknown = ask(request(Action.HOLD, task_id="gone", entered=Entered(reason_code="asleep")))
    assert unknown.needs == ("task",)


def test_a_bag_that_is_held_names_its_patient_and_nothing_is_recorded_for_nobody():
    asked = request(Action.HOLD, BAG_SCAN, band=None, entered=Entered(reason_code="asleep"))
    assert (ask(asked).word, ask(asked).patient_id) == (Word.GIVE, "pA")
    both = request(
        Action.HOLD, BAG_SCAN, encode("bag", "B2"), band=None, entered=Entered(reason_code="asleep")
    )
    assert codes(ask(both)) == ["MED-WRONG-PATIENT"]
    lost = replace(FACTS, patients=FACTS.patients[1:])
    assert (ask(asked, lost).needs, ask(asked, lost).word) == (("patient-scan",), Word.CHECK)
    tablet = request(Action.HOLD, TABLET_SCAN, band=None, entered=Entered(reason_code="asleep"))
    assert ask(tablet).word is not Word.GIVE


def test_a_patch_is_removed_by_its_task_and_wristband():
    assert ask(request(Action.REMOVE, task_id=TABLET_TASK.id)).word is Word.GIVE
    assert ask(request(Action.REMOVE, task_id=TABLET_TASK.id, band=BAND_B)).word is Word.STOP
    assert ask(request(Action.REMOVE, task_id=TABLET_TASK.id, band=None)).needs == ("patient-scan",)


# --- the answer --------------------------------------------------------------------------------------


def test_findings_come_worst_first_and_accepted_ones_last():
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, nurse_verified=False, do_not_give=True),))
    result = ask(request(Action.GIVE, TABLET_SCAN, overrides=ack("ORD-UNVERIFIED")), facts)
    assert codes(result) == ["ORD-DO-NOT-GIVE", "ORD-UNVERIFIED"]
    assert [finding.overridden for finding in result.findings] == [False, True]
    assert result.verdict is Verdict.STOP


def test_an_accepted_warning_stays_a_warning_on_its_row():
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, nurse_verified=False),))
    result = ask(request(Action.GIVE, TABLET_SCAN, overrides=ack("ORD-UNVERIFIED")), facts)
    assert (result.word, marks(result)["drug"]) == (Word.GIVE, "warn")


def test_an_acknowledgement_without_a_reason_accepts_nothing():
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, nurse_verified=False),))
    asked = request(Action.GIVE, TABLET_SCAN, overrides=ack("ORD-UNVERIFIED", reason=""))
    assert ask(asked, facts).word is Word.CHECK


def test_nothing_of_class_none_can_be_accepted_by_anybody():
    done = merged(FACTS, tasks=(replace(TABLET_TASK, status=TaskStatus.GIVEN),))
    for person in ("", "n2", "n3", "d1"):
        asked = request(Action.GIVE, TABLET_SCAN, overrides=ack("TIME-DUP", by=person))
        assert ask(asked, done).word is Word.STOP


def test_a_site_may_raise_and_lower_what_may_be_overridden():
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, nurse_verified=False),))
    late = {"now": NOON + 2 * HOUR}
    raised = SitePolicy(severities={"TIME-LATE": Severity.STOP})
    assert ask(request(Action.GIVE, TABLET_SCAN, **late), policy=raised).word is Word.STOP
    lowered = SitePolicy(severities={"ORD-UNVERIFIED": Severity.INFO})
    assert ask(request(Action.GIVE, TABLET_SCAN), facts, lowered).word is Word.GIVE


def test_the_answer_says_what_was_expected_and_what_came():
    rows = {
        row.right.value: (row.expected, row.actual) for row in ask(request(Action.GIVE, TABLET_SCAN)).rows
    }
    assert rows["drug"] == ("TAB10", "TAB10")
    assert rows["dose"] == ("10 mg", "10 mg")
    assert rows["route"] == ("PO", "PO")
    assert rows["time"] == (NOON.isoformat(), NOON.isoformat())
    bag = {row.right.value: row.actual for row in ask(start()).rows}
    assert bag["drug"] == "B1"
    prn = order("oT", "TAB10", TABLET_ORDER.items[0].dose, frequency="prn", category="prn")
    asked = request(Action.GIVE, TABLET_SCAN, entered=Entered(prn_reason="pain"))
    facts = replace(FACTS, orders=(prn,), tasks=(task(prn, None),), bags=())
    assert {row.right.value: row.expected for row in ask(asked, facts).rows}["time"] == ""


def test_equal_inputs_give_equal_answers_and_hashes_and_another_input_another_hash():
    first, second = ask(request(Action.GIVE, TABLET_SCAN)), ask(request(Action.GIVE, TABLET_SCAN))
    assert first == second
    assert ask(start()).input_hash != first.input_hash
    assert (first.ruleset, first.policy, first.snapshot_version) == ("bc-1", "default", "v1")


def test_every_rule_has_one_line_and_a_known_shape():
    assert len(RULES) == 132
    assert all(code == rule.code for code, rule in RULES.items())
