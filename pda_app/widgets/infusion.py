"""Infusions: the card, ordered against measured rate, the curve of what is left, the start form."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from pda_app.presenters.states import Deviation, Tone
from pda_app.widgets.base import Card, Surface, Touch
from pda_app.widgets.check import ReasonChip
from pda_app.widgets.state import StateProperty

_NO_DEVIATION = Deviation(tone=Tone.PLAIN, arrow="", percent="", word="")


class InfusionCard(Touch):
    """One infusion: name, how it runs, how much is in, what remains and until when."""

    item = StateProperty(None)

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", True)
        super().__init__(**kwargs)


class RateBox(Surface):
    """One rate in both units."""

    label = StringProperty("")
    gtt = StringProperty("")
    ml = StringProperty("")
    ink = StringProperty("ink")
    needed = NumericProperty(0)


class DeviationBlock(Surface):
    """How far measured is from ordered: arrow, percent, word."""

    item = StateProperty(_NO_DEVIATION)
    tone = StringProperty("plain")
    ink = StringProperty("sub")
    needed = NumericProperty(0)


class RatePanel(BoxLayout):
    """Ordered, measured and their difference, equally high."""

    item = StateProperty(None)
    tall = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size_hint_y = None
        self._level = Clock.create_trigger(self._even, -1)
        for child in self.children:
            child.fbind("needed", self._level)
        self._even()

    def _even(self, *_: object) -> None:
        self.tall = max(child.needed for child in self.children)
        self.height = self.tall


class LegendLine(BoxLayout):
    """One line of a legend."""

    text = StringProperty("")
    tint = StringProperty("act")
    dashed = BooleanProperty(False)


class Swatch(Widget):
    """The piece of line in a legend."""

    tint = StringProperty("act")
    dashed = BooleanProperty(False)


class StartPanel(Card):
    """Volume, sensor and site: what opening a bag needs besides the rights."""

    item = StateProperty(None)


class ReasonChipSite(ReasonChip):
    """A puncture site to choose."""
