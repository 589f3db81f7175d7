"""What laboratories, blood banks and the gateways of other makers' devices report, in the ward's own words.

A report says about whom it is in the words of its sender; whose it is, is decided when it is applied: by the
hospital's number, else by the bed, else by a device that is on a patient, and never by a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clinical.records import AlarmPriority, Generation, Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a patient lies, as the hospital writes it (HL7 PL): ``ICU^101^A``; empty parts were not said."""

    ward: str
    room: str = ""
    bed: str = ""
    facility: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """About whom a report is, as far as its sender knows; all parts may be missing."""

    mrn: str = ""
    place: Place | None = None
    device: str = ""  # the equipment's own number (OBX-18)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFact:
    """One result of a laboratory: a number in ``unit``, or only ``text``.

    ``code`` is one of :mod:`clinical.codes` where the code or the tables say so, else the sender's own.
    """

    code: str
    name: str
    text: str  # as a person reads it: "182", ">500", "positive"
    number: Decimal | None = None
    unit: str = ""
    critical: bool = False
    withdrawn: bool = False  # deleted, or told of the wrong patient
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportResults:
    """A laboratory's report (ORU^R01); ``report`` names it for ever (OBR-3, else OBR-2)."""

    whom: Whom
    report: str
    reported_by: str
    values: tuple[ResultFact, ...]
    at: datetime | None = None
    generation: Generation = Generation.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFact:
    """One value of a device; ``value`` is None where the device had no number."""

    code: str
    value: Decimal | None
    unit: str
    validity: Validity
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMeasurements:
    """What devices of other makers measured (IHE PCD-01, or a plain ORU^R01 of a gateway)."""

    whom: Whom
    gateway: str  # MSH-3
    report: str  # names the message for ever
    values: tuple[MeasuredFact, ...]
    at: datetime | None = None
    generation: Generation = Generation.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAlert:
    """One phase of an alert of another maker's device (IHE PCD-04)."""

    whom: Whom
    gateway: str
    alert: str  # the same from its start to its end (OBR-3)
    event: str  # MDC_EVT_LO, MDC_EVT_FLUID_LINE_OCCL, …
    text: str  # as the device words it
    kind: str  # physiological, technical
    priority: AlarmPriority
    phase: str  # start, update, end, moment, acknowledged
    code: str = ""  # the value it is about, where there is one
    measured: Decimal | None = None
    unit: str = ""
    at: datetime | None = None
    generation: Generation = Generation.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAlive:
    """A gateway says that it works (PCD-04 watchdog), or that it ends (``active`` False)."""

    gateway: str
    timeout_s: int
    active: bool = True
    at: datetime | None = None
    generation: Generation = Generation.REAL


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueBlood:
    """A unit of blood was issued for one order (BPS^O29, or what the site's table makes of another)."""

    mrn: str
    order: str  # placer order number
    donation: str
    product: str  # the hospital's code of the ordered component
    product_code: str  # as on the bag
    component: str  # red-cells, whole-blood, plasma, platelets, cryoprecipitate
    group: str  # A+, O-, …
    expires_at: datetime
    volume_ml: Decimal | None = None
    crossmatch: str = ""  # compatible, incompatible
    crossmatched_at: datetime | None = None
    at: datetime | None = None
