"""Every nurse screen with its sample state, by name, as the window would build it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.factory import Factory
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from pda_app.i18n import Catalog
from pda_app.nurse import alarms, care, check, form, more, patient, sign_in, today, uploads, ward
from pda_app.nurse import round as rounds
from pda_app.widgets.context import tr
from tests.support import handheld_care_states as b
from tests.support import handheld_check_states as c
from tests.support import handheld_form_states as f
from tests.support import handheld_states as s


def _page(kind: type[Widget], state: Any, frame: Any = s.INSIDE) -> Callable[[], Widget]:
    known = {} if state is None else {"state": state}
    return lambda: kind(frame=frame, **known)


def _over(make: str, **known: Any) -> Callable[[], Widget]:
    def build() -> Widget:
        root = FloatLayout()
        root.add_widget(check.CheckPage(frame=s.INSIDE, state=c.GIVE))
        root.add_widget(Factory.get(make)(**known))
        return root

    return build


SCREENS: dict[str, Callable[[], Widget]] = {
    "sign_in": _page(sign_in.SignInPage, s.SIGN_IN, s.FRAME),
    "sign_in_badge": _page(sign_in.SignInPage, s.SIGN_IN_BADGE, s.FRAME),
    "sign_in_wrong": _page(sign_in.SignInPage, s.SIGN_IN_WRONG, s.FRAME),
    "today": _page(today.TodayPage, s.TODAY, s.FRAME),
    "today_by_time": _page(today.TodayPage, s.TODAY_BY_TIME, s.FRAME),
    "today_reading": _page(today.TodayPage, s.TODAY_READING, s.FRAME),
    "today_search": _page(today.TodayPage, s.TODAY_SEARCH, s.FRAME),
    "today_empty": _page(today.TodayPage, s.TODAY_EMPTY, s.FRAME),
    "ward": _page(ward.WardPage, s.WARD, s.FRAME),
    "ward_missing": _page(ward.WardPage, s.WARD_MISSING, s.OFFLINE),
    "patient": _page(patient.PatientPage, s.PATIENT),
    "check_empty": _page(check.CheckPage, c.EMPTY_CHECK),
    "check_waiting": _page(check.CheckPage, c.WAITING),
    "check_give": _page(check.CheckPage, c.GIVE),
    "check_give_offline": _page(check.CheckPage, c.GIVE_OFFLINE, s.OFFLINE),
    "check_stop": _page(check.CheckPage, c.STOP),
    "check_stop_patient": _page(check.CheckPage, c.STOP_PATIENT),
    "check_check": _page(check.CheckPage, c.CHECK),
    "check_answered": _page(check.CheckPage, c.CHECK_ANSWERED),
    "check_not_given": _page(check.CheckPage, c.NOT_GIVEN_OPEN),
    "infusion_start": _page(check.CheckPage, c.START),
    "check_second": _page(check.CheckPage, c.SECOND),
    "check_stop_liftable": _page(check.CheckPage, c.STOP_LIFTABLE),
    "infusion_sites": lambda: check.CheckPage(frame=s.INSIDE, state=c.START, choosing=True),
    "specimen": _page(care.CarePage, b.SPECIMEN),
    "specimen_empty": _page(care.CarePage, b.SPECIMEN_EMPTY),
    "specimen_check": _page(care.CarePage, b.SPECIMEN_CHECK),
    "blood_check": _page(care.CarePage, b.BLOOD_CHECK),
    "blood_look": _page(care.CarePage, b.BLOOD_LOOK),
    "blood_match": _page(care.CarePage, b.BLOOD_MATCH),
    "blood_pin": _page(care.CarePage, b.BLOOD_PIN),
    "blood_start": _page(care.CarePage, b.BLOOD_START),
    "blood_watch": _page(care.CarePage, b.BLOOD_WATCH),
    "skin_place": _page(care.CarePage, b.SKIN_PLACE),
    "skin_wait": _page(care.CarePage, b.SKIN_WAIT),
    "skin_read": _page(care.CarePage, b.SKIN_READ),
    "vitals": _page(form.FormPage, f.VITALS),
    "vitals_offline": _page(form.FormPage, f.VITALS_OFFLINE, s.OFFLINE),
    "fluids": _page(form.FormPage, f.FLUIDS),
    "critical": _page(form.FormPage, f.CRITICAL),
    "critical_kept": _page(form.FormPage, f.CRITICAL_KEPT),
    "round": _page(rounds.RoundPage, s.ROUND),
    "round_matches": _page(rounds.RoundPage, s.ROUND_MATCHES),
    "round_stopped": _page(rounds.RoundPage, s.ROUND_STOPPED),
    "round_finish": _page(rounds.RoundPage, s.FINISH),
    "alarms": _page(alarms.AlarmsPage, s.ALARMS, s.FRAME),
    "uploads": _page(uploads.UploadsPage, s.UPLOADS, s.OFFLINE),
    "more": _page(more.MorePage, None, s.FRAME),
    "alarm_high": _over("AlarmOverlay", item=s.ALARMS, alarm=s.ALARMS.current, demo=True),
    "alarm_medium": _over("AlarmOverlay", item=s.ALARM_FLOW, alarm=s.ALARM_FLOW.current, demo=True),
    "question": _over("DialogOverlay", item=s.QUESTION),
    "scan_sheet": _over("ScanOverlay", item=s.SCAN_SHEET),
    "toast": _over("ToastLayer", item=s.TOAST),
}


def speak(lang: str) -> None:
    """Show the samples in one language."""
    tr.use(lang, Catalog(lang).text)


def top_of(root: Widget) -> Widget:
    """What a person can see and touch: the overlay when there is one, without the page it covers."""
    if not isinstance(root, FloatLayout):
        return root
    top = root.children[0]
    return next((w for w in top.walk(restrict=True) if type(w).__name__ == "Sheet"), top)
