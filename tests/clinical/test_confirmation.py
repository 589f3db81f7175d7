"""What a confirmation is bound to, and what may move until the act."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Entered,
    HandheldState,
    Operator,
    Override,
    Scan,
    ScanMethod,
    Witness,
)
from clinical.confirmation import question
from clinical.records import Dose

NOW = datetime(2026, 5, 4, 1, 0, tzinfo=UTC)


def scan(raw: str) -> Scan:
    return Scan(raw=raw, method=ScanMethod.SCAN, at=NOW)


ASKED = CheckRequest(
    id="r1",
    action=Action.GIVE,
    now=NOW,
    handheld=HandheldState(id="pda-1"),
    operator=Operator(id="N1", roles=("nurse",)),
    patient_scan=scan("W"),
    items=(scan("D"),),
    entered=Entered(dose=Dose(value=Decimal("8.0"), unit="mL"), rate_ml_h=Decimal("8.40"), route="IV"),
)


def entered(**changes: object) -> CheckRequest:
    return replace(ASKED, entered=replace(ASKED.entered, **changes))  # type: ignore[arg-type]


@pytest.mark.requirement("R-SRV-35")
@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, action=Action.START),
        replace(ASKED, operator=Operator(id="N2", roles=("nurse",))),
        replace(ASKED, infusion_id="i"),
        replace(ASKED, patient_scan=scan("X")),
        replace(ASKED, patient_scan=None),
        replace(ASKED, items=(scan("D"), scan("E"))),
        entered(dose=Dose(value=Decimal(80), unit="mL")),
        entered(dose=Dose(value=Decimal(8), unit="mg")),
        entered(dose=None),
        entered(rate_ml_h=Decimal(84)),
        entered(volume_left_ml=Decimal(1)),
        entered(residual_ml=Decimal(1)),
        entered(route="PO"),
        entered(container="red"),
        entered(result="negative"),
        replace(ASKED, witness=Witness(id="N2", roles=(), badge_at=NOW, result="negative")),
        replace(ASKED, witness=Witness(id="N2", roles=(), badge_at=NOW, scans=(scan("W"),))),
    ],
)
def test_another_question_is_not_the_one_that_was_confirmed(other: CheckRequest) -> None:
    assert question(other, "T1") != question(ASKED, "T1")


@pytest.mark.requirement("R-SRV-35")
@pytest.mark.parametrize(
    "same",
    [
        replace(ASKED, id="r2", now=NOW + timedelta(minutes=4), snapshot_version="x"),
        replace(ASKED, handheld=HandheldState(id="pda-1", battery_percent=3)),
        replace(ASKED, overrides=(Override(code="C", reason="r", by="N2"),)),
        entered(calculated=Decimal(8), reason_code="asleep"),
        entered(dose=Dose(value=Decimal(8), unit="mL"), rate_ml_h=Decimal("8.4")),
    ],
)
def test_what_may_move_until_the_act_changes_nothing(same: CheckRequest) -> None:
    assert question(same, "T1") == question(ASKED, "T1")


@pytest.mark.requirement("R-SRV-35")
def test_another_task_is_another_question_and_ten_is_not_one() -> None:
    assert question(ASKED, "T2") != question(ASKED, "T1")
    assert question(entered(rate_ml_h=Decimal(10)), "T1") != question(entered(rate_ml_h=Decimal(1)), "T1")
