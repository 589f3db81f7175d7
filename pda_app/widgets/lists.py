"""Rows and cards of lists: tasks, patients, beds."""

# mypy: disallow-subclassing-any=False
# Kivy ships no types: its widget classes are Any to the type checker.
from __future__ import annotations

from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from pda_app.presenters import states
from pda_app.widgets.base import Card, Chip, Col, Icon, Row, Surface, Touch
from pda_app.widgets.items import ListBox
from pda_app.widgets.state import StateProperty


class StateChip(Chip):
    """A chip as a presenter describes it."""

    item = StateProperty(None)


class BedFact(Chip):
    """Care level, score or risk on a bed card."""

    item = StateProperty(None)


class RiskIcon(Icon):
    """A risk of a patient as an icon alone."""

    item = StateProperty(None)


class BedPill(Surface):
    """A bed number in a solid pill."""

    text = StringProperty("")
    points = NumericProperty(20)


class TaskItem(Touch):
    """One planned execution: what, how, when, and how far from its time."""

    item = StateProperty(None)
    by_time = BooleanProperty(False)


class TaskByTime(TaskItem):
    """The same in a list arranged by time: it says whose it is."""


class TaskGroupCard(Card):
    """The tasks of one patient."""

    item = StateProperty(None)


class ChipColumn(ListBox):
    """Chips beside each other, or below each other where the screen is narrow."""


class EmptyNote(BoxLayout):
    """What to say when a list is empty, or when nothing is known yet."""

    text = StringProperty("")
    picture = StringProperty("here")


class Bar(Widget):
    """The share of something that is done."""

    share = NumericProperty(0)
    tint = StringProperty("act")
    dp_high = NumericProperty(10)


class SideMark(Widget):
    """The coloured edge of a card: the worst open thing."""

    tint = StringProperty("")


class BedItem(Touch):
    """One bed of the ward."""

    item = StateProperty(None)
    facts = StateProperty(())

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", bool(kwargs["item"].patient_id))
        super().__init__(**kwargs)
        self.fbind("item", self._gather)
        self._gather()

    def _gather(self, *_: object) -> None:
        self.facts = gather_facts(self.item)


def gather_facts(card: states.BedCard) -> tuple[states.Chip, ...]:
    """Care level, score and risks of a bed, in one row of chips."""
    level = (states.Chip(text=card.care_level),) if card.care_level else ()
    score = (card.news2,) if card.news2 is not None else ()
    return (*level, *score, *card.risks)


class IconLine(Row):
    """An icon and one line."""

    item = StateProperty(None)


class InfusionMini(Col):
    """One infusion on a bed card."""

    item = StateProperty(None)
