"""Text, boxes, chips and buttons: what every screen is made of.

A text's box is 1.25 em high although the font's own line is 1.448 em: the texture is drawn centred on its
box, so lines sit as close as the design wants and nothing is clipped.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.core.text import Label as CoreLabel
from kivy.graphics import BoxShadow, Color, SmoothRoundedRectangle
from kivy.metrics import dp
from kivy.properties import (
    BooleanProperty,
    NumericProperty,
    StringProperty,
    VariableListProperty,
)
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label
from kivy.uix.layout import Layout
from kivy.uix.widget import Widget

from pda_app.widgets.context import th

BASELINE_EM = 0.189  # height of the baseline above the bottom of the 1.25 em line box
SHADOW = (0.078, 0.125, 0.169, 0.10)


def send(widget: Widget, act: str, key: str = "") -> bool:
    """Offer a tap to the ancestors, nearest first, until one of them acts on it.

    An ancestor hears by a method ``hear(act, key) -> bool``; screens hear their own acts, the window the
    ones of the frame.
    """
    node = widget
    while act and node is not None and node.parent is not node:
        hear = getattr(node, "hear", None)
        if hear is not None and hear(act, key):
            return True
        node = node.parent
    return False


class Txt(Label):
    """A text as wide as it needs; with ``limit`` it wraps at that width instead of growing further."""

    points = NumericProperty(16)
    tint = StringProperty("ink")
    bold_face = BooleanProperty(False)
    limit = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._fit()
        self.fbind("text", self._fit)
        self.fbind("font_size", self._fit)
        self.fbind("font_name", self._fit)
        self.fbind("limit", self._fit)

    def natural_width(self) -> float:
        """Width in pixels of the longest line, unwrapped."""
        core = CoreLabel(font_name=self.font_name, font_size=self.font_size)
        return max((core.get_extents(line)[0] for line in self.text.split("\n")), default=0)

    def _fit(self, *_: object) -> None:
        too_wide = self.limit > 0 and self.natural_width() > self.limit
        self.text_size = (self.limit, None) if too_wide else (None, None)


class Para(Label):
    """A text that fills the width it is given and wraps; as high as its lines."""

    points = NumericProperty(16)
    tint = StringProperty("ink")
    bold_face = BooleanProperty(False)


class Icon(Label):
    """One glyph of the icon font."""

    icon = StringProperty("")
    points = NumericProperty(22)
    tint = StringProperty("ink")


class Col(Layout):
    """Children below each other, as high as they are; one without height takes no spacing either."""

    padding = VariableListProperty([0, 0, 0, 0])
    spacing = NumericProperty(0)
    minimum_height = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("pos", "size", "padding", "spacing", "children"):
            self.fbind(name, self._trigger_layout)

    def add_widget(self, widget: Widget, *args: Any, **kwargs: Any) -> None:
        """Add a child and follow its height."""
        for name in ("height", "width", "size_hint"):
            widget.fbind(name, self._trigger_layout)
        super().add_widget(widget, *args, **kwargs)

    def remove_widget(self, widget: Widget, *args: Any, **kwargs: Any) -> None:
        """Take a child out."""
        for name in ("height", "width", "size_hint"):
            widget.funbind(name, self._trigger_layout)
        super().remove_widget(widget, *args, **kwargs)

    def do_layout(self, *_: object) -> None:
        """Stack the children from the top."""
        left, top, right, bottom = self.padding
        room, used, gap = max(self.width - left - right, 0), float(top), 0.0
        for child in reversed(self.children):
            if child.size_hint_x is not None:
                child.width = room * child.size_hint_x
            if child.height > 0:
                used += gap + child.height
                gap = self.spacing
            child.pos = (self.x + left, self.top - used)
        # Summed without the position: a rounding that came and went with it would never settle.
        self.minimum_height = used + bottom if self.children else 0


class Row(BoxLayout):
    """Children beside each other, as high as the highest."""


class Filler(Widget):
    """Takes the room that is left in a row."""


class Hairline(Widget):
    """A one-dp line between rows."""


class Surface(BoxLayout):
    """A filled rounded rectangle with an optional border and the one soft shadow of this design."""

    fill = StringProperty("")
    edge = StringProperty("")
    edge_dp = NumericProperty(0)
    radius_dp = NumericProperty(10)
    raised = BooleanProperty(False)
    is_down = BooleanProperty(False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.canvas.before:
            self._shade = Color(0, 0, 0, 0)
            self._shadow = BoxShadow(offset=(0, -dp(1.5)), blur_radius=dp(8)) if self.raised else None
            self._edge_colour = Color(0, 0, 0, 0)
            self._edge_shape = SmoothRoundedRectangle()
            self._fill_colour = Color(0, 0, 0, 0)
            self._fill_shape = SmoothRoundedRectangle()
        draw = Clock.create_trigger(self._draw, -1)
        for name in ("pos", "size", "fill", "edge", "edge_dp", "radius_dp", "is_down"):
            self.fbind(name, draw)
        th.follow(self._draw, "c")
        draw()

    def _draw(self, *_: object) -> None:
        (x, y), (width, height) = self.pos, self.size
        border = dp(self.edge_dp) if self.edge else 0
        radius = min(dp(self.radius_dp), width / 2, height / 2)
        self._edge_colour.rgba = th.c(self.edge)
        self._place(self._edge_shape, x, y, width, height, radius if border else 0)
        self._fill_colour.rgba = th.pressed(self.fill, self.is_down) if self.fill else (0, 0, 0, 0)
        self._place(
            self._fill_shape, x + border, y + border, width - 2 * border, height - 2 * border, radius - border
        )
        if self._shadow is not None:
            self._shade.rgba = (0, 0, 0, 0) if th.dark else SHADOW
            self._shadow.pos, self._shadow.size = self.pos, self.size
            self._shadow.border_radius = (radius,) * 4

    @staticmethod
    def _place(
        shape: SmoothRoundedRectangle, x: float, y: float, width: float, height: float, radius: float
    ) -> None:
        shape.pos = (x, y)
        shape.size = (max(width, 0), max(height, 0))
        shape.radius = [max(radius, 0)]


class Card(Surface):
    """A raised white panel."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", True)
        super().__init__(**kwargs)


