"""Plain facts of transfusion, specimens and skin tests; ``records.Facts`` carries them like all others.

Times are aware UTC datetimes. The limits that apply to them are in :mod:`clinical.care_policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSkinTest:
    """A skin test that was placed and waits to be read."""

    id: str
    patient_id: str
    order_id: str
    substance: str  # ingredient or class code
    started_at: datetime
    started_by: str
    task_id: str = ""
    lot: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodUnit:
    """One blood component as the blood bank issued it, for one patient and one order."""

    id: str
    donation: str  # donation identification number, without flag characters
    product_id: str  # the hospital's component code, as ordered
    product_code: str  # as on the bag (ISBT 128 structure 003), or the region's own
    component: str  # red-cells, whole-blood, plasma, platelets, cryoprecipitate
    group: str  # A+, O-, …
    patient_id: str
    order_id: str
    expires_at: datetime
    volume_ml: Decimal | None = None
    crossmatch: str = ""  # compatible, incompatible; empty = not done
    crossmatched_at: datetime | None = None
    issued_at: datetime | None = None
    received_by: tuple[str, ...] = ()
    received_at: datetime | None = None
    checked_by: tuple[str, ...] = ()  # the two who checked it at the bed
    checked_at: datetime | None = None
    state: str = "issued"  # issued, received, checked, running, ended, returned, void
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfusionEntry:
    """Vital signs written down for one transfusion: before it, at 15 minutes, hourly, at the end."""

    id: str
    infusion_id: str
    patient_id: str
    at: datetime
    by: str
    kind: str = "further"  # baseline, quarter, further, end
    temperature: Decimal | None = None  # Cel
    systolic: Decimal | None = None  # mm[Hg]
    symptoms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleNeed:
    """What an order for a sample asks for."""

    container: str = ""  # the tube the test needs; empty = any
    fasting: bool = False
    trough_of: str = ""  # ingredient that must not have been given since its last slot
    second_person: bool = False  # a sample for a cross-match


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One tube to be filled; ``id`` is what its label's barcode says."""

    id: str
    order_id: str
    patient_id: str
    encounter_id: str
    container: str = ""  # the tube the test needs; empty = any
    task_id: str = ""
    printed_at: datetime | None = None
    collected_at: datetime | None = None
    collected_by: str = ""
    received_at: datetime | None = None  # at the laboratory
    state: str = "planned"  # planned, printed, collected, received, rejected, cancelled
    fasting: bool = False
    trough_of: str = ""  # ingredient that must not have been given since its last slot
    second_person: bool = False  # a sample for a cross-match
