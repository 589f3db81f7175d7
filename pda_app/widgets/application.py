"""The Kivy application around a window class: nothing but what Kivy asks for."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.app import App
from kivy.core.window import Window
from kivy.uix.widget import Widget


class HandheldApp(App):
    """One handheld's window.

    Args:
        root: The window class: called with ``logic`` and ``known``.
        logic: The presenters' App.
        known: What else the window class is told.
    """

    title = "Wardlink"

    def __init__(self, root: type, logic: Any, **known: Any) -> None:
        super().__init__()
        self._make_root, self._logic, self._known = root, logic, known

    def build(self) -> Widget:
        """Make the root widget."""
        root: Widget = self._make_root(self._logic, **self._known)
        return root

    def load_kv(self, *_: Any, **__: Any) -> bool:
        """No implicit kv file: each module reads its own."""
        return True

    def open_settings(self, *_: Any) -> bool:
        """Keep Kivy's own settings panel away from a nurse's handheld."""
        return False

    def on_stop(self) -> None:
        """Let go of the presenters and of the window's widgets."""
        close = getattr(self.root, "close", None)
        if close is not None:
            close()
        for child in list(Window.children):
            Window.remove_widget(child)
