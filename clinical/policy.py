"""What a hospital may set: windows, severities, reasons, drug conditions, flow and alarm thresholds.

The site policy is one versioned document (TOML on disk, a plain mapping on the wire) that handhelds,
nodes and server all use. Every default is a *proposal* and has to be signed by the
hospital before clinical use. A policy that would weaken a STOP nobody may override is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from clinical import plain
from clinical.bedside_check.model import OverrideClass, Severity
from clinical.bedside_check.rules import RULES, WEIGHT
from clinical.care_policy import CarePolicy
from clinical.drug_policy import (
    CONDITIONS,
    DOSE_LIMITS,
    DUPLICATE_CLASSES,
    FORM_ROUTES,
    MULTI_DOSE_FORMS,
    RATE_LIMITS,
    DoseLimit,
    DrugCondition,
    Pair,
    RateLimit,
    Recall,
)
from clinical.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowThresholds:
    """When a measured drip is judged slow, fast, stopped, free, nearly empty or stale.

    Source: bc-1 §5.8; all are proposals.
    """

    deviation_warn_percent: float = 10.0
    deviation_alarm_percent: float = 25.0
    deviation_window_s: float = 180.0
    deviation_min_drops: float = 15.0
    deviation_min_ml: float = 5.0
    no_flow_min_s: float = 60.0
    no_flow_periods: float = 5.0
    free_flow_factor: float = 2.0
    free_flow_s: float = 30.0
    near_end_percent: float = 10.0
    near_end_min: float = 10.0
    empty_silence_periods: float = 10.0
    empty_infused_percent: float = 96.0
    stale_s: float = 10.0
    overrun_percent: float = 25.0
    calibrated: float = 1.0
    """1: the drop volume of the sets in use is confirmed and a deviation sounds. 0: it is not, and a
    deviation is shown with low priority but not sounded."""

    def __post_init__(self) -> None:
        """Refuse thresholds that would switch a safety alarm off."""
        for name in self.__slots__:
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise BadInputError(
                    "policy-flow", f"flow threshold {name} must be a number from 0", name=name
                )
        if self.free_flow_factor <= 1.0 or self.deviation_alarm_percent < self.deviation_warn_percent:
            raise BadInputError(
                "policy-flow", "free flow must be above 1 and the deviation alarm above its warning"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, float]) -> FlowThresholds:
        """Read what travelled in a node's targets; unknown names are ignored, missing ones default."""
        return cls(**{name: float(values[name]) for name in cls.__slots__ if name in values})

    def as_mapping(self) -> dict[str, float]:
        """Return what travels in a node's targets."""
        return {name: float(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPolicy:
    """How early and late a planned dose may be, in minutes each side (bc-1 §5.4, after ISMP)."""

    short_interval_min: int = 240  # below this the window is a quarter of the interval
    hourly_min: int = 60  # from short_interval up to one day
    daily_min: int = 120  # one day and longer
    time_critical_min: int = 30
    stat_late_min: int = 30
    first_dose_align_percent: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTimes:
    """Ward clock times of one frequency, ``HH:MM`` in the ward's zone; injection empty = as oral."""

    oral: tuple[str, ...]
    injection: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Who is told when an alarm stays unacknowledged for so long."""

    priority: str  # BICEPS word: Hi, Me, Lo
    after_s: float
    to: str  # a role or group: next-nurse, charge-nurse, doctor


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTiming:
    """Delay before an alarm begins and ends, and when an acknowledged one speaks again, in seconds."""

    delay_s: float = 0.0
    clear_s: float = 0.0
    realarm_s: float = 180.0
    latching: bool = False


def _clock(oral: str, injection: str = "") -> ClockTimes:
    return ClockTimes(oral=tuple(oral.split()), injection=tuple(injection.split()))


_CLOCKS = MappingProxyType(
    {
        "qd": _clock("08:00", "09:00"),
        "qn": _clock("20:00"),
        "bid": _clock("08:00 16:00", "09:00 15:00"),
        "tid": _clock("08:00 12:00 16:00", "09:00 13:00 17:00"),
        "qid": _clock("08:00 12:00 16:00 20:00", "09:00 13:00 17:00 21:00"),
        "q2h": _clock("00:00 02:00 04:00 06:00 08:00 10:00 12:00 14:00 16:00 18:00 20:00 22:00"),
        "q4h": _clock("00:00 04:00 08:00 12:00 16:00 20:00"),
        "q6h": _clock("02:00 08:00 14:00 20:00", "03:00 09:00 15:00 21:00"),
        "q8h": _clock("00:00 08:00 16:00", "01:00 09:00 17:00"),
        "q12h": _clock("08:00 20:00", "09:00 21:00"),
        "qod": _clock("08:00", "09:00"),
        "qw": _clock("08:00", "09:00"),
        "biw": _clock("08:00", "09:00"),
        "tiw": _clock("08:00", "09:00"),
        "ac": _clock("07:00 11:00 17:00"),
        "pc": _clock("08:00 12:00 18:00"),
        "hs": _clock("21:00"),
    }
)


_ESCALATION = (
    EscalationStep(priority="Hi", after_s=60.0, to="next-nurse"),
    EscalationStep(priority="Hi", after_s=120.0, to="charge-nurse"),
    EscalationStep(priority="Hi", after_s=120.0, to="doctor"),
    EscalationStep(priority="Me", after_s=180.0, to="next-nurse"),
)

_ALARMS = MappingProxyType(
    {
        "limit-low": AlarmTiming(delay_s=10.0, clear_s=5.0),
        "limit-high": AlarmTiming(delay_s=10.0, clear_s=5.0),
        "device-lost": AlarmTiming(delay_s=10.0, clear_s=3.0),
        "free-flow": AlarmTiming(latching=True, realarm_s=60.0),
        "no-flow": AlarmTiming(realarm_s=120.0),
        "rate-deviation": AlarmTiming(clear_s=15.0),
        "empty": AlarmTiming(latching=True, realarm_s=120.0),
        "flow-unexpected": AlarmTiming(delay_s=60.0),
        "screen-silent": AlarmTiming(realarm_s=1800.0),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePolicy:
    """One hospital's rules as data; immutable, compared by ``version``."""

    version: str = "default"
    ruleset: str = "bc-1"
    zone: str = "Asia/Shanghai"
    windows: WindowPolicy = WindowPolicy()
    flow: FlowThresholds = FlowThresholds()
    clock_times: Mapping[str, ClockTimes] = field(default_factory=lambda: _CLOCKS)
    week_days: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: MappingProxyType({"biw": (0, 3), "tiw": (0, 2, 4)})
    )
    injection_routes: tuple[str, ...] = ("IV", "IVPB", "IM", "SC", "ID", "IT", "EPI")
    severities: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    verification: str = "warn"  # allow, warn, prohibit: an order nobody has verified
    giving_roles: tuple[str, ...] = ("nurse", "charge-nurse", "student")
    prescriber_roles: tuple[str, ...] = ("doctor",)
    second_roles: tuple[str, ...] = ("nurse", "charge-nurse", "instructor")
    no_witness_roles: tuple[str, ...] = ("student", "read-only")
    head_nurse_roles: tuple[str, ...] = ("charge-nurse",)
    resuscitation_min: int = 30  # for so long after it was called a doctor's word may be read back
    verbal_sign_h: int = 6  # by when a doctor signs what was ordered by word of mouth
    conditions: tuple[DrugCondition, ...] = CONDITIONS
    dose_limits: tuple[DoseLimit, ...] = DOSE_LIMITS
    rate_limits: tuple[RateLimit, ...] = RATE_LIMITS
    interactions: tuple[Pair, ...] = ()
    incompatibilities: tuple[Pair, ...] = ()
    recalls: tuple[Recall, ...] = ()
    duplicate_classes: Mapping[str, int] = field(default_factory=lambda: DUPLICATE_CLASSES)
    form_routes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: FORM_ROUTES)
    site_routes: tuple[str, ...] = ("IM", "SC", "ID", "TD")
    site_rotation_h: int = 24
    worn_routes: tuple[str, ...] = ("TD",)
    multi_dose_forms: tuple[str, ...] = MULTI_DOSE_FORMS
    meal_classes: tuple[str, ...] = ("meal-insulin",)
    meal_window_min: int = 30
    controlled_classes: tuple[str, ...] = ("controlled",)
    skin_test_valid_h: int = 72
    prefixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    not_given_reasons: tuple[str, ...] = (
        "asleep",
        "off-ward",
        "npo",
        "vomited",
        "vital-out",
        "lab-pending",
        "no-access",
        "patient-refused",
        "family-refused",
        "drug-not-available",
        "order-in-doubt",
        "duplicate-order",
        "discharged",
        "other",
    )
    override_reasons: tuple[str, ...] = (
        "patient-off-ward",
        "procedure",
        "ward-busy",
        "verbal-order",
        "resuscitation",
        "label-damaged",
        "network-down",
        "clinical-judgement",
        "other",
    )
    prn_reasons: tuple[str, ...] = (
        "pain", "fever", "nausea", "insomnia", "anxiety", "constipation", "dyspnoea", "other",
    )  # fmt: skip
    prn_effects: tuple[str, ...] = ("relieved", "partly", "none", "worse")
    patrol_first_min: int = 15
    patrol_every_min: int = 60
    care_level_patrol_min: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"special": 15, "first": 60, "second": 120, "third": 180})
    )
    prn_effect_min: int = 60
    prn_effect_iv_min: int = 30
    prn_effect_overdue_min: int = 120
    release_confirm_min: int = 30  # devices of a patient who was moved or sent home, not confirmed as off
    screen_silent_s: int = 60  # a registered wall screen that has said nothing for so long is missed
    alarm_short_s: float = 30.0  # one that ends by itself within this time, unseen, could not be acted on
    alarms: Mapping[str, AlarmTiming] = field(default_factory=lambda: _ALARMS)
    escalation: tuple[EscalationStep, ...] = _ESCALATION
    care: CarePolicy = field(default_factory=CarePolicy)

    def __post_init__(self) -> None:
        """Refuse a policy that cannot be applied or that weakens a STOP nobody may override."""
        for code, severity in self.severities.items():
            _check_severity(code, severity)
        if self.verification not in {"allow", "warn", "prohibit"}:
            raise BadInputError("policy-value", "verification must be allow, warn or prohibit")
        if not 15 <= self.screen_silent_s <= 600:
            raise BadInputError("policy-value", "screen_silent_s is 15 to 600 seconds")
        if not 1.0 <= self.alarm_short_s <= 600.0:
            raise BadInputError("policy-value", "alarm_short_s is 1 to 600 seconds")
        try:
            ZoneInfo(self.zone)
        except (KeyError, OSError, ValueError) as error:
            raise BadInputError("policy-zone", "zone must be an IANA time zone name") from error

    @classmethod
    def default(cls) -> SitePolicy:
        """Return the proposals this product ships with."""
        return _default()

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SitePolicy:
        """Read a policy document (parsed TOML or JSON); what it does not name keeps its default.

        Raises:
            BadInputError: An unknown key, a value of the wrong kind, or a policy that is not safe.
        """
        return plain.read(cls, document, "policy")

    def to_dict(self) -> dict[str, Any]:
        """Return the whole document: TOML- and JSON-ready, ``from_dict`` reads it back equal."""
        return plain.write(self)


@cache
def _default() -> SitePolicy:
    return SitePolicy()


def _check_severity(code: str, severity: Severity) -> None:
    rule = RULES.get(code)
    if rule is None:
        raise BadInputError("policy-severity", f"there is no rule {code}", rule=code)
    weaker = WEIGHT[severity] < WEIGHT[rule.severity]
    if weaker and rule.override is OverrideClass.NONE and rule.severity is not Severity.INFO:
        raise BadInputError(
            "policy-severity", f"{code} may not be weakened: nobody may override it", rule=code
        )
