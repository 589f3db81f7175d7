"""Drugs, orders, planned executions and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from clinical.care_records import SampleNeed
from clinical.records.basics import Dose, Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """One active substance of a product; ``strength`` is per product unit (a tablet, an mL, a vial)."""

    code: str
    display: Label
    strength: Dose
    classes: tuple[str, ...] = ()  # therapeutic and cross-allergy classes, e.g. "beta-lactam"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A formulary entry: what a drug's barcode leads to."""

    id: str  # the hospital's drug code
    display: Label
    unit: str  # UCUM of one unit: {tablet}, mL, {vial}
    form: str  # tablet, capsule, injection, infusion-solution, oral-liquid, …
    gtins: tuple[str, ...] = ()  # GTIN-14
    trace_prefixes: tuple[str, ...] = ()  # first seven characters of a Chinese traceability code
    ingredients: tuple[Ingredient, ...] = ()
    routes: tuple[str, ...] = ()  # allowed HL70162 routes; empty = not restricted
    high_alert: int = 0  # 0 none … 3 second nurse required
    skin_test: bool = False
    pack_units: Decimal | None = None  # units in what one serialised code stands for; None = not known


@dataclass(frozen=True, slots=True, kw_only=True)
class TaperStep:
    """One step of a taper: so many days with this dose, then the next step; the last step ends the order."""

    days: int
    dose: Dose
    frequency: str = ""  # empty = the order's own


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItem:
    """One line of an order; ``role`` is drug, base or additive (HL7 RXC-1 B and A)."""

    product_id: str
    display: Label
    dose: Dose
    role: str = "drug"
    dose_high: Dose | None = None  # upper end of a ranged dose


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbal:
    """An order by word of mouth: who took it and read it back, and the doctor's signature when it came."""

    taken_by: str
    taken_at: datetime
    emergency: bool = False  # the drug was given before the order could be written
    witness: str = ""  # who heard it read back
    witness_proven: bool = False  # with a PIN of their own; in a resuscitation there may be no time for it
    signed_by: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A medication request, versioned: a change is a new version with the same id.

    ``status`` is FHIR MedicationRequest: active, on-hold, stopped, completed, cancelled,
    entered-in-error, draft. ``category`` is standing, stat, once or prn.
    """

    id: str
    version: int
    status: str
    encounter_id: str
    patient_id: str
    kind: str  # medication, infusion, transfusion, specimen, skin-test
    category: str
    items: tuple[OrderItem, ...]
    route: str  # HL70162: PO, IV, IVPB, IM, SC, …
    frequency: str  # qd, bid, q8h, once, prn, …
    start: datetime
    end: datetime | None = None
    rate_ml_h: Decimal | None = None
    volume_ml: Decimal | None = None
    drops_per_ml: int | None = None
    instruction: str = ""
    prescriber: str = ""
    prescriber_name: str = ""
    time_critical: bool = False
    do_not_give: bool = False
    nurse_verified: bool = False
    pharmacist_verified: bool = False
    nurse_verified_by: str = ""  # who checked this very content; empty = the hospital did not say
    nurse_verified_at: datetime | None = None
    pharmacist_verified_by: str = ""
    pharmacist_verified_at: datetime | None = None
    changed_at: datetime | None = None
    stopped_at: datetime | None = None
    placer_id: str = ""
    filler_id: str = ""
    group_id: str = ""  # 同组: lines given together
    prn_reason: str = ""
    prn_min_interval_min: int | None = None
    prn_max_per_day: int | None = None
    prn_max_dose_per_day: Dose | None = None
    interaction_overridden: bool = False
    label_version: int = 0  # newest version that made printed labels wrong; 0 = not known
    rate_version: int = 0  # newest version that changed only the rate on the label; 0 = not known
    drug_version: int = 0  # newest version that changed what flows, or by which route; 0 = not known
    taper: tuple[TaperStep, ...] = ()  # doses that change by days from ``start``; empty = one dose
    wear_min: int | None = None  # minutes a patch stays on; None = until the next one is due
    sample: SampleNeed | None = None  # of an order for a sample
    verbal: Verbal | None = None  # of an order by word of mouth


REMOVAL, EFFECT = "removal", "prn-effect"
FOLLOW_UPS = frozenset({REMOVAL, EFFECT})
"""Kinds of tasks that follow on something given; every other kind is a planned execution of an order."""
DISCONTINUED = frozenset({"stopped", "cancelled", "entered-in-error"})
"""Statuses of an order that somebody ended before its time."""
ENDED = DISCONTINUED | {"completed"}
"""Statuses of an order that plans nothing more."""


class TaskStatus(StrEnum):
    """Where one planned execution stands (bc-1 §5.4)."""

    PENDING = "pending"
    DUE = "due"
    OVERDUE = "overdue"
    MISSED = "missed"
    RUNNING = "running"
    PAUSED = "paused"
    GIVEN = "given"
    PARTIAL = "partial"
    HELD = "held"
    REFUSED = "refused"
    NOT_GIVEN = "not-given"
    COMPLETED = "completed"
    STOPPED_EARLY = "stopped-early"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    ERROR = "error"  # an order that could not be scheduled: visible, never dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One planned execution of an order. ``id`` is a function of order line and planned time."""

    id: str
    order_id: str
    order_version: int
    encounter_id: str
    patient_id: str
    kind: str  # medication, infusion, …: its order's; removal, prn-effect: what follows on one given
    status: TaskStatus
    planned_at: datetime | None  # None for prn
    earliest: datetime | None = None
    latest: datetime | None = None
    changed_at: datetime | None = None
    detail: str = ""  # why it is an error, who took it
    follows: str = ""  # the task whose administration asks for this one (removal, prn-effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One package that went into a prepared bag, as its code says it."""

    product_id: str
    at: datetime
    by: str
    lot: str = ""
    expires: date | None = None  # last day of use
    code: str = ""  # names this very package: gtin and serial, or the traceability code


