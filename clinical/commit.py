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
from typing import TYPE_CHECKING

from clinical.bedside_check.case import GIVEN
from clinical.bedside_check.model import Action, CheckResult, Finding, OverrideClass, Severity
from clinical.records import DISCONTINUED, Administration, Dose, Order, Task, TaskStatus
from clinical.windows import DONE

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

ACCEPTED, EXCEPTION, DUPLICATE, REPLAYED = "accepted", "accepted-exception", "duplicate", "replayed"
_OF_THE_ASKING = ("SYS-", "TASK-", "TIME-FUTURE", "TIME-DUP", "TIME-ONCE-DONE")
"""What speaks of the handheld or of the moment of asking says nothing about an act that is done."""
ACTING = frozenset({
    Action.GIVE, Action.START, Action.BAG_CHANGE, Action.BLOOD_START, Action.SKINTEST_START, Action.COLLECT,
    Action.REMOVE, Action.PRN_EFFECT,
})  # fmt: skip
"""What a check can ask for that an act reported as done may follow."""
STATUS_AFTER = {
    "given": TaskStatus.GIVEN, "partial": TaskStatus.PARTIAL, "held": TaskStatus.HELD,
    "refused": TaskStatus.REFUSED, "not-given": TaskStatus.NOT_GIVEN,
    "removed": TaskStatus.COMPLETED, "effect": TaskStatus.COMPLETED,
}  # fmt: skip
"""Where a task stands after an act; what follows on a dose is completed."""
OWNER_MAY_CORRECT = timedelta(hours=24)
WITHDRAWN = "entered-in-error"
"""Outcome of a record of something that did not happen; FHIR's word."""
_DOSE, _BAG = (
    frozenset({"given", "partial", "held", "refused", "not-given"}),
    frozenset({"completed", "stopped-early"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act as reported: what, of which task and order version, when."""

    event_id: str
    task_id: str
    order_id: str
    order_version: int
    at: datetime
    outcome: str  # given, partial, held, refused, not-given, running, …
    action: Action | None = None  # what its check asked for; None when it came without one

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
        recheck: The bedside check run again for the charted time, where the caller can. One that would have
            asked for more, or left a question open, makes an exception as well.
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
    against = order_stands_against(act, order)
    if against or recheck is None:
        return against
    unfinished = "" if _is_complete(recheck, act) else "check-incomplete"
    return _worst_stop(recheck) or unfinished or _in_resuscitation(recheck)


def order_stands_against(act: Act, order: Order) -> str:
    """Return the rule by which the order, as known now, did not stand behind an act when it was done."""
    if order.status in DISCONTINUED and (order.stopped_at is None or act.at >= order.stopped_at):
        return "ORD-DISCONTINUED"
    if order.status == "completed" or (order.end is not None and act.at >= order.end):
        return "ORD-ENDED"
    if order.status == "on-hold" and (order.changed_at is None or act.at >= order.changed_at):
        return "ORD-ON-HOLD"
    changed = order.version != act.order_version and (order.changed_at is None or act.at >= order.changed_at)
    return "ORD-CHANGED" if changed and order.status not in DISCONTINUED else ""


def against(recheck: CheckResult) -> str:
    """Return what a check that was run again holds against a step of care; empty when nothing."""
    return _worst_stop(recheck) or ("check-incomplete" if recheck.needs else "")


def _worst_stop(recheck: CheckResult) -> str:
    """Return the worst finding about the act itself that nobody accepted."""
    stops = {Severity.STOP, Severity.REFRESH}
    return next((one.code for one in recheck.findings if one.severity in stops and _is_open(one)), "")


def _in_resuscitation(recheck: CheckResult) -> str:
    """Return what only a resuscitation allowed: right at the bed, and looked at afterwards."""
    emergency = OverrideClass.EMERGENCY
    return next((one.code for one in recheck.findings if one.overridden and one.override is emergency), "")


def _is_open(finding: Finding) -> bool:
    unanswered = finding.severity is not Severity.INFO and not finding.overridden
    return unanswered and not finding.code.startswith(_OF_THE_ASKING)


def _is_complete(recheck: CheckResult, act: Act) -> bool:
    """Tell whether the check of this very act asked for nothing more and left no question open."""
    if act.action is None:
        return True
    fits = act.action in ACTING and recheck.task_id == act.task_id
    return fits and not recheck.needs and not any(_is_open(one) for one in recheck.findings)


def may_correct(
    owner: str, at: datetime, by: str, roles: tuple[str, ...], now: datetime, policy: SitePolicy
) -> bool:
    """Tell whether a person may correct a record: its owner within a day, the head nurse later.

    Args:
        owner: Whose record it is.
        at: When what it says was done.
        by: Who wants to correct it.
        roles: Roles of that person.
        now: The present.
        policy: Says which roles are those of a head nurse.
    """
    is_head = bool(set(roles) & set(policy.head_nurse_roles))
    return is_head or (owner == by and now - at <= OWNER_MAY_CORRECT)


def can_become(record: Administration, outcome: str, dose: Dose | None) -> bool:
    """Tell whether a record may be corrected to say this: a dose stays a dose, and a bag an ended bag.

    What was given in part, and what went in of a bag, needs its amount.
    """
    if record.outcome == WITHDRAWN or (dose is not None and dose.value <= 0):
        return False
    family = next((words for words in (_DOSE, _BAG) if record.outcome in words), frozenset())
    if outcome == WITHDRAWN:
        return bool(family)
    needs_amount = outcome == "partial" or outcome in _BAG
    in_ml = outcome not in _BAG or (dose is not None and dose.unit == "mL")
    return outcome in family and in_ml and (dose is not None or not needs_amount)
