"""The keyboard-wedge scanner of a Kivy window: a scan source that listens to what is typed.

Measured behaviour this rests on: characters are right only in ``on_textinput`` (``on_key_down`` mixes up
shifted characters in fast bursts), Enter and the group separator (Ctrl+]) come only in ``on_key_down``,
and after a text field lost its focus no text arrives at all unless the window holds a keyboard again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kivy.base import EventLoop
from kivy.clock import Clock
from kivy.uix.textinput import TextInput

from pda_app.ports import Broken, Read
from pda_app.scanning import GS, Wedge

ENDS = frozenset({9, 13, 271})  # tab, enter, enter of the number pad
BRACKET = 93  # the key that, with control, types a group separator


class WindowWedge:
    """Feeds a window's key events to the wedge decoder; every whole or broken scan is delivered once.

    Args:
        window: The Kivy window.
        now: Monotonic seconds.
    """

    def __init__(self, window: Any, *, now: Callable[[], float] = time.monotonic) -> None:
        self._window, self._now = window, now
        self._wedge = Wedge()
        self._deliver: Callable[[Read | Broken], None] | None = None
        self._keyboard: Any = None
        self._holding: Any = None
        self._bracket = False  # a bracket key went down and has made no text yet
        self._field: tuple[TextInput, str] | None = None  # where the burst began, and what stood there

    def start(self, deliver: Callable[[Read | Broken], None]) -> None:
        """Begin to listen."""
        self._deliver = deliver
        self._window.bind(on_key_down=self._key, on_textinput=self._text, focus=self._focus_moved)
        self._holding = Clock.schedule_interval(self._hold, 0.1)
        self._hold(0)

    def stop(self) -> None:
        """Stop listening and give the keyboard back."""
        self._window.unbind(on_key_down=self._key, on_textinput=self._text, focus=self._focus_moved)
        if self._holding is not None:
            self._holding.cancel()
        if self._keyboard is not None:
            self._keyboard.release()
        self._deliver = self._holding = self._keyboard = None

    def _focus_moved(self, *_: object) -> None:
        """Another window gets the keys from now on, or gave them back: a burst may have lost a part."""
        self._bracket = False
        broken = self._wedge.interrupt(self._now())
        if broken is None or self._deliver is None:
            return
        self._give_back()
        self._deliver(broken)

    def _give_back(self) -> None:
        """The field that had the focus got the characters first: they were not meant for it."""
        if self._field is not None:
            field, before = self._field
            field.text = before

    def _hold(self, _: float) -> None:
        if self._keyboard is None and self._focused() is None:
            self._keyboard = self._window.request_keyboard(self._lost, None)

    def _lost(self) -> None:
        self._keyboard = None

    def _focused(self) -> TextInput | None:
        keyboards = getattr(EventLoop.window, "_keyboards", {})
        for keyboard in keyboards.values():
            target = keyboard.target
            if isinstance(target, TextInput) and target.focus:
                return target
        return None

    def _text(self, _window: Any, text: str) -> bool:
        self._bracket = False
        self._feed(text)
        return False

    def _key(self, _window: Any, key: int, *_rest: object) -> bool:
        self._separate()
        if key in ENDS:
            return self._end()
        self._bracket = key == BRACKET
        return False

    def _separate(self) -> None:
        if self._bracket:
            self._bracket = False
            self._feed(GS)

    def _feed(self, text: str) -> None:
        if self._wedge.length == 0:
            field = self._focused()
            self._field = None if field is None else (field, field.text)
        self._wedge.feed(text, self._now())

    def _end(self) -> bool:
        read = self._wedge.end(self._now())
        if read is None or self._deliver is None:
            return False
        self._give_back()
        self._deliver(read)
        return True  # swallowed, so that Enter presses no button and ends no field
