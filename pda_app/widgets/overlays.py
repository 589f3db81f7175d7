"""What lies over a screen: questions, the scan sheet, the number pad, short words, alarms.

An overlay takes every touch, so nothing below it can be pressed by accident.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from pda_app.presenters.states import Toast
from pda_app.widgets.base import PressButton, Surface
from pda_app.widgets.check import ReasonChip
from pda_app.widgets.entry import ERASE, typed
from pda_app.widgets.items import match_children
from pda_app.widgets.page import Body
from pda_app.widgets.state import StateProperty


class Overlay(AnchorLayout):
    """Dims the screen and swallows touches beside its sheet."""

    deep = BooleanProperty(False)

    def on_touch_down(self, touch: Any) -> bool:
        """Give the touch to the sheet; never to what lies below."""
        super().on_touch_down(touch)
        return True

    def on_touch_move(self, touch: Any) -> bool:
        """Give the touch to the sheet; never to what lies below."""
        super().on_touch_move(touch)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        """Give the touch to the sheet; never to what lies below."""
        super().on_touch_up(touch)
        return True


class Sheet(Surface):
    """The panel of an overlay."""


class SheetBody(Body):
    """Lets a sheet scroll that is higher than the room it has."""

    content_height = NumericProperty(0)

    def add_widget(self, widget: Any, *args: Any, **kwargs: Any) -> None:
        """Take the sheet and follow its height."""
        super().add_widget(widget, *args, **kwargs)
        widget.fbind("height", self.setter("content_height"))
        self.content_height = widget.height


class LayerSlot(FloatLayout):
    """One overlay, or nothing; it lets touches through while it is empty."""

    item = StateProperty(None)
    make = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("item", self._fill)
        self.fbind("make", self._fill)
        self._fill()

    def _fill(self, *_: object) -> None:
        if self.make:
            match_children(self, self.make, () if self.item is None else (self.item,))


class DialogOverlay(Overlay):
    """A question with its answers."""

    item = StateProperty(None)


class AnswerButton(PressButton):
    """One answer."""

    item = StateProperty(None)


class ScanOverlay(Overlay):
    """The camera's picture when there is one, and typing a code with a reason when it cannot be read."""

    item = StateProperty(None)
    look = ObjectProperty(None, allownone=True)  # gives the camera's newest picture


class CameraFrame(BoxLayout):
    """The box around the camera's picture."""

    item = ObjectProperty(None, allownone=True)


class TypeReasonChip(ReasonChip):
    """Why a code is typed."""


class ScanHint(Surface):
    """What to hold in front of the reader."""


class NumberOverlay(Overlay):
    """A number pad over a screen; what is typed goes to ``take`` at each key."""

    label = StringProperty("")
    number = StringProperty("")
    unit = StringProperty("")
    take = StateProperty(None)
    done = StateProperty(None)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._fresh = True  # the first key replaces what was there

    def hear(self, act: str, key: str) -> bool:
        """Type, erase or close."""
        if act == "number-done":
            self.done()
        elif act == "key":
            self.number = typed("" if self._fresh and key != ERASE else self.number, key)
            self._fresh = False
            self.take(self.number)
        return act in ("key", "number-done")


class ToastBox(Surface):
    """A short word at the bottom."""

    item = StateProperty(Toast(text=""))
    ink = StringProperty("band_ink")


class ToastLayer(AnchorLayout):
    """Where a short word stands: above the buttons, letting touches through."""

    item = StateProperty(None)
