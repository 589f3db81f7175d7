"""More: uploads, language, brightness, text size, lock and sign-out."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kivy.properties import NumericProperty, StringProperty

from pda_app.presenters.states import Choice
from pda_app.theme import TEXT_SCALES
from pda_app.widgets.base import Col, Touch
from pda_app.widgets.check import ReasonChip
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class MorePage(Page):
    """How this handheld looks, and leaving it."""

    scales = StateProperty(())
    acts = MappingProxyType(
        {
            "set-language": lambda logic, key: logic.set_language(key),
            "set-dark": lambda logic, key: logic.set_dark(key == "dark"),
            "set-scale": lambda logic, key: logic.set_text_scale(float(key)),
            "lock": lambda logic, _: logic.lock(),
            "sign-out": lambda logic, _: logic.sign_out(),
        }
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("frame", self._scales)
        self._scales()

    def _scales(self, *_: object) -> None:
        self.scales = tuple(
            Choice(id=str(scale), text=f"{scale:.0%}", selected=abs(scale - self.frame.text_scale) < 0.01)
            for scale in TEXT_SCALES
        )


class ScaleChip(ReasonChip):
    """One text size."""


class MoreItem(Touch):
    """One line of the page."""

    icon = StringProperty("")
    text = StringProperty("")
    detail = StringProperty("")
    count = NumericProperty(0)


class MoreLabel(Col):
    """A heading between the lines."""

    text = StringProperty("")
