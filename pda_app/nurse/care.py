"""Care at the bedside (N7): a sample, a unit of blood, a skin test; verdict under the thumb."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from pda_app.presenters.states import CareState, NumberLine, Verdict
from pda_app.widgets.base import Card, Col, Row, Surface
from pda_app.widgets.check import DrugCard, ReasonChip, RightRow
from pda_app.widgets.context import tr
from pda_app.widgets.entry import NumberField, typed
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty
from pda_app.widgets.tones import CELLS, STEPS


class CarePage(Page):
    """One step from the first scan to the record; in STOP there is no button that records."""

    state = StateProperty(CareState())
    acts = MappingProxyType(
        {
            "primary": lambda logic, _: logic.care.primary(),
            "secondary": lambda logic, _: logic.care.secondary(),
            "choose": lambda logic, key: logic.care.choose(key),
            "reason": lambda logic, key: logic.care.reason(key),
            "reason-text": lambda logic, key: logic.care.reason_text(key),
            "close-sheet": lambda logic, _: logic.care.close_sheet(),
            "second-done": lambda logic, _: logic.care.second_done(),
        }
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._seen: Verdict | None = None
        self.fbind("state", self._settle)
        self._settle()

    def _settle(self, *_: object) -> None:
        """Show what the verdict is about; only when it is a new one, so that a timer never scrolls a page."""
        verdict = self.state.verdict
        if verdict == self._seen:
            return
        self._seen = verdict
        if verdict.kind == "needs":
            self.reveal(ChoicePanel, lambda panel: not any(one.selected for one in panel.item.choices))
        else:
            self.reveal(RightRow, lambda row: row.item.mark in ("stop", "warn"))

    def hear(self, act: str, key: str) -> bool:
        """Numbers are typed on a pad; the rest goes straight to the presenter."""
        if act == "key" and self.state.second is not None:
            self.logic.care.second_value(typed(self.state.second.value, key))
            return True
        if act == "number":
            self._open_pad(next(one for one in self.state.numbers if one.key == key))
            return True
        return super().hear(act, key)

    def _open_pad(self, line: NumberLine) -> None:
        self.open_pad(
            label=tr.t(line.label),
            number=line.number,
            unit=tr.t(line.unit),
            take=lambda text: self.logic.care.number(line.key, text),
        )


class StepRow(Row):
    """The way, step by step."""

    item = StateProperty(None)


class StepItem(Col):
    """One step: its number or a tick, and its name."""

    item = StateProperty(None)
    look = StateProperty(STEPS["later"])


class CareHint(Surface):
    """What to scan first."""

    item = StateProperty(None)


class CareCard(DrugCard):
    """What was ordered."""

    item = StateProperty(None)


class CareLines(Card):
    """What is compared, one row each."""

    item = StateProperty(None)


class TimerCard(Card):
    """A time that runs."""

    item = StateProperty(None)


class PersonsCard(Card):
    """Two persons, one column each."""

    item = StateProperty(None)


class PersonLine(Row):
    """One thing that both look at."""

    item = StateProperty(None)
    first = StateProperty(CELLS["later"])
    second = StateProperty(CELLS["later"])


class NumbersCard(Card):
    """Numbers to type or to take over."""

    item = StateProperty(None)


class CareNumber(NumberField):
    """One number; a tap opens the pad."""

    item = StateProperty(None)


class ChoicePanel(Col):
    """One group of chips."""

    item = StateProperty(None)


class CareChip(ReasonChip):
    """One thing to choose."""


class TubesCard(Card):
    """Several things of this patient in their order."""

    item = StateProperty(None)


class TubeLine(Surface):
    """One of them."""

    item = StateProperty(None)
