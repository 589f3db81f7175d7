"""Drip and dose arithmetic, each with its formula.

Source: definition of the drop factor in GB 8368 and ISO 8536-4; weight-based doses as in IHE PCD-03 messages.
"""

from __future__ import annotations

DROP_FACTORS = (10, 15, 20, 60)
"""Drops per millilitre of the sets in use; 60 is the micro set."""
MAX_DROPS_PER_S = 12.0
"""Faster than this nothing drips: a stream breaks up into fewer, so a count above it did not count drops."""


def gtt_per_min(rate_ml_h: float, drops_per_ml: float) -> float:
    """Return drops per minute: ``mL/h x drops per mL / 60``."""
    return rate_ml_h * drops_per_ml / 60.0


def ml_per_h(gtt_min: float, drops_per_ml: float) -> float:
    """Return millilitres per hour: ``drops per minute x 60 / drops per mL``."""
    return gtt_min * 60.0 / drops_per_ml


def infused_ml(drops: float, drops_per_ml: float) -> float:
    """Return the volume of counted drops: ``drops / drops per mL``."""
    return drops / drops_per_ml


def minutes_left(remaining_ml: float, rate_ml_h: float) -> float | None:
    """Return minutes until empty: ``mL x 60 / (mL/h)``; None when nothing flows. 0 at or below empty."""
    if remaining_ml <= 0.0:
        return 0.0
    return None if rate_ml_h <= 0.0 else remaining_ml * 60.0 / rate_ml_h


def rate_for(volume_ml: float, minutes: float) -> float:
    """Return the rate in mL/h that gives a volume in a time; ``minutes`` must be above 0."""
    return volume_ml * 60.0 / minutes


def ordered_gtt_per_min(volume_ml: float, minutes: float, drops_per_ml: float) -> int:
    """Return the whole drops per minute to set for a volume in a time: ``mL x drops per mL / min``."""
    return round(volume_ml * drops_per_ml / minutes)


def deviation_percent(measured: float, ordered: float) -> float | None:
    """Return how far measured is from ordered, in percent, negative when slow; None without an order."""
    return None if ordered <= 0.0 else (measured - ordered) / ordered * 100.0


def rate_for_dose(dose_ug_kg_min: float, weight_kg: float, concentration_mg_ml: float) -> float:
    """Return mL/h for a weight-based dose: ``ug/kg/min x kg x 60 / (mg/mL x 1000)``."""
    return dose_ug_kg_min * weight_kg * 60.0 / (concentration_mg_ml * 1000.0)


def dose_for_rate(rate_ml_h: float, weight_kg: float, concentration_mg_ml: float) -> float:
    """Return ug/kg/min for a rate; the inverse of :func:`rate_for_dose`."""
    return rate_ml_h * concentration_mg_ml * 1000.0 / (weight_kg * 60.0)
