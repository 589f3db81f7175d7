"""Infusions, devices, what they measure, and alarms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from clinical.records.basics import Generation, Validity


class InfusionState(StrEnum):
    """States of bc-1 §5.8."""

    PLANNED = "planned"
    PREPARED = "prepared"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    STOPPED_EARLY = "stopped-early"


FLOWING = frozenset({InfusionState.RUNNING, InfusionState.PAUSED})
"""States of a bag that hangs open."""


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
    looked_at: datetime | None = None  # the newest round
    order_version: int = 0  # of the order it was opened under; 0 = not known
    ordered_rate_ml_h: Decimal | None = None  # what was ordered when the rate was last set; None = not known


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionEntry:
    """One thing done with a bag, or one look at it; ``id`` is that of the event that said so."""

    id: str
    infusion_id: str
    patient_id: str
    at: datetime
    by: str
    action: str  # start, pause, resume, rate, complete, stop-early, patrol
    rate_ml_h: Decimal | None = None
    residual_ml: Decimal | None = None
    reason: str = ""
    site_finding: str = ""
    seen_gtt_min: float | None = None  # counted by eye
    measured_gtt_min: float | None = None
    remaining_ml: float | None = None
    flagged: str = ""  # the rule that stood against it; empty when none did


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
    release_asked_at: datetime | None = None  # since when it should be off: a person has to confirm it


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
