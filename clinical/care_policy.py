"""What a hospital may set for transfusion, specimens, skin tests, glucose, fluids, scales and rounds.

Part of the site policy. Fixed by standards are 15 minutes, 30 minutes from issue, 4 hours and 24 hours for
blood and 20 minutes for a skin test; everything else is a *proposal* that the hospital has to sign.

Source: bc-1 §5.9 and §5.10; WS/T 433-2013 (transfusion), WS/T 431-2013 (nursing grades).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from clinical.errors import BadInputError
from clinical.infusion.arithmetic import DROP_FACTORS, MAX_DROPS_PER_S


def _demand(good: bool, message: str) -> None:
    if not good:
        raise BadInputError("policy-care", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPolicy:
    """Limits of a transfusion, in minutes unless the name says otherwise."""

    crossmatch_components: tuple[str, ...] = ("red-cells", "whole-blood")
    crossmatch_max_h: int = 72
    issue_warn: int = 30
    issue_stop: int = 60
    check_max: int = 30  # from the check of two persons at the bed to the start
    baseline_max: int = 30
    baseline_codes: tuple[str, ...] = ("temperature", "pulse", "respiration", "systolic", "saturation")
    quarter: int = 15
    quarter_earliest: int = 10
    quarter_latest: int = 20
    monitor_fresh: int = 2
    further_every: int = 60
    slow_ml_h: int = 120  # 2 mL/min until the vital signs at 15 minutes are written down
    end_warn: int = 210
    end_alarm: int = 240
    temperature_rise: Decimal = Decimal(1)  # Cel
    systolic_fall: Decimal = Decimal(30)  # mm[Hg]
    line_allowed: tuple[str, ...] = ("sodium-chloride",)  # ingredients that may share the line
    unit_checks: tuple[str, ...] = ("bag-intact", "no-clots", "colour-normal")
    keep_bag_h: int = 24

    def __post_init__(self) -> None:
        """Refuse limits that would switch a control off."""
        _demand(0 < self.quarter_earliest <= self.quarter <= self.quarter_latest, "blood: 15-minute window")
        _demand(0 < self.issue_warn <= self.issue_stop, "blood: the issue stop lies after its warning")
        _demand(0 < self.end_warn <= self.end_alarm <= 240, "blood: a unit ends within 240 minutes")
        _demand(0 < self.slow_ml_h <= 120, "blood: at most 120 mL/h before the 15-minute observation")
        _demand(0 < self.crossmatch_max_h <= 72, "blood: a cross-match holds at most 72 hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecimenPolicy:
    """Limits of taking and sending a sample."""

    transport_min: int = 60
    fasting_min: int = 480  # from the last meal


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinTestPolicy:
    """When a skin test is read, and how long a negative one holds (``skin_test_valid_h`` of the policy)."""

    read_after_min: int = 20
    read_until_min: int = 30
    checks: tuple[str, ...] = ("emergency-drugs",)

    def __post_init__(self) -> None:
        """Refuse a reading before the skin can have answered."""
        _demand(15 <= self.read_after_min <= self.read_until_min, "skin test: read at 15 minutes or later")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlucosePolicy:
    """Bounds of blood glucose in mmol/L; ``low`` and ``high`` themselves are still in range."""

    critical_low: Decimal = Decimal("2.8")
    low: Decimal = Decimal("3.9")
    high: Decimal = Decimal("10.0")
    very_high: Decimal = Decimal("13.9")
    critical_high: Decimal = Decimal("16.7")
    gap_max_min: int = 480  # between two values further apart nothing is assumed

    def __post_init__(self) -> None:
        """Refuse bounds that are out of order."""
        bounds = (self.critical_low, self.low, self.high, self.very_high, self.critical_high)
        _demand(list(bounds) == sorted(bounds) and bounds[0] > 0, "glucose: bounds must rise")


@dataclass(frozen=True, slots=True, kw_only=True)
class FluidPolicy:
    """When the ward adds up intake and output: local clock times, ``HH:MM``; the first begins the day."""

    shifts: tuple[str, ...] = ("07:00", "15:00", "23:00")

    def __post_init__(self) -> None:
        """Refuse a day without a beginning, and texts that are not clock times."""
        good = all(
            len(time) == 5 and time[2] == ":" and time[:2].isdigit() and time[3:].isdigit()
            and int(time[:2]) < 24 and int(time[3:]) < 60
            for time in self.shifts
        )  # fmt: skip
        rising = list(self.shifts) == sorted(set(self.shifts))
        _demand(bool(self.shifts) and good and rising, "fluids: shifts are rising clock times")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentPolicy:
    """When a scale is filled in: first after admission, then again by its last tier (``scale-tier``)."""

    first_h: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"braden": 24, "morse": 24}))
    again_h: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(
            {
                "braden-very_high": 24,
                "braden-high": 24,
                "braden-moderate": 72,
                "braden-mild": 168,
                "braden-none": 168,
                "morse-high": 72,
                "morse-moderate": 168,
                "morse-low": 168,
                "pain-severe": 1,
                "pain-moderate": 4,
            }
        )
    )
    """Hours; a tier that is not named is not asked for again."""

    def __post_init__(self) -> None:
        """Refuse times that would never or always ask."""
        hours = (*self.first_h.values(), *self.again_h.values())
        _demand(all(1 <= one <= 720 for one in hours), "assessments: 1 to 720 hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfusionPolicy:
    """What the ward hangs up by default, and the words a nurse chooses from."""

    drops_per_ml: int = 20  # drop factor when neither the order nor the consumable names one
    beyond_use_h: int = 24  # a mixed bag at room temperature
    scan_packages: bool = True  # a bag into which nothing was scanned is checked with a reason only
    max_gtt_min: Decimal = Decimal(400)  # faster than anybody counts: a number above is a slip
    unexpected_drops: int = 10  # within a minute under a sensor where no bag was started
    sites: tuple[str, ...] = (
        "left-hand", "right-hand", "left-forearm", "right-forearm", "left-elbow", "right-elbow", "picc",
        "cvc", "port", "other",
    )  # fmt: skip
    site_findings: tuple[str, ...] = (
        "normal", "redness", "swelling", "leak", "pain", "blocked", "other",
    )  # fmt: skip
    stop_reasons: tuple[str, ...] = (
        "order-stopped", "reaction", "site-problem", "patient-refused", "procedure", "other",
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse a drop factor that no set has, and bounds that would let slips through or refuse all."""
        _demand(self.drops_per_ml in DROP_FACTORS, f"infusion: drops_per_ml is one of {DROP_FACTORS}")
        _demand(1 <= self.unexpected_drops <= 400, "infusion: unexpected_drops is 1 to 400")
        _demand(0 < self.beyond_use_h <= 72, "infusion: a mixed bag is used within 72 hours")
        _demand(0 < self.max_gtt_min <= MAX_DROPS_PER_S * 60, "infusion: max_gtt_min is at most 720")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePolicy:
    """Everything beside drugs and infusions that has limits."""

    infusion: InfusionPolicy = InfusionPolicy()
    blood: BloodPolicy = BloodPolicy()
    specimen: SpecimenPolicy = SpecimenPolicy()
    skin_test: SkinTestPolicy = SkinTestPolicy()
    glucose: GlucosePolicy = GlucosePolicy()
    fluids: FluidPolicy = FluidPolicy()
    assessments: AssessmentPolicy = field(default_factory=AssessmentPolicy)
    lines: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "left-hand": "left-arm",
                "left-forearm": "left-arm",
                "left-elbow": "left-arm",
                "right-hand": "right-arm",
                "right-forearm": "right-arm",
                "right-elbow": "right-arm",
            }
        )
    )
    """Limb of an access site; a site that is not named is its own limb."""
