"""MED → order and task: which planned execution is this, and if none, why not.

The reason is named in the order a nurse can act on it: another drug, the right drug by another route, the
right drug in another strength, or only another maker's product.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from clinical import windows
from clinical.bedside_check.case import FLOW, FOLLOWING, GIVING, SKIPPING, Case
from clinical.bedside_check.model import OverrideClass, Right
from clinical.records import ENDED, Order, Product, Task, TaskStatus


def match(case: Case) -> bool:
    """Find order and task; False when there is nothing further to judge."""
    if case.action in FLOW:
        return _match_infusion(case)
    if case.request.task_id and not case.items and case.action in SKIPPING | FOLLOWING:
        return _chosen(case)
    if not case.items:
        case.need("task" if case.action in SKIPPING | FOLLOWING else "item-scan")
        return False
    if case.has_stop(Right.DRUG):
        return False
    orders = _orders(case)
    if orders:
        case.judged.add(Right.DRUG)
    return bool(orders) and _choose(case, orders)


def _match_infusion(case: Case) -> bool:
    infusion = case.snapshot.infusions.get(case.request.infusion_id)
    if infusion is None and case.bag is not None:
        infusion = case.snapshot.infusion_by_bag.get(case.bag.id)
    if infusion is None:
        case.need("infusion")
        return False
    if any(item.bag is None or item.bag.id != infusion.bag_id for item in case.items):
        case.add("MED-WRONG-DRUG", reason="other-bag")
        return False
    case.infusion = infusion
    case.order = case.snapshot.orders.get(infusion.order_id)
    case.task = case.snapshot.tasks.get(infusion.task_id)
    case.bag = case.bag or case.snapshot.bags.get(infusion.bag_id)
    case.judged.add(Right.DRUG)
    return True


def _chosen(case: Case) -> bool:
    task = case.snapshot.tasks.get(case.request.task_id)
    if task is None:
        case.need("task")
        return False
    case.task, case.order = task, case.snapshot.orders.get(task.order_id)
    case.judged.add(Right.DRUG)
    return True


def _orders(case: Case) -> list[Order]:
    """Return the orders that every scanned item belongs to; a bag belongs to exactly one."""
    products = [item.product for item in case.items if item.product is not None]
    if case.bag is not None:
        order = case.snapshot.orders.get(case.bag.order_id)
        if order is None:
            case.add("ORD-NONE", reason="bag-without-order")
            return []
        wrong = [product for product in products if not _has(order, product)]
        others = {item.bag.order_id for item in case.items if item.bag is not None} - {order.id}
        if wrong or others:
            case.add("MED-WRONG-DRUG", reason="other-item")
            return []
        return [order]
    if not products:
        return []
    return _by_products(case, products)


def _by_products(case: Case, products: list[Product]) -> list[Order]:
    own = case.snapshot.orders_of.get(case.patient.id, []) if case.patient is not None else []
    exact = [order for order in own if all(_has(order, product) for product in products)]
    active = [order for order in exact if order.status not in ENDED]
    if active or exact:
        return _complete(case, active or exact, products)
    return _explain(case, own, products)


def _complete(case: Case, orders: list[Order], products: list[Product]) -> list[Order]:
    """A group without a bag label needs every one of its components scanned."""
    scanned = {product.id for product in products}
    whole = [order for order in orders if {line.product_id for line in order.items} <= scanned]
    if whole:
        return whole
    missing = min(len({line.product_id for line in order.items} - scanned) for order in orders)
    case.add("MED-INCOMPLETE", missing=missing)
    return []


def _has(order: Order, product: Product) -> bool:
    return any(line.product_id == product.id for line in order.items)


def _explain(case: Case, own: Iterable[Order], products: list[Product]) -> list[Order]:
    """Name why no order fits: drug, route, strength, or only the product."""
    orders = [order for order in own if order.status not in ENDED]
    if not orders:
        case.add("ORD-NONE")
        return []
    product = products[0]
    codes = {ingredient.code for ingredient in product.ingredients}
    alike = [
        (order, known)
        for order in orders
        for known in _products(case, order)
        if codes and codes == {ingredient.code for ingredient in known.ingredients}
    ]
    if not alike or len(products) > 1:
        case.add("MED-WRONG-DRUG")
        return []
    routed = [(order, known) for order, known in alike if not product.routes or order.route in product.routes]
    if not routed:
        case.add("MED-WRONG-ROUTE", ordered=alike[0][0].route)
        return []
    same = [order for order, known in routed if _same_strength(known, product)]
    if not same:
        case.add("MED-WRONG-STRENGTH")
        return []
    case.add("MED-NOT-IDENTICAL")
    return same


def _products(case: Case, order: Order) -> list[Product]:
    found = (case.snapshot.products.get(line.product_id) for line in order.items)
    return [product for product in found if product is not None]


def _same_strength(known: Product, product: Product) -> bool:
    """Strength, unit and form must be the same: an ampoule is never a tablet."""
    mine = {ingredient.code: ingredient.strength for ingredient in product.ingredients}
    theirs = {ingredient.code: ingredient.strength for ingredient in known.ingredients}
    return mine == theirs and known.unit == product.unit and known.form == product.form


def _choose(case: Case, orders: list[Order]) -> bool:
    """Choose the task: the nurse's own choice, the one whose window is open, or the nearest."""
    tasks = [task for order in orders for task in case.snapshot.tasks_of.get(order.id, ())]
    tasks = [task for task in tasks if task.status is not TaskStatus.ERROR]
    if case.bag is not None and case.bag.task_id:
        tasks = [task for task in tasks if task.id == case.bag.task_id]
    if case.request.task_id:
        tasks = [task for task in tasks if task.id == case.request.task_id]
        if not tasks:
            case.add("MED-WRONG-DRUG", reason="not-of-this-task")
            return False
    if not tasks:
        case.order = orders[0]
        case.add("ORD-NONE", override=OverrideClass.NONE, reason="no-task")
        return False
    found = _best(case, tasks)
    if len(found) > 1:
        case.candidates = tuple(task.id for task in found)
        case.add("MED-AMBIGUOUS", count=len(found))
        case.need("task-choice")
        return False
    case.task = found[0]
    case.order = case.snapshot.orders[case.task.order_id]
    _known(case, case.order)
    return True


