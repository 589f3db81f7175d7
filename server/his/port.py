"""What hospital messages say, in the ward's own words, and the ports they pass through.

A message becomes one or more facts of this module; :class:`HospitalFacts` makes them true in the ward's
store, all of one message or none. :class:`MessageStore` keeps every message, in and out, as it was sent.

Absent and deleted are different things (HL7 v2: an empty field says nothing, ``""`` deletes): a value of
``None`` was not said and leaves what is known; a field name in ``cleared`` was deleted by the sender.
Codes are the hospital's own; the ward's mapping tables translate them when the fact is applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from clinical.records import Sex
from server.his.reported import (
    GatewayAlive,
    IssueBlood,
    Place,
    ReportAlert,
    ReportMeasurements,
    ReportResults,
)
from server.his.stored import MessageState, MessageStore, Outcome, StoredMessage

__all__ = [
    "AdministrationFact",
    "AdministrationSink",
    "AdmitPatient",
    "AllergyFact",
    "Applied",
    "CancelAdmit",
    "CancelDischarge",
    "ChangeOrder",
    "Demographics",
    "DischargePatient",
    "GatewayAlive",
    "GivenItem",
    "HoldOrder",
    "HospitalFact",
    "HospitalFacts",
    "IssueBlood",
    "ItemFact",
    "MergePatients",
    "MessageState",
    "MessageStore",
    "MovePatient",
    "Outcome",
    "Place",
    "PlaceOrder",
    "ReleaseOrder",
    "ReportAlert",
    "ReportMeasurements",
    "ReportResults",
    "StopOrder",
    "StoredMessage",
    "SwapPatients",
    "UpdatePatient",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AllergyFact:
    """One allergy line (AL1): hospital code and text; ``severity`` is mild, moderate, severe or empty."""

    code: str
    text: str
    kind: str = ""  # HL70127: DA drug, FA food, EA environmental, …
    severity: str = ""
    reaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """Who a patient is; ``None`` was not said, names in ``cleared`` were deleted."""

    name: str | None = None
    name_latin: str | None = None
    sex: Sex | None = None
    birth_date: date | None = None
    weight_kg: Decimal | None = None
    weight_at: datetime | None = None
    care_level: str | None = None  # clinical.records.CareLevel word
    diagnosis: str | None = None
    allergies: tuple[AllergyFact, ...] | None = None  # the complete list of the message; () = asked, none
    cleared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitPatient:
    """A patient is admitted or registered to a bed (ADT A01, A04)."""

    mrn: str
    visit_number: str
    place: Place | None
    who: Demographics
    at: datetime | None = None
    demo: bool = False  # MSH-11 is T or D: not production data


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePatient:
    """Something about a patient changed (A08); ``place`` only when the message names one."""

    mrn: str
    visit_number: str
    who: Demographics
    place: Place | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePatient:
    """A patient moves to another bed (A02), or back to it (A12 cancels the move)."""

    mrn: str
    visit_number: str
    place: Place
    prior: Place | None = None
    cancels: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapPatients:
    """Two patients change beds (A17); ``place`` and ``other_place`` are where they lie afterwards."""

    mrn: str
    place: Place
    other_mrn: str
    other_place: Place
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DischargePatient:
    """A patient leaves (A03): the bed is freed, associations closed, later tasks stopped."""

    mrn: str
    visit_number: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelDischarge:
    """A discharge was a mistake (A13): the patient is back in ``place`` or in the bed they left."""

    mrn: str
    visit_number: str
    place: Place | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAdmit:
    """An admission was a mistake (A11): the encounter is cancelled and the bed freed."""

    mrn: str
    visit_number: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePatients:
    """Two numbers are one person (A40): ``old_mrn`` (MRG-1) lives on under ``mrn``."""

    mrn: str
    old_mrn: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFact:
    """One line of an order: hospital drug code, its text, and the amount to give.

    ``role`` is drug, base or additive (RXC-1 B and A). ``amount`` None means the message gives none.
    ``amount_high`` is the upper end of a ranged dose (RXE-4).
    """

    code: str
    text: str
    amount: Decimal | None = None
    unit: str = ""
    role: str = "drug"
    amount_high: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """A medication order (RDE, OMP, ORM with NW). ``placer_id`` is the hospital's own order number.

    ``frequency`` is a frequency word of the schedule (``qd``, ``q8h``, ``once``, ``prn`` …) where the message
    says it in a form we know, fixed times of day ``HH:MM,HH:MM`` where it names them, else the hospital's own
    text for the mapping table. Times are UTC.
    """

    mrn: str
    placer_id: str
    visit_number: str = ""
    filler_id: str = ""
    group_id: str = ""  # ORC-4: lines given together
    parent_id: str = ""  # ORC-8
    kind: str = "medication"  # medication, infusion
    category: str = ""  # standing, stat, once, prn; empty = derive from the frequency
    items: tuple[ItemFact, ...] = ()
    route: str = ""
    frequency: str = ""
    times: tuple[str, ...] = ()  # TQ1-4 explicit ward times "HH:MM"
    start: datetime | None = None
    end: datetime | None = None
    rate_ml_h: Decimal | None = None
    volume_ml: Decimal | None = None
    drops_per_ml: int | None = None
    instruction: str = ""
    prescriber: str = ""
    prescriber_name: str = ""
    verified_by: str = ""
    priority: str = "routine"  # stat, asap, routine
    prn_reason: str = ""
    at: datetime | None = None
    demo: bool = False  # MSH-11 is T or D: not production data
    encoded: bool = False  # a pharmacist has encoded it (RDE): one of the two checks of a new order


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOrder:
    """A new version of an order (XO): empty or ``None`` in ``order`` was not said and stays."""

    order: PlaceOrder
    cleared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOrder:
    """Later executions wait (HD)."""

    mrn: str
    placer_id: str
    filler_id: str = ""
    at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOrder:
    """A held order goes on (RL)."""

    mrn: str
    placer_id: str
    filler_id: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOrder:
    """An order ends (DC) or is cancelled (CA): later executions are cancelled, past ones stay."""

    mrn: str
    placer_id: str
    filler_id: str = ""
    at: datetime | None = None
    reason: str = ""
    cancelled: bool = False


HospitalFact = (
    AdmitPatient
    | UpdatePatient
    | MovePatient
    | DischargePatient
    | CancelDischarge
    | CancelAdmit
    | MergePatients
    | SwapPatients
    | PlaceOrder
    | ChangeOrder
    | HoldOrder
    | ReleaseOrder
    | StopOrder
    | ReportResults
    | ReportMeasurements
    | ReportAlert
    | GatewayAlive
    | IssueBlood
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a fact. ``code`` is empty when ok, else stable and kebab-case.

    Codes the mapping knows: ``unmapped-ward``, ``unmapped-bed``, ``unmapped-drug``, ``unmapped-frequency``,
    ``unmapped-route``, ``unmapped-unit``, ``unknown-patient``, ``unknown-order``, ``bed-taken``,
    ``order-closed``, ``wrong-bed``, ``busy`` (try again); any other code is an application error.
    ``detail`` is one English sentence without patient data; when ok, what a person may want to know all
    the same.
    """

    ok: bool
    code: str = ""
    detail: str = ""


