"""What a finished check records."""

from __future__ import annotations

from clinical import follow_ups
from clinical.bedside_check.model import CheckRequest
from clinical.exchange import AdministrationRecorded, InfusionStarted
from clinical.records import Order, Task
from pda_app.ids import uuid7
from pda_app.presenters.asked import Asked
from pda_app.presenters.check_view import Goal
from pda_app.presenters.desk import Desk


def given(desk: Desk, asked: Asked) -> AdministrationRecorded:
    """The dose was given, in part when less than ordered was entered; or what follows on it was done."""
    result = asked.result
    partial = any(one.code == "DOSE-PARTIAL" for one in result.findings)
    done = follow_ups.OUTCOMES.get(asked.request.action, "partial" if partial else "given")
    return AdministrationRecorded(
        **desk.event_base(),
        request=asked.request,
        task_id=result.task_id,
        order_id=result.order_id,
        order_version=result.order_version,
        outcome=done,
        dose=result.dose,
        lease_id=asked.lease.id if asked.lease else "",
    )


def started(desk: Desk, asked: Asked, goal: Goal) -> InfusionStarted:
    """The bag was opened; its id is made here, so that rounds can be recorded offline as well."""
    result, entered, base = asked.result, asked.request.entered, desk.event_base()
    return InfusionStarted(
        **base,
        request=asked.request,
        infusion_id=uuid7(base["at"]),
        task_id=result.task_id,
        order_id=result.order_id,
        order_version=result.order_version,
        bag_id=result.bag_id,
        rate_ml_h=goal.rate_ml_h,
        drops_per_ml=goal.drops_per_ml,
        volume_ml=goal.volume_ml,
        device_id=entered.device_id,
        site=entered.site,
        lease_id=asked.lease.id if asked.lease else "",
    )


def not_given(
    desk: Desk, request: CheckRequest, task: Task, order: Order, outcome: str
) -> AdministrationRecorded:
    """Held, refused or not given, with the reason in the request."""
    return AdministrationRecorded(
        **desk.event_base(),
        request=request,
        task_id=task.id,
        order_id=order.id,
        order_version=order.version,
        outcome=outcome,
    )
