"""Containers that draw a tuple of states, or one state that may be missing.

A child class is named by its kv name and made with ``item=…``, so that its rules never see a missing
state. Children are reused in place: a finger that is down stays on the row it began on.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.factory import Factory
from kivy.properties import StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.uix.stacklayout import StackLayout

from pda_app.widgets.state import StateProperty


class _Items:
    """Fills itself with one child per item."""

    items = StateProperty(())
    make = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("items", self._fill)  # type: ignore[attr-defined]
        self.fbind("make", self._fill)  # type: ignore[attr-defined]
        self._fill()

    def _fill(self, *_: object) -> None:
        if self.make:
            match_children(self, self.make, tuple(self.items))


def match_children(box: Any, make: str, items: tuple[Any, ...]) -> None:
    """Give a box one child of the named class per item, keeping the children that are there."""
    kind = Factory.get(make)
    if any(type(child) is not kind for child in box.children):
        box.clear_widgets()
    children = list(reversed(box.children))
    for child, item in zip(children, items, strict=False):
        child.item = item
    for item in items[len(children) :]:
        box.add_widget(kind(item=item))
    for child in children[len(items) :]:
        box.remove_widget(child)


class ListBox(_Items, BoxLayout):
    """Items below each other."""


class GridBox(_Items, GridLayout):
    """Items in columns of equal width."""


class FlowBox(_Items, StackLayout):
    """Items beside each other, on as many lines as they need."""


class Slot(BoxLayout):
    """One item, or nothing and no room taken."""

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
