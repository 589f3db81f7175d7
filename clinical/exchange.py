"""How handheld and server exchange facts: events go in, facts and outcomes come out.

A handheld never writes facts. It sends *events* (what a person did, with the exact time) and reads
*changes* from a cursor. Events are idempotent by id, so sending twice is always safe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from clinical.bedside_check.model import CheckRequest, CheckResult
from clinical.chart_records import Assessment, CriticalValue, FluidRecord, ObservedSet, Round
from clinical.records import Dose, Facts, Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Ward:
    """The ward a handheld or a screen shows; ``zone`` is an IANA name for display."""

    id: str
    display: Label
    zone: str
    beds: tuple[str, ...]  # in walking order


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed after ``since``; a full picture when ``complete``.

    Cursor and epoch are the server's: a different epoch means start again from a complete answer.
    """

    epoch: str
    since: int
    cursor: int
    at: datetime  # server time of the answer: handhelds check their clock against it
    complete: bool
    ward: Ward
    facts: Facts
    policy: dict[str, Any] = field(default_factory=dict)  # the site policy document; empty = unchanged
    removed: dict[str, tuple[str, ...]] = field(default_factory=dict)  # Facts field → ids gone from the ward


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBase:
    """What every event says: which, when, who, on which handheld, seeing which facts."""

    id: str  # UUIDv7
    at: datetime  # when it happened at the bedside (charted time)
    sent: datetime  # when the handheld wrote it down; differs from ``at`` only when backdated
    operator: str
    handheld: str
    snapshot_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvaluated(EventBase):
    """A check was shown to a nurse, whatever its verdict; a STOP here is a near miss."""

    type: Literal["check-evaluated"] = "check-evaluated"
    request: CheckRequest
    result: CheckResult
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationRecorded(EventBase):
    """A dose was given, in part or whole, held, refused or not given. Never refused by the server."""

    type: Literal["administration"] = "administration"
    request: CheckRequest
    task_id: str
    order_id: str
    order_version: int
    outcome: str  # given, partial, held, refused, not-given
    dose: Dose | None = None
    lease_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationCorrected(EventBase):
    """A record of an act says something wrong and now says this; the server keeps both.

    Its owner corrects it within a day, the head nurse later.
    """

    type: Literal["administration-corrected"] = "administration-corrected"
    administration_id: str
    outcome: str  # given, partial, held, refused, not-given; completed, stopped-early; entered-in-error
    reason: str  # why it is corrected
    dose: Dose | None = None  # what really went in; None: as ordered, or nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionStarted(EventBase):
    """A bag was opened. ``infusion_id`` is made by the handheld, so it is known offline too."""

    type: Literal["infusion-started"] = "infusion-started"
    request: CheckRequest
    infusion_id: str
    task_id: str
    order_id: str
    order_version: int
    bag_id: str
    rate_ml_h: Decimal
    drops_per_ml: int
    volume_ml: Decimal  # in the bag now
    device_id: str = ""
    site: str = ""
    lease_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionChanged(EventBase):
    """A running infusion was paused, resumed, re-rated, completed or stopped early."""

    type: Literal["infusion-changed"] = "infusion-changed"
    infusion_id: str
    action: str  # pause, resume, rate, complete, stop-early
    rate_ml_h: Decimal | None = None
    residual_ml: Decimal | None = None
    reason: str = ""
    request: CheckRequest | None = None  # of a new rate: its check, with the second person where one is due
    order_version: int = 0  # of the order as the handheld showed it; 0 = not told


@dataclass(frozen=True, slots=True, kw_only=True)
class PatrolRecorded(EventBase):
    """A nurse looked at an infusion (输液巡视): rate seen, site, what is left."""

    type: Literal["patrol"] = "patrol"
    infusion_id: str
    seen_gtt_min: float | None = None
    measured_gtt_min: float | None = None
    remaining_ml: float | None = None
    site_finding: str = "normal"  # normal, redness, swelling, leak, pain, blocked, other


@dataclass(frozen=True, slots=True, kw_only=True)
class CareRecorded(EventBase):
    """A step of a transfusion, a sample or a skin test was done; which one is its request's action.

    ``subject_id`` is the blood unit, the specimen or the running skin test. A skin test gets its id from
    the handheld that placed it, so that it is known offline too. Start and end of a transfusion are those of
    an infusion.
    """

    type: Literal["care"] = "care"
    request: CheckRequest
    subject_id: str
    task_id: str = ""
    order_id: str = ""
    order_version: int = 0
    infusion_id: str = ""  # of the running transfusion that was observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted(EventBase):
    """A nurse wrote one thing into the chart; exactly one of the fields below.

    Id, time and person of the record are those of the event: ``at`` is when it was found or heard.
    """

    type: Literal["charted"] = "charted"
    fluid: FluidRecord | None = None
    assessment: Assessment | None = None
    round: Round | None = None
    observed: ObservedSet | None = None
    critical: CriticalValue | None = None  # as the laboratory called it and the nurse read it back


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAssociated(EventBase):
    """A device was put on a patient by scanning both labels."""

    type: Literal["device-associated"] = "device-associated"
    association_id: str
    device_id: str
    encounter_id: str
    infusion_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReleased(EventBase):
    """A device was taken off a patient."""

    type: Literal["device-released"] = "device-released"
    association_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResuscitationChanged(EventBase):
    """A resuscitation of one patient was called, or ended; ``action`` is begin or end."""

    type: Literal["resuscitation"] = "resuscitation"
    encounter_id: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmAcknowledged(EventBase):
    """A person said "I have seen it, I go"; the condition itself goes on until it ends."""

    type: Literal["alarm-acknowledged"] = "alarm-acknowledged"
    alarm_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRefused(EventBase):
    """A scan came while a dialog was open, or could not be understood; only its kind is kept."""

    type: Literal["scan-refused"] = "scan-refused"
    reason: str  # dialog-open, broken, unknown


Event = (
    CheckEvaluated
    | AdministrationRecorded
    | AdministrationCorrected
    | InfusionStarted
    | InfusionChanged
    | PatrolRecorded
    | CareRecorded
    | Charted
    | DeviceAssociated
    | DeviceReleased
    | ResuscitationChanged
    | AlarmAcknowledged
    | ScanRefused
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one event (bc-1 §5.7).

    ``accepted``; ``accepted-exception`` (stored, flagged and alarmed: true at the bedside, but a newer
    fact stood against it); ``duplicate`` (stored, flagged, the doctor is alarmed); ``replayed`` (the same
    event came before; first answer repeated); ``refused`` (never for a dose reported as given). ``params`` of
    a duplicate say who did it before (``by``) and when (``at``), where that is known.
    """

    event_id: str
    status: str
    code: str = ""
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One nurse holds one task for a short while, so that two handhelds cannot both say GIVE."""

    id: str
    task_id: str
    operator: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """The server's own verdict; a lease only when the word is GIVE."""

    result: CheckResult
    lease: Lease | None = None
    at: datetime | None = None
