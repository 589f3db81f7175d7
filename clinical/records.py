"""The plain facts that handheld and server exchange.

Every record is frozen and carries its own id, so that facts can be merged by id in any order.
Names are FHIR R4 words where FHIR has one. All times are aware UTC datetimes; bare numbers carry
their unit in the name. ``msgspec`` and pydantic encode these at the edges; here they are only data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from clinical.care_records import BloodUnit, RunningSkinTest, Specimen, TransfusionEntry


class Generation(StrEnum):
    """How a value came to be (BICEPS ``GenerationMode``). Demo never mixes with Real."""

    REAL = "Real"
    TEST = "Test"
    DEMO = "Demo"


class Validity(StrEnum):
    """Whether a measured value may be relied on (BICEPS ``MeasurementValidity``)."""

    VALID = "Vld"
    VALIDATED = "Vldated"
    ONGOING = "Ong"
    QUESTIONABLE = "Qst"
    CALIBRATING = "Calib"
    INVALID = "Inv"
    OVERFLOW = "Oflw"
    UNDERFLOW = "Uflw"
    NOT_AVAILABLE = "NA"


class Sex(StrEnum):
    """FHIR administrative gender."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class CareLevel(StrEnum):
    """Chinese nursing grade 护理级别: 特级, 一级, 二级, 三级."""

    SPECIAL = "special"
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text a person reads, in both of the product's languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """An amount with its UCUM unit, exact: ``500 mg``, ``0.333333 {tablet}``."""

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """A person who works on the ward. ``badge`` is what their badge's barcode says."""

    id: str
    name: str
    name_latin: str = ""
    roles: tuple[
        str, ...
    ] = ()  # nurse, charge-nurse, student, instructor, doctor, pharmacist, manager, engineer
    badge: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A person in care. ``mrn`` is the hospital's own number, printed on the wristband."""

    id: str
    mrn: str
    name: str
    name_latin: str = ""
    sex: Sex = Sex.UNKNOWN
    birth_date: date | None = None
    weight_kg: Decimal | None = None
    weight_at: datetime | None = None
    allergy_status: str = "not-recorded"  # known, none, not-recorded
    allergy_asked_at: datetime | None = None
    blood_group: str = ""  # ABO and RhD as the laboratory confirmed them: A+, O-; empty = not known
    generation: Generation = Generation.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """One stay. ``status`` is FHIR: planned, in-progress, onleave, finished, cancelled."""

    id: str
    patient_id: str
    status: str
    ward: str
    bed: str
    room: str = ""
    visit_number: str = ""
    admitted_at: datetime | None = None
    care_level: CareLevel | None = None
    diagnosis: str = ""
    risks: tuple[str, ...] = ()  # fall, pressure, fasting, isolation
    moved_at: datetime | None = None  # last transfer
    transfusion_consent_at: datetime | None = None  # when consent to transfusion was signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Wristband:
    """One printed wristband; only the active serial identifies the patient."""

    id: str  # "{mrn}/{serial}"
    patient_id: str
    serial: str
    active: bool = True
    printed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allergy:
    """A recorded intolerance to an ingredient or class."""

    id: str
    patient_id: str
    substance: str  # ingredient or class code of the hospital's formulary
    display: Label
    reaction: str = ""
    severity: str = "moderate"  # mild, moderate, severe, anaphylaxis


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
    taper: tuple[TaperStep, ...] = ()  # doses that change by days from ``start``; empty = one dose


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
    kind: str  # medication, infusion, patrol, vitals, specimen, …
    status: TaskStatus
    planned_at: datetime | None  # None for prn
    earliest: datetime | None = None
    latest: datetime | None = None
    changed_at: datetime | None = None
    detail: str = ""  # why it is an error, who took it


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
    state: str = "prepared"  # labelled, prepared, checked, running, used, void


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """What was done with one task; ``id`` is the id of the event that said so."""

    id: str
    task_id: str
    order_id: str
    patient_id: str
    outcome: str  # given, partial, held, refused, not-given, running, completed, stopped-early, paused
    at: datetime
    operator: str
    ingredients: tuple[tuple[str, Dose], ...] = ()  # ingredient code, amount given
    dose: Dose | None = None
    route: str = ""
    site: str = ""
    reason: str = ""
    witness: str = ""
    flagged: str = ""  # accepted-exception, duplicate, or empty