class Touch(ButtonBehavior, Surface):
    """Something a finger can press: at least 56 dp each way, darker while pressed, deaf while locked."""

    locked = BooleanProperty(False)
    needed = NumericProperty(0)  # height its texts take, pixels; one rule of all of them sets the height
    act = StringProperty("")  # what a tap means, heard by the nearest ancestor that knows it
    key = StringProperty("")  # which one it is about

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("state", self._press)

    def _press(self, *_: object) -> None:
        self.is_down = self.state == "down" and not self.locked

    def on_release(self) -> None:
        """Say what was meant, unless locked."""
        if not self.locked:
            send(self, self.act, self.key)


class Chip(Surface):
    """A short fact in a tinted capsule; never touchable."""

    text = StringProperty("")
    icon = StringProperty("")
    tint = StringProperty("sub")
    surface = StringProperty("bg")


class Dot(AnchorLayout):
    """The red count on a navigation icon."""

    text = StringProperty("")


class PressButton(Touch):
    """A button with an icon and words; locked, it shows a lock and names what is missing."""

    text = StringProperty("")
    icon = StringProperty("")
    points = NumericProperty(20)
    tint = StringProperty("act_ink")
    surface = StringProperty("act")
    busy = BooleanProperty(False)
    words_high = NumericProperty(0)  # height of its words, pixels


class PrimaryButton(PressButton):
    """The action that goes on."""


class GiveButton(PressButton):
    """The action that records a dose."""


class DangerButton(PressButton):
    """The action that cannot be taken back."""


class SecondaryButton(PressButton):
    """The other way."""


class IconButton(ButtonBehavior, AnchorLayout):
    """An icon alone, in a 56-dp target."""

    icon = StringProperty("")
    points = NumericProperty(26)
    tint = StringProperty("ink")

    act = StringProperty("")
    key = StringProperty("")

    def on_release(self) -> None:
        """Say what was meant."""
        send(self, self.act, self.key)


class Baseline(Layout):
    """Texts of different sizes on one baseline, left to right; what does not fit goes to the next line."""

    gap = NumericProperty(0)
    padding_x = NumericProperty(0)
    aligned = StringProperty("left")
    content_height = NumericProperty(0)
    content_width = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("pos", "size", "gap", "padding_x", "aligned", "children"):
            self.fbind(name, self._trigger_layout)

    def add_widget(self, widget: Widget, *args: Any, **kwargs: Any) -> None:
        """Add a text and follow its size."""
        widget.fbind("size", self._trigger_layout)
        super().add_widget(widget, *args, **kwargs)

    def remove_widget(self, widget: Widget, *args: Any, **kwargs: Any) -> None:
        """Take a text out."""
        widget.funbind("size", self._trigger_layout)
        super().remove_widget(widget, *args, **kwargs)

    def do_layout(self, *_: object) -> None:
        """Break into lines, then put each line's texts on one baseline."""
        lines = self._lines()
        self.content_height = sum(max(child.height for child in line) for line in lines)
        self.content_width = max((self._line_width(line) for line in lines), default=0)
        top = self.top
        for line in lines:
            height = max(child.height for child in line)
            self._place_line(line, top - height)
            top -= height

    def _lines(self) -> list[list[Widget]]:
        room = self.width - 2 * self.padding_x if self.size_hint_x is not None else float("inf")
        lines: list[list[Widget]] = []
        used = 0.0
        for child in reversed(self.children):
            if child.width <= 0:
                continue
            if lines and used + self.gap + child.width <= room + 1:
                lines[-1].append(child)
                used += self.gap + child.width
            else:
                lines.append([child])
                used = child.width
        return lines

    def _line_width(self, line: list[Widget]) -> float:
        return float(sum(child.width for child in line) + self.gap * (len(line) - 1))

    def _place_line(self, line: list[Widget], bottom: float) -> None:
        base = max(self._rise(child) for child in line)
        free = self.width - 2 * self.padding_x - self._line_width(line)
        x = self.x + self.padding_x + {"left": 0.0, "center": free / 2, "right": free}[self.aligned]
        for child in line:
            child.pos = (x, bottom + base - self._rise(child))
            x += child.width + self.gap

    @staticmethod
    def _rise(child: Widget) -> float:
        return float(getattr(child, "font_size", child.height) * BASELINE_EM)


class Figure(Baseline):
    """A number and its unit on one baseline."""

    number = StringProperty("")
    unit = StringProperty("")
    points = NumericProperty(28)
    unit_points = NumericProperty(14)
    tint = StringProperty("ink")
    unit_tint = StringProperty("sub")
