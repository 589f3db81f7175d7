"""Patient (N4): vital signs, infusions and tasks of one person."""

from __future__ import annotations

from kivy.properties import StringProperty

from pda_app.presenters.states import PatientState
from pda_app.widgets.base import Card, Col, Row
from pda_app.widgets.lists import StateChip
from pda_app.widgets.page import Body, Page
from pda_app.widgets.state import StateProperty
from pda_app.widgets.tones import INK


class PatientPage(Page):
    """One patient's page."""

    state = StateProperty(PatientState())


class PageChip(StateChip):
    """A chip that lies on the page itself, so that a plain one needs a surface."""


class PatientBody(Body):
    """What is known of the patient, below the banner."""

    state = StateProperty(PatientState())


class TasksCard(Card):
    """What is open for this patient."""

    item = StateProperty(None)


class ResuscitationRow(Row):
    """Calls a resuscitation, or ends it."""

    item = StateProperty(None)


class ReleaseRow(Row):
    """Confirms that devices are off."""

    item = StateProperty(None)


class VitalsCard(Card):
    """The newest values, each with its time."""

    item = StateProperty(None)


class VitalCell(Col):
    """One value."""

    item = StateProperty(None)
    ink = StringProperty("ink")

    def on_item(self, *_: object) -> None:
        """A judged value takes its tone; an ordinary one stays ink, an old one turns grey."""
        tone = self.item.tone
        ordinary = "hint" if self.item.stale else "ink"
        self.ink = ordinary if tone == "plain" else INK[tone]
