"""MEWS of a patient from the newest values; never a guess where one is missing or too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.records import USABLE, Observation
from clinical.scores.mews import mews
from server.observations.service import CONSCIOUSNESS, INPUTS
from server.storage.last_values import observation_id
from server.storage.picture import Picture

MAX_AGE = timedelta(hours=4)
"""How old a value may be that is scored (proposal)."""
_WANTED = ("sbp", "pulse", "rr", "temp_c")
_WORDS = "ACVPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mews:
    """A score with the points of each input, or why there is none."""

    total: int | None
    tier: str | None  # low, critical
    scores: dict[str, int]
    red: tuple[str, ...]  # inputs with three points
    missing: tuple[str, ...]  # inputs that are missing or too old
    reason: str = ""


def mews_of(picture: Picture, patient_id: str, now: datetime) -> Mews:
    """Score the newest values of a patient."""
    values = {name: _newest(picture, patient_id, INPUTS[name], now) for name in _WANTED}
    awake = _newest(picture, patient_id, (CONSCIOUSNESS,), now)
    missing = [name for name, value in values.items() if value is None]
    missing += ["consciousness"] if awake is None else []
    word = _WORDS[int(awake)] if awake is not None and 0 <= awake < len(_WORDS) else None
    score = mews(
        sbp=values["sbp"], pulse=values["pulse"], rr=values["rr"], temp_c=values["temp_c"], consciousness=word
    )
    return Mews(
        total=score.total,
        tier=score.tier,
        scores=dict(score.scores),
        red=tuple(score.red_params),
        missing=tuple(missing),
        reason=score.reason or "",
    )


def _newest(picture: Picture, patient_id: str, codes: tuple[str, ...], now: datetime) -> float | None:
    found = (picture.get(Observation, observation_id(patient_id, code)) for code in codes)
    fresh = [
        one
        for one in found
        if one is not None
        and one.value is not None
        and one.validity in USABLE
        and now - one.effective <= MAX_AGE
    ]
    newest = max(fresh, key=lambda one: one.effective, default=None)
    return float(newest.value) if newest is not None and newest.value is not None else None
