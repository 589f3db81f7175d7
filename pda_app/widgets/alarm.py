"""Alarms: the overlay over every page, and the lines of the page of all alarms."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from clinical.records import AlarmPriority
from pda_app.presenters.states import AlarmRow, AlarmsState, AlarmView, Tone
from pda_app.widgets.base import Surface, Touch
from pda_app.widgets.overlays import Overlay
from pda_app.widgets.state import StateProperty

NO_ALARM = AlarmView(
    alarm_id="", priority=AlarmPriority.NONE, head="", stars=0, bed="", name="", demographics="", cause="",
    value="", unit="", limit="", age="", note="",
)  # fmt: skip
"""What the parts of the overlay draw in the moment before they get their alarm."""

NO_ROW = AlarmRow(alarm_id="", priority=AlarmPriority.NONE, tone=Tone.PLAIN, bed="", text="", at="")


class AlarmHead(Surface):
    """Priority, age and bed, in the priority's colour."""

    item = StateProperty(NO_ALARM)
    look = StateProperty(("bad", "solid_ink"))
    ink = StringProperty("solid_ink")


class AlarmFacts(BoxLayout):
    """Cause, value and limit, the last minutes, what stands beside, and who comes next."""

    item = StateProperty(NO_ALARM)


class AlarmNeighbour(Surface):
    """Another newest value of the patient, with its time."""

    item = StateProperty(None)


class AlarmNext(Surface):
    """Who is told next and when, or who has been told."""

    item = StateProperty(NO_ALARM)
    first = StringProperty("")
    second = StringProperty("")


class AlarmOverlay(Overlay):
    """One alarm over everything; it leaves by an answer only."""

    item = StateProperty(AlarmsState())
    alarm = StateProperty(None)
    demo = BooleanProperty(False)


class AlarmQueueLine(Touch):
    """The next alarm behind the current one, and how many wait behind it."""

    item = StateProperty(AlarmsState())
    first = StateProperty(NO_ROW)
    waiting = NumericProperty(0)


class AlarmListItem(Touch):
    """One alarm on the page of all alarms."""

    item = StateProperty(None)

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", True)
        super().__init__(**kwargs)
