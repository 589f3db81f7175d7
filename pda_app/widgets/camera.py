"""What the camera sees, drawn in the scan sheet."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, Rectangle
from kivy.graphics.texture import Texture
from kivy.properties import ObjectProperty
from kivy.uix.widget import Widget

FRAMES_PER_S = 15


class CameraView(Widget):
    """Shows the newest picture of ``look()`` (BGR array, or None) while it is on the screen."""

    look = ObjectProperty(None, allownone=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._texture: Any = None
        self._beat: Any = None
        with self.canvas:
            Color(1, 1, 1, 1)
            self._picture = Rectangle(size=(0, 0))
        self.fbind("parent", self._watch)
        self.fbind("pos", self._place)
        self.fbind("size", self._place)

    def _watch(self, *_: object) -> None:
        if self._beat is not None:
            self._beat.cancel()
        self._beat = Clock.schedule_interval(self.refresh, 1 / FRAMES_PER_S) if self.parent else None

    def refresh(self, *_: object) -> None:
        """Take the newest picture."""
        image = self.look() if self.look is not None else None
        if image is None:
            return
        height, width = image.shape[:2]
        if self._texture is None or self._texture.size != (width, height):
            self._texture = Texture.create(size=(width, height), colorfmt="bgr")
            self._texture.flip_vertical()
            self._picture.texture = self._texture
        self._texture.blit_buffer(image.tobytes(), colorfmt="bgr", bufferfmt="ubyte")
        self._place()
        self.canvas.ask_update()

    def _place(self, *_: object) -> None:
        if self._texture is None:
            return
        width, height = self._texture.size
        scale = min(self.width / width, self.height / height)
        self._picture.size = (width * scale, height * scale)
        self._picture.pos = (self.center_x - width * scale / 2, self.center_y - height * scale / 2)
