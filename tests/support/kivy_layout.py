"""What a careful designer would find wrong with a screen: measured on the ink, not on the boxes."""

from __future__ import annotations

from collections.abc import Iterator

from kivy.metrics import dp
from kivy.uix.label import Label
from kivy.uix.widget import Widget

from pda_app.theme import TARGET_DP
from pda_app.widgets.base import Dot, IconButton, Surface, Touch
from tests.support.kivy_driver import Box, box_of, clip_of, ink_of, visible

SLACK = 1.5
Inked = tuple[Label, Box]
"""A label and where its ink is."""


def faults(root: Widget) -> list[str]:
    """Everything wrong below ``root``: small targets, clipped text, texts that touch each other."""
    inked = list(labels(root))  # reading the ink takes most of the time, so it is read once
    return [*small_targets(root), *clipped(root, inked), *overlapping(inked)]


def small_targets(root: Widget) -> list[str]:
    """Touch targets that a gloved finger would miss."""
    return [
        f"target {type(widget).__name__} {widget.act or widget.key} is {widget.width:.0f}x{widget.height:.0f}"
        for widget in root.walk(restrict=True)
        if isinstance(widget, (Touch, IconButton)) and visible(widget) and not widget.disabled
        if min(widget.width, widget.height) < dp(TARGET_DP) - 0.5
    ]


def labels(root: Widget) -> Iterator[Inked]:
    """Every label that draws something, with where its ink is."""
    for widget in root.walk(restrict=True):
        if isinstance(widget, Label) and visible(widget):
            ink = ink_of(widget)
            if ink is not None:
                yield widget, ink


def clipped(root: Widget, inked: list[Inked]) -> list[str]:
    """Texts whose ink leaves the panel they stand on, or the window."""
    found = []
    for label, ink in inked:
        home, scroll = _panel(label), clip_of(label)
        frame = box_of(home) if home is not None else box_of(root)
        if home is None and scroll is not None:  # scrolling moves it up and down, never sideways
            frame = (scroll[0], ink[1], scroll[2], ink[3])
        over = (frame[0] - ink[0], frame[1] - ink[1], ink[2] - frame[2], ink[3] - frame[3])
        if label.shorten or max(over) > SLACK:
            where = type(home).__name__ if home is not None else "window"
            found.append(f"{label.text[:24]!r} leaves {where} by {[round(v) for v in over]}")
    return found


def overlapping(inked: list[Inked]) -> list[str]:
    """Pairs of texts whose ink touches."""
    seen: list[Inked] = []
    found = []
    for label, ink in inked:
        if isinstance(label.parent, Dot):
            continue  # a count lies on its icon on purpose
        clip = clip_of(label)
        shown = ink if clip is None else _common(ink, clip)
        if shown is None:
            continue
        for other, theirs in seen:
            both = _common(shown, theirs)
            if both is not None and both[2] - both[0] > 2 and both[3] - both[1] > 3:
                found.append(f"{label.text[:20]!r} over {other.text[:20]!r}")
        seen.append((label, shown))
    return found


def _panel(label: Label) -> Widget | None:
    node = label.parent
    while node is not None and node.parent is not node:
        if isinstance(node, Surface):
            return node
        node = node.parent
    return None


def _common(one: Box, two: Box) -> Box | None:
    box = (max(one[0], two[0]), max(one[1], two[1]), min(one[2], two[2]), min(one[3], two[3]))
    return box if box[2] > box[0] and box[3] > box[1] else None
