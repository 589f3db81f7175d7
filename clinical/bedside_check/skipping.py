"""Holding, refusing and not giving: always possible, always with a reason.

Source: bc-1 §5.6.
"""

from __future__ import annotations

from clinical.bedside_check.case import SKIPPING, Case


def judge(case: Case) -> None:
    """Ask for a coded reason, and for words where the code says nothing."""
    if case.action not in SKIPPING:
        return
    entered = case.request.entered
    if entered.reason_code not in case.policy.not_given_reasons:
        case.need("reason")
    elif entered.reason_code == "other" and not entered.reason_text.strip():
        case.need("reason-text")
