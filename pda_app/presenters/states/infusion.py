"""N6: the infusion round."""

from __future__ import annotations

from dataclasses import dataclass

from pda_app.presenters.states.check import ReasonSheet
from pda_app.presenters.states.common import (
    NO_BUTTON,
    AllergyStrip,
    Button,
    Chip,
    Choice,
    PatientBanner,
    Text,
    Tone,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """The block right of the two rates; ``arrow``: up, down or empty."""

    tone: Tone
    arrow: str
    percent: str
    word: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePair:
    """Ordered and measured, each in both units. Measured is empty without live data."""

    ordered_gtt_min: str
    ordered_ml_h: str
    measured_gtt_min: str
    measured_ml_h: str
    window: Text
    deviation: Deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A point of the remaining-volume curve: minutes since start, millilitres left."""

    minute: float
    ml: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Lines of remaining mL over minutes; ``measured`` is split where data were missing."""

    volume_ml: float
    end_minute: float
    now_minute: float
    measured: tuple[tuple[CurvePoint, ...], ...]
    ordered: tuple[CurvePoint, ...]
    forecast: tuple[CurvePoint, ...]
    rounds: tuple[CurvePoint, ...]
    ticks: tuple[tuple[float, str], ...]  # minute, HH:MM


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundState:
    """One running infusion at the bedside."""

    infusion_id: str = ""
    banner: PatientBanner | None = None
    allergy: AllergyStrip | None = None
    live: Chip | None = None
    title: Text = ""
    detail: Text = ""
    instruction: Text = ""
    rate: RatePair | None = None
    remaining_ml: str = ""
    volume_ml: str = ""
    time_left: Text = ""
    end_at: Text = ""
    curve: Curve | None = None
    sites: tuple[Choice, ...] = ()
    seen_gtt_min: str = ""
    seen_error: Text = ""
    message: Text = ""
    message_tone: Tone = Tone.PLAIN
    sheet: FinishSheet | None = None
    secondary: Button = NO_BUTTON  # finish
    primary: Button = NO_BUTTON  # record round


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishSheet:
    """Complete, pause or stop early, with the residual volume; ``mode`` chooses."""

    modes: tuple[Choice, ...]
    residual_ml: str
    residual_error: Text
    reasons: ReasonSheet | None
    record: Button
