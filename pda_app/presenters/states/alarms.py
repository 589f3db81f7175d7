"""N8: alarms."""

from __future__ import annotations

from dataclasses import dataclass

from clinical.records import AlarmPriority
from pda_app.presenters.states.common import NO_BUTTON, Button, Text, Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """One alarm, big. ``value`` and ``unit`` are separate labels on one baseline."""

    alarm_id: str
    priority: AlarmPriority
    head: Text
    stars: int
    bed: str
    name: str
    demographics: Text
    cause: Text
    value: str
    unit: Text
    limit: Text
    age: str  # MM:SS since it began
    note: Text
    escalation: Text = ""  # who else has been told because nobody came
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
