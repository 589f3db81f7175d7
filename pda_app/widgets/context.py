"""Theme and language as two objects that kv rules watch: change one and every screen restyles itself.

kv files use ``th`` (the theme) and ``tr`` (the texts). Both are put into Kivy's global names here, before
any kv file is read.
"""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from kivy.event import EventDispatcher
from kivy.lang import global_idmap
from kivy.metrics import Metrics, sp
from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty

from pda_app import theme
from pda_app.widgets.icons import glyph
from pda_app.widgets.words import word


class _Watched(EventDispatcher):
    """An object whose properties kv rules watch; no widget dies while its rules run.

    A rule holds its widget weakly, and a screen that was left is a cycle of references: collected while
    its own rule runs, the rule would raise and the window would end with it. So the collector rests
    during a change. It is not run before one: that costs tens of milliseconds of a nurse's touch.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not gc.isenabled():  # inside another change
            super().__setattr__(name, value)
            return
        gc.disable()
        try:
            super().__setattr__(name, value)
        finally:
            gc.enable()

    def follow(self, listen: Callable[..., object], *names: str) -> None:
        """Call a widget's method after each change of these properties, for as long as the widget lives.

        ``bind`` compares with every listener it has, and keeps those of screens that were left until the
        next change of theme: each page would open a little slower than the one before.
        """
        method = weakref.WeakMethod(listen)

        def tell(*_: object) -> None:
            alive = method()
            if alive is not None:
                alive()

        for name in names:
            uid = self.fbind(name, tell)
            weakref.finalize(listen.__self__, self.unbind_uid, name, uid).atexit = False  # type: ignore[attr-defined]


class Theme(_Watched):
    """Colours, text size and the layout switches, live.

    ``fs(points)`` gives a font size in pixels, ``box(points, lines)`` the height of lines of it,
    ``c(token)`` a colour by name (none for an empty name), ``pressed(token, down)`` the same for
    something being touched.
    They are replaced as objects when scale or theme change, so every rule that calls them is evaluated again.
    """

    dark = BooleanProperty(False)
    scale = NumericProperty(1.0)
    compact = BooleanProperty(False)
    tight = BooleanProperty(False)
    narrow = BooleanProperty(False)
    role = StringProperty("nurse")
    fs = ObjectProperty(None)
    box = ObjectProperty(None)
    c = ObjectProperty(None)
    pressed = ObjectProperty(None)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bind(dark=self._recolour, scale=self._rescale)
        self._recolour()
        self._rescale()

    def fit(self, width: float, height: float) -> None:
        """Choose the layout for a window of this size in pixels."""
        factor = Metrics.density * self.scale
        fitting = {
            "compact": height / factor < theme.COMPACT_BELOW_DP,
            "tight": height / factor < theme.TIGHT_BELOW_DP,
            "narrow": width / factor < theme.NARROW_BELOW_DP,
        }
        for name, value in fitting.items():
            if getattr(self, name) != value:
                setattr(self, name, value)

    def _recolour(self, *_: object) -> None:
        tokens = theme.DARK if self.dark else theme.LIGHT
        colours = {name: theme.rgba(value) for name, value in tokens.items()}
        colours[""] = (0.0, 0.0, 0.0, 0.0)
        colours["scrim"] = theme.rgba(theme.SCRIM, theme.SCRIM_SHEET)
        colours["alarm_scrim"] = theme.rgba(theme.SCRIM, theme.SCRIM_ALARM)
        self.pressed = lambda name, down: theme.darker(colours[name]) if down else colours[name]
        self.c = colours.__getitem__  # last: whoever listens to it uses both

    def _rescale(self, *_: object) -> None:
        scale = self.scale
        self.fs = lambda points: sp(points) * scale
        self.box = lambda points, lines=1: sp(points) * scale * theme.LINE_BOX * lines


_AMOUNT = re.compile(r"(?<=\d) (?=[A-Za-z%℃µ滴次片支袋分小天岁])|(?<=[±<>≥≤/]) (?=\d)")


def keep_together(text: str) -> str:
    """Bind a number to its unit, so that no line ends between "1" and "g"."""
    return _AMOUNT.sub("\u00a0", text)


class Texts(_Watched):
    """The texts of the chosen language; both functions are replaced when the language changes.

    In kv: ``tr.t(text)`` for what a presenter says, ``tr.w('nav-today')`` for a fixed word of the screen.
    """

    lang = ObjectProperty("zh")
    t = ObjectProperty(None)
    w = ObjectProperty(None)

    def use(self, lang: str, translate: Callable[[Any], str]) -> None:
        """Take another language; every visible text is drawn again."""
        self.lang = lang
        self.w = partial(word, lang)
        self.t = lambda text: keep_together(translate(text))  # last: whoever listens to it uses both


th = Theme()
tr = Texts()
tr.use("zh", str)
global_idmap.update(th=th, tr=tr, glyph=glyph)
