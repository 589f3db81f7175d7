"""Measures the clinical core: what a nurse waits for at each scan, and what a node does with each drop.

Every figure is measured beside a plain variant in the same run, so that the ratio holds on any machine. The
order of the variants alternates, and the garbage collector stays on, as it is in the product.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from clinical import schedule
from clinical.bedside_check import Snapshot, check
from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    Entered,
    HandheldState,
    Operator,
    Scan,
    ScanMethod,
    Word,
)
from clinical.identifiers import gs1, resolve
from clinical.identifiers.gs1_table import PREDEFINED, TABLE
from clinical.identifiers.hospital import encode
from clinical.infusion.drops import DropEstimator
from clinical.policy import SitePolicy
from clinical.records import (
    Administration,
    Bag,
    Device,
    Dose,
    Encounter,
    Facts,
    Ingredient,
    Label,
    Observation,
    Order,
    OrderItem,
    Patient,
    Practitioner,
    Product,
    Task,
    TaskStatus,
    Wristband,
)

PATIENTS, ORDERS = 40, 12
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
POLICY = SitePolicy.default()
DRIP = "ble:c0-00-00-00-01-01"
CHECK_P99_US, GS1_MEDIAN_US, DROP_US = 2000.0, 20.0, 5.0
GS1_TEXT = "]d20106931475000124172612311095A1B2C3\x1d21SN123456789"


def _label(text: str) -> Label:
    return Label(zh=text, en=text)


def ward() -> Facts:
    """Return a ward of 40 patients with 12 orders each, a day of tasks, and a day of what was given."""
    products = tuple(
        Product(
            id=f"D{index}", display=_label(f"D{index}"), unit="{vial}", form="injection",
            gtins=(f"{6931475000000 + index:013d}0",),
            ingredients=(Ingredient(code=f"drug-{index}", display=_label("x"),
                                    strength=Dose(value=Decimal(1), unit="g"), classes=("beta-lactam",)),),
        )
        for index in range(200)
    )  # fmt: skip
    orders, tasks, bags, given = [], [], [], []
    for patient in range(PATIENTS):
        for number in range(ORDERS):
            order = _order(patient, number)
            planned = schedule.plan(
                order, since=NOON - timedelta(hours=24), until=NOON + timedelta(hours=24), policy=POLICY
            )
            done = [
                task for task in planned if task.planned_at and task.planned_at < NOON - timedelta(hours=2)
            ]
            orders.append(order)
            tasks += [replace(task, status=TaskStatus.GIVEN) if task in done else task for task in planned]
            given += [_given(task, order) for task in done]
            bags += [_bag(task, order) for task in planned if task not in done]
    return Facts(
        practitioners=tuple(
            Practitioner(id=f"n{index}", name="x", roles=("nurse",)) for index in range(30)
        ),
        patients=tuple(
            Patient(id=f"p{index}", mrn=f"M{index}", name=f"P{index}", allergy_status="none")
            for index in range(PATIENTS)
        ),
        encounters=tuple(
            Encounter(id=f"e{index}", patient_id=f"p{index}", status="in-progress", ward="W1", bed=f"{index}")
            for index in range(PATIENTS)
        ),
        wristbands=tuple(
            Wristband(id=f"M{index}/1", patient_id=f"p{index}", serial="1") for index in range(PATIENTS)
        ),
        products=products, orders=tuple(orders), tasks=tuple(tasks), bags=tuple(bags),
        administrations=tuple(given), devices=(Device(id=DRIP, kind="drip-sensor", profile="wardlink_drip"),),
        observations=tuple(
            Observation(id=f"{index}/{code}", patient_id=f"p{index}", code=code, value=Decimal(80),
                        unit="/min", effective=NOON)
            for index in range(PATIENTS) for code in ("MDC_PULS_RATE", "MDC_RESP_RATE", "MDC_TEMP_BODY")
        ),
    )  # fmt: skip


def _order(patient: int, number: int) -> Order:
    item = OrderItem(
        product_id=f"D{(patient * ORDERS + number) % 200}", display=_label("x"),
        dose=Dose(value=Decimal(1), unit="g"),
    )  # fmt: skip
    return Order(
        id=f"o{patient}-{number}", version=1, status="active", encounter_id=f"e{patient}",
        patient_id=f"p{patient}", kind="infusion", category="standing", items=(item,), route="IVPB",
        frequency="12:00" if number == 0 else "q8h", start=NOON - timedelta(days=3), rate_ml_h=Decimal(60),
        volume_ml=Decimal(100), drops_per_ml=20, nurse_verified=True,
    )  # fmt: skip


def _given(task: Task, order: Order) -> Administration:
    product = order.items[0].product_id
    return Administration(
        id=f"a-{task.id}", task_id=task.id, order_id=order.id, patient_id=order.patient_id, outcome="given",
        at=task.planned_at or NOON, operator="n2",
        ingredients=((f"drug-{product[1:]}", Dose(value=Decimal(1), unit="g")),),
    )  # fmt: skip


def _bag(task: Task, order: Order) -> Bag:
    return Bag(
        id=f"b-{task.id}", order_id=order.id, order_version=1, patient_id=order.patient_id, task_id=task.id,
        prepared_by="n3", checked_by="n4",
    )  # fmt: skip


def questions(facts: Facts) -> list[CheckRequest]:
    """Return one START of the noon bag for every patient: each is answered GIVE."""
    noon = {task.order_id: task.id for task in facts.tasks if task.planned_at == NOON}
    found = []
    for patient in range(PATIENTS):
        bag = encode("bag", f"b-{noon[f'o{patient}-0']}")
        found.append(CheckRequest(
            id=f"r{patient}", action=Action.START, now=NOON,
            handheld=HandheldState(id="h1", last_time_sync=NOON),
            operator=Operator(id="n1", roles=("nurse",), badge_at=NOON),
            patient_scan=Scan(raw=encode("wristband", f"M{patient}", "1"), method=ScanMethod.SCAN, at=NOON),
            items=(Scan(raw=bag, method=ScanMethod.SCAN, at=NOON),), entered=Entered(device_id=DRIP),
        ))  # fmt: skip
    return found


def timed(work: Callable[[], object]) -> float:
    """Return microseconds of one call."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1000.0


