"""What the ward tells the hospital beside administrations, in its own words; each becomes one message.

Devices and their alerts and infusions follow IHE PCD-01, PCD-04 and PCD-10 (ORU^R01, R40, R42), samples
OML^O21, what nurses write down ORU^R01.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from clinical.records import AlarmPriority, Validity
from server.his.writing import Subject


class Topic(StrEnum):
    """What a hospital may want to be told; each is switched on by itself."""

    DEVICES = "devices"
    ALERTS = "alerts"
    INFUSIONS = "infusions"
    SPECIMENS = "specimens"
    CHARTED = "charted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldValue:
    """One value: an MDC reference id, UCUM."""

    code: str
    value: Decimal | None
    unit: str
    at: datetime
    validity: Validity = Validity.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """What one of our devices measured of one patient."""

    whom: Subject
    device_id: str
    kind: str  # clinical.records.Device.kind
    values: tuple[ToldValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertReport:
    """One phase of one of our alarms; ``id`` is the same from its start to its end."""

    whom: Subject
    id: str
    condition: str
    kind: str  # physiological, technical
    priority: AlarmPriority
    phase: str  # start, update, escalate, deescalate, acknowledged, end
    state: str  # active, inactive, latched
    at: datetime
    text: str
    acknowledged: bool = False
    device_id: str = ""
    code: str = ""
    measured: Decimal | None = None
    limit: str = ""  # the range of OBX-7: "90-", "-120"
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionReport:
    """One event of one infusion."""

    whom: Subject
    infusion_id: str
    placer_id: str
    filler_id: str
    drug_code: str
    drug: str
    event: str  # start, stop, complete, change
    flowing: bool
    at: datetime
    rate_ml_h: Decimal
    volume_ml: Decimal
    infused_ml: Decimal | None = None
    remaining_ml: Decimal | None = None
    device_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenReport:
    """A sample was taken."""

    whom: Subject
    specimen_id: str
    placer_id: str
    filler_id: str
    test_code: str
    test: str
    container: str
    collected_at: datetime
    by: str
    by_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartedReport:
    """What a nurse wrote down at one time."""

    whom: Subject
    id: str
    at: datetime
    by: str
    by_name: str
    values: tuple[ToldValue, ...]


Report = DeviceReport | AlertReport | InfusionReport | SpecimenReport | ChartedReport