def _known(case: Case, order: Order) -> None:
    """Nobody can check an allergy against a line whose ingredients are not in the formulary."""
    unknown = [line for line in order.items if line.product_id not in case.snapshot.products]
    if unknown and case.action in GIVING:
        case.add("MED-UNKNOWN", reason="formulary", count=len(unknown))


def _best(case: Case, tasks: list[Task]) -> list[Task]:
    """Return the fitting task, or several when a person has to choose."""
    open_tasks = [task for task in tasks if task.status not in windows.FINAL | windows.ONGOING]
    within = [task for task in open_tasks if _is_open(case, task)]
    if within:
        first: dict[str, Task] = {}
        for task in sorted(within, key=_planned):
            first.setdefault(task.order_id, task)
        return list(first.values())
    pool = open_tasks or tasks
    distance = {task.id: abs(_planned(task) - case.at.timestamp()) for task in pool}
    nearest = min(distance.values())
    return [task for task in pool if distance[task.id] == nearest]


def _planned(task: Task) -> float:
    return task.planned_at.timestamp() if task.planned_at else 0.0


def _is_open(case: Case, task: Task) -> bool:
    if task.planned_at is None:
        return True
    earliest, latest = span(case, task, task.planned_at)
    return not windows.is_early(case.at, earliest) and not windows.is_late(case.at, latest)


def span(case: Case, task: Task, planned_at: datetime) -> tuple[datetime, datetime]:
    """Return the window of a task by the site's present policy."""
    return windows.window(case.snapshot.orders[task.order_id], planned_at, case.policy)
