"""What stands against an act that was reported as done, by the facts as they were (bc-1 §5.7).

The act has happened: nothing here refuses it. :mod:`clinical.commit` decides how it is stored; this module
brings it the facts that held at the charted time.
"""

from __future__ import annotations

from dataclasses import replace

from clinical import commit
from clinical.bedside_check import check
from clinical.bedside_check.model import CheckRequest, CheckResult
from clinical.bedside_check.snapshot import Snapshot
from clinical.commit import ACCEPTED, Act, Commit
from clinical.records import Order, Practitioner, Task, TaskStatus
from server.administrations.history import order_as_of
from server.sites import Site
from server.storage.store import UnitOfWork


def judge(unit: UnitOfWork, site: Site, act: Act, request: CheckRequest) -> Commit:
    """Judge an act by the facts that held when it was done; the check runs again only where it can matter."""
    task, order = unit.get(Task, act.task_id), unit.get(Order, act.order_id)
    then = order_as_of(unit, order, act.at) if order is not None else None
    found = commit.judge(act, order=then, task=task)
    if found.status != ACCEPTED or not act.gives or then is None or task is None:
        return found
    return commit.judge(act, order=then, task=task, recheck=recheck(unit, site, act, request, then, task))


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


def recheck(
    unit: UnitOfWork, site: Site, act: Act, request: CheckRequest, order: Order, task: Task
) -> CheckResult:
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
    asked = replace(with_known_roles(unit, request), now=act.at, task_id=task.id)
    return check(asked, snapshot, site.policy)
