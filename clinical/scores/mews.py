"""MEWS, the Modified Early Warning Score; bands are data because hospitals differ.

Source: Subbe et al., QJM 2001;94:521-526 (also the call at 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from clinical.scores.model import Score

Bands = Mapping[str, tuple[tuple[str, int], ...]]

SUBBE: Bands = {
    "sbp": (("70", 3), ("80", 2), ("100", 1), ("199", 0), ("999", 2)),
    "pulse": (("40", 2), ("50", 1), ("100", 0), ("110", 1), ("129", 2), ("999", 3)),
    "rr": (("8", 2), ("14", 0), ("20", 1), ("29", 2), ("999", 3)),
    "temp_c": (("34.9", 2), ("38.4", 0), ("99", 2)),
}
"""Upper bound (included) → points."""
_AVPU = {"A": 0, "V": 1, "P": 2, "U": 3}
CRITICAL = 5


def mews(
    *, sbp: float | None, pulse: float | None, rr: float | None, temp_c: float | None,
    consciousness: str | None, bands: Bands = SUBBE,
) -> Score:  # fmt: skip
    """Score one set of observations; any missing one gives no total.

    Args:
        sbp: Systolic pressure, mmHg.
        pulse: Beats per minute.
        rr: Breaths per minute.
        temp_c: Degrees Celsius.
        consciousness: A, V, P or U.
        bands: The site's bands.
    """
    values = {"sbp": sbp, "pulse": pulse, "rr": rr, "temp_c": temp_c}
    missing = next((name for name, value in values.items() if value is None), "")
    if missing or consciousness is None:
        reason = f"missing_required_input:{missing or 'consciousness'}"
        return Score(total=None, tier=None, status="not_evaluated", reason=reason)
    if consciousness not in _AVPU:
        return Score(total=None, tier=None, status="invalid", reason="unmappable_code:consciousness")
    points: dict[str, int] = {}
    for name, value in values.items():
        number = _number(name, value)
        if not 0 <= number <= 500 or (name == "temp_c" and not 20 <= number <= 46):
            return Score(total=None, tier=None, status="invalid", reason=f"implausible_value:{name}")
        points[name] = next(score for bound, score in bands[name] if number <= Decimal(bound))
    points["consciousness"] = _AVPU[consciousness]
    total = sum(points.values())
    red = tuple(name for name, value in points.items() if value == 3)
    return Score(total=total, tier="critical" if total >= CRITICAL else "low", scores=points, red_params=red)


def _number(name: str, value: float | None) -> Decimal:
    places = Decimal("0.1") if name == "temp_c" else Decimal(1)
    return Decimal(str(value)).quantize(places, ROUND_HALF_UP)
