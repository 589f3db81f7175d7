"""Medication check and infusion start (N5, N10): rights in the middle, verdict under the thumb."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kivy.properties import BooleanProperty, StringProperty

from clinical.bedside_check.model import Right
from pda_app.presenters.states import CheckState, RightLine, Tone
from pda_app.widgets.base import Card, Col, Surface
from pda_app.widgets.check import DrugCard, ReasonChip, RightRow
from pda_app.widgets.context import tr
from pda_app.widgets.entry import typed
from pda_app.widgets.lists import TaskItem
from pda_app.widgets.overlays import Overlay
from pda_app.widgets.page import Page
from pda_app.widgets.state import StateProperty

TIME_TONES = {"ok": Tone.ACT, "unjudged": Tone.ACT, "warn": Tone.WARN, "stop": Tone.BAD}
SITE_SHEET = {"open-sites": True, "close-sites": False, "site": False}


class CheckPage(Page):
    """Never more than one verdict; in STOP there is no button that records."""

    state = StateProperty(CheckState())
    findings = StateProperty(())
    choosing = BooleanProperty(False)  # the sheet of puncture sites is open
    acts = MappingProxyType(
        {
            "primary": lambda logic, _: logic.check.primary(),
            "secondary": lambda logic, _: logic.check.secondary(),
            "reason": lambda logic, key: logic.check.reason(key),
            "reason-text": lambda logic, key: logic.check.reason_text(key),
            "prn-reason": lambda logic, key: logic.check.prn_reason(key),
            "candidate": lambda logic, key: logic.check.choose(key),
            "site": lambda logic, key: logic.check.site(key),
            "outcome": lambda logic, key: logic.check.outcome(key),
            "not-given-reason": lambda logic, key: logic.check.not_given_reason(key),
            "not-given-text": lambda logic, key: logic.check.not_given_text(key),
            "record-not-given": lambda logic, _: logic.check.record_not_given(),
            "close-sheet": lambda logic, _: logic.check.close_sheet(),
            "second-done": lambda logic, _: logic.check.second_done(),
        }
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("state", self._settle)
        self._settle()

    def _settle(self, *_: object) -> None:
        # The worst finding is already the reason in the verdict panel; the others follow as lines.
        self.findings = tuple(
            finding for finding in self.state.findings if finding.text != self.state.verdict.reason
        )
        self.reveal(RightRow, lambda row: row.item.mark in ("stop", "warn"))

    def hear(self, act: str, key: str) -> bool:
        """Numbers are typed on a pad, sites chosen on a sheet; the rest goes straight to the presenter."""
        if act == "key" and self.state.second is not None:
            before = self.state.second.value
            self.logic.check.second_value(typed(before, key))
            return True
        if act in SITE_SHEET:
            self.choosing = SITE_SHEET[act]
        if act == "number" and self.state.start is not None:
            self.open_pad(
                label=tr.w("volume-in-bag"),
                number=self.state.start.volume_ml,
                unit="mL",
                take=self.logic.check.volume,
            )
            return True
        return super().hear(act, key) or act in SITE_SHEET


class OrderCard(DrugCard):
    """The order that is about to be carried out."""

    item = StateProperty(None)
    time_tone = StringProperty(Tone.ACT)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("item", self._tone)
        self._tone()

    def _tone(self, *_: object) -> None:
        rows: tuple[RightLine, ...] = self.item.rows
        mark = next((row.mark for row in rows if row.right is Right.TIME), "ok")
        self.time_tone = TIME_TONES[mark]


class RightsCard(Card):
    """The rights, one row each."""

    item = StateProperty(None)


class CandidateList(Card):
    """Several tasks fit what was scanned: one has to be chosen."""

    item = StateProperty(None)


class CandidateItem(TaskItem):
    """One task that fits."""


class PrnChip(ReasonChip):
    """One reason for a dose given when needed."""


class PrnPanel(Col):
    """Why a dose is given when needed."""

    item = StateProperty(None)


class StartHint(Surface):
    """What to scan first."""

    item = StateProperty(None)


class NotGivenOverlay(Overlay):
    """Held, refused or not given, and why."""

    item = StateProperty(None)


class SecondOverlay(Overlay):
    """The second person's own calculation."""

    item = StateProperty(None)


class SiteOverlay(Overlay):
    """The puncture sites to choose from."""

    item = StateProperty(None)


class NotGivenReasons(Col):
    """Why a dose was not given."""

    item = StateProperty(None)


class NotGivenChip(ReasonChip):
    """One reason for not giving."""


class NotGivenText(Col):
    """The field for a reason that is not in the list."""

    item = StateProperty(None)
