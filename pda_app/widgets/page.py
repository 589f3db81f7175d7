"""What every screen is: one state to draw, the frame around it, and a way to hear touches."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from kivy.clock import Clock
from kivy.factory import Factory
from kivy.metrics import dp
from kivy.properties import BooleanProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from pda_app.presenters.states import AppState
from pda_app.widgets.state import StateProperty

Act = Callable[[Any, str], object]


class Body(ScrollView):
    """The only part of a screen that scrolls; a band with an arrow shows while more lies below."""

    more = BooleanProperty(False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in ("scroll_y", "height", "viewport_size"):
            self.fbind(name, self._look_below)

    def _look_below(self, *_: object) -> None:
        hidden = self.viewport_size[1] - self.height
        self.more = hidden * self.scroll_y > dp(2) and self.height > 0


class Page(BoxLayout):
    """A screen. ``state`` is its presenter's, ``frame`` the whole app's, ``logic`` the presenters' App."""

    state = StateProperty(None)
    frame = StateProperty(AppState())
    logic = StateProperty(None)

    acts: ClassVar[Mapping[str, Act]] = MappingProxyType({})
    """What the touches of this screen mean: act → what to do with the presenters and the key."""

    def hear(self, act: str, key: str) -> bool:
        """Act on a touch of this screen; false leaves it to the window."""
        if act not in self.acts:
            return False
        self.acts[act](self.logic, key)
        return True

    def open_pad(self, *, label: str, number: str, unit: str, take: Callable[[str], object]) -> None:
        """Lay a number pad over the lower part of this screen; each key tells ``take`` the whole text."""
        rest = self.ids.rest
        pad: Widget = Factory.get("NumberOverlay")(
            label=label, number=number, unit=unit, take=take, done=lambda: rest.remove_widget(pad)
        )
        rest.add_widget(pad)

    def reveal(self, kind: type[Widget], wanted: Any) -> None:
        """Scroll the first child of a kind for which ``wanted(child)`` holds into view, after layout."""

        def scroll(_: float) -> None:
            for widget in self.walk(restrict=True):
                if isinstance(widget, kind) and wanted(widget):
                    self._scroll_to(widget)
                    return

        Clock.schedule_once(scroll, 0)

    def _scroll_to(self, widget: Widget) -> None:
        body = next((w for w in self.walk(restrict=True) if isinstance(w, Body)), None)
        if body is not None and body.viewport_size[1] > body.height:
            body.scroll_to(widget, padding=12, animate=False)