class HospitalFacts(Protocol):
    """Makes facts of the hospital true in the ward; every fact is idempotent."""

    def apply(self, fact: HospitalFact) -> Applied:
        """Apply one fact in its own transaction."""
        ...

    def apply_all(self, facts: Sequence[HospitalFact]) -> Applied:
        """Apply the facts of one message in one transaction: all of them, or none and the first error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenItem:
    """One line of what was given: hospital drug code, text, amount (None = unknown) and UCUM unit."""

    code: str
    text: str
    amount: Decimal | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationFact:
    """One finished act at the bedside, as the hospital wants to hear it (RAS^O17).

    ``outcome`` is a word of ``clinical.records.Administration.outcome``; ``event_id`` names the act for ever,
    so that telling it twice is told once. ``action`` is A add, U update (a correction), D delete.
    """

    event_id: str
    mrn: str
    visit_number: str
    name: str
    placer_id: str
    filler_id: str
    items: tuple[GivenItem, ...]
    route: str
    start: datetime
    operator_id: str
    operator_name: str
    outcome: str
    end: datetime | None = None
    site: str = ""
    reason: str = ""
    rate_ml_h: Decimal | None = None
    witness_id: str = ""
    action: str = "A"
    demo: bool = False
    ward: str = ""
    bed: str = ""


class AdministrationSink(Protocol):
    """Where the server tells what was given, after its own commit."""

    def administered(self, fact: AdministrationFact) -> None:
        """Queue the fact for the hospital; returns once it is on disk, never waits for the network."""
        ...
