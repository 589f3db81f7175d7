"""A small ward for tests of the bedside check: two patients, a few drugs, and short ways to ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from clinical import schedule
from clinical.bedside_check import Snapshot, check
from clinical.bedside_check.model import (
    Action,
    CheckRequest,
    CheckResult,
    Entered,
    HandheldState,
    Operator,
    Override,
    Scan,
    ScanMethod,
)
from clinical.identifiers.hospital import encode
from clinical.policy import SitePolicy
from clinical.records import (
    Administration,
    Bag,
    Device,
    Dose,
    Encounter,
    Facts,
    Infusion,
    InfusionState,
    Ingredient,
    Label,
    Order,
    OrderItem,
    Patient,
    Practitioner,
    Product,
    Task,
    TaskStatus,
    Wristband,
)

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""Monday 12:00 in Shanghai."""
POLICY = SitePolicy.default()
BAND_A, BAND_B = encode("wristband", "MA", "1"), encode("wristband", "MB", "1")
GTIN = "06931475000124"
DRIP = "ble:c0-00-00-00-01-01"


def label(text: str) -> Label:
    return Label(zh=text, en=text)


def dose(value: str | int, unit: str) -> Dose:
    return Dose(value=Decimal(value), unit=unit)


def ingredient(code: str, strength: str, unit: str, *classes: str) -> Ingredient:
    return Ingredient(code=code, display=label(code), strength=dose(strength, unit), classes=classes)


def product(name: str, unit: str, form: str, *ingredients: Ingredient, **more: Any) -> Product:
    return Product(id=name, display=label(name), unit=unit, form=form, ingredients=ingredients, **more)


def order(name: str, product_id: str, amount: Dose, **more: Any) -> Order:
    values: dict[str, Any] = {
        "version": 1, "status": "active", "encounter_id": "eA", "patient_id": "pA", "kind": "medication",
        "category": "standing", "route": "PO", "frequency": "q8h", "start": NOON - timedelta(days=2),
        "nurse_verified": True,
        "items": (OrderItem(product_id=product_id, display=label(product_id), dose=amount),),
    }  # fmt: skip
    return Order(id=name, **(values | more))


def task(of: Order, planned: datetime | None, **more: Any) -> Task:
    values: dict[str, Any] = {
        "id": schedule.task_id(of.id, planned), "order_id": of.id, "order_version": of.version,
        "encounter_id": of.encounter_id, "patient_id": of.patient_id, "kind": of.kind,
        "status": TaskStatus.DUE, "planned_at": planned,
    }  # fmt: skip
    return Task(**(values | more))


def given(of: Task, at: datetime, **more: Any) -> Administration:
    values: dict[str, Any] = {
        "id": f"a-{of.id}-{at:%d%H%M}", "task_id": of.id, "order_id": of.order_id,
        "patient_id": of.patient_id,
        "outcome": "given", "at": at, "operator": "n2",
    }  # fmt: skip
    return Administration(**(values | more))


def infusion(of: Order, of_task: Task, bag_id: str, **more: Any) -> Infusion:
    values: dict[str, Any] = {
        "id": f"i-{bag_id}", "order_id": of.id, "task_id": of_task.id, "encounter_id": of.encounter_id,
        "patient_id": of.patient_id, "state": InfusionState.RUNNING, "rate_ml_h": Decimal(60),
        "drops_per_ml": 20,
        "volume_ml": Decimal(250), "started_at": NOON - timedelta(minutes=30), "bag_id": bag_id,
    }  # fmt: skip
    return Infusion(**(values | more))


TABLET = product(
    "TAB10", "{tablet}", "tablet", ingredient("drug-x", "10", "mg", "class-x"), gtins=(GTIN,),
    trace_prefixes=("8100001",),
)  # fmt: skip
SALINE = product(
    "NS",
    "mL",
    "infusion-solution",
    ingredient("sodium-chloride", "9", "mg", "carrier"),
    routes=("IV", "IVPB"),
)
CEFA = product(
    "CEFA", "{vial}", "injection", ingredient("cefazolin", "1", "g", "cephalosporin", "beta-lactam")
)

TABLET_ORDER = order("oT", "TAB10", dose(10, "mg"))
TABLET_TASK = task(TABLET_ORDER, NOON)
DRIP_ORDER = order(
    "oD", "CEFA", dose(1, "g"), kind="infusion", route="IVPB", rate_ml_h=Decimal(60), volume_ml=Decimal(250),
    drops_per_ml=20,
    items=(
        OrderItem(product_id="CEFA", display=label("CEFA"), dose=dose(1, "g")),
        OrderItem(product_id="NS", display=label("NS"), dose=dose(250, "mL"), role="base"),
    ),
)  # fmt: skip
DRIP_TASK = task(DRIP_ORDER, NOON)
BAG = Bag(
    id="B1", order_id="oD", order_version=1, patient_id="pA", task_id=DRIP_TASK.id, prepared_by="n2",
    checked_by="n3",
)  # fmt: skip
ORDER_B = order("oB", "CEFA", dose(1, "g"), patient_id="pB", encounter_id="eB", route="IVPB", kind="infusion")
TASK_B = task(ORDER_B, NOON)
BAG_B = replace(BAG, id="B2", order_id="oB", patient_id="pB", task_id=TASK_B.id)
BAG_SCAN, BAG_B_SCAN, TABLET_SCAN = encode("bag", "B1"), encode("bag", "B2"), f"]d201{GTIN}"

