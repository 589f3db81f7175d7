"""N8: alarms."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.records import AlarmPriority
from pda_app.presenters.states.common import NO_BUTTON, Button, Picture, Text, Tone
from pda_app.presenters.states.lists import VitalTile


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """A value, and how many minutes before now it was (negative)."""

    minute: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The alarm's value over the last ``minutes``; ``lines`` are split where nothing was heard.

    ``side`` tells on which side of ``limit`` the alarm lies (low, high); empty for what was ordered.
    """

    minutes: float
    lines: tuple[tuple[TrendPoint, ...], ...]
    low: float
    high: float
    limit: float | None = None
    side: str = ""
    ticks: tuple[str, str] = ("", "")  # clock times of both ends


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """One alarm, big. ``value`` and ``unit`` are separate labels on one baseline."""

    alarm_id: str
    priority: AlarmPriority
    head: Text
    stars: int
    bed: str
    name: Text
    demographics: Text
    cause: Text
    value: str
    unit: Text
    limit: Text
    age: str  # MM:SS since it began
    note: Text
    escalation: Text = ""  # who else has been told because nobody came
    countdown: Text = ""  # who is told next, and in how many seconds
    about: Text = ""  # the drug, for an infusion's alarm
    trend: Trend | None = None
    neighbours: tuple[VitalTile, ...] = ()  # other newest values, each with its time
    infusion_id: str = ""
    patient_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    """One alarm in a line."""

    alarm_id: str
    priority: AlarmPriority
    tone: Tone
    bed: str
    text: Text
    at: str
    about: Text = ""
    acknowledged: Text = ""  # by whom and when; empty = nobody yet


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmsState:
    """The overlay (``current``), the line below it, and the page of all alarms."""

    current: AlarmView | None = None
    queue: tuple[AlarmRow, ...] = ()  # waiting behind the current one, worst first
    rows: tuple[AlarmRow, ...] = ()  # the page: everything present or not acknowledged
    acknowledge: Button = NO_BUTTON
    mute: Button = NO_BUTTON
    muted_s: int = 0
    empty: Text = ""
    picture: Picture = Picture.HERE
