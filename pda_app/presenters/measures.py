"""Numbers a nurse writes down: which code each has, what is possible, and what the monitor says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from clinical.codes import CODES
from clinical.records import USABLE, Observation
from pda_app.presenters import words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Msg, NumberLine, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number: the code it is written down under, the codes that answer for it, and what can be."""

    name: str
    code: str
    codes: tuple[str, ...]
    low: Decimal
    high: Decimal
    decimals: int = 0


def _measure(name: str, low: str, high: str, *codes: str, decimals: int = 0) -> Measure:
    return Measure(
        name=name, code=codes[0], codes=codes, low=Decimal(low), high=Decimal(high), decimals=decimals
    )


MEASURES = {
    one.name: one
    for one in (
        _measure("temperature", "20", "46", "MDC_TEMP_AXILLA", "MDC_TEMP_BODY", "MDC_TEMP_EAR",
                 "MDC_TEMP_ORAL", "MDC_TEMP_RECT", decimals=1),
        _measure("pulse", "0", "350", "MDC_PULS_RATE", "MDC_ECG_HEART_RATE", "MDC_PULS_OXIM_PULS_RATE"),
        _measure("respiration", "0", "150", "MDC_RESP_RATE"),
        _measure("systolic", "20", "320", "MDC_PRESS_BLD_NONINV_SYS"),
        _measure("diastolic", "10", "250", "MDC_PRESS_BLD_NONINV_DIA"),
        _measure("saturation", "1", "100", "MDC_PULS_OXIM_SAT_O2"),
    )
}  # fmt: skip
"""What the ward server takes, with its bounds: what a living person can have."""


def amount(text: str) -> Decimal | None:
    """Read a plain number above or at 0, as it is heard over the telephone."""
    if not (text.isascii() and text.replace(".", "", 1).isdecimal()):
        return None
    return Decimal(text)


def read(name: str, text: str) -> Decimal | None:
    """Read a typed number; None when it is not one, or cannot be."""
    measure = MEASURES[name]
    try:
        value = Decimal(text) if text.isascii() else None
    except InvalidOperation:
        return None
    if value is None or not value.is_finite() or not measure.low <= value <= measure.high:
        return None
    return value if value == round(value, measure.decimals) else None


def monitored(desk: Desk, patient_id: str, name: str, minutes: float) -> Observation | None:
    """The newest usable value of the last minutes, from whatever measured it."""
    codes, now, oldest = MEASURES[name].codes, desk.now(), timedelta(minutes=minutes)
    found = [
        one
        for one in desk.book.all(Observation)
        if one.patient_id == patient_id and one.code in codes and one.value is not None
        if one.validity in USABLE and timedelta(minutes=-1) <= now - one.effective <= oldest
    ]
    return max(found, key=lambda one: one.effective, default=None)


def field(desk: Desk, patient_id: str, name: str, text: str, minutes: float) -> NumberLine:
    """One field: what was typed, else what the monitor says with its time."""
    measure = MEASURES[name]
    seen = monitored(desk, patient_id, name, minutes)
    shown = text
    note: Text = ""
    error: Text = ""
    if text:
        bad = read(name, text) is None
        error = Msg.of("measure.bad", low=str(measure.low), high=str(measure.high)) if bad else ""
    elif seen is not None and seen.value is not None:
        shown = words.number(seen.value, measure.decimals)
        note = Msg.of("measure.monitor", time=desk.hhmm(seen.effective))
    return NumberLine(
        key=name,
        label=Msg(f"measure.{name}"),
        number=shown,
        unit=words.unit(CODES[measure.code].ucum) if measure.code != "MDC_TEMP_AXILLA" else "℃",
        note=note,
        error=error,
    )
