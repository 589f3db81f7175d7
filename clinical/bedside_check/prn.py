"""PRN: as-needed drugs have no planned time; reason, distance, count and effect take its place."""

from __future__ import annotations

from datetime import timedelta

from clinical.bedside_check.case import GIVING, Case, minutes
from clinical.records import EFFECT, Order
from clinical.windows import FINAL

_HISTORY = 4


def judge(case: Case) -> None:
    """Judge an as-needed administration."""
    order, task = case.order, case.task
    if order is None or task is None or task.planned_at is not None or case.action not in GIVING:
        return
    if not case.request.entered.prn_reason:
        case.need("prn-reason")
    _history(case, order)
    _effect(case, order)


def _history(case: Case, order: Order) -> None:
    past = [found for found in case.given() if found.order_id == order.id]
    if past:
        case.add("PRN-HISTORY", times=" ".join(found.at.isoformat() for found in past[-_HISTORY:]))
        since = case.at - past[-1].at
        if order.prn_min_interval_min is not None and since < timedelta(minutes=order.prn_min_interval_min):
            case.add("PRN-INTERVAL", minutes=int(minutes(since)), interval=order.prn_min_interval_min)
    day = [found for found in past if found.at > case.at - timedelta(hours=24)]
    if order.prn_max_per_day is not None and len(day) >= order.prn_max_per_day:
        case.add("PRN-MAX", limit=order.prn_max_per_day)


def _effect(case: Case, order: Order) -> None:
    """The effect of the last dose has not been looked at yet."""
    tasks = case.snapshot.follow_ups_of.get(order.id, ())
    if any(task.kind == EFFECT and task.status not in FINAL for task in tasks):
        case.add("PRN-EFFECT")
