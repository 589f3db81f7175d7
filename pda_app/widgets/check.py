"""The verdict panel, the rows of the rights, reasons to choose, and the buttons below them."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from pda_app.presenters.states import Button, Verdict
from pda_app.widgets.base import Card, Col, Icon, PressButton, Surface, Touch
from pda_app.widgets.state import StateProperty

TURN_S, TURN_STEP_S = 1.2, 1 / 30  # once around, and between two pictures of it, in seconds
WAITING = ("card2", "ink", "loading")


class VerdictPanel(Surface):
    """One big word, its icon and its reason; directly above the buttons."""

    item = StateProperty(Verdict())
    look = StateProperty(WAITING)


class Spinner_(Icon):  # noqa: N801 - Kivy already has a Spinner, which is a drop-down list
    """An icon that turns while somebody else is being asked.

    The clock holds it weakly: a screen that is left while it turns is freed, and its turning ends.
    """

    running = BooleanProperty(False)
    angle = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._turning = Clock.create_trigger(self._turn, TURN_STEP_S, interval=True)
        self.fbind("running", self._run)

    def _run(self, *_: object) -> None:
        self._turning.cancel()
        self.angle = 0
        if self.running:
            self._turning()

    def _turn(self, seconds: float) -> None:
        self.angle = (self.angle + 360 * seconds / TURN_S) % 360


class RightRow(Surface):
    """One right: what was expected, what was found, and the mark."""

    item = StateProperty(None)
    look = StateProperty(("minus", "hint", ""))
    dense = BooleanProperty(False)


class DenseRow(RightRow):
    """The same, lower, where reasons have to fit below it."""


class FindingRow(Surface):
    """One finding in words."""

    item = StateProperty(None)


class DrugCard(Card):
    """What is to be given: drug, dose and route, planned time, instruction."""

    title = StringProperty("")
    detail = StringProperty("")
    time = StringProperty("")
    time_tint = StringProperty("act")
    time_surface = StringProperty("act_bg")
    instruction = StringProperty("")


class OrderNote(Surface):
    """What the prescriber wrote for whoever gives."""

    text = StringProperty("")


class ReasonPanel(Col):
    """Reasons to choose from."""

    item = StateProperty(None)


class ReasonText(Col):
    """The field for a reason that is not in the list."""

    item = StateProperty(None)


class ReasonChip(Touch):
    """One reason."""

    item = StateProperty(None)
    group = StringProperty("reason")


class OutcomeChip(ReasonChip):
    """One way of not giving: held, refused, not given."""


class ModeChip(ReasonChip):
    """One way of ending an infusion."""


class SiteChip(Touch):
    """One finding at the puncture site."""

    item = StateProperty(None)
    ink = StringProperty("ink")
    group = StringProperty("site")


class StateButton(PressButton):
    """A button as a presenter describes it."""

    item = StateProperty(Button())
    main = BooleanProperty(False)


class Footer(BoxLayout):
    """Secondary left at 0.62, primary right; a button without words takes no room."""

    secondary = StateProperty(Button())
    primary = StateProperty(Button())

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.buttons = {
            "secondary": StateButton(act="secondary"),
            "primary": StateButton(act="primary", main=True),
        }
        self.fbind("secondary", self._fill)
        self.fbind("primary", self._fill)
        self._fill()

    def _fill(self, *_: object) -> None:
        shown = [name for name in self.buttons if getattr(self, name).text]
        for name in shown:
            self.buttons[name].item = getattr(self, name)
        wanted = [self.buttons[name] for name in shown]
        if list(reversed(self.children)) != wanted:
            self.clear_widgets()
            for button in wanted:
                self.add_widget(button)
