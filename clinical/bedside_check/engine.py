"""``check``: one question in, one answer out; the same on the handheld and on the server.

The phases run in the order of bc-1 §5.3. A stop about the person who asks, or about the patient, ends
the run. A drug that cannot be matched ends it too. Otherwise all later phases run and report together.

A pure function: no clock, no I/O, no randomness; equal inputs give equal answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical.bedside_check import (
    answer,
    blood,
    blood_watch,
    dose,
    drug,
    flow,
    following,
    matching,
    order,
    patient,
    prn,
    route,
    safety,
    skin_test,
    skipping,
    specimen,
    system,
    timing,
    witness,
)
from clinical.bedside_check.case import BLOOD, GIVING, Case
from clinical.bedside_check.model import Action, CheckRequest, CheckResult

if TYPE_CHECKING:
    from clinical.bedside_check.snapshot import Snapshot
    from clinical.policy import SitePolicy


def check(request: CheckRequest, snapshot: Snapshot, policy: SitePolicy) -> CheckResult:
    """Answer whether this person may do this, to this patient, with this, now.

    Args:
        request: Raw scans and what was entered; times are aware UTC.
        snapshot: What is known of the ward.
        policy: The site's rules.

    Returns:
        Always an answer, never an error: a refused check is a result that is shown, stored and counted.
    """
    case = Case(
        request=request, snapshot=snapshot, policy=policy, at=request.entered.charted_at or request.now
    )
    if system.judge(case) and patient.judge(case):
        _judge(case)
    return answer.build(case)


def _judge(case: Case) -> None:
    """Blood, samples and the reading of a skin test have rules of their own; all else is a drug."""
    match case.action:
        case action if action in BLOOD:
            blood.judge(case)
        case Action.COLLECT:
            specimen.judge(case)
        case Action.SKINTEST_READ:
            skin_test.judge_reading(case)
        case _:
            if drug.judge(case) and matching.match(case):
                _judge_rights(case)


def _judge_rights(case: Case) -> None:
    """Run every later phase; each reports on its own, worst first in the answer."""
    order.judge(case)
    timing.judge(case)
    route.judge(case)
    dose.judge(case)
    safety.judge(case)
    flow.judge(case)
    _beside_blood(case)
    skin_test.judge_start(case)
    witness.judge(case)
    prn.judge(case)
    skipping.judge(case)
    following.judge(case)
    system.offline_high_alert(case)
    patient.judge_bed(case)
    case.complete = True


def _beside_blood(case: Case) -> None:
    """Blood and drugs never share a line, and a transfusion starts slowly."""
    if case.action in GIVING:
        blood_watch.judge_drug(case)
    elif case.action is Action.RATE and case.bag_unit() is not None and case.infusion is not None:
        blood_watch.judge_rate(case, case.infusion)
