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
from clinical.records import Facts, Order, Practitioner, Task, TaskStatus
from server.administrations.as_of import Then, facts_as_of
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


def with_known_roles(unit: UnitOfWork, request: CheckRequest, facts: Facts | None = None) -> CheckRequest:
    """Take the roles of operator and witness from the ward's own list; a handheld's word is no proof.

    Args:
        unit: The open unit of work.
        request: What was asked.
        facts: The ward as it was then; as it is now when left out.
    """
    people = {one.id: one for one in facts.practitioners} if facts is not None else {}

    def roles(person_id: str) -> tuple[str, ...]:
        person = people.get(person_id) or unit.get(Practitioner, person_id)
        return person.roles if person is not None else ()

    operator = replace(request.operator, roles=roles(request.operator.id))
    witness = request.witness
    if witness is not None:
        witness = replace(witness, roles=roles(witness.id))
    return replace(request, operator=operator, witness=witness)


def recheck(
    unit: UnitOfWork, site: Site, act: Act, request: CheckRequest, order: Order, task: Task
) -> CheckResult:
    """Run the bedside check again for the charted time, on the server's own facts of that time."""
    then = Then.of(unit, act.at, request.snapshot_version)
    facts = facts_then(unit, site, order.patient_id, then)
    orders = (*(one for one in facts.orders if one.id != order.id), order)
    waiting = replace(task, status=TaskStatus.DUE) if task.status is not TaskStatus.DUE else task
    tasks = (*(one for one in facts.tasks if one.id != task.id), waiting)
    facts = replace(facts, orders=orders, tasks=tasks)
    snapshot = Snapshot.of(facts, version=unit.view.version, fetched_at=act.at)
    asked = replace(with_known_roles(unit, request, facts), now=act.at, task_id=task.id)
    return check(asked, snapshot, site.policy)


def facts_then(unit: UnitOfWork, site: Site, patient_id: str, then: Then) -> Facts:
    """Return what the ward of a patient knew when something was done to them."""
    entry = unit.view.entry("patients", patient_id)
    facts = unit.view.facts(entry.ward if entry is not None and entry.ward else site.first.id)
    return facts_as_of(unit, facts, patient_id, then, site.policy)
