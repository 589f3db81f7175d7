"""What becomes of an act that was reported as done, perhaps hours later, from a handheld without network.

The act has happened, so it is always stored. It is *accepted*; or accepted as an *exception*, when it was
right at the bedside but the order had changed by then: nurse and doctor are told; or it is a *duplicate*,
when the slot was already given: both stay, the second is flagged as a possible double dose and the doctor is
told. The same event again is a *replay* and changes nothing.

Source: bc-1 §5.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.bedside_check.case import GIVEN
from clinical.bedside_check.model import CheckResult, Severity
from clinical.records import Administration, Order, Task
from clinical.windows import DONE

ACCEPTED, EXCEPTION, DUPLICATE, REPLAYED = "accepted", "accepted-exception", "duplicate", "replayed"
_STOPPED = frozenset({"stopped", "cancelled", "entered-in-error"})
_OF_THE_ASKING = ("SYS-", "TASK-", "TIME-FUTURE", "TIME-DUP", "TIME-ONCE-DONE")
"""What speaks of the handheld or of the moment of asking says nothing about an act that is done."""
OWNER_MAY_CORRECT = timedelta(hours=24)
_HEAD_NURSE = "charge-nurse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act as reported: what, of which task and order version, when."""

    event_id: str
    task_id: str
    order_id: str
    order_version: int
    at: datetime
    outcome: str  # given, partial, held, refused, not-given, running, …

    @property
    def gives(self) -> bool:
        """Something went into the patient."""
        return self.outcome in GIVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """How an act is stored; ``code`` names what stands against it, ``tell`` who gets an alarm."""

    status: str
    code: str = ""
    tell: tuple[str, ...] = ()


def judge(
    act: Act,
    *,
    order: Order | None,
    task: Task | None,
    earlier: tuple[Administration, ...] = (),
    recheck: CheckResult | None = None,
) -> Commit:
    """Judge an act by the facts that hold now, as of the time it was done.

    Args:
        act: What was reported.
        order: The newest version of its order; None when nobody knows it.
        task: Its task.
        earlier: What is already stored for this task.
        recheck: The bedside check run again for the charted time, where the caller can.
    """
    if any(known.id == act.event_id for known in earlier):
        return Commit(status=REPLAYED)
    given = any(known.outcome in GIVEN for known in earlier) or (task is not None and task.status in DONE)
    if given and act.gives:
        return Commit(status=DUPLICATE, code="TIME-DUP", tell=("doctor",))
    code = "TIME-DUP" if given else _against(act, order, task, recheck)
    if code:
        return Commit(status=EXCEPTION, code=code, tell=("nurse", "doctor"))
    return Commit(status=ACCEPTED)


def _against(act: Act, order: Order | None, task: Task | None, recheck: CheckResult | None) -> str:
    if order is None or task is None or task.order_id != order.id or act.order_id != order.id:
        return "unknown-task"
    if not act.gives:
        return ""
    return _order_stands_against(act, order) or _worst_stop(recheck)


def _order_stands_against(act: Act, order: Order) -> str:
    if order.status in _STOPPED and (order.stopped_at is None or act.at >= order.stopped_at):
        return "ORD-DISCONTINUED"
    if order.end is not None and act.at >= order.end:
        return "ORD-ENDED"
    if order.status == "on-hold" and (order.changed_at is None or act.at >= order.changed_at):
        return "ORD-ON-HOLD"
    changed = order.version > act.order_version and (order.changed_at is None or act.at >= order.changed_at)
    return "ORD-CHANGED" if changed and order.status not in _STOPPED else ""


def _worst_stop(recheck: CheckResult | None) -> str:
    """Return the worst finding about the act itself that nobody accepted."""
    for finding in recheck.findings if recheck is not None else ():
        stands = finding.severity in {Severity.STOP, Severity.REFRESH} and not finding.overridden
        if stands and not finding.code.startswith(_OF_THE_ASKING):
            return finding.code
    return ""


def may_correct(record: Administration, by: str, roles: tuple[str, ...], now: datetime) -> bool:
    """Tell whether a person may correct a record: its owner within a day, the head nurse later."""
    return _HEAD_NURSE in roles or (record.operator == by and now - record.at <= OWNER_MAY_CORRECT)
