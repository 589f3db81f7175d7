"""Ward (N3): every bed as a card."""

from __future__ import annotations

from types import MappingProxyType

from pda_app.presenters.states import WardState
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class WardPage(Page):
    """The ward at a glance."""

    state = StateProperty(WardState())
    acts = MappingProxyType(
        {
            "filter": lambda logic, key: logic.ward.show(key),
            "search": lambda logic, key: logic.ward.search(key),
        }
    )
