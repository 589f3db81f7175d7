"""Rounds by nursing grade (护理级别巡视): when the next look at a patient is due, and how it was kept.

Source: bc-1 §5.8 (grades, +10 % and +25 %); WS/T 431-2013 (护理分级).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from clinical.infusion.rounds import patrol_state
from clinical.records import CareLevel

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

OVERDUE = "overdue"


def interval_min(grade: CareLevel | None, policy: SitePolicy) -> int | None:
    """Return minutes between two rounds of a grade; None when the patient has none."""
    return policy.care_level_patrol_min.get(grade.value) if grade is not None else None


def due(last: datetime, grade: CareLevel | None, policy: SitePolicy) -> datetime | None:
    """Return when the next round is due after the last one (or the admission)."""
    minutes = interval_min(grade, policy)
    return None if minutes is None else last + timedelta(minutes=minutes)


def state(last: datetime, grade: CareLevel | None, now: datetime, policy: SitePolicy) -> str:
    """Return ``ok``, ``due``, ``warn`` (10 % over) or ``overdue`` (25 % over); ``ok`` without a grade."""
    minutes = interval_min(grade, policy)
    return "ok" if minutes is None else patrol_state(last, minutes, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many intervals between looks there were, and how many were not overdue."""

    intervals: int
    on_time: int


def kept(looks: Iterable[datetime], grade: CareLevel | None, policy: SitePolicy) -> Kept:
    """Count the intervals between looks that were kept within 25 %."""
    minutes = interval_min(grade, policy)
    if minutes is None:
        return Kept(intervals=0, on_time=0)
    pairs = list(pairwise(sorted(looks)))
    good = sum(patrol_state(earlier, minutes, later) != OVERDUE for earlier, later in pairs)
    return Kept(intervals=len(pairs), on_time=good)
