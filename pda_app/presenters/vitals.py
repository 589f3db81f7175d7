"""The newest vital signs of a patient, each with its time; an old one never looks like the present."""

from __future__ import annotations

from datetime import datetime, timedelta

from clinical.codes import CODES
from clinical.records import USABLE, Association, Encounter, Observation
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.infusions import is_fresh
from pda_app.presenters.states import Msg, Text, Tone, VitalTile

_VITALS = (
    "MDC_PULS_OXIM_PULS_RATE", "MDC_ECG_HEART_RATE", "MDC_PULS_RATE", "MDC_PULS_OXIM_SAT_O2", "MDC_RESP_RATE",
    "MDC_PRESS_BLD_NONINV_SYS", "MDC_PRESS_BLD_NONINV_DIA", "MDC_TEMP_BODY", "MDC_CONC_GLU_GEN",
)  # fmt: skip
_MONITORED = timedelta(seconds=10)
_SPOT = timedelta(hours=8)
LIMITS: dict[str, tuple[timedelta, timedelta]] = {
    "MDC_PULS_OXIM_SAT_O2": (_MONITORED, _SPOT),
    "MDC_PULS_OXIM_PULS_RATE": (_MONITORED, _SPOT),
    "MDC_ECG_HEART_RATE": (_MONITORED, _SPOT),
    "MDC_PULS_RATE": (_MONITORED, _SPOT),
    "MDC_RESP_RATE": (_MONITORED, _SPOT),
    "MDC_PRESS_BLD_NONINV_SYS": (_SPOT, _SPOT),
    "MDC_PRESS_BLD_NONINV_DIA": (_SPOT, _SPOT),
    "MDC_TEMP_BODY": (_SPOT, _SPOT),
    "MDC_CONC_GLU_GEN": (_SPOT, _SPOT),
}
"""How old each value may be: while its device watches the patient, and measured now and then."""


def newest(desk: Desk, patient_id: str) -> tuple[VitalTile, ...]:
    """The newest value of each vital sign; one that is not valid shows no number."""
    found: dict[str, Observation] = {}
    for one in desk.book.all(Observation):
        known = found.get(one.code)
        if one.patient_id == patient_id and (known is None or known.effective < one.effective):
            found[one.code] = one
    watching = _devices(desk, patient_id)
    return tuple(_tile(desk, found[code], watching) for code in _VITALS if code in found)


def stamp(desk: Desk, at: datetime, *, aged: bool) -> Text:
    """The time of a value: with its date when it is not of today, with its age where that matters."""
    local, now = at.astimezone(desk.zone), desk.now()
    shown = desk.hhmm(at) if local.date() == now.astimezone(desk.zone).date() else f"{local:%m-%d %H:%M}"
    if not aged:
        return shown
    age = (now - at).total_seconds()
    if age < 0:
        return words.joined("dot", shown, Msg("vital.future"))
    span = Msg.of("span.seconds", n=f"{age:.0f}") if age < 60 else words.minutes(age / 60)
    return words.joined("dot", shown, Msg.of("vital.age", span=span))


def _devices(desk: Desk, patient_id: str) -> frozenset[str]:
    """Devices that watch this patient now."""
    open_now = (one for one in desk.book.all(Association) if one.end is None)
    return frozenset(one.device_id for one in open_now if _patient_of(desk, one) == patient_id)


def _patient_of(desk: Desk, one: Association) -> str:
    encounter = desk.book.get(Encounter, one.encounter_id)
    return encounter.patient_id if encounter is not None else ""


def _tile(desk: Desk, one: Observation, watching: frozenset[str]) -> VitalTile:
    code = CODES[one.code]
    reliable = one.value is not None and one.validity in USABLE
    shown = words.number(one.value, code.decimals) if reliable and one.value is not None else "--"
    watched, spot = LIMITS[one.code]
    monitored = bool(one.device_id) and one.device_id in watching
    stale = not is_fresh(one.effective, desk.now(), watched if monitored else spot)
    unwatched = not monitored and not is_fresh(one.effective, desk.now(), watched)
    return VitalTile(
        code=one.code,
        label=code.label,
        value=shown,
        unit=words.unit(one.unit),
        at=stamp(desk, one.effective, aged=stale or unwatched),
        tone=Tone.PLAIN if reliable else Tone.WARN,
        stale=stale,
    )
