"""Drives a real Kivy window from a test, one frame at a time: no main loop, no sleeping, real pixels.

Import it only where ``tests/pda_app/ui/conftest.py`` has prepared Kivy's environment.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics.opengl import GL_RGBA, GL_UNSIGNED_BYTE, glReadPixels
from kivy.lang import Builder
from kivy.tests.common import UnitTestTouch
from kivy.uix.label import Label
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget
from PIL import Image

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
Box = tuple[float, float, float, float]


class Driver:
    """One root widget in the one window of this process."""

    def __init__(self) -> None:
        EventLoop.ensure_window()
        gc.collect()
        gc.freeze()  # a collection then walks over what the tests of this window made, not over the whole run
        if EventLoop.status != "started":
            EventLoop.start()
        self.window = Window

    def resize(self, width: int, height: int) -> None:
        """Give the window another size, in pixels."""
        if (width, height) != tuple(map(int, Window.size)):
            Window.size = (width, height)
            self.frames(2)

    def show(self, root: Widget) -> Widget:
        """Make this the only widget of the window, laid out."""
        self.clear()
        Window.add_widget(root)
        self.settle()
        return root

    def clear(self) -> None:
        """Take everything out of the window."""
        for child in list(Window.children):
            Window.remove_widget(child)
        gc.collect()  # the rules of screens that were left would run again at every change of theme

    def frames(self, count: int = 2) -> None:
        """Run whole frames: clock, input, layout, drawing."""
        for _ in range(count):
            EventLoop.idle()

    def settle(self, limit: int = 12) -> None:
        """Lay out until everything stands still; nothing is drawn yet, which saves most of the time."""
        before: list[object] = []
        for _ in range(limit):
            Clock.tick()
            Builder.sync()
            Clock.tick_draw()
            Builder.sync()
            now: list[object] = [(tuple(w.pos), tuple(w.size)) for w in self.walk()]
            if now == before:
                return
            before = now

    def walk(self) -> Iterator[Widget]:
        """Every widget of the window."""
        for child in Window.children:
            yield from child.walk(restrict=True)

    def find(self, kind: type[Widget] | str, **wanted: Any) -> Widget:
        """The one visible widget of a class whose attributes have these values."""
        found = [w for w in self.walk() if self._is(w, kind) and _fits(w, wanted) and visible(w)]
        assert len(found) == 1, f"{len(found)} widgets {kind} with {wanted}"
        return found[0]

    @staticmethod
    def _is(widget: Widget, kind: type[Widget] | str) -> bool:
        if isinstance(kind, str):
            return any(c.__name__ == kind for c in type(widget).__mro__)
        return isinstance(widget, kind)

    def tap(self, widget: Widget) -> None:
        """Touch the middle of a widget with one finger, after scrolling it into view."""
        node = widget.parent
        while node is not None and node.parent is not node:
            if isinstance(node, ScrollView) and node.children[0].height > node.height:
                node.scroll_to(widget, animate=False)
                self.settle()
            node = node.parent
        touch = UnitTestTouch(*widget.to_window(*widget.center))
        touch.touch_down()
        self.frames(1)
        touch.touch_up()
        self.frames(2)

    def type(self, text: str) -> None:
        """Send characters as the window system would."""
        for character in text:
            if character == "\n":
                Window.dispatch("on_key_down", 13, 40, None, [])
                Window.dispatch("on_key_up", 13, 40)
            elif character == "\x1d":
                Window.dispatch("on_key_down", 93, 48, "]", ["ctrl"])
            else:
                Window.dispatch("on_key_down", ord(character.lower()), 0, character.lower(), [])
                Window.dispatch("on_textinput", character)
        self.frames(1)

    def texts(self) -> list[str]:
        """Every text that can be seen."""
        return [w.text for w in self.walk() if isinstance(w, Label) and w.text and visible(w)]

    def picture(self, name: str = "") -> Image.Image:
        """What is on the screen; saved under ``build/screenshots`` when it gets a name."""
        got: list[Image.Image] = []

        def read(window: Any) -> None:
            width, height = map(int, window.size)
            pixels = glReadPixels(0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE)
            image = Image.frombytes("RGBA", (width, height), pixels)
            got.append(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).convert("RGB"))

        Window.bind(on_flip=read)
        Window.canvas.ask_update()
        EventLoop.idle()
        Window.unbind(on_flip=read)
        if name:
            SHOTS.mkdir(parents=True, exist_ok=True)
            got[-1].save(SHOTS / f"{name}.png", compress_level=1)
        return got[-1]


def _fits(widget: Widget, wanted: dict[str, Any]) -> bool:
    return all(getattr(widget, key, None) == value for key, value in wanted.items())


def visible(widget: Widget) -> bool:
    """Whether a widget takes room and nothing above it is transparent."""
    node = widget
    while isinstance(node, Widget):
        if node.opacity == 0:
            return False
        node = node.parent
        if node is None or node.parent is node:
            break
    return bool(widget.width > 0 and widget.height > 0)


def box_of(widget: Widget) -> Box:
    """Left, bottom, right, top in window pixels."""
    x, y = widget.to_window(*widget.pos)
    return (x, y, x + widget.width, y + widget.height)


def ink_of(label: Label) -> Box | None:
    """Where a label's text really has colour, in window pixels; None when it draws nothing."""
    texture = label.texture
    if texture is None or not label.text.strip():
        return None
    width, height = texture.size
    alpha = Image.frombytes("RGBA", (width, height), texture.pixels).getchannel("A")
    bounds = alpha.point(lambda value: 255 if value > 60 else 0).getbbox()
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    x, y = label.to_window(label.center_x - width / 2, label.center_y - height / 2)
    return (x + left, y + height - bottom, x + right, y + height - top)


def clip_of(widget: Widget) -> Box | None:
    """The scrolling area a widget lies in, in window pixels; None when it does not scroll."""
    node = widget.parent
    while node is not None and node.parent is not node:
        if isinstance(node, ScrollView):
            return box_of(node)
        node = node.parent
    return None