class InfusionState(StrEnum):
    """States of bc-1 §5.8."""

    PLANNED = "planned"
    PREPARED = "prepared"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED_EARLY = "stopped-early"


@dataclass(frozen=True, slots=True, kw_only=True)
class Infusion:
    """One bag being given: what was started, at which rate, on which device."""

    id: str
    order_id: str
    task_id: str
    encounter_id: str
    patient_id: str
    state: InfusionState
    rate_ml_h: Decimal
    drops_per_ml: int
    volume_ml: Decimal  # in the bag at ``started_at``
    started_at: datetime
    bag_id: str = ""
    device_id: str = ""
    site: str = ""
    ended_at: datetime | None = None
    residual_ml: Decimal | None = None
    started_by: str = ""
    paused_s: int = 0  # seconds spent paused so far
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The newest measured flow of an infusion, as its bedside node reported it."""

    id: str  # the infusion's id
    effective: datetime
    validity: Validity
    gtt_min: float | None = None
    rate_ml_h: float | None = None
    infused_ml: float | None = None
    remaining_ml: float | None = None
    time_left_min: float | None = None
    state: str = "unknown"  # flowing, slow, fast, no-flow, free-flow, near-end, empty, stale, unknown
    deviation_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device the ward owns. ``id`` is its uid as profiles report it (``ble:…``, ``serial:…``)."""

    id: str
    kind: str  # drip-sensor, pulse-oximeter, infusion-pump, …
    profile: str
    label: str = ""  # what is printed on it
    serial: str = ""
    active: bool = True
    generation: Generation = Generation.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A device belongs to an encounter from ``start`` until ``end``; readings are filed by it."""

    id: str
    device_id: str
    encounter_id: str
    start: datetime
    end: datetime | None = None
    infusion_id: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One value of one patient: the newest per code travels to handhelds."""

    id: str
    patient_id: str
    code: str  # MDC reference id
    value: Decimal | None
    unit: str
    effective: datetime
    validity: Validity = Validity.VALID
    device_id: str = ""
    generation: Generation = Generation.REAL


class AlarmPriority(StrEnum):
    """BICEPS alert priority words."""

    NONE = "None"
    LOW = "Lo"
    MEDIUM = "Me"
    HIGH = "Hi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm condition and the state of its signal; presence, signal and acknowledgement apart."""

    id: str
    condition: str  # no-flow, free-flow, rate-deviation, near-end, empty, limit-low, device-lost, …
    kind: str  # physiological, technical
    priority: AlarmPriority
    present: bool
    signal: str  # on, off, latched, acknowledged
    started_at: datetime
    encounter_id: str = ""
    patient_id: str = ""
    bed: str = ""
    device_id: str = ""
    infusion_id: str = ""
    ended_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    params: dict[str, str | float] = field(default_factory=dict)  # measured, limit, unit, code
    generation: Generation = Generation.REAL


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything known of a ward, or what changed in it; records merge by id."""

    practitioners: tuple[Practitioner, ...] = ()
    patients: tuple[Patient, ...] = ()
    encounters: tuple[Encounter, ...] = ()
    wristbands: tuple[Wristband, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    products: tuple[Product, ...] = ()
    orders: tuple[Order, ...] = ()
    tasks: tuple[Task, ...] = ()
    bags: tuple[Bag, ...] = ()
    administrations: tuple[Administration, ...] = ()
    infusions: tuple[Infusion, ...] = ()
    flows: tuple[Flow, ...] = ()
    devices: tuple[Device, ...] = ()
    associations: tuple[Association, ...] = ()
    observations: tuple[Observation, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    skin_tests: tuple[SkinTest, ...] = ()
    running_skin_tests: tuple[RunningSkinTest, ...] = ()
    blood_units: tuple[BloodUnit, ...] = ()
    transfusion_entries: tuple[TransfusionEntry, ...] = ()
    specimens: tuple[Specimen, ...] = ()
