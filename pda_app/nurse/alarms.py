"""Alarms: everything present or not yet acknowledged (the overlay N8 lies over every screen)."""

from __future__ import annotations

from pda_app.presenters.states import AlarmsState
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class AlarmsPage(Page):
    """The page of all alarms."""

    state = StateProperty(AlarmsState())
