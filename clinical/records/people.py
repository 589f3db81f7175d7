"""Who works on the ward, who is cared for, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

from clinical.records.basics import Generation, Label


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
class Practitioner:
    """A person who works on the ward. ``badge`` is what their badge's barcode says."""

    id: str
    name: str
    name_latin: str = ""
    roles: tuple[
        str, ...
    ] = ()  # nurse, charge-nurse, student, instructor, doctor, pharmacist, manager, engineer, read-only
    badge: str = ""
    active: bool = True
    wards: tuple[str, ...] = ()  # where they work; empty = every ward of the hospital (pharmacist, engineer)
    revoked_at: datetime | None = None  # sign-ins of before count no more: a handheld forgets PIN and keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One person's beds in one shift, from ``since`` until ``until``; no beds is the ward as a whole."""

    id: str  # "{ward}/{since}/{practitioner}"
    ward: str
    practitioner_id: str
    since: datetime
    until: datetime
    beds: tuple[str, ...] = ()
    by: str = ""  # who divided the beds


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
    """One stay. ``status`` is FHIR: planned, in-progress, onleave, finished, cancelled; or *leaving*.

    Leaving: the hospital has ended the stay, but a device or a bag of it has not been confirmed as off. The
    patient is still watched; the bed is free for another, and then ``bed`` is empty.
    """

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
    resuscitation_at: datetime | None = None  # when the newest resuscitation was called
    resuscitation_until: datetime | None = None  # when it ends, or was ended; None = by time alone
    resuscitation_ended_at: datetime | None = None  # when somebody ended it by hand
    leaves_as: str = ""  # of one that is leaving: its status once everything is off


LEAVING = "leaving"
PRESENT = frozenset({"in-progress", "onleave", LEAVING})
"""Statuses of a stay that is not over: the person is a patient of the ward, or still on its devices."""


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


def age_years(born: date, today: date) -> int:
    """Return whole years of age: one more on every birthday, on 1 March for a 29 February."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def present_of(stays: Iterable[Encounter]) -> Encounter | None:
    """Return the stay a patient is in: the newest not over; a leaving one only for want of another."""
    here = [one for one in stays if one.status in PRESENT]
    return max(
        here,
        key=lambda one: (one.status != LEAVING, one.admitted_at or datetime.min.replace(tzinfo=UTC), one.id),
        default=None,
    )
