"""ORD: does an order stand behind it now, and has the nurse seen its newest version?"""

from __future__ import annotations

from datetime import datetime

from clinical import windows
from clinical.bedside_check import labels
from clinical.bedside_check.case import GIVING, Case
from clinical.bedside_check.model import OverrideClass, Severity
from clinical.records import DISCONTINUED, Order, TaskStatus


def judge(case: Case) -> None:
    """Judge the order's state; stopping and skipping are allowed on an order that has ended."""
    order = case.order
    if order is None:
        case.add("ORD-NONE", override=OverrideClass.NONE, reason="unknown")
        return
    _changed(case, order)
    if case.action not in GIVING:
        return
    judge_active(case, order)
    _verified(case, order)
    if order.do_not_give:
        case.add("ORD-DO-NOT-GIVE")
    _label(case, order)


def _changed(case: Case, order: Order) -> None:
    request = case.request
    if request.order_version and request.order_version != order.version:
        case.add("SYS-STATE-CHANGED", version=order.version)
    if request.seen_version and request.seen_version < order.version:
        case.add("ORD-CHANGED-UNSEEN", version=order.version)


def is_discontinued(case: Case, order: Order) -> bool:
    """Tell whether the order was stopped at the time the action is charted for."""
    if order.status not in DISCONTINUED:
        return False
    return order.stopped_at is None or case.at >= order.stopped_at


def is_ended(case: Case, order: Order) -> bool:
    """Tell whether the order's time was over at the time the action is charted for."""
    return order.status == "completed" or (order.end is not None and case.at >= order.end)


def judge_active(case: Case, order: Order) -> None:
    """Judge whether the order may be carried out at the charted time."""
    cancelled = case.task is not None and case.task.status in {TaskStatus.CANCELLED, TaskStatus.STOPPED}
    if order.status == "draft":
        case.add("ORD-NONE", override=OverrideClass.NONE, reason="draft")
    elif is_discontinued(case, order):
        case.add("ORD-DISCONTINUED", at=order.stopped_at)
    elif is_ended(case, order):
        case.add("ORD-ENDED", at=order.end)
    elif cancelled:
        case.add("ORD-DISCONTINUED", reason="task-cancelled")
    elif order.status == "on-hold":
        case.add("ORD-ON-HOLD")
    elif windows.is_early(case.at, _earliest(case, order)):
        case.add("ORD-NOT-STARTED", start=order.start)


def _earliest(case: Case, order: Order) -> datetime:
    return windows.window(order, order.start, case.policy)[0]


def _verified(case: Case, order: Order) -> None:
    """One recorded check by a nurse or a pharmacist is enough unless the site prohibits less."""
    setting = case.policy.verification
    if setting == "allow" or order.nurse_verified or order.pharmacist_verified:
        return
    case.add("ORD-UNVERIFIED", severity=Severity.STOP if setting == "prohibit" else Severity.WARN)


def _label(case: Case, order: Order) -> None:
    if case.bag is None:
        return
    state = labels.state(case.bag, order)
    if state == "void":
        case.add("ORD-LABEL-OUTDATED")
    elif state == "rate-changed":
        case.add("ORD-LABEL-OUTDATED", severity=Severity.WARN, override=OverrideClass.ACK)
