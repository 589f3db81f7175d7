"""Plain facts of the nursing chart: fluids, assessments, rounds, critical values, handovers.

Times are aware UTC datetimes. A correction is a new record that names the one it replaces.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

ROUND, BRADEN, MORSE, PAIN = "round", "braden", "morse", "pain"
SCALES = (BRADEN, MORSE, PAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidRecord:
    """One amount that went in or came out (出入量)."""

    id: str
    patient_id: str
    at: datetime
    by: str
    direction: str  # in, out
    kind: str  # oral, blood, urine, stool, vomit, drain, …
    ml: Decimal
    replaces: str = ""  # the record this one corrects


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One scale that a nurse filled in; ``total`` and ``tier`` are the server's own sum of the answers."""

    id: str
    patient_id: str
    at: datetime
    by: str
    scale: str  # braden, morse, pain
    answers: dict[str, int | str] = field(default_factory=dict)
    total: int | None = None
    tier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A nurse looked at a patient (护理级别巡视)."""

    id: str
    patient_id: str
    at: datetime
    by: str
    findings: tuple[str, ...] = ()  # asleep, awake, pain, restless, off-bed, …


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One value as a nurse wrote it down; ``code`` and ``unit`` (UCUM) are those of the table of codes."""

    code: str
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedSet:
    """Values that were found at one time on one stay."""

    encounter_id: str
    values: tuple[Observed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalValue:
    """A laboratory value that must reach a doctor now (危急值), from the call to what was done about it."""

    id: str
    patient_id: str
    test: str
    value: str
    unit: str
    reported_by: str  # who called
    received_by: str  # who took it and read it back
    received_at: datetime
    doctor: str = ""  # who was told
    told_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    action: str = ""  # what the doctor decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A shift given from one nurse to the next (交接班); open until the next one has taken it."""

    id: str
    ward: str
    since: datetime
    until: datetime
    given_by: str
    given_at: datetime
    notes: dict[str, str] = field(default_factory=dict)  # encounter id → what to watch
    taken_by: str = ""
    taken_at: datetime | None = None
