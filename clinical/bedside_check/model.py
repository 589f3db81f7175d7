"""What goes into a bedside check and what comes out (``docs/requirements.md``, R-CHK).

Source: bc-1 §5.2. The request carries *raw* scans: the check itself says what
they are, so no caller can hand it a wrong reading of a barcode.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from clinical.records import Dose


class Action(StrEnum):
    """What the nurse is about to do."""

    GIVE = "GIVE"
    START = "START"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    RATE = "RATE"
    BAG_CHANGE = "BAG_CHANGE"
    COMPLETE = "COMPLETE"
    STOP_EARLY = "STOP_EARLY"
    HOLD = "HOLD"
    REFUSE = "REFUSE"
    NOT_GIVEN = "NOT_GIVEN"
    REMOVE = "REMOVE"
    PRN_EFFECT = "PRN_EFFECT"
    COLLECT = "COLLECT"
    BLOOD_RECEIVE = "BLOOD_RECEIVE"
    BLOOD_CHECK = "BLOOD_CHECK"
    BLOOD_START = "BLOOD_START"
    BLOOD_OBS = "BLOOD_OBS"
    BLOOD_END = "BLOOD_END"
    SKINTEST_START = "SKINTEST_START"
    SKINTEST_READ = "SKINTEST_READ"
    PATROL = "PATROL"


class ScanMethod(StrEnum):
    """How a code came in; ``key`` and ``none`` count as workarounds."""

    SCAN = "scan"
    CAMERA = "camera"
    NFC = "nfc"
    KEY = "key"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One code as it was read; ``symbology`` is the AIM identifier (``]C1``) when the reader tells it."""

    raw: str
    method: ScanMethod
    at: datetime
    symbology: str = ""
    reason: str = ""  # why it was typed or not read
    source: str = ""  # what it was read from where that matters: unit, slip, wristband


@dataclass(frozen=True, slots=True, kw_only=True)
class HandheldState:
    """The device that asks; its clock and the age of its facts are part of the check."""

    id: str
    clock_offset_s: float = 0.0
    last_time_sync: datetime | None = None
    battery_percent: int | None = None
    online: bool = True
    bed_seen: str = ""  # bed of the node at hand, when one is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who asks, with the roles of the session and when the badge was last read."""

    id: str
    roles: tuple[str, ...]
    badge_at: datetime | None = None
    instructor_id: str = ""
    instructor_badge_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """The second person, from their own badge and their own scans and calculation."""

    id: str
    roles: tuple[str, ...]
    badge_at: datetime
    value: Decimal | None = None  # independently calculated rate or dose
    scans: tuple[Scan, ...] = ()  # their own scans of wristband, unit and slip
    result: str = ""  # their own reading of a skin test


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One vital sign, confirmed by the nurse; ``code`` is a reference id of the table of codes."""

    code: str
    value: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What the nurse typed or chose."""

    dose: Dose | None = None
    rate_ml_h: Decimal | None = None
    route: str = ""
    site: str = ""
    volume_left_ml: Decimal | None = None
    residual_ml: Decimal | None = None
    prn_reason: str = ""
    reason_code: str = ""
    reason_text: str = ""
    charted_at: datetime | None = None
    device_id: str = ""  # drip sensor or pump that will watch an infusion
    calculated: Decimal | None = None  # the nurse's own calculation, for the blind second one
    checks: tuple[str, ...] = ()  # looked at and found right: bag-intact, emergency-drugs, …
    symptoms: tuple[str, ...] = ()  # what was seen: leak, clot, chill, rash, …
    vitals: tuple[Reading, ...] = ()  # measured by hand, or taken over from the monitor
    container: str = ""  # the tube that was taken
    result: str = ""  # of a skin test: negative, positive, doubtful


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One finding accepted by a person: acknowledged with a reason, or authorised by another."""

    code: str
    reason: str
    by: str = ""  # prescriber or second nurse, by the finding's override class
    via: str = "app"  # how a prescriber said so: app (confirmed in person), read-back (telephone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Another person has shown badge and PIN for this very question.

    Online the server has issued ``token``, which counts once; offline the handheld has recognised the PIN by
    itself, and a person looks at it later.
    """

    by: str
    purpose: str  # witness, prescriber, blind-calculation
    token: str = ""  # empty: recognised by the handheld alone


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """One question to the bedside check: may this person do this, to this patient, with this, now?"""

    id: str  # UUIDv7, also the idempotency key
    action: Action
    now: datetime
    handheld: HandheldState
    operator: Operator
    patient_scan: Scan | None = None
    items: tuple[Scan, ...] = ()
    entered: Entered = Entered()
    witness: Witness | None = None
    overrides: tuple[Override, ...] = ()
    task_id: str = ""  # chosen by the nurse when several fit
    infusion_id: str = ""
    snapshot_version: str = ""
    order_version: int = 0  # as the asking screen showed it; another one at the server means REFRESH
    seen_version: int = 0  # newest version of the order this operator has read; 0 = not tracked
    confirmations: tuple[Confirmation, ...] = ()  # who has confirmed it with badge and PIN


class Severity(StrEnum):
    """How much a finding weighs."""

    INFO = "INFO"
    WARN = "WARN"
    STOP = "STOP"
    REFRESH = "REFRESH"


class OverrideClass(StrEnum):
    """Who can accept a finding (bc-1 §5.2)."""

    NONE = "none"
    ACK = "ack"
    SECOND = "second"
    PRESCRIBER = "prescriber"
    EMERGENCY = "emerg"


class Right(StrEnum):
    """Which of the bedside rights a finding is about; the rows on the screen."""

    SYSTEM = "system"
    PATIENT = "patient"
    DRUG = "drug"
    DOSE = "dose"
    ROUTE = "route"
    TIME = "time"
    SAFETY = "safety"
    WITNESS = "witness"
    DOCUMENTATION = "documentation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that speaks against going on. ``params`` feed the sentence; never a sentence here."""

    code: str
    severity: Severity
    right: Right
    override: OverrideClass = OverrideClass.NONE
    params: tuple[tuple[str, str], ...] = ()
    overridden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RightRow:
    """One right as judged: ``ok``, ``warn``, ``stop`` or ``unjudged`` (a dash, never a tick)."""

    right: Right
    mark: str
    expected: str = ""
    actual: str = ""


class Verdict(StrEnum):
    """The worst finding left standing."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a secret
    INFO = "INFO"
    WARN = "WARN"
    STOP = "STOP"
    REFRESH = "REFRESH"


class Word(StrEnum):
    """The one big word on the screen."""

    GIVE = "GIVE"
    CHECK = "CHECK"
    STOP = "STOP"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The answer. GIVE only when nothing stands against it and nothing is missing."""

    verdict: Verdict
    word: Word
    findings: tuple[Finding, ...] = ()  # worst first
    needs: tuple[str, ...] = ()  # inputs still missing: patient-scan, item-scan, dose, site, prn-reason, …
    rows: tuple[RightRow, ...] = ()
    patient_id: str = ""  # empty while the patient is not certain
    order_id: str = ""
    order_version: int = 0
    task_id: str = ""
    bag_id: str = ""
    product_id: str = ""
    dose: Dose | None = None  # what would be recorded
    route: str = ""
    rate_ml_h: Decimal | None = None
    volume_ml: Decimal | None = None
    drops_per_ml: int | None = None
    variance_min: int | None = None  # signed minutes from the planned time
    candidates: tuple[str, ...] = ()  # task ids when several fit
    ruleset: str = "bc-1"
    policy: str = ""
    snapshot_version: str = ""
    input_hash: str = ""
