"""NEWS2, the National Early Warning Score of the Royal College of Physicians, both SpO2 scales.

Not valid for children or in pregnancy; 18 is this product's default lower age (the RCP text allows 16), the
safer of the two while a ward has no paediatric score. SpO2 scale 2 is used only when it is asked for: it
needs a clinician's recorded decision and is never inferred from oxygen. ``C`` is *new* confusion.

Source: RCP, National Early Warning Score (NEWS) 2, 2017, charts 1 and 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal

from clinical.scores.model import Score

ADULT_AGE = 18
MAX_AGE_MIN = 60.0
"""Inputs older than this, in minutes, give no total (proposal)."""
SBP_TOLERANCE = Decimal(10)
"""Two pressures of one moment may differ by so many mmHg; the worse one then counts."""

_INPUTS = ("rr", "spo2", "sbp", "pulse", "temp_c")
_PLAUSIBLE = {
    "rr": (Decimal(0), Decimal(150)),
    "spo2": (Decimal(1), Decimal(100)),
    "sbp": (Decimal(20), Decimal(320)),
    "pulse": (Decimal(0), Decimal(350)),
    "temp_c": (Decimal(20), Decimal(46)),
}
_BANDS: dict[str, tuple[tuple[str, int], ...]] = {
    "rr": (("8", 3), ("11", 1), ("20", 0), ("24", 2), ("999", 3)),
    "spo2": (("91", 3), ("93", 2), ("95", 1), ("999", 0)),
    "spo2-air": (("83", 3), ("85", 2), ("87", 1), ("999", 0)),
    "spo2-oxygen": (("83", 3), ("85", 2), ("87", 1), ("92", 0), ("94", 1), ("96", 2), ("999", 3)),
    "sbp": (("90", 3), ("100", 2), ("110", 1), ("219", 0), ("999", 3)),
    "pulse": (("40", 3), ("50", 1), ("90", 0), ("110", 1), ("130", 2), ("999", 3)),
    "temp": (("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), ("999", 2)),
}
"""Upper bound (included) → points; the first band that holds the value counts."""


def news2(
    *, age: float | None, rr: float | None, spo2: float | None, on_oxygen: bool | None,
    sbp: float | Sequence[float] | None, pulse: float | None, consciousness: str | None, temp_c: float | None,
    spo2_scale: int = 1, pregnant: bool = False, ages_min: Mapping[str, float] | None = None,
    quarantined: frozenset[str] = frozenset(), minimum_age: int = ADULT_AGE, max_age_min: float = MAX_AGE_MIN,
) -> Score:  # fmt: skip
    """Score one set of observations.

    Args:
        age: Years.
        rr: Breaths per minute.
        spo2: Percent.
        on_oxygen: Any supplemental oxygen.
        sbp: Systolic pressure, mmHg; several of one moment are allowed.
        pulse: Beats per minute.
        consciousness: A, C (new confusion), V, P or U.
        temp_c: Degrees Celsius; rounded to one decimal first, a half towards the more abnormal band.
        spo2_scale: 1, or 2 on a clinician's decision.
        pregnant: NEWS2 does not apply.
        ages_min: How old each input is, in minutes, by the names of the arguments.
        quarantined: Inputs whose quality is doubted.
        minimum_age: Lower age of the population.
        max_age_min: Oldest input that still counts.

    Returns:
        The score; ``tier`` is low, low_medium (a single 3), medium or high.
    """
    values = {"rr": rr, "spo2": spo2, "sbp": sbp, "pulse": pulse, "temp_c": temp_c}
    numbers = {name: _numbers(name, value) for name, value in values.items() if value is not None}
    status, reason = _scope(age, pregnant=pregnant, minimum_age=minimum_age)
    if not reason:
        status, reason = _usable(numbers, ages_min or {}, quarantined, max_age_min)
    if not reason:
        status, reason = _words(on_oxygen, consciousness, spo2_scale)
    points = {} if reason else _points(numbers, bool(on_oxygen), str(consciousness), spo2_scale)
    if reason:
        return Score(total=None, tier=None, scores=points, status=status, reason=reason)
    total = sum(points.values())
    red = tuple(name for name, value in points.items() if value == 3)
    return Score(total=total, tier=tier(total, single_three=bool(red)), scores=points, red_params=red)


def tier(total: int, *, single_three: bool) -> str:
    """Return the response tier of a total."""
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    return "low_medium" if single_three else "low"


def _numbers(name: str, value: float | Sequence[float]) -> tuple[Decimal, ...]:
    """Return the readings of one input, a half rounded both ways so that the worse way counts."""
    readings = value if isinstance(value, Sequence) else (value,)
    places = Decimal("0.1") if name == "temp_c" else Decimal(1)
    exact = [Decimal(str(reading)) for reading in readings]
    return tuple(
        reading.quantize(places, rounding)
        for reading in exact
        for rounding in (ROUND_HALF_UP, ROUND_HALF_DOWN)
    )


def _scope(age: float | None, *, pregnant: bool, minimum_age: int) -> tuple[str, str]:
    if age is None:
        return "not_evaluated", "missing_required_input:age"
    if age < minimum_age or pregnant:
        return "not_evaluated", "out_of_population_scope"
    return "valid", ""


def _usable(
    numbers: Mapping[str, tuple[Decimal, ...]],
    ages: Mapping[str, float],
    quarantined: frozenset[str],
    max_age: float,
) -> tuple[str, str]:
    for name in _INPUTS:
        if not numbers.get(name):
            return "not_evaluated", f"missing_required_input:{name}"
        if name in quarantined:
            return "not_evaluated", f"quarantined_input:{name}"
        if ages.get(name, 0.0) > max_age:
            return "not_evaluated", f"expired_input:{name}"
        low, high = _PLAUSIBLE[name]
        if not all(low <= number <= high for number in numbers[name]):
            return "invalid", f"implausible_value:{name}"
    if max(numbers["sbp"]) - min(numbers["sbp"]) > SBP_TOLERANCE:
        return "not_evaluated", "discordant_input:sbp"
    return "valid", ""


def _words(on_oxygen: bool | None, consciousness: str | None, scale: int) -> tuple[str, str]:
    if on_oxygen is None:
        return "not_evaluated", "missing_required_input:on_oxygen"
    if consciousness is None:
        return "not_evaluated", "missing_required_input:consciousness"
    if consciousness not in {"A", "C", "V", "P", "U"}:
        return "invalid", "unmappable_code:consciousness"
    return ("valid", "") if scale in {1, 2} else ("invalid", "unmappable_code:spo2_scale")


def _band(name: str, numbers: tuple[Decimal, ...]) -> int:
    return max(
        next(points for bound, points in _BANDS[name] if number <= Decimal(bound)) for number in numbers
    )


def _points(
    numbers: Mapping[str, tuple[Decimal, ...]],
    on_oxygen: bool,
    consciousness: str,
    scale: int,
) -> dict[str, int]:
    spo2 = "spo2" if scale == 1 else ("spo2-oxygen" if on_oxygen else "spo2-air")
    return {
        "rr": _band("rr", numbers["rr"]),
        "spo2": _band(spo2, numbers["spo2"]),
        "o2": 2 if on_oxygen else 0,
        "sbp": _band("sbp", numbers["sbp"]),
        "pulse": _band("pulse", numbers["pulse"]),
        "consciousness": 0 if consciousness == "A" else 3,
        "temp": _band("temp", numbers["temp_c"]),
    }
