"""The last minutes of an alarm's value: a line with its gaps, its limit, and the side that alarms.

Only drawing: points come as minutes before now and values, and are scaled to the box.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, Line, Rectangle, SmoothLine
from kivy.metrics import dp
from kivy.uix.widget import Widget

from pda_app.presenters.states import Trend, TrendPoint
from pda_app.widgets.context import th
from pda_app.widgets.curve import Point, dashed, dot, write
from pda_app.widgets.state import StateProperty

LEAST_DP = 54
"""Lower than this a curve says nothing and is left out."""


class TrendBox(Widget):
    """Draws one :class:`~pda_app.presenters.states.Trend`."""

    item = StateProperty(None)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        draw = Clock.create_trigger(self._draw, -1)
        for name in ("pos", "size", "item"):
            self.fbind(name, draw)
        th.follow(self._draw, "c", "fs")
        draw()

    def _draw(self, *_: object) -> None:
        self.canvas.clear()
        if self.item is None or self.height < dp(LEAST_DP) or self.width < dp(80):
            return
        with self.canvas:
            self._limit(self.item)
            self._curve(self.item)
            self._ticks(self.item)

    def _frame(self) -> tuple[float, float, float, float]:
        line = th.fs(12) * 1.4
        return self.x, self.y + line, self.right - th.fs(12) * 3, self.top - dp(4)

    def _at(self, trend: Trend, point: TrendPoint) -> Point:
        left, bottom, right, top = self._frame()
        x = right + (right - left) * point.minute / trend.minutes
        share = (point.value - trend.low) / max(trend.high - trend.low, 1e-9)
        return (min(max(x, left), right), bottom + (top - bottom) * min(max(share, 0.0), 1.0))

    def _limit(self, trend: Trend) -> None:
        left, bottom, right, top = self._frame()
        Color(*th.c("line"))
        Line(points=[left, bottom, right, bottom], width=1)
        if trend.limit is None:
            return
        _, y = self._at(trend, TrendPoint(minute=0, value=trend.limit))
        if trend.side:
            Color(*th.c("bad_bg"))
            from_y, to_y = (bottom, y) if trend.side == "low" else (y, top)
            Rectangle(pos=(left, from_y), size=(right - left, to_y - from_y))
        token = "bad" if trend.side else "sub"
        dashed([(left, y), (right, y)], token, dp(6), dp(4), 1.0)
        write(f"{trend.limit:.0f}", right + dp(6), y, anchor=0.0, ink=token)

    def _curve(self, trend: Trend) -> None:
        Color(*th.c("act"))
        for line in trend.lines:
            path = [self._at(trend, point) for point in line]
            if len(path) > 1:
                SmoothLine(points=[value for point in path for value in point], width=dp(1.5))
        dot(self._at(trend, trend.lines[-1][-1]), dp(3.5), hollow=False)

    def _ticks(self, trend: Trend) -> None:
        left, bottom, right, _ = self._frame()
        y = bottom - th.fs(12) * 0.8
        write(trend.ticks[0], left, y, anchor=0.0)
        write(trend.ticks[1], right, y, anchor=1.0)
