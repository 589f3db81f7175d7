"""Newest values per patient and code, and the scores made of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from clinical.records import USABLE, Observation, Patient, age_years
from clinical.scores.news2 import MAX_AGE_MIN, news2
from server.storage.last_values import observation_id
from server.storage.picture import Picture
from server.storage.store import UnitOfWork

INPUTS = {
    "rr": ("MDC_RESP_RATE",),
    "spo2": ("MDC_PULS_OXIM_SAT_O2",),
    "sbp": ("MDC_PRESS_BLD_NONINV_SYS",),
    "pulse": ("MDC_ECG_HEART_RATE", "MDC_PULS_RATE", "MDC_PULS_OXIM_PULS_RATE", "MDC_PULS_RATE_NON_INV"),
    "temp_c": ("MDC_TEMP_BODY", "MDC_TEMP_AXILLA", "MDC_TEMP_EAR", "MDC_TEMP_ORAL", "MDC_TEMP_RECT"),
}
OXYGEN, CONSCIOUSNESS = "MDCX_OXYGEN", "MDCX_CONSCIOUSNESS"
"""Local codes of what a nurse enters: oxygen 0 or 1; consciousness 0-4 for A, C, V, P, U."""
_WORDS = "ACVPU"


def keep_newest(unit: UnitOfWork, observation: Observation) -> None:
    """Keep an observation as the newest of its code, unless a younger one is there."""
    before = unit.get(Observation, observation.id)
    if before is None or before.effective <= observation.effective:
        unit.put(observation, quiet=True)


def news2_of(picture: Picture, patient_id: str, now: datetime) -> dict[str, Any] | None:
    """NEWS2 of a patient when every input is there and fresh, else None: a missing score is never a zero."""
    patient = picture.get(Patient, patient_id)
    newest = {name: _newest(picture, patient_id, codes) for name, codes in INPUTS.items()}
    oxygen, consciousness = (_fresh(picture, patient_id, code, now) for code in (OXYGEN, CONSCIOUSNESS))
    if patient is None or patient.birth_date is None or not all(newest.values()):
        return None
    values = {
        name: float(one.value) for name, one in newest.items() if one is not None and one.value is not None
    }
    ages = {
        name: (now - one.effective).total_seconds() / 60 for name, one in newest.items() if one is not None
    }
    score = news2(
        age=age_years(patient.birth_date, now.date()),
        rr=values.get("rr"),
        spo2=values.get("spo2"),
        sbp=values.get("sbp"),
        pulse=values.get("pulse"),
        temp_c=values.get("temp_c"),
        on_oxygen=bool(oxygen.value) if oxygen is not None else None,
        consciousness=_word(consciousness),
        ages_min=ages,
    )
    return {"total": score.total, "tier": score.tier} if score.total is not None else None


def _fresh(picture: Picture, patient_id: str, code: str, now: datetime) -> Observation | None:
    """Return what a nurse has entered, unless it is older than any input may be."""
    one = picture.get(Observation, observation_id(patient_id, code))
    return one if one is not None and now - one.effective <= timedelta(minutes=MAX_AGE_MIN) else None


def _newest(picture: Picture, patient_id: str, codes: tuple[str, ...]) -> Observation | None:
    found = [picture.get(Observation, observation_id(patient_id, code)) for code in codes]
    usable = [one for one in found if one is not None and one.validity in USABLE and one.value is not None]
    return max(usable, key=lambda one: one.effective, default=None)


def _word(observation: Observation | None) -> str | None:
    if observation is None or observation.value is None:
        return None
    index = int(observation.value)
    return _WORDS[index] if 0 <= index < len(_WORDS) else "?"
