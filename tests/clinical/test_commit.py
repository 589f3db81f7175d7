"""What becomes of an act that was done: stored, flagged, told, never refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical import commit
from clinical.bedside_check.model import (
    Action,
    CheckResult,
    Finding,
    OverrideClass,
    Right,
    Severity,
    Verdict,
    Word,
)
from clinical.commit import Act
from clinical.records import TaskStatus
from tests.support.bedside import NOON, POLICY, TABLET_ORDER, TABLET_TASK, dose
from tests.support.bedside import given as had

pytestmark = [pytest.mark.requirement("R-CLIN-56"), pytest.mark.hazard("H-CLIN-03")]
TEN = datetime(2026, 3, 2, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACT = Act(event_id="e1", task_id=TABLET_TASK.id, order_id="oT", order_version=1, at=TEN, outcome="given")


def judge(act=ACT, order=TABLET_ORDER, task=TABLET_TASK, **more):
    found = commit.judge(act, order=order, task=task, **more)
    return found.status, found.code, found.tell


BOTH = ("nurse", "doctor")


def test_vector_40_offline_give_of_an_order_that_was_stopped_before():
    stopped = replace(TABLET_ORDER, status="stopped", stopped_at=TEN - 10 * MINUTE)
    assert judge(order=stopped) == ("accepted-exception", "ORD-DISCONTINUED", BOTH)
    later = replace(stopped, stopped_at=TEN + MINUTE, version=2, changed_at=TEN + MINUTE)
    assert judge(order=later) == ("accepted", "", ())
    assert judge(order=replace(stopped, stopped_at=None))[0] == "accepted-exception"


def test_vector_41_two_offline_gives_of_one_slot():
    first = had(TABLET_TASK, TEN, id="e0")
    assert judge(earlier=(first,)) == ("duplicate", "TIME-DUP", ("doctor",))
    assert judge(task=replace(TABLET_TASK, status=TaskStatus.GIVEN))[0] == "duplicate"


def test_vector_12_the_same_event_again_changes_nothing():
    assert judge(earlier=(had(TABLET_TASK, TEN, id="e1"),)) == ("replayed", "", ())


def test_a_refusal_after_a_give_is_an_exception_and_a_give_after_a_refusal_is_not_a_double_dose():
    refused = replace(ACT, outcome="refused")
    assert judge(refused, earlier=(had(TABLET_TASK, TEN, id="e0"),)) == (
        "accepted-exception", "TIME-DUP", BOTH,
    )  # fmt: skip
    assert judge(earlier=(had(TABLET_TASK, TEN, id="e0", outcome="refused"),))[0] == "accepted"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "on-hold"}, "ORD-ON-HOLD"),
        ({"status": "on-hold", "changed_at": TEN}, "ORD-ON-HOLD"),
        ({"status": "on-hold", "changed_at": TEN + MINUTE}, ""),
        ({"end": TEN}, "ORD-ENDED"),
        ({"status": "completed"}, "ORD-ENDED"),
        ({"end": TEN + MINUTE}, ""),
        ({"version": 2}, "ORD-CHANGED"),
        ({"version": 2, "changed_at": TEN}, "ORD-CHANGED"),
        ({"version": 2, "changed_at": TEN + MINUTE}, ""),
        ({"version": 2, "status": "stopped", "stopped_at": TEN + MINUTE}, ""),
    ],
)
def test_what_held_when_it_was_done_counts(change, code):
    status = "accepted-exception" if code else "accepted"
    assert judge(order=replace(TABLET_ORDER, **change))[:2] == (status, code)


def test_an_act_on_something_unknown_is_kept_as_an_exception():
    assert judge(order=None)[:2] == ("accepted-exception", "unknown-task")
    assert judge(task=None)[:2] == ("accepted-exception", "unknown-task")
    assert judge(task=replace(TABLET_TASK, order_id="x"))[1] == "unknown-task"
    assert judge(replace(ACT, order_id="x"))[1] == "unknown-task"


def test_not_giving_is_never_against_an_order():
    assert judge(replace(ACT, outcome="held"), order=replace(TABLET_ORDER, status="stopped"))[0] == "accepted"


def result(*findings):
    made = tuple(
        Finding(code=code, severity=severity, right=Right.DRUG, overridden=overridden)
        for code, severity, overridden in findings
    )
    return CheckResult(verdict=Verdict.PASS, word=Word.GIVE, findings=made)


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ((("SAFE-ALLERGY", Severity.STOP, False),), "SAFE-ALLERGY"),
        ((("SAFE-ALLERGY", Severity.STOP, True),), ""),
        ((("TIME-LATE", Severity.WARN, False),), ""),
        ((("SYS-CLOCK", Severity.STOP, False), ("MED-EXPIRED", Severity.STOP, False)), "MED-EXPIRED"),
        ((("SYS-STATE-CHANGED", Severity.REFRESH, False),), ""),
        ((), ""),
    ],
)
def test_a_check_run_again_speaks_only_of_the_act(findings, code):
    assert judge(recheck=result(*findings))[1] == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"task_id": TABLET_TASK.id}, ""),
        ({"task_id": "other"}, "check-incomplete"),
        ({"task_id": TABLET_TASK.id, "needs": ("site",)}, "check-incomplete"),
    ],
)
def test_a_check_that_would_have_asked_for_more_makes_an_exception(change, code):
    act = replace(ACT, action=Action.GIVE)
    assert judge(act, recheck=replace(result(), **change))[1] == code
    assert (
        judge(replace(act, action=Action.HOLD), recheck=replace(result(), **change))[1] == "check-incomplete"
    )
    open_warning = replace(result(("TIME-LATE", Severity.WARN, False)), **change)
    assert judge(act, recheck=open_warning)[1] == "check-incomplete"


def test_the_owner_corrects_within_a_day_and_the_head_nurse_later():
    day, owner = timedelta(hours=24), ("n2", NOON)
    assert commit.may_correct(*owner, "n2", ("nurse",), NOON + day, POLICY)
    assert not commit.may_correct(*owner, "n2", ("nurse",), NOON + day + MINUTE, POLICY)
    assert not commit.may_correct(*owner, "n1", ("nurse",), NOON, POLICY)
    assert commit.may_correct(*owner, "n3", ("charge-nurse",), NOON + 9 * day, POLICY)


@pytest.mark.parametrize(
    ("before", "outcome", "amount", "good"),
    [
        ("given", "not-given", None, True),
        ("not-given", "given", None, True),
        ("given", "partial", dose("0.5", "{tablet}"), True),
        ("given", "partial", None, False),
        ("given", "given", dose(0, "{tablet}"), False),
        ("given", "completed", dose(60, "mL"), False),
        ("given", "entered-in-error", None, True),
        ("entered-in-error", "given", None, False),
        ("completed", "stopped-early", dose(60, "mL"), True),
        ("completed", "stopped-early", dose(60, "mg"), False),
        ("completed", "stopped-early", None, False),
        ("running", "entered-in-error", None, False),
        ("removed", "given", None, False),
        ("given", "nonsense", None, False),
    ],
)
def test_a_dose_stays_a_dose_and_a_bag_an_ended_bag_when_they_are_corrected(before, outcome, amount, good):
    record = replace(had(TABLET_TASK, NOON), outcome=before)
    assert commit.can_become(record, outcome, amount) is good


@given(
    status=st.sampled_from(["active", "on-hold", "stopped", "completed", "draft"]),
    version=st.integers(1, 3), outcome=st.sampled_from(["given", "partial", "held", "running"]),
    minutes=st.integers(-300, 300), earlier=st.booleans(), known=st.booleans(),
)  # fmt: skip
def test_a_dose_reported_as_given_is_always_stored(status, version, outcome, minutes, earlier, known):
    act = replace(ACT, outcome=outcome, at=TEN + minutes * MINUTE)
    past = (had(TABLET_TASK, TEN, id="e0"),) if earlier else ()
    order = replace(TABLET_ORDER, status=status, version=version) if known else None
    found = commit.judge(act, order=order, task=TABLET_TASK, earlier=past)
    assert found.status in {"accepted", "accepted-exception", "duplicate"}
    assert bool(found.tell) is (found.status != "accepted")


def test_a_step_of_care_is_held_against_what_a_new_check_finds():
    assert commit.against(result()) == ""
    assert commit.against(result(("SPC-TUBE", Severity.STOP, False))) == "SPC-TUBE"
    assert commit.against(replace(result(), needs=("site",))) == "check-incomplete"


def test_what_only_a_resuscitation_allowed_is_flagged():
    finding = Finding(
        code="BLD-CONSENT", severity=Severity.STOP, right=Right.SAFETY, overridden=True,
        override=OverrideClass.EMERGENCY,
    )  # fmt: skip
    assert judge(recheck=replace(result(), findings=(finding,)))[:2] == ("accepted-exception", "BLD-CONSENT")
    by_second = replace(finding, override=OverrideClass.SECOND)
    assert judge(recheck=replace(result(), findings=(by_second,)))[0] == "accepted"
