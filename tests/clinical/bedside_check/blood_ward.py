"""A ward with one unit of blood for patient A, and short ways to ask about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from clinical.bedside_check.model import Action, Entered, Reading, Witness
from clinical.care_records import BloodUnit, TransfusionEntry
from clinical.policy import SitePolicy
from tests.support.bedside import (
    BAND_A,
    FACTS,
    NOON,
    PATIENT_A,
    ask,
    dose,
    infusion,
    ingredient,
    merged,
    order,
    product,
    request,
    scan,
    task,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DONATION = "A123426012345"
RBC = product("RBC", "{unit}", "blood", ingredient("red-cells", "1", "{unit}"))
ORDER = order(
    "oR", "RBC", dose(1, "{unit}"), kind="transfusion", route="IV", frequency="once", category="once",
    start=NOON - HOUR, end=NOON + 12 * HOUR, rate_ml_h=Decimal(90), volume_ml=Decimal(200),
)  # fmt: skip
TASK = task(ORDER, NOON)
UNIT = BloodUnit(
    id="u1", donation=DONATION, product_id="RBC", product_code="E0382V00", component="red-cells", group="A+",
    patient_id="pA", order_id="oR", expires_at=NOON + 48 * HOUR, volume_ml=Decimal(200),
    crossmatch="compatible", crossmatched_at=NOON - 10 * HOUR, issued_at=NOON - 10 * MINUTE,
    received_by=("n1", "n2"), checked_by=("n1", "n2"), checked_at=NOON - MINUTE, state="checked",
)  # fmt: skip
BAG, SLIP = f"={DONATION}00", f"={DONATION}00"
VITALS = tuple(
    Reading(code=code, value=Decimal(value), at=NOON)
    for code, value in (
        ("MDC_TEMP_AXILLA", "36.6"), ("MDC_PULS_RATE", "80"), ("MDC_RESP_RATE", "16"),
        ("MDC_PRESS_BLD_NONINV_SYS", "120"), ("MDC_PULS_OXIM_SAT_O2", "97"),
    )
)  # fmt: skip
LOOKED = ("bag-intact", "no-clots", "colour-normal")


PATIENT = replace(PATIENT_A, blood_group="A+")


def ward(unit=UNIT, patient=PATIENT, **extra):
    consent = replace(FACTS.encounters[0], transfusion_consent_at=NOON - 20 * HOUR)
    facts = merged(FACTS, patients=(patient,), encounters=(consent,), products=(RBC,), tasks=(TASK,),
                   orders=(ORDER,))  # fmt: skip
    units = unit if isinstance(unit, tuple) else (unit,)
    return merged(replace(facts, blood_units=units), **extra)


def state(name, **changes):
    return replace(UNIT, state=name, **changes)


def second(person="n2", band=BAND_A, bag=BAG, slip=SLIP, badge=NOON):
    sources = (("wristband", band), ("unit", bag), ("slip", slip))
    scans = tuple(scan(raw, source=name) for name, raw in sources if raw)
    return Witness(id=person, roles=("nurse",), badge_at=badge, scans=scans)


def blood(
    action, *, bag=BAG, slip=SLIP, unit=None, facts=None, witness=None, policy=None, entered=None, **more
):
    items = tuple(scan(raw, source=source) for raw, source in ((bag, ""), (slip, "slip")) if raw)
    if entered is None:
        entered = Entered(checks=LOOKED, vitals=VITALS, site="left-forearm")
    asked = request(action, items=more.pop("items", items), entered=entered, witness=witness, **more)
    start = {Action.BLOOD_RECEIVE: "issued", Action.BLOOD_CHECK: "received"}.get(action, "checked")
    known = facts if facts is not None else ward(unit or state(start))
    return ask(asked, known, policy or SitePolicy.default())


def check_at_bed(**more):
    return blood(Action.BLOOD_CHECK, **({"witness": second()} | more))


def start(**more):
    return blood(Action.BLOOD_START, **({"slip": ""} | more))


def running(minutes, *entries, unit=None, action=Action.BLOOD_OBS, facts=None, rate=90, **more):
    """Ask about a transfusion that began so many minutes ago."""
    flow = infusion(ORDER, TASK, "u1", id="iR", started_at=NOON - minutes * MINUTE, rate_ml_h=Decimal(rate))
    known = facts or ward(unit or state("running"), infusions=(flow,), transfusion_entries=entries)
    return blood(action, **({"slip": "", "facts": known} | more))


def entry(kind, minutes_ago, temperature="36.6", systolic="120"):
    values = {name: None if value is None else Decimal(value) for name, value in
              (("temperature", temperature), ("systolic", systolic))}  # fmt: skip
    return TransfusionEntry(id=f"e-{kind}-{minutes_ago}", infusion_id="iR", patient_id="pA", by="n1",
                            at=NOON - minutes_ago * MINUTE, kind=kind, **values)  # fmt: skip


def fit(unit_group="A+", patient_group="A+", component="red-cells", **more):
    unit = state("received", group=unit_group, component=component, **more)
    return check_at_bed(facts=ward(unit, replace(PATIENT_A, blood_group=patient_group)))


def rated(rate, **more):
    entered = Entered(vitals=VITALS, site="left-forearm", rate_ml_h=None if rate is None else Decimal(rate))
    return start(entered=entered, **more)


def hot(temperature="36.6", systolic="120", at=NOON, **more):
    vitals = (
        Reading(code="MDC_TEMP_AXILLA", value=Decimal(temperature), at=at),
        Reading(code="MDC_PRESS_BLD_NONINV_SYS", value=Decimal(systolic), at=at),
    )
    return Entered(vitals=vitals, **more)
