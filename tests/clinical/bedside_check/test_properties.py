"""What no input may ever do to a check."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from clinical import windows
from clinical.bedside_check.model import Action, Entered, Right, Word
from clinical.bedside_check.rules import RULES
from clinical.policy import WindowPolicy
from clinical.records import Allergy, TaskStatus
from tests.support.bedside import (
    BAG_B_SCAN,
    BAG_SCAN,
    BAND_A,
    BAND_B,
    DRIP,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    NOON,
    ORDER_B,
    TABLET_SCAN,
    ack,
    ask,
    codes,
    dose,
    label,
    marks,
    merged,
    request,
    start,
)

pytestmark = [
    pytest.mark.requirement("R-CLIN-23"),
    pytest.mark.hazard("H-CLIN-01"),
    pytest.mark.hazard("H-CLIN-02"),
]

CHANGED_RIGHTS = {
    Right.PATIENT: lambda: ask(start(items_raw=(BAG_B_SCAN,))),
    Right.DRUG: lambda: ask(start(), merged(FACTS, orders=(replace(DRIP_ORDER, do_not_give=True),))),
    Right.DOSE: lambda: ask(start(entered=Entered(device_id=DRIP, dose=dose(2, "g")))),
    Right.ROUTE: lambda: ask(start(entered=Entered(device_id=DRIP, route="IM", site="arm"))),
    Right.TIME: lambda: ask(
        start(), merged(FACTS, tasks=(replace(DRIP_TASK, planned_at=NOON - timedelta(minutes=90)),))
    ),
    Right.SAFETY: lambda: ask(start(), merged(FACTS, allergies=(
        Allergy(id="al", patient_id="pA", substance="cefazolin", display=label("x")),
    ))),
}  # fmt: skip


@pytest.mark.parametrize("right", CHANGED_RIGHTS)
def test_exactly_the_changed_right_fails(right):
    result = CHANGED_RIGHTS[right]()
    assert result.word is not Word.GIVE
    failed = {name for name, mark in marks(result).items() if mark in {"stop", "warn"}}
    assert failed == {right.value}


@pytest.mark.requirement("R-CLIN-05")
@hypothesis_given(st.integers(1, 20_000), st.booleans())
def test_windows_are_symmetric_and_never_touch_the_neighbours(interval, flagged):
    side = windows.margin(interval, WindowPolicy(), time_critical=flagged)
    assert side.early_min == side.late_min >= 0
    assert 2 * side.early_min < interval


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([BAND_A, BAND_B, BAG_SCAN, BAG_B_SCAN, TABLET_SCAN, "TAB10", "MA", ""]),
)


@settings(max_examples=150, deadline=None)
@hypothesis_given(
    action=st.sampled_from(list(Action)),
    band=st.one_of(st.none(), TEXTS),
    items=st.lists(TEXTS, max_size=3),
    minutes=st.integers(-600, 600),
    person=st.sampled_from(["", "n2", "d1", "n1"]),
    accepted=st.lists(st.sampled_from(sorted(RULES)), max_size=100, unique=True),
)
def test_no_scan_whatever_gives_another_patients_bag_or_a_drug_without_its_order(
    action, band, items, minutes, person, accepted
):
    now = NOON + timedelta(minutes=minutes)
    asked = request(action, *items, now=now, band=band, overrides=ack(*accepted, by=person))
    result = ask(asked)
    if result.word is not Word.GIVE or action not in {Action.GIVE, Action.START, Action.BAG_CHANGE}:
        return
    assert result.patient_id in {"pA", "pB"}
    assert result.order_id != (ORDER_B.id if result.patient_id == "pA" else "oT")
    assert all(finding.overridden or finding.severity.value == "INFO" for finding in result.findings)
    assert all(
        RULES[code].override.value != "none" for code in codes(result) if RULES[code].severity.value != "INFO"
    )
    assert {
        mark for name, mark in marks(result).items() if name not in {"system", "witness", "documentation"}
    } <= {
        "ok",
        "warn",
    }


@settings(max_examples=60, deadline=None)
@hypothesis_given(st.sampled_from(list(TaskStatus)), st.lists(st.sampled_from(sorted(RULES)), unique=True))
def test_no_acceptance_gives_one_task_twice(status, accepted):
    facts = merged(FACTS, tasks=(replace(DRIP_TASK, status=status),))
    result = ask(start(overrides=ack(*accepted, by="d1")), facts)
    if status in windows.DONE or status in {TaskStatus.CANCELLED, TaskStatus.STOPPED, TaskStatus.ERROR}:
        assert result.word is not Word.GIVE
