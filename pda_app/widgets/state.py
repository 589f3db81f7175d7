"""The property that holds a presenter's state."""

from __future__ import annotations

from typing import Any

from kivy.properties import ObjectProperty


def StateProperty(default: Any = None, *, allownone: bool = True) -> Any:  # noqa: N802 - it makes a property
    """A property holding a frozen value: every kv rule that reads through it follows when it is replaced."""
    return ObjectProperty(default, allownone=allownone, rebind=True)
