"""Judging one draft on this handheld, and knowing when that must be done again.

A judgement is about the order as the nurse sees it: the version on her screen travels with the question, and
so does the version she read last, so that a change nobody has read is found by the server as well.
"""

from __future__ import annotations

from dataclasses import replace

from clinical import follow_ups
from clinical.bedside_check import check
from clinical.bedside_check.model import Action, CheckRequest, CheckResult
from clinical.records import Order, Task
from pda_app.ids import uuid7
from pda_app.presenters.asked import Asked, gist
from pda_app.presenters.desk import Desk
from pda_app.presenters.draft import Asker, Draft

UNSEEN = "ORD-CHANGED-UNSEEN"
_GIVING = {
    "infusion": Action.START, "transfusion": Action.BLOOD_START, "skin-test": Action.SKINTEST_START,
}  # fmt: skip


class Judge:
    """The handheld's own judgement of drafts, and which version of each order each nurse has read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._judged_at = -1
        self._read: dict[tuple[str, str], int] = {}  # (nurse, order) → version

    def asker(self, *, online: bool) -> Asker:
        """Who asks, now."""
        return asker_of(self._desk, online=online)

    def judge(self, draft: Draft, *, online: bool) -> tuple[Draft, CheckRequest, CheckResult]:
        """Judge a draft by the newest facts; the draft comes back with the action its order asks for."""
        self._judged_at = self._mark()
        book, request = self._desk.book, draft.request(self.asker(online=online))
        result = check(request, book.snapshot(request.now), book.policy)
        order = book.get(Order, result.order_id)
        if order is None:
            return draft, request, result
        action = action_of(order, book.get(Task, result.task_id or draft.task_id))
        if action is not draft.action:
            return self.judge(replace(draft, action=action), online=online)
        request = replace(request, order_version=order.version, seen_version=self._seen(order))
        if request.seen_version < order.version:
            result = check(request, book.snapshot(request.now), book.policy)
        return draft, request, result

    def shown(self, order: Order | None) -> None:
        """The order is on the screen. A later version counts as read only once the nurse has answered it."""
        if order is not None:
            self._read.setdefault(self._key(order), order.version)

    def answered(self, result: CheckResult) -> None:
        """What was recorded had its change acknowledged: from now on the newest version is the one read."""
        order = self._desk.book.get(Order, result.order_id)
        if order is not None and any(one.code == UNSEEN and one.overridden for one in result.findings):
            self._read[self._key(order)] = result.order_version

    def differs(self, asked: Asked, draft: Draft) -> bool:
        """Whether the same question, asked by the facts and the time of now, is judged otherwise."""
        return gist(self.judge(draft, online=not asked.offline)[2]) != gist(asked.own)

    def moved(self, asked: Asked, draft: Draft) -> bool:
        """The same, looked at only when facts or the minute have changed; a reservation may run out too."""
        if expired(self._desk, asked):
            return True
        return self._judged_at != self._mark() and self.differs(asked, draft)

    def _mark(self) -> int:
        return hash((self._desk.book.version, int(self._desk.now().timestamp() // 60)))

    def _seen(self, order: Order) -> int:
        return self._read.get(self._key(order), order.version)

    def _key(self, order: Order) -> tuple[str, str]:
        session = self._desk.session
        return (session.practitioner.id if session is not None else "", order.id)


def asker_of(desk: Desk, *, online: bool = True) -> Asker:
    """Who asks on this handheld, now."""
    now = desk.now()
    return Asker(
        id=uuid7(now),
        now=now,
        handheld=desk.handheld_state(online=online),
        operator=desk.operator(),
        snapshot_version=desk.book.snapshot_version,
    )


def expired(desk: Desk, asked: Asked) -> bool:
    """Whether the reservation has run out: somebody else may have taken the task."""
    return asked.lease is not None and asked.lease.expires <= desk.now()


def action_of(order: Order | None, task: Task | None = None) -> Action:
    """What is to be done: giving the order, or what follows on a dose of it."""
    if task is not None and task.kind in follow_ups.ACTIONS:
        return follow_ups.ACTIONS[task.kind]
    return _GIVING.get(order.kind, Action.GIVE) if order is not None else Action.GIVE
