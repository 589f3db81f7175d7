"""What follows on a dose: a patch comes off in its window, the effect of an as-needed drug is written down.

Each is done once. Taking off is never held up by a missing plan: what has no task of its own comes off at any
time.

Source: bc-1 §5.5 (PRN-EFFECT, ROUTE-NOT-REMOVED, TIME-EARLY, TIME-LATE).
"""

from __future__ import annotations

from clinical import windows
from clinical.bedside_check.case import FOLLOWING, Case
from clinical.bedside_check.model import Action, Right
from clinical.records import EFFECT, Task


def judge(case: Case) -> None:
    """Judge taking off and looking at an effect; every other action is judged elsewhere."""
    task = case.task
    if case.action not in FOLLOWING or task is None:
        return
    case.judged.add(Right.TIME)
    if (case.action is Action.PRN_EFFECT) is not (task.kind == EFFECT):
        case.add("MED-WRONG-DRUG", reason="not-of-this-task")
        return
    if task.status in windows.FINAL:
        case.add("TIME-DUP", at=task.changed_at, status=task.status.value, reason="followed")
    if case.action is Action.PRN_EFFECT:
        _effect(case)
    else:
        _window(case, task)


def _effect(case: Case) -> None:
    case.judged.add(Right.DOCUMENTATION)
    if case.request.entered.reason_code not in case.policy.prn_effects:
        case.need("effect")


def _window(case: Case, task: Task) -> None:
    if task.planned_at is None or task.earliest is None or task.latest is None:
        return
    case.variance_min = windows.minutes_off(task.planned_at, case.at)
    if windows.is_early(case.at, task.earliest):
        case.add("TIME-EARLY", minutes=case.variance_min, planned=task.planned_at)
    elif windows.is_late(case.at, task.latest):
        case.add("TIME-LATE", minutes=case.variance_min, planned=task.planned_at)
