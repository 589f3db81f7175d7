"""Uploads and outcomes (N9): what still lies on this handheld, and what came back."""

from __future__ import annotations

from types import MappingProxyType

from pda_app.presenters.states import UploadsState
from pda_app.widgets.base import Card, PressButton, Row, send
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class UploadsPage(Page):
    """Outcomes leave this page only by an answer."""

    state = StateProperty(UploadsState())
    acts = MappingProxyType({"answer-outcome": lambda logic, key: logic.uploads.answer(*key.rsplit("/", 1))})


class UploadsNote(Row):
    """How old the picture of the ward is."""

    item = StateProperty(None)


class OutcomeItem(Card):
    """Something came back."""

    item = StateProperty(None)

    def hear(self, act: str, key: str) -> bool:
        """Say which outcome an answer belongs to."""
        return act == "outcome" and send(self.parent, "answer-outcome", f"{self.item.event_id}/{key}")


class OutcomeAnswer(PressButton):
    """One answer to an outcome."""

    item = StateProperty(None)


class QueueCard(Card):
    """Events that wait to be sent."""

    item = StateProperty(None)


class QueueItem(Row):
    """One event that waits."""

    item = StateProperty(None)
