"""``check``: one question in, one answer out; the same on the handheld and on the server.

The phases run in the order of bc-1 §5.3. A stop about the person who asks, or about the patient, ends
the run. A drug that cannot be matched ends it too. Otherwise all later phases run and report together.

A pure function: no clock, no I/O, no randomness; equal inputs give equal answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinical.bedside_check import (
    answer,
    dose,
    drug,
    flow,
    matching,
    order,
    patient,
    prn,
    route,
    safety,
    skipping,
    system,
    timing,
    witness,
)
from clinical.bedside_check.case import Case
from clinical.bedside_check.model import CheckRequest, CheckResult

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
    if system.judge(case) and patient.judge(case) and drug.judge(case) and matching.match(case):
        _judge_rights(case)
    return answer.build(case)


def _judge_rights(case: Case) -> None:
    """Run every later phase; each reports on its own, worst first in the answer."""
    order.judge(case)
    timing.judge(case)
    route.judge(case)
    dose.judge(case)
    safety.judge(case)
    flow.judge(case)
    witness.judge(case)
    prn.judge(case)
    skipping.judge(case)
    system.offline_high_alert(case)
    patient.judge_bed(case)
    case.complete = True