PATIENT_A = Patient(
    id="pA", mrn="MA", name="甲", name_latin="Jia", birth_date=date(1960, 1, 1), weight_kg=Decimal(60),
    weight_at=NOON - timedelta(days=1), allergy_status="none",
)  # fmt: skip
PATIENT_B = Patient(id="pB", mrn="MB", name="乙", name_latin="Yi", allergy_status="none")


def _nurse(name: str, *roles: str, **more: Any) -> Practitioner:
    return Practitioner(id=name, name=name, roles=roles, **more)


FACTS = Facts(
    practitioners=(
        _nurse("n1", "nurse"), _nurse("n2", "nurse"), _nurse("n3", "charge-nurse"), _nurse("s1", "student"),
        _nurse("d1", "doctor"), _nurse("x1", "nurse", active=False), _nurse("i1", "instructor", "nurse"),
        _nurse("e1", "engineer"),
    ),
    patients=(PATIENT_A, PATIENT_B),
    encounters=(
        Encounter(id="eA", patient_id="pA", status="in-progress", ward="W1", bed="01"),
        Encounter(id="eB", patient_id="pB", status="in-progress", ward="W1", bed="02"),
    ),
    wristbands=(
        Wristband(id="MA/1", patient_id="pA", serial="1"),
        Wristband(id="MA/0", patient_id="pA", serial="0", active=False),
        Wristband(id="MB/1", patient_id="pB", serial="1"),
    ),
    products=(TABLET, SALINE, CEFA),
    orders=(TABLET_ORDER, DRIP_ORDER, ORDER_B),
    tasks=(TABLET_TASK, DRIP_TASK, TASK_B),
    bags=(BAG, BAG_B),
    devices=(Device(id=DRIP, kind="drip-sensor", profile="wardlink_drip"),),
)  # fmt: skip
"""The ward as it stands when everything is right."""


def merged(facts: Facts, **extra: Any) -> Facts:
    """Return the facts with records added; a record with a known id replaces the old one."""
    values = {}
    for name, records in extra.items():
        known = {getattr(record, "id", index): record for index, record in enumerate(getattr(facts, name))}
        known.update({record.id: record for record in records})
        values[name] = tuple(known.values())
    return replace(facts, **values)


def scan(raw: str, at: datetime = NOON, method: ScanMethod = ScanMethod.SCAN, **more: Any) -> Scan:
    return Scan(raw=raw, method=method, at=at, **more)


def handheld(now: datetime = NOON, **more: Any) -> HandheldState:
    return HandheldState(**({"id": "h1", "last_time_sync": now} | more))


def request(
    action: Action = Action.GIVE,
    *items: str,
    now: datetime = NOON,
    band: str | Scan | None = BAND_A,
    **more: Any,
) -> CheckRequest:
    values: dict[str, Any] = {
        "id": "r1", "action": action, "now": now, "handheld": handheld(now),
        "operator": Operator(id="n1", roles=("nurse",), badge_at=now),
        "patient_scan": scan(band, now) if isinstance(band, str) else band,
        "items": tuple(scan(item, now) for item in items),
    }  # fmt: skip
    return CheckRequest(**(values | more))


def start(**more: Any) -> CheckRequest:
    """Ask to start the right bag on the right patient with a drip sensor."""
    values: dict[str, Any] = {"entered": Entered(device_id=DRIP)}
    items = more.pop("items_raw", (BAG_SCAN,))
    return request(more.pop("action", Action.START), *items, **(values | more))


def snapshot(facts: Facts = FACTS, at: datetime = NOON, **more: Any) -> Snapshot:
    return Snapshot.of(facts, version="v1", fetched_at=at, **more)


def ask(asked: CheckRequest, facts: Facts = FACTS, policy: SitePolicy = POLICY, **more: Any) -> CheckResult:
    return check(asked, snapshot(facts, asked.now, **more), policy)


def codes(result: CheckResult) -> list[str]:
    return [finding.code for finding in result.findings]


def ack(*names: str, by: str = "", reason: str = "other") -> tuple[Override, ...]:
    return tuple(Override(code=name, reason=reason, by=by) for name in names)


def marks(result: CheckResult) -> dict[str, str]:
    return {row.right.value: row.mark for row in result.rows}
