"""What is written down of a patient: vital signs with their score, intake and output, critical values."""

from __future__ import annotations

from types import MappingProxyType

from pda_app.presenters.states import FormState, NumberLine
from pda_app.widgets.base import Card, Col, Row, Surface
from pda_app.widgets.check import ReasonChip
from pda_app.widgets.context import tr
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class FormPage(Page):
    """One form of one patient."""

    state = StateProperty(FormState())
    acts = MappingProxyType(
        {
            "primary": lambda logic, _: logic.forms.primary(),
            "secondary": lambda logic, _: logic.forms.secondary(),
            "choose": lambda logic, key: logic.forms.choose(key),
            "tab": lambda logic, key: logic.forms.show(key),
            "text-from": lambda logic, key: logic.forms.number("from", key),
            "text-test": lambda logic, key: logic.forms.number("test", key),
        }
    )

    def hear(self, act: str, key: str) -> bool:
        """Numbers are typed on a pad; the rest goes straight to the presenter."""
        if act == "number":
            self._open_pad(next(one for one in self.state.numbers if one.key == key))
            return True
        return super().hear(act, key)

    def _open_pad(self, line: NumberLine) -> None:
        self.open_pad(
            label=tr.t(line.label),
            number="" if line.note else line.number,
            unit=tr.t(line.unit),
            take=lambda text: self.logic.forms.number(line.key, text),
        )


class FormTabs(Row):
    """Which form is shown."""

    item = StateProperty(None)


class FormTab(ReasonChip):
    """One form."""


class FormNotice(Surface):
    """Why it cannot be saved now, or what is kept."""

    item = StateProperty(None)


class ScoreCard(Card):
    """The score of what is entered."""

    item = StateProperty(None)


class TextField(Col):
    """A line of text to type."""

    item = StateProperty(None)


class ReadBackCard(Card):
    """What is read back aloud."""

    item = StateProperty(None)


class ReadBackChip(ReasonChip):
    """The caller has confirmed it."""


class WrittenCard(Card):
    """What was written down before."""

    item = StateProperty(None)


class WrittenLine(Surface):
    """One of them."""

    item = StateProperty(None)
