"""The nurse's window: its pages, and what its touches mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pda_app.nurse import alarms, care, check, form, more, patient, sign_in, today, uploads, ward
from pda_app.nurse import round as rounds
from pda_app.presenters.states import Screen
from pda_app.widgets.page import Act, Page
from pda_app.widgets.setup import load_kv, load_widgets
from pda_app.widgets.window import HandheldWindow

KV = (
    "frame",
    "sign_in",
    "today",
    "ward",
    "patient",
    "check",
    "care",
    "form",
    "round",
    "alarms",
    "uploads",
    "more",
)
PAGES: Mapping[Screen, tuple[type[Page], str]] = MappingProxyType(
    {
        Screen.TODAY: (today.TodayPage, "today"),
        Screen.WARD: (ward.WardPage, "ward"),
        Screen.PATIENT: (patient.PatientPage, "patient"),
        Screen.CHECK: (check.CheckPage, "check"),
        Screen.CARE: (care.CarePage, "care"),
        Screen.FORM: (form.FormPage, "forms"),
        Screen.ROUND: (rounds.RoundPage, "round"),
        Screen.ALARMS: (alarms.AlarmsPage, "alarms"),
        Screen.UPLOADS: (uploads.UploadsPage, "uploads"),
        Screen.MORE: (more.MorePage, ""),
    }
)
"""Screen → page class, and the presenter whose state it draws (none: the frame alone)."""

ACTS: Mapping[str, Act] = MappingProxyType(
    {
        "back": lambda logic, _: logic.back(),
        "switch-user": lambda logic, _: logic.lock(),
        "uploads": lambda logic, _: logic.go(Screen.UPLOADS),
        "go": lambda logic, key: logic.go(Screen(key)),
        "patient": lambda logic, key: logic.open_patient(key),
        "task": lambda logic, key: logic.open_task(key),
        "form": lambda logic, key: logic.open_form(key),
        "infusion": lambda logic, key: logic.open_infusion(key),
        "resuscitation": lambda logic, _: logic.patient.resuscitate(),
        "release": lambda logic, _: logic.patient.release(),
        "scan": lambda logic, _: logic.open_scan_sheet(),
        "close-scan": lambda logic, _: logic.close_scan_sheet(),
        "typed": lambda logic, key: logic.typed(key),
        "type-reason": lambda logic, key: logic.type_reason(key),
        "enter-typed": lambda logic, _: logic.enter_typed(),
        "answer": lambda logic, key: logic.answer_dialog(key),
        "alarm": lambda logic, key: logic.alarms.show(key),
        "acknowledge": lambda logic, _: logic.alarms.acknowledge(),
        "mute": lambda logic, _: logic.alarms.mute(),
    }
)
"""What the touches of the frame and of the overlays mean."""


@cache
def load_nurse() -> None:
    """Make the nurse's screens known to Kivy; safe to call again."""
    load_widgets()
    for name in KV:
        import_module(f"pda_app.nurse.{name}")
        load_kv(Path(__file__).with_name(f"{name}.kv"))


class NurseWindow(HandheldWindow):
    """The nurse's handheld."""

    role = "nurse"
    pages = PAGES
    acts = ACTS
    sign_in = sign_in.SignInPage

    def __init__(self, logic: Any, **kwargs: Any) -> None:
        load_nurse()
        super().__init__(logic, **kwargs)