@dataclass(frozen=True, slots=True, kw_only=True)
class Bag:
    """A labelled, prepared item (瓶签): a bag, syringe or dose made up for one task."""

    id: str
    order_id: str
    order_version: int
    patient_id: str
    task_id: str = ""
    printed_at: datetime | None = None
    beyond_use: datetime | None = None
    prepared_by: str = ""
    checked_by: str = ""
    state: str = "prepared"  # labelled, laid, prepared, checked, running, used, void
    contents: tuple[Content, ...] = ()  # packages that were scanned while it was made up
    laid_by: str = ""  # who laid its drugs out beside the label
    laid_at: datetime | None = None
    prepared_at: datetime | None = None
    checked_at: datetime | None = None
    unscanned: str = ""  # why it was checked without scanned packages


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPrint:
    """The newest print of one label: which one it is, when, by whom; the store keeps the earlier ones."""

    id: str  # "{kind}/{subject}"
    kind: str  # wristband, bag, oral, tube, bed
    subject: str  # stay, bag, sample, or place of the bed
    serial: int  # 1 for the first print, one more with every further one
    at: datetime
    by: str
    patient_id: str = ""  # empty: a label of a place


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What was done with one task; ``id`` is the id of the event that said so."""

    id: str
    task_id: str
    order_id: str
    patient_id: str
    # given, partial, held, refused, not-given, running, completed, …; removed, effect; entered-in-error
    outcome: str
    at: datetime
    operator: str
    ingredients: tuple[tuple[str, Dose], ...] = ()  # ingredient code, amount given
    dose: Dose | None = None
    route: str = ""
    site: str = ""
    reason: str = ""
    witness: str = ""
    flagged: str = ""  # accepted-exception, duplicate, or empty
    spoken_by: str = ""  # doctor on whose word alone it was done; a prescriber acknowledges it afterwards
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    corrected_by: str = ""  # who corrected it last; the store keeps what it said before
    corrected_at: datetime | None = None
    correction: str = ""  # why


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinTest:
    """A skin test that was read: negative for one lot of one substance, or positive."""

    id: str
    patient_id: str
    substance: str  # ingredient or class code
    result: str  # negative, positive
    read_at: datetime
    lot: str = ""
    readers: tuple[str, ...] = ()