def side_by_side(*works: Callable[[], object], rounds: int) -> list[list[float]]:
    """Time several variants round by round, so that a busy moment hits all of them."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        order = range(len(works)) if number % 2 == 0 else reversed(range(len(works)))
        for index in order:
            times[index].append(timed(works[index]))
    return times


def median(values: list[float]) -> float:
    """Return the median, to a hundredth."""
    return round(statistics.median(values), 2)


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds, to a hundredth."""
    return round(statistics.quantiles(values, n=100)[98], 2)


def unindexed(asked: CheckRequest, facts: Facts) -> object:
    """Check with the facts indexed anew for this one question."""
    return check(asked, Snapshot.of(facts, version="v1", fetched_at=NOON), POLICY)


def _check() -> list[dict[str, Any]]:
    facts = ward()
    snapshot = Snapshot.of(facts, version="v1", fetched_at=NOON)
    asked = questions(facts)
    answers = [check(one, snapshot, POLICY) for one in asked]
    assert all(answer.word is Word.GIVE for answer in answers), answers[0].findings
    indexed: list[float] = []
    naive: list[float] = []
    for number in range(60):
        indexed += [timed(partial(check, one, snapshot, POLICY)) for one in asked]
        if number < 20:  # a plain variant looks everything up in the facts anew for each question
            one = asked[number % PATIENTS]
            naive.append(timed(partial(unindexed, one, facts)))
    size = f"{PATIENTS} patients x {ORDERS} orders, {len(facts.tasks)} tasks, {len(facts.bags)} bags"
    worst = p99(indexed)
    return [
        {"id": "check", "unit": "us", "n": len(indexed), "median": median(indexed), "p99": worst,
         "limit": CHECK_P99_US, "limit_of": "p99", "ok": worst <= CHECK_P99_US, "note": size},
        {"id": "check-without-index", "unit": "us", "n": len(naive), "median": median(naive),
         "ratio": round(statistics.median(naive) / statistics.median(indexed), 1),
         "note": "the same check with the facts indexed anew for each question"},
    ]  # fmt: skip


