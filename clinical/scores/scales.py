"""Nursing scales that add up chosen answers: Braden (pressure injury), Morse (falls), and pain.

Source: Braden and Bergstrom 1987; Morse 1989; numeric rating scale of pain. Cut-offs are the usual ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from clinical.scores.model import Score

BRADEN_HIGHEST: Mapping[str, int] = {
    "sensory": 4, "moisture": 4, "activity": 4, "mobility": 4, "nutrition": 4, "friction": 3,
}  # fmt: skip
"""Every answer counts from 1 to this."""

MORSE_POINTS: Mapping[str, Mapping[str, int]] = {
    "fall_history": {"no": 0, "yes": 25},
    "secondary_diagnosis": {"no": 0, "yes": 15},
    "aid": {"none": 0, "bed": 0, "nurse": 0, "crutch": 15, "cane": 15, "walker": 15, "furniture": 30},
    "iv_access": {"no": 0, "yes": 20},
    "gait": {"normal": 0, "bed": 0, "wheelchair": 0, "weak": 10, "impaired": 20},
    "mental": {"oriented": 0, "forgets_limits": 15},
}


def braden(answers: Mapping[str, int | None]) -> Score:
    """Score the Braden scale: 6 (worst) to 23; the lower, the higher the risk of a pressure injury."""
    points: dict[str, int] = {}
    for name, highest in BRADEN_HIGHEST.items():
        answer = answers.get(name)
        if answer is None:
            return _missing(name)
        if not 1 <= answer <= highest:
            return Score(total=None, tier=None, status="invalid", reason=f"implausible_value:{name}")
        points[name] = answer
    total = sum(points.values())
    tiers = ((9, "very_high"), (12, "high"), (14, "moderate"), (18, "mild"), (23, "none"))
    return Score(total=total, tier=next(word for bound, word in tiers if total <= bound), scores=points)


def morse(answers: Mapping[str, str | None]) -> Score:
    """Score the Morse fall scale: 0 to 125; 25 and above is moderate, 45 and above high risk."""
    points: dict[str, int] = {}
    for name, choices in MORSE_POINTS.items():
        answer = answers.get(name)
        if answer is None:
            return _missing(name)
        if answer not in choices:
            return Score(total=None, tier=None, status="invalid", reason=f"unmappable_code:{name}")
        points[name] = choices[answer]
    total = sum(points.values())
    tier = "high" if total >= 45 else ("moderate" if total >= 25 else "low")
    return Score(total=total, tier=tier, scores=points)


def pain(nrs: int | None) -> Score:
    """Name the tier of a numeric pain rating from 0 to 10."""
    if nrs is None:
        return _missing("nrs")
    if not 0 <= nrs <= 10:
        return Score(total=None, tier=None, status="invalid", reason="implausible_value:nrs")
    tiers = ((0, "none"), (3, "mild"), (6, "moderate"), (10, "severe"))
    return Score(total=nrs, tier=next(word for bound, word in tiers if nrs <= bound), scores={"nrs": nrs})


def _missing(name: str) -> Score:
    return Score(total=None, tier=None, status="not_evaluated", reason=f"missing_required_input:{name}")
