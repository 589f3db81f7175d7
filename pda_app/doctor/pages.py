"""The doctor's two pages: the round in walking order, and one patient."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kivy.properties import StringProperty

from pda_app.presenters.states import BedCard, PatientState, WardState
from pda_app.widgets.base import Touch
from pda_app.widgets.lists import gather_facts
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty


class RoundListPage(Page):
    """Every occupied bed, in the order one walks; what is open stands on the card."""

    state = StateProperty(WardState())
    occupied = StateProperty(())
    acts = MappingProxyType(
        {
            "filter": lambda logic, key: logic.ward.show(key),
            "search": lambda logic, key: logic.ward.search(key),
        }
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("state", self._choose)
        self._choose()

    def _choose(self, *_: object) -> None:
        self.occupied = tuple(card for card in self.state.cards if card.patient_id)


class RoundItem(Touch):
    """One patient of the round."""

    item = StateProperty(None)
    facts = StateProperty(())

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("raised", True)
        super().__init__(**kwargs)
        self.fbind("item", self._gather)
        self._gather()

    def _gather(self, *_: object) -> None:
        self.facts = gather_facts(self.item)


class RoundPatientPage(Page):
    """One patient, and the way to the next bed."""

    state = StateProperty(PatientState())
    next_bed = StringProperty("")
    next_patient = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("state", self._look_ahead)
        self.fbind("logic", self._look_ahead)
        self._look_ahead()

    def _look_ahead(self, *_: object) -> None:
        if self.logic is None or self.state.banner is None:
            return
        after = following(self.logic.ward.state.cards, self.state.banner.bed)
        self.next_bed = f"{after.bed} {after.name}" if after else ""
        self.next_patient = after.patient_id if after else ""


def following(cards: tuple[BedCard, ...], bed: str) -> BedCard | None:
    """The next occupied bed in walking order; none after the last one."""
    beds = [card.bed for card in cards]
    later = cards[beds.index(bed) + 1 :] if bed in beds else ()
    return next((card for card in later if card.patient_id), None)
