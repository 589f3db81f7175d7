"""The top of the nurse's screens."""

from __future__ import annotations

from kivy.properties import StringProperty

from pda_app.presenters.states import AppState
from pda_app.widgets.base import Col
from pda_app.widgets.state import StateProperty


class PageTop(Col):
    """App bar, demo band, and a strip when the handheld's clock is wrong."""

    title = StringProperty("")
    frame = StateProperty(AppState())


class PatientTop(Col):
    """Who, and what they must not get; never scrolled, never covered."""

    banner = StateProperty(None)
    allergy = StateProperty(None)
