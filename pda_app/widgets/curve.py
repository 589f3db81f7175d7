"""The curve of what is left in the bag: measured, ordered and forecast over the hours.

Only drawing: all points are given in minutes and millilitres and are scaled to the box.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from kivy.clock import Clock
from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Line, Rectangle, SmoothLine
from kivy.metrics import dp
from kivy.properties import NumericProperty
from kivy.uix.widget import Widget

from pda_app.presenters.states import Curve, CurvePoint
from pda_app.widgets.context import th
from pda_app.widgets.state import StateProperty

Point = tuple[float, float]


def dashes(points: Sequence[Point], on: float, off: float) -> list[tuple[Point, Point]]:
    """Cut a polyline into strokes of length ``on`` with gaps of ``off``, carried over its corners."""
    strokes: list[tuple[Point, Point]] = []
    drawing, left = True, on
    for (x0, y0), (x1, y1) in pairwise(points):
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        done = 0.0
        while length - done > 1e-6:
            step = min(left, length - done)
            a, b = done / length, (done + step) / length
            if drawing:
                strokes.append(
                    (
                        (x0 + (x1 - x0) * a, y0 + (y1 - y0) * a),
                        (x0 + (x1 - x0) * b, y0 + (y1 - y0) * b),
                    )
                )
            done, left = done + step, left - step
            if left <= 1e-6:
                drawing = not drawing
                left = on if drawing else off
    return strokes


def dashed(path: Sequence[Point], token: str, on: float, off: float, width: float) -> None:
    """Draw a dashed polyline on the canvas at hand; lengths in pixels, width in dp."""
    Color(*th.c(token))
    for (x0, y0), (x1, y1) in dashes(path, on, off):
        SmoothLine(points=[x0, y0, x1, y1], width=dp(width))


def dot(at: Point, radius: float, *, hollow: bool, ink: str = "act") -> None:
    """Draw a dot on the canvas at hand."""
    Color(*th.c("card" if hollow else ink))
    SmoothLine(circle=(*at, radius / 2), width=radius / 2)
    Color(*th.c(ink))
    SmoothLine(circle=(*at, radius), width=dp(1.3))


def write(text: str, x: float, y: float, *, anchor: float, ink: str = "sub") -> None:
    """Write 12-sp text on the canvas at hand; ``anchor`` 0 begins at x, 1 ends there."""
    label = CoreLabel(text=text, font_name="Wardlink", font_size=th.fs(12), color=(1, 1, 1, 1))
    label.refresh()
    width, height = label.texture.size
    Color(*th.c(ink))
    Rectangle(
        texture=label.texture,
        pos=(round(x - width * anchor), round(y - height / 2)),
        size=(width, height),
    )


class CurveBox(Widget):
    """Draws one :class:`~pda_app.presenters.states.Curve`."""

    item = StateProperty(None)
    tall = NumericProperty(100)  # height in dp

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        draw = Clock.create_trigger(self._draw, -1)
        for name in ("pos", "size", "item"):
            self.fbind(name, draw)
        th.follow(self._draw, "c", "fs")
        draw()

    def _draw(self, *_: object) -> None:
        self.canvas.clear()
        if self.item is None or self.width < dp(80):
            return
        with self.canvas:
            self._axes(self.item)
            self._lines(self.item)

    def _frame(self) -> tuple[float, float, float, float]:
        left = self.x + th.fs(12) * 2.4
        bottom = self.y + th.fs(12) * 1.6
        return left, bottom, self.right - dp(8), self.top - th.fs(12) * 0.8

    def _at(self, curve: Curve, point: CurvePoint) -> Point:
        left, bottom, right, top = self._frame()
        x = left + (right - left) * point.minute / max(curve.end_minute, 1e-9)
        y = bottom + (top - bottom) * point.ml / max(curve.volume_ml, 1e-9)
        return (min(max(x, left), right), min(max(y, bottom), top))

    def _axes(self, curve: Curve) -> None:
        left, bottom, right, _top = self._frame()
        Color(*th.c("line"))
        for share in (0.0, 0.5, 1.0):
            _, y = self._at(curve, CurvePoint(minute=0, ml=curve.volume_ml * share))
            Line(points=[left, y, right, y], width=1)
        for share in (0.0, 1.0):
            _, y = self._at(curve, CurvePoint(minute=0, ml=curve.volume_ml * share))
            write(f"{curve.volume_ml * share:.0f}", left - dp(6), y, anchor=1.0)
        self._ticks(curve, left, right, bottom)

    def _ticks(self, curve: Curve, left: float, right: float, bottom: float) -> None:
        end_of_last = left - dp(30)
        for minute, text in curve.ticks:
            x, _ = self._at(curve, CurvePoint(minute=minute, ml=0))
            half = th.fs(12) * 1.4
            if x - half < end_of_last + dp(6) or x + half > right + dp(8):
                continue  # a label that would touch its neighbour or leave the box is left out
            write(text, x, bottom - th.fs(12) * 0.9, anchor=0.5)
            end_of_last = x + half

    def _lines(self, curve: Curve) -> None:
        dashed(self._path(curve, curve.ordered), "sub", dp(6), dp(5), 1.2)
        dashed(self._path(curve, curve.forecast), "warn", dp(2.5), dp(4), 1.4)
        _, bottom, _, top = self._frame()
        now_x, _ = self._at(curve, CurvePoint(minute=curve.now_minute, ml=0))
        Color(*th.c("hint"))
        Line(points=[now_x, bottom, now_x, top], width=1)
        Color(*th.c("act"))
        for part in curve.measured:
            path = self._path(curve, part)
            if len(path) > 1:
                SmoothLine(points=[value for point in path for value in point], width=dp(1.7))
        for point in curve.rounds:
            dot(self._at(curve, point), dp(5), hollow=True)
        last = [part[-1] for part in curve.measured if part]
        if last:
            dot(self._at(curve, last[-1]), dp(4.5), hollow=False)

    def _path(self, curve: Curve, points: Iterable[CurvePoint]) -> list[Point]:
        return [self._at(curve, point) for point in points]
