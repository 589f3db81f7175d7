"""Skin tests as they are reported: placed, read by two (bc-1 §5.10)."""

from __future__ import annotations

from clinical import skin_tests
from clinical.care_records import RunningSkinTest
from clinical.exchange import CareRecorded, Outcome
from clinical.identifiers import resolve
from clinical.records import (
    Administration,
    AlarmPriority,
    Order,
    Product,
    SkinTest,
    Task,
    TaskStatus,
)
from server.administrations.outbound import tell_hospital
from server.administrations.service import dose_of
from server.alarms import service as alarms
from server.orders import service as orders
from server.sites import Site
from server.storage.store import UnitOfWork
from server.tasks.service import settle
from server.worklist import judge as acts


def record_placed(unit: UnitOfWork, site: Site, step: acts.Step) -> Outcome:
    """Store that a test was placed: its timer runs from here."""
    event = step.event
    task, order = unit.get(Task, event.task_id), unit.get(Order, event.order_id)
    if task is None or order is None or not order.items:
        return acts.outcome(unit, event, "", "unknown-task")
    if unit.get(RunningSkinTest, event.subject_id) is not None:
        return acts.duplicate(unit, event, order.patient_id, "TIME-DUP")
    code = acts.judge(unit, site, step, order.patient_id)
    entered, lot = event.request.entered, _lot(site, event)
    unit.put(
        RunningSkinTest(
            id=event.subject_id,
            patient_id=order.patient_id,
            order_id=order.id,
            substance=_substance(unit, order),
            started_at=event.at,
            started_by=event.operator,
            task_id=task.id,
            lot=lot,
            site=entered.site,
        )
    )
    administration = _administration(event, order, task, flagged=bool(code))
    unit.put(administration)
    tell_hospital(unit, administration, order)
    settle(unit, task, TaskStatus.RUNNING, event.operator)
    return acts.outcome(unit, event, order.patient_id, code)


def _administration(event: CareRecorded, order: Order, task: Task, *, flagged: bool) -> Administration:
    """Record what went under the skin.

    It names its amount and no ingredients: a test says whether the drug may be given, so it must not stand
    against the interval of the first real dose.
    """
    entered, witness = event.request.entered, event.request.witness
    return Administration(
        id=event.id,
        task_id=task.id,
        order_id=order.id,
        patient_id=order.patient_id,
        outcome="given",
        at=event.at,
        operator=event.operator,
        dose=entered.dose or dose_of(order),
        route=entered.route or order.route,
        site=entered.site,
        witness=witness.id if witness is not None else "",
        flagged="accepted-exception" if flagged else "",
    )


def _substance(unit: UnitOfWork, order: Order) -> str:
    """Return the ingredient that is tested for; a product nobody knows stands for itself."""
    product = unit.get(Product, order.items[0].product_id)
    return product.ingredients[0].code if product and product.ingredients else order.items[0].product_id


def _lot(site: Site, event: CareRecorded) -> str:
    found = (
        resolve(scan.raw, symbology=scan.symbology, prefixes=site.policy.prefixes)
        for scan in event.request.items
    )
    return next((one.element("10") for one in found if one.element("10")), "")


def record_read(unit: UnitOfWork, site: Site, step: acts.Step) -> Outcome:
    """Store a reading; one with something against it decides nothing, unless it is positive."""
    event = step.event
    test = unit.get(RunningSkinTest, event.subject_id)
    if test is None:
        return acts.outcome(unit, event, "", "unknown-skin-test")
    code = acts.judge(unit, site, step, test.patient_id)
    second = event.request.witness
    readings = {event.request.entered.result, second.result if second is not None else ""}
    result = "positive" if "positive" in readings else event.request.entered.result
    if not acts.counts(code) and result != "positive":
        return acts.outcome(unit, event, test.patient_id, code)
    found = skin_tests.read(
        test,
        record_id=event.id,
        result=result,
        at=event.at,
        readers=(event.operator, second.id if second is not None else ""),
        orders=list(unit.all(Order)),
        products={product.id: product for product in unit.all(Product)},
    )
    _apply(unit, site, event, test, found)
    return acts.outcome(unit, event, test.patient_id, code)


def _apply(
    unit: UnitOfWork, site: Site, event: CareRecorded, test: RunningSkinTest, found: skin_tests.Reading
) -> None:
    """Write what a reading means; a doubtful one leaves the test where it is until the control is read."""
    if found.test is None:
        return
    unit.put(found.test)
    unit.retire(RunningSkinTest, test.id)
    task = unit.get(Task, test.task_id)
    if task is not None:
        settle(unit, task, TaskStatus.COMPLETED, event.operator)
    if found.allergy is None:
        return
    unit.put(found.allergy)
    for order_id in found.stop_orders:
        orders.set_status(unit, order_id, "stopped", event.at, site.policy)
    _alarm(unit, found.test, stopped=len(found.stop_orders))


def _alarm(unit: UnitOfWork, test: SkinTest, *, stopped: int) -> None:
    """Tell the station and the doctor that orders were stopped for an allergy nobody knew of."""
    stay = acts.present_stay(unit, test.patient_id)
    alarms.begin(
        unit,
        alarms.Condition(
            condition="skin-test-positive",
            kind="physiological",
            priority=AlarmPriority.MEDIUM,
            at=unit.now,
            encounter_id=stay.id if stay is not None else "",
            params={"stopped": float(stopped)},
            generation=alarms.generation_of(unit, test.patient_id),
            subject=test.id,
        ),
    )
