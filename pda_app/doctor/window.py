"""The doctor's window: its pages, and what its touches mean. Nothing here records."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kivy.clock import Clock

from clinical.records import Alarm
from pda_app.doctor.pages import RoundListPage, RoundPatientPage
from pda_app.nurse.alarms import AlarmsPage
from pda_app.nurse.more import MorePage
from pda_app.nurse.sign_in import SignInPage
from pda_app.nurse.uploads import UploadsPage
from pda_app.nurse.window import ACTS, load_nurse
from pda_app.presenters.states import AppState, Screen
from pda_app.widgets.page import Page
from pda_app.widgets.setup import load_kv
from pda_app.widgets.window import HandheldWindow

PAGES: Mapping[Screen, tuple[type[Page], str]] = MappingProxyType({
    Screen.WARD: (RoundListPage, "ward"),
    Screen.PATIENT: (RoundPatientPage, "patient"),
    Screen.ALARMS: (AlarmsPage, "alarms"),
    Screen.UPLOADS: (UploadsPage, "uploads"),
    Screen.MORE: (MorePage, ""),
})  # fmt: skip

NOT_A_DOCTORS = frozenset({"acknowledge", "mute", "task", "infusion", "form"})
"""What only the nurse at the bed does."""


def open_patient_of(logic: Any, alarm_id: str) -> None:
    """A doctor who touches an alarm looks at its patient; going there is the nurse's answer."""
    alarm = logic.desk.book.get(Alarm, alarm_id)
    if alarm is not None and alarm.patient_id:
        logic.open_patient(alarm.patient_id)


@cache
def load_doctor() -> None:
    """Make the doctor's screens known to Kivy; safe to call again."""
    load_nurse()
    load_kv(Path(__file__).with_name("pages.kv"))


class DoctorWindow(HandheldWindow):
    """The doctor's handheld; its scanner is a :class:`~pda_app.doctor.scans.PatientFinder`."""

    role = "doctor"
    pages = PAGES
    acts = MappingProxyType(
        {act: do for act, do in ACTS.items() if act not in NOT_A_DOCTORS} | {"alarm": open_patient_of}
    )
    sign_in = SignInPage
    overlays_alarms = False  # a doctor sees them in the list; going to the bed is the nurse's answer

    def __init__(self, logic: Any, **kwargs: Any) -> None:
        load_doctor()
        super().__init__(logic, **kwargs)

    def _show_page(self, state: AppState) -> None:
        if state.screen is Screen.TODAY:  # where the presenters begin; a doctor begins with the round
            Clock.schedule_once(lambda _: self.logic.go(Screen.WARD), -1)
            return
        super()._show_page(state)