_LENGTHS = {ai: PREDEFINED.get(ai[:2]) for ai in TABLE}


def naive_gs1(text: str) -> list[tuple[str, str]]:
    """Read GS1 elements the plain way: try every AI, take digits or up to the separator, check nothing."""
    data, found, position = text[3:], [], 0
    while position < len(data):
        for ai in TABLE:
            if data.startswith(ai, position):
                break
        else:
            return []
        start = position + len(ai)
        length = _LENGTHS[ai]
        stop = re.compile("\x1d").search(data, start)
        end = start + length if length else (stop.start() if stop else len(data))
        found.append((ai, data[start:end]))
        position = end + (data[end : end + 1] == gs1.GS)
    return found


def _gs1() -> list[dict[str, Any]]:
    assert [(one.ai, one.value) for one in resolve(GS1_TEXT).elements] == naive_gs1(GS1_TEXT)
    data = GS1_TEXT[3:]
    parse, whole, naive = side_by_side(
        lambda: gs1.parse_elements(data), lambda: resolve(GS1_TEXT), lambda: naive_gs1(GS1_TEXT), rounds=5000
    )
    middle = median(parse)
    return [
        {"id": "gs1-parse", "unit": "us", "n": len(parse), "median": middle, "p99": p99(parse),
         "limit": GS1_MEDIAN_US, "limit_of": "median", "ok": middle <= GS1_MEDIAN_US,
         "note": "GTIN, expiry, lot and serial with every format, date, check digit and partner checked"},
        {"id": "scan-resolve", "unit": "us", "n": len(whole), "median": median(whole), "p99": p99(whole),
         "note": "the same text from the raw scan on"},
        {"id": "gs1-plain", "unit": "us", "n": len(naive), "median": median(naive),
         "ratio": round(statistics.median(naive) / statistics.median(parse), 2),
         "note": "tries every AI in turn and checks nothing"},
    ]  # fmt: skip


class PlainDrops:
    """Keeps every interval and sorts the last nine each time."""

    def __init__(self) -> None:
        self.intervals: list[float] = []
        self.last = 0.0

    def observe(self, at: float) -> tuple[float, float]:
        """Take one drop and return rate and volume."""
        self.intervals.append(at - self.last)
        self.last = at
        return 60.0 / statistics.median(self.intervals[-9:]), len(self.intervals) / 20.0


def _drops() -> list[dict[str, Any]]:
    count, block = 20_000, 100
    fast, plain = DropEstimator(20), PlainDrops()
    fast.observe(0, 0.0)

    def ours(first: int) -> None:
        for drop in range(first, first + block):
            fast.observe(drop, drop * 0.9)
            fast.estimate(drop * 0.9)

    def theirs(first: int) -> None:
        for drop in range(first, first + block):
            plain.observe(drop * 0.9)

    mine: list[float] = []
    other: list[float] = []
    for first in range(1, count, block):
        mine.append(timed(partial(ours, first)) / block)
        other.append(timed(partial(theirs, first)) / block)
    middle = median(mine)
    return [
        {"id": "drop", "unit": "us", "n": count, "median": middle, "p99": p99(mine), "limit": DROP_US,
         "limit_of": "median", "ok": middle <= DROP_US, "note": "observe and estimate, per drop"},
        {"id": "drop-plain", "unit": "us", "n": count, "median": median(other),
         "ratio": round(statistics.median(other) / statistics.median(mine), 2),
         "note": "median of the last nine of a growing list, no wrap, echo, silence or validity"},
    ]  # fmt: skip


def measure() -> list[dict[str, Any]]:
    """Measure everything; takes a few seconds."""
    return [*_check(), *_gs1(), *_drops()]
