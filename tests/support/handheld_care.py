"""What the small ward has beside drugs: samples, a unit of blood, a skin test."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from clinical.bedside_check.model import ScanMethod
from clinical.care_records import BloodUnit, SampleNeed, Specimen
from clinical.identifiers import hospital
from clinical.records import Dose, Ingredient, Label, Observation, Order, OrderItem, Product, Task
from pda_app.ports import Read
from tests.support.handheld import FakeServer, Rig, at, bag_of, drug_order, product, task_of

DONATION = "A123426012345"
LOOKED = ("bag-intact", "no-clots", "colour-normal")


def tube_label(number: str) -> Read:
    """What a scanner reads from this tube."""
    return Read(raw=hospital.encode("tube", number), method=ScanMethod.SCAN)


def blood_label(donation: str = DONATION) -> Read:
    """What a scanner reads from a unit of blood, and from its slip."""
    return Read(raw=f"={donation}00", method=ScanMethod.SCAN)


def _item(product_id: str, zh: str, en: str, value: int, unit: str) -> tuple[OrderItem, ...]:
    label = Label(zh=zh, en=en)
    return (OrderItem(product_id=product_id, display=label, dose=Dose(value=Decimal(value), unit=unit)),)


def sample_order(id_: str, patient_id: str, zh: str, en: str, need: SampleNeed) -> Order:
    """A sample that is due now."""
    return drug_order(
        id_, patient_id, id_, at(0), kind="specimen", category="once", frequency="once", route="",
        items=_item(id_, zh, en, 1, "{tube}"), sample=need, start=at(0),
    )  # fmt: skip


def tube_of(order: Order, number: str, **changes: Any) -> Specimen:
    """The tube of an order, its label not printed yet."""
    need = order.sample or SampleNeed()
    made = Specimen(
        id=number, order_id=order.id, patient_id=order.patient_id, encounter_id=order.encounter_id,
        container=need.container, task_id=f"t-{order.id}", fasting=need.fasting,
        second_person=need.second_person, state="planned",
    )  # fmt: skip
    return replace(made, **changes)


def add_samples(server: FakeServer) -> None:
    """Two tubes for the first patient, one of them for a cross-match; another patient's tube."""
    count = sample_order("cbc", "p1", "血常规", "Blood count", SampleNeed(container="purple"))
    clotting = sample_order("inr", "p1", "凝血四项", "Clotting", SampleNeed(container="blue"))
    cross = sample_order(
        "xm", "p2", "交叉配血", "Cross-match", SampleNeed(container="purple", second_person=True)
    )
    drip = sample_order("bnp", "p3", "BNP", "BNP", SampleNeed(container="green"))
    orders = (count, clotting, cross, drip)
    tubes = tuple(
        tube_of(order, number) for order, number in zip(orders, ("S1", "S2", "S3", "S4"), strict=True)
    )
    server.change(orders=orders, tasks=tuple(task_of(one, at(0)) for one in orders), specimens=tubes)


def add_blood(server: FakeServer, **changes: Any) -> BloodUnit:
    """One issued unit that fits the first patient, who has agreed."""
    items = _item("rbc", "悬浮红细胞", "Red cells", 1, "{unit}")
    order = drug_order(
        "blood", "p1", "rbc", at(0), kind="transfusion", category="once", frequency="once", route="IV",
        items=items, start=at(0), rate_ml_h=Decimal(90), volume_ml=Decimal(200), drops_per_ml=20,
    )  # fmt: skip
    unit = BloodUnit(
        id="u1", donation=DONATION, product_id="rbc", product_code="E0382V00", component="red-cells",
        group="A+", patient_id="p1", order_id="blood", expires_at=at(3000), volume_ml=Decimal(200),
        crossmatch="compatible", crossmatched_at=at(-600), issued_at=at(-5),
    )  # fmt: skip
    unit = replace(unit, **changes)
    patient = next(one for one in server.facts.patients if one.id == "p1")
    stay = next(one for one in server.facts.encounters if one.patient_id == "p1")
    cells = Product(
        id="rbc", display=Label(zh="悬浮红细胞", en="Red cells"), unit="{unit}", form="blood",
        ingredients=(
            Ingredient(
                code="red-cells", display=Label(zh="红细胞", en="red cells"),
                strength=Dose(value=Decimal(1), unit="{unit}"),
            ),
        ),
    )  # fmt: skip
    server.change(
        products=(cells,),
        orders=(order,),
        tasks=(task_of(order, at(0)),),
        blood_units=(unit,),
        patients=(replace(patient, blood_group="A+"),),
        encounters=(replace(stay, transfusion_consent_at=at(-1200)),),
    )
    return unit


def add_skin_test(server: FakeServer) -> tuple[Order, Task]:
    """A skin test of the first patient that is due now, with its labelled syringe."""
    drug = replace(
        product("ceftriaxone", "头孢曲松皮试液", "Ceftriaxone skin test", unit="{vial}", strength="0.3"),
        form="injection",
    )
    order = drug_order(
        "skt", "p1", "ceftriaxone", at(0), kind="skin-test", category="once", frequency="once", route="ID",
        items=_item("ceftriaxone", "头孢曲松皮试", "Ceftriaxone skin test", 1, "{vial}"), start=at(0),
    )  # fmt: skip
    task = task_of(order, at(0))
    server.change(products=(drug,), orders=(order,), tasks=(task,), bags=(bag_of(order),))
    return order, task


def vital(code: str, value: str, minutes: float = -1, patient_id: str = "p1") -> Observation:
    """A measured value."""
    units = {"MDC_TEMP_AXILLA": "Cel", "MDC_PULS_OXIM_SAT_O2": "%", "MDC_PRESS_BLD_NONINV_SYS": "mm[Hg]"}
    return Observation(
        id=f"{patient_id}/{code}", patient_id=patient_id, code=code, value=Decimal(value),
        unit=units.get(code, "/min"), effective=at(minutes),
    )  # fmt: skip


async def pin(rig: Rig, digits: str = "580264") -> None:
    """The second person types her PIN on the page of care and confirms."""
    care = rig.app.care
    for digit in digits:
        assert care.state.second is not None
        assert care.state.second.secret
        care.second_value(care.state.second.value + digit)
    care.second_done()
    await rig.app.settle()


def said(rig: Rig) -> tuple[str, str]:
    """The verdict's kind and its sentence."""
    verdict = rig.app.care.state.verdict
    return verdict.kind, rig.text(verdict.reason)
