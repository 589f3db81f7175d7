"""TIME: is now the time for this execution, and has it, or a later one, been given already?"""

from __future__ import annotations

from datetime import datetime, timedelta

from clinical import frequencies, windows
from clinical.bedside_check.case import CARRIER, GIVEN, GIVING, SKIPPING, Case, is_future, minutes, older_than
from clinical.bedside_check.model import Action, OverrideClass, Right, Severity
from clinical.records import Order, Task

_BACKDATED_WARN_MIN, _BACKDATED_STOP_MIN = 15, 24 * 60
_RECENT = timedelta(minutes=120)


def judge(case: Case) -> None:
    """Judge the charted time, repeats, and the window of the planned execution."""
    _charted(case)
    order, task = case.order, case.task
    if order is None or task is None or case.action not in GIVING | SKIPPING:
        return
    _repeats(case, order, task)
    if case.action in GIVING:
        _window(case, order, task)
        _interval(case, order)
    case.judged.add(Right.TIME)


def _charted(case: Case) -> None:
    charted, now = case.request.entered.charted_at, case.request.now
    if charted is None:
        return
    if is_future(charted, now):
        case.add("TIME-FUTURE")
    elif older_than(charted, now, _BACKDATED_STOP_MIN):
        case.add("TIME-BACKDATED", at=charted)
    elif older_than(charted, now, _BACKDATED_WARN_MIN):
        case.add("TIME-BACKDATED", severity=Severity.WARN, override=OverrideClass.ACK, at=charted)


def _repeats(case: Case, order: Order, task: Task) -> None:
    if task.planned_at is None:
        return
    past = case.snapshot.administrations_of.get(task.patient_id, ())
    mine = next((found for found in past if found.task_id == task.id and found.outcome in GIVEN), None)
    if mine is not None or task.status in windows.DONE:
        once = frequencies.is_once(order.frequency) or order.category in {"once", "stat"}
        by, at = (mine.operator, mine.at) if mine is not None else ("", task.changed_at)
        case.add("TIME-ONCE-DONE" if once else "TIME-DUP", by=by, at=at, status=task.status.value)
    given = {found.task_id for found in past if found.outcome in GIVEN}
    for other in case.snapshot.tasks_of.get(order.id, ()):
        later = other.planned_at is not None and other.planned_at > task.planned_at
        if later and (other.status in windows.DONE or other.id in given):
            case.add("TIME-LATER-GIVEN", planned=other.planned_at)
            return


def _window(case: Case, order: Order, task: Task) -> None:
    planned = task.planned_at
    if planned is None:
        return
    earliest, latest = windows.window(order, planned, case.policy)
    case.variance_min = windows.minutes_off(planned, case.at)
    if windows.is_early(case.at, earliest):
        too_early = case.at < planned - 2 * (planned - earliest) or _nearer_to_previous(case, order, planned)
        code = "TIME-TOO-EARLY" if too_early else "TIME-EARLY"
        case.add(code, minutes=case.variance_min, planned=planned)
    elif windows.is_late(case.at, latest):
        case.add("TIME-LATE", minutes=case.variance_min, planned=planned)
    undecided = task.status not in windows.FINAL | windows.ONGOING
    if undecided and _is_missed(case, order, planned, latest):
        case.add("TIME-MISSED-SLOT", planned=planned)


def _slots(case: Case, order: Order) -> list[datetime]:
    tasks = case.snapshot.tasks_of.get(order.id, ())
    return sorted(task.planned_at for task in tasks if task.planned_at is not None)


def _nearer_to_previous(case: Case, order: Order, planned: datetime) -> bool:
    """Tell whether the slot before this one is nearer: then that one was meant, or this is far too soon."""
    before = [slot for slot in _slots(case, order) if slot < planned]
    return bool(before) and abs(case.at - before[-1]) < planned - case.at


def _is_missed(case: Case, order: Order, planned: datetime, latest: datetime) -> bool:
    """Tell whether a slot's time is over: the next one is open, or the order has ended."""
    if case.at <= latest:
        return False
    after = [slot for slot in _slots(case, order) if slot > planned]
    opened = bool(after) and case.at >= windows.window(order, after[0], case.policy)[0]
    return opened or (order.end is not None and case.at >= order.end)


def _interval(case: Case, order: Order) -> None:
    """Compare with the last dose of the same ingredient, whatever order or product it came from."""
    if case.action is Action.BAG_CHANGE:
        return
    mine = {one.code for one in case.ingredients() if CARRIER not in one.classes}
    past = [found for found in case.given() if mine & {code for code, _ in found.ingredients}]
    if not past:
        return
    since = case.at - past[-1].at
    interval = windows.interval_min(order, case.policy, case.task.planned_at if case.task else None)
    if interval is not None and since < timedelta(minutes=interval / 2):
        case.add("TIME-INTERVAL", minutes=int(minutes(since)), interval=interval)
    elif since <= _RECENT:
        case.add("TIME-RECENT", minutes=int(minutes(since)))
