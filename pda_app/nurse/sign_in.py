"""Sign-in (N1): the badge is scanned, the PIN is typed on a pad gloves can hit."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kivy.properties import NumericProperty, StringProperty

from pda_app.presenters.states import SignInState
from pda_app.widgets.base import Surface, Touch
from pda_app.widgets.context import tr
from pda_app.widgets.entry import ERASE
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class SignInPage(Page):
    """Badge, then PIN; also over a locked session, whose work stays below."""

    state = StateProperty(SignInState())
    prompt = StringProperty("")
    room = NumericProperty(320)  # height the pad may take, pixels
    acts = MappingProxyType(
        {
            "recent": lambda logic, key: logic.sign_in.badge(key),
            "language": lambda logic, _: logic.set_language("en" if logic.state.language == "zh" else "zh"),
        }
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("state", self._prompt)
        self.fbind("height", self._measure)
        tr.follow(self._prompt, "t")
        self._prompt()

    def hear(self, act: str, key: str) -> bool:
        """The pad's keys are digits, erase, and somebody else."""
        if act != "key":
            return super().hear(act, key)
        if key == ERASE:
            self.logic.sign_in.erase()
        elif key == "switch":
            self.logic.sign_in.another()
        else:
            self.logic.sign_in.digit(key)
        return True

    def _measure(self, *_: object) -> None:
        self.room = self.height * 0.42

    def _prompt(self, *_: object) -> None:
        state = self.state
        if state.message:
            self.prompt = tr.t(state.message)
        elif state.person is not None:
            self.prompt = tr.w("enter-pin").format(n=state.pin_length)
        else:
            self.prompt = ""


class LanguageKey(Touch):
    """Switches to the other language, at once."""


class BadgeHint(Surface):
    """What to do first."""

    item = StateProperty(None)
