"""One measured value as a screen shows it: the text the device gave, its limits, and whether it alarms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from clinical.codes import CODES
from clinical.limits import ADULT
from clinical.records import Alarm, Generation, Validity

_LOUDNESS = ("", "None", "Lo", "Me", "Hi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One committed value on its way to the screens."""

    encounter_id: str
    code: str
    value: Decimal | None
    unit: str
    validity: Validity
    effective: datetime
    generation: Generation


Sounding = Mapping[tuple[str, object], str]
"""Stay and code of every alarm that sounds, and its priority."""


def sounding_by_code(alarms: Iterable[Alarm]) -> Sounding:
    """Return the loudest priority per stay and code."""
    found: dict[tuple[str, object], str] = {}
    for alarm in alarms:
        key = (alarm.encounter_id, alarm.params.get("code"))
        found[key] = max(found.get(key, ""), alarm.priority.value, key=_LOUDNESS.index)
    return found


def vital_row(bed: str, shown: Shown, sounding: Sounding) -> dict[str, Any]:
    """Build the row of one value."""
    lo, hi = bounds(shown.code)
    return {
        "bed": bed,
        "code": shown.code,
        "value": text_of(shown.code, shown.value),
        "unit": shown.unit,
        "validity": shown.validity.value,
        "effective": shown.effective.isoformat().replace("+00:00", "Z"),
        "generation": shown.generation.value,
        "lo": lo,
        "hi": hi,
        "alarm": sounding.get((shown.encounter_id, shown.code), ""),
    }


def text_of(code: str, value: Decimal | None) -> str | None:
    """Return the number as it is shown: with the decimals of its code, never more than were measured."""
    if value is None:
        return None
    known = CODES.get(code)
    return str(round(value, known.decimals)) if known is not None else str(value)


@cache
def bounds(code: str) -> tuple[float | None, float | None]:
    """Return the default limits of a code, None where it has none."""
    limit = ADULT.get(code)
    if limit is None:
        return None, None
    return (
        float(limit.low) if limit.low is not None else None,
        float(limit.high) if limit.high is not None else None,
    )
