"""Typing without a keyboard: number pad, number fields, PIN dots; and the people of the sign-in page."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.graphics import Color, SmoothEllipse, SmoothLine
from kivy.metrics import dp
from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.gridlayout import GridLayout
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget

from pda_app.widgets.base import Card, Surface, Touch, send
from pda_app.widgets.context import th
from pda_app.widgets.items import Slot
from pda_app.widgets.state import StateProperty

ERASE = "erase"
LONGEST = 7  # characters of a number
DIGITS = ("1", "2", "3", "4", "5", "6", "7", "8", "9")


def typed(before: str, key: str) -> str:
    """A number after one more key of the pad: a digit, the point, or erase."""
    if key == ERASE:
        return before[:-1]
    if len(before) >= LONGEST or (key == "." and "." in before):
        return before
    return before + key if before or key != "." else "0."


class Key(Touch):
    """One key of the pad."""

    text = StringProperty("")
    icon = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", True)
        super().__init__(**kwargs)


class Keypad(GridLayout):
    """Twelve keys. ``corner`` is the key left of zero: its act and its words; none leaves it empty."""

    corner_text = StringProperty("")
    corner_key = StringProperty("")
    locked = BooleanProperty(False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keys = {digit: Key(text=digit, key=digit) for digit in (*DIGITS, "0")}
        self.corner = Key()
        self.erase = Key(icon="backspace-outline", key=ERASE)
        for key in (*(self.keys[digit] for digit in DIGITS), self.corner, self.keys["0"], self.erase):
            self.add_widget(key)
        for name in ("corner_text", "corner_key", "locked"):
            self.fbind(name, self._settle)
        self._settle()

    def _settle(self, *_: object) -> None:
        self.corner.text, self.corner.key = self.corner_text, self.corner_key
        self.corner.opacity = 1 if self.corner_key else 0
        self.corner.disabled = not self.corner_key
        for key in (*self.keys.values(), self.erase):
            key.locked = self.locked


class NumberField(Touch):
    """A number with its unit; a tap opens the pad."""

    label = StringProperty("")
    number = StringProperty("")
    unit = StringProperty("")
    error = StringProperty("")


class FactField(Surface):
    """Something that is read, shown like a field: the sensor that was scanned."""

    needed = NumericProperty(60)  # height its texts take, pixels
    label = StringProperty("")
    text = StringProperty("")
    icon = StringProperty("")
    tint = StringProperty("ink")


class ChoiceField(Touch):
    """Something that is chosen on a sheet; a tap opens it."""

    label = StringProperty("")
    text = StringProperty("")
    icon = StringProperty("")
    tint = StringProperty("act")


class Field(TextInput):
    """A line of free text; every change is told to the screen."""

    act = StringProperty("")
    hint = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("text", self._tell)

    def _tell(self, *_: object) -> None:
        if self.focus:
            send(self, self.act, self.text)


class PinDots(Widget):
    """As many rings as the PIN has digits, filled as far as it was typed."""

    total = NumericProperty(6)
    filled = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("pos", "size", "total", "filled"):
            self.fbind(name, self._draw)
        th.follow(self._draw, "c")
        self._draw()

    def _draw(self, *_: object) -> None:
        self.canvas.clear()
        radius, step = dp(8), dp(34)
        left = self.center_x - step * (self.total - 1) / 2
        with self.canvas:
            for index in range(int(self.total)):
                x = left + step * index
                Color(*th.c("act" if index < self.filled else "hint"))
                if index < self.filled:
                    SmoothEllipse(pos=(x - radius, self.center_y - radius), size=(2 * radius, 2 * radius))
                else:
                    SmoothLine(circle=(x, self.center_y, radius - dp(1)), width=dp(1))


class Initial(Surface):
    """The first character of a name in a disc."""

    text = StringProperty("")
    solid = BooleanProperty(True)


class PersonPanel(Card):
    """The person whose badge was read."""

    item = StateProperty(None)


class RecentItem(Touch):
    """Someone who signed in here lately."""

    item = StateProperty(None)

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", True)
        super().__init__(**kwargs)


class SearchKey(Touch):
    """Opens and closes the search field."""

    open = BooleanProperty(False)


class SearchBox(Surface):
    """A field to look for a patient: name, initials or bed."""

    item = StateProperty("")  # the words the list is narrowed by

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("item", self._show)
        self._show()

    def hear(self, act: str, _key: str) -> bool:
        """The cross empties the field; whatever else is typed is for the page."""
        if act != "search-clear":
            return False
        self.ids.field.focus = False
        send(self.parent, "search", "")
        return True

    def _show(self, *_: object) -> None:
        field = self.ids.get("field")
        if field is not None and not field.focus:
            field.text = self.item


class SearchRow(Slot):
    """Where the search field stands; without words to show (None) it takes no room."""
