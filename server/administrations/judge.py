"""What stands against an act that was reported as done (bc-1 §5.7).

The act has happened: nothing here refuses it. The answer says only how it is stored — accepted, accepted
as an exception, or as a possible double dose — judged with the facts as they were at the charted time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from clinical.bedside_check import check
from clinical.bedside_check.model import Action, CheckRequest, CheckResult, Finding, Severity
from clinical.bedside_check.snapshot import Snapshot
from clinical.records import Order, Practitioner, Task, TaskStatus
from server.administrations.history import order_as_of
from server.sites import Site
from server.storage.store import UnitOfWork
from server.tasks.service import DONE

# What speaks of the handheld or of the moment of asking says nothing about an act that is already done.
_NOT_OF_THE_ACT = ("SYS-", "TASK-", "TIME-FUTURE")
GIVING = frozenset({
    Action.GIVE, Action.START, Action.BAG_CHANGE, Action.BLOOD_START, Action.SKINTEST_START, Action.COLLECT,
    Action.REMOVE,
})  # fmt: skip
"""What a request can ask for that a dose or bag reported as given may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How an act is stored; ``code`` names the worst thing against it."""

    status: str  # accepted, accepted-exception, duplicate
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act as reported: which task of which order version, when."""

    request: CheckRequest
    task_id: str
    order_id: str
    order_version: int
    at: datetime
    gives: bool  # something went into the patient


def judge(unit: UnitOfWork, site: Site, act: Act) -> Judgement:
    """Judge an act by the facts that held when it was done."""
    task = unit.get(Task, act.task_id)
    order = unit.get(Order, act.order_id)
    if task is None or order is None or task.order_id != order.id:
        return Judgement(status="accepted-exception", code="unknown-task")
    if task.status in DONE:
        return Judgement(status="duplicate" if act.gives else "accepted-exception", code="TIME-DUP")
    then = order_as_of(unit, order, act.at)
    against = _order_stands_against(then, act)
    if not against and act.gives:
        result = recheck(unit, site, act, then, task)
        against = worst_stop(result) or ("" if _is_complete(result, act) else "check-incomplete")
    return Judgement(status="accepted-exception", code=against) if against else Judgement(status="accepted")


def _order_stands_against(order: Order, act: Act) -> str:
    if not act.gives:
        return ""
    if order.status in {"stopped", "cancelled", "completed", "entered-in-error"}:
        return "ORD-DISCONTINUED"
    if order.status == "on-hold":
        return "ORD-ON-HOLD"
    return "ORD-CHANGED" if order.version != act.order_version else ""


def with_known_roles(unit: UnitOfWork, request: CheckRequest) -> CheckRequest:
    """Take the roles of operator and witness from the ward's own list; a handheld's word is no proof."""

    def roles(person_id: str) -> tuple[str, ...]:
        person = unit.get(Practitioner, person_id)
        return person.roles if person is not None else ()

    operator = replace(request.operator, roles=roles(request.operator.id))
    witness = request.witness
    if witness is not None:
        witness = replace(witness, roles=roles(witness.id))
    return replace(request, operator=operator, witness=witness)


def recheck(unit: UnitOfWork, site: Site, act: Act, order: Order, task: Task) -> CheckResult:
    """Run the bedside check again for the charted time, on the server's own facts.

    When the order changed after the act, the act is checked against the order it was done under.
    """
    ward = next((ward for ward in site.wards if unit.view.entry("orders", order.id)), site.first.id)
    entry = unit.view.entry("orders", order.id)
    facts = unit.view.facts(entry.ward if entry and entry.ward else ward)
    orders = tuple(order if one.id == order.id else one for one in facts.orders)
    waiting = replace(task, status=TaskStatus.DUE) if task.status is not TaskStatus.DUE else task
    tasks = tuple(waiting if one.id == task.id else one for one in facts.tasks)
    facts = replace(facts, orders=orders, tasks=tasks)
    snapshot = Snapshot.of(facts, version=unit.view.version, fetched_at=act.at)
    request = replace(with_known_roles(unit, act.request), now=act.at, task_id=task.id)
    return check(request, snapshot, site.policy)


def _is_complete(result: CheckResult, act: Act) -> bool:
    """Whether the check of this very act asked for nothing more and left no question open."""
    fits = act.request.action in GIVING and result.task_id == act.task_id
    return fits and not result.needs and not any(_is_open(finding) for finding in result.findings)


def _is_open(finding: Finding) -> bool:
    unanswered = finding.severity is not Severity.INFO and not finding.overridden
    return unanswered and not finding.code.startswith(_NOT_OF_THE_ACT)


def worst_stop(result: CheckResult) -> str:
    """Code of the worst finding nobody accepted; empty when there is none."""
    for finding in result.findings:
        stands = finding.severity is Severity.STOP and not finding.overridden
        if stands and not finding.code.startswith(_NOT_OF_THE_ACT):
            return finding.code
    return ""
