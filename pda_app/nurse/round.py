"""Infusion round (N6): ordered against measured, what is left, the site, and the end of the infusion."""

from __future__ import annotations

from types import MappingProxyType

from pda_app.presenters.states import RoundState
from pda_app.widgets.base import Card, Row, Touch
from pda_app.widgets.context import tr
from pda_app.widgets.items import FlowBox
from pda_app.widgets.overlays import Overlay
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class RoundPage(Page):
    """One running infusion at the bedside."""

    state = StateProperty(RoundState())
    acts = MappingProxyType(
        {
            "primary": lambda logic, _: logic.round.primary(),
            "secondary": lambda logic, _: logic.round.secondary(),
            "site": lambda logic, key: logic.round.finding(key),
            "mode": lambda logic, key: logic.round.mode(key),
            "reason": lambda logic, key: logic.round.finish_reason(key),
            "record-finish": lambda logic, _: logic.round.finish(),
            "close-sheet": lambda logic, _: logic.round.close_sheet(),
        }
    )

    def hear(self, act: str, key: str) -> bool:
        """Numbers are typed on a pad; everything else goes straight to the presenter."""
        if act != "number":
            return super().hear(act, key)
        if key == "residual" and self.state.sheet is not None:
            number, take = self.state.sheet.residual_ml, self.logic.round.residual
            self.open_pad(label=tr.w("residual"), number=number, unit="mL", take=take)
        elif key == "seen":
            number, take = self.state.seen_gtt_min, self.logic.round.seen
            self.open_pad(label=tr.w("drops-counted"), number=number, unit=tr.w("gtt-min"), take=take)
        return True


class FlowCard(Card):
    """What runs, and how fast it should and does."""

    item = StateProperty(None)


class LeftCard(Card):
    """How much is left, until when, and the curve."""

    item = StateProperty(None)


class CurveLegend(FlowBox):
    """What the lines of the curve are."""

    item = StateProperty(None)


class SeenCard(Card):
    """What the nurse sees: the site, and the drops as counted."""

    item = StateProperty(None)


class SeenField(Touch):
    """Drops per minute as counted by eye; a tap opens the pad."""

    item = StateProperty(RoundState())


class MessageLine(Row):
    """What became of the last action."""

    item = StateProperty(None)


class FinishOverlay(Overlay):
    """Complete, pause or stop early, with what is left in the bag."""

    item = StateProperty(None)
