"""Today (N2): everything due on the ward, by patient or by time."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from pda_app.presenters.states import TodayState
from pda_app.widgets.base import Card, Touch
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class TodayPage(Page):
    """The list a nurse works through."""

    state = StateProperty(TodayState())
    searching = BooleanProperty(False)
    acts = MappingProxyType(
        {
            "filter": lambda logic, key: logic.today.show(key),
            "arrange": lambda logic, key: logic.today.arrange(key),
            "search": lambda logic, key: logic.today.search(key),
        }
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("state", self._unhide)
        self._unhide()

    def _unhide(self, *_: object) -> None:
        # A list is never narrowed by words nobody can see.
        self.searching = self.searching or bool(self.state.query)

    def hear(self, act: str, key: str) -> bool:
        """The magnifier opens the field, and closes it with what was typed."""
        if act != "search-open":
            return super().hear(act, key)
        self.searching = not self.searching
        if not self.searching:
            self.logic.today.search("")
        return True


class TimeList(Card):
    """All tasks in one list, by time."""

    item = StateProperty(None)


class Segment(BoxLayout):
    """A choice of two that are shown side by side."""

    act = StringProperty("")
    left_text = StringProperty("")
    left_icon = StringProperty("")
    left_key = StringProperty("")
    right_text = StringProperty("")
    right_icon = StringProperty("")
    right_key = StringProperty("")
    chosen = StringProperty("left")


class SegmentHalf(Touch):
    """One half of a segment."""

    text = StringProperty("")
    icon = StringProperty("")
    chosen = BooleanProperty(False)
