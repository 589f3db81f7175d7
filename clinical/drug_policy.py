"""What a hospital may set about drugs: conditions, limits, pairs, recalls, and which form takes which way.

Part of the site policy. Every default is a *proposal* that the hospital has to sign.

Source: bc-1 §5.5, drug-condition table.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from clinical.bedside_check.model import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugCondition:
    """A vital sign or laboratory value that must be fresh, and within its limit, before a drug is given."""

    drug: str  # ingredient or class code
    measure: str  # observation code
    max_age_min: int
    kind: str = "vital"  # vital, lab
    op: str = ""  # "<" or ">": the side that is out; empty = only its presence is asked
    limit: Decimal = Decimal(0)
    unit: str = ""
    severity: Severity = Severity.STOP
    routes: tuple[str, ...] = ()  # empty = every route
    required: bool = True  # false: judged when there is a value, not asked for when there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseLimit:
    """Most of one ingredient at once and in any rolling 24 hours, over all products."""

    ingredient: str
    unit: str
    single: Decimal | None = None
    per_day: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two ingredient or class codes that do not go together (interaction, or in one line)."""

    a: str
    b: str
    severity: str = "major"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A lot that must not be given; an empty lot recalls the whole product."""

    product: str
    lot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Rate of one ingredient into a vein: above ``warn`` it is told, above ``stop`` a doctor decides."""

    ingredient: str  # ingredient or class code
    unit: str  # amount per hour: mmol
    warn: Decimal
    stop: Decimal
    g_per_mol: Decimal | None = None  # of a substance whose strength is given as a mass


def _condition(
    drug: str,
    measure: str,
    age: int,
    op: str,
    limit: str,
    unit: str,
    kind: str = "vital",
    severity: Severity = Severity.STOP,
    routes: tuple[str, ...] = (),
    *,
    required: bool = True,
) -> DrugCondition:
    return DrugCondition(
        drug=drug,
        measure=measure,
        max_age_min=age,
        kind=kind,
        op=op,
        limit=Decimal(limit),
        unit=unit,
        severity=severity,
        routes=routes,
        required=required,
    )


_DAY = 1440
CONDITIONS = (
    _condition("insulin", "MDC_CONC_GLU_GEN", 60, "<", "3.9", "mmol/L", "lab"),
    _condition("insulin", "MDC_CONC_GLU_GEN", 60, ">", "22", "mmol/L", "lab", Severity.WARN),
    _condition("digoxin", "MDC_PULS_RATE", 30, "<", "60", "/min"),
    _condition("beta-blocker", "MDC_PULS_RATE", 30, "<", "50", "/min"),
    _condition("beta-blocker", "MDC_PRESS_BLD_NONINV_SYS", 30, "<", "90", "mm[Hg]"),
    _condition("antihypertensive", "MDC_PRESS_BLD_NONINV_SYS", 30, "<", "90", "mm[Hg]"),
    _condition("opioid", "MDC_RESP_RATE", 30, "<", "10", "/min"),
    _condition("warfarin", "MDCX_INR", 7 * _DAY, ">", "4", "1", "lab"),
    _condition("heparin", "MDCX_PLATELETS", _DAY, "<", "50", "10*9/L", "lab", routes=("IV", "IVPB")),
    _condition("heparin", "MDCX_APTT", _DAY, "", "0", "s", "lab", routes=("IV", "IVPB")),
    _condition("potassium", "MDC_CONC_K_GEN", 12 * 60, ">", "5.5", "mmol/L", "lab", routes=("IV", "IVPB")),
    _condition("opioid", "MDCX_SEDATION_RASS", 30, "<", "-3", "{score}", required=False),
)
"""Vital signs and laboratory values before a drug; all are proposals."""

DOSE_LIMITS = (DoseLimit(ingredient="paracetamol", unit="g", single=Decimal(1), per_day=Decimal(4)),)
RATE_LIMITS = (
    RateLimit(
        ingredient="potassium-chloride", unit="mmol", warn=Decimal(10), stop=Decimal(20),
        g_per_mol=Decimal("74.55"),
    ),
)  # fmt: skip
DUPLICATE_CLASSES = MappingProxyType({"opioid": 240, "nsaid": 360, "benzodiazepine": 360})
MULTI_DOSE_FORMS = (
    "tablet", "capsule", "oral-liquid", "powder-oral", "ointment", "eye-drops", "ear-drops", "inhalation",
)  # fmt: skip
"""Forms in boxes and bottles: one code stands for many doses unless the formulary says otherwise."""
FORM_ROUTES = MappingProxyType(
    {
        "tablet": ("PO", "SL", "BU", "NG", "GTT", "PR", "VG"),
        "capsule": ("PO", "NG", "GTT", "IH"),
        "oral-liquid": ("PO", "NG", "GTT"),
        "powder-oral": ("PO", "NG", "GTT"),
        "suppository": ("PR", "VG"),
        "patch": ("TD", "TP"),
        "ointment": ("TP", "OP", "TD"),
        "eye-drops": ("OP",),
        "ear-drops": ("OT",),
        "inhalation": ("IH",),
        "infusion-solution": ("IV", "IVPB", "SC", "EPI"),
    }
)
