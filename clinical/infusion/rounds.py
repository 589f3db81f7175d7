"""When an infusion is to be looked at, and when it runs too long.

Source: bc-1 §5.8 (INF-PATROL-DUE, INF-OVERRUN); nursing grades of WS/T 431-2013 (护理分级).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical.infusion.arithmetic import minutes_left
from clinical.records import FLOWING, CareLevel, Infusion, InfusionState

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

_LONGEST = timedelta(hours=24)
_WARN_PART, _OVERDUE_PART = 1.10, 1.25


def patrol_interval_min(care_level: CareLevel | None, policy: SitePolicy) -> int:
    """Return minutes between two looks: the site's setting, never longer than the nursing grade's."""
    grade = policy.care_level_patrol_min.get(care_level.value) if care_level else None
    return min(policy.patrol_every_min, grade) if grade else policy.patrol_every_min


def patrol_due(
    infusion: Infusion, last_patrol: datetime | None, care_level: CareLevel | None, policy: SitePolicy
) -> datetime:
    """Return when the next look is due: first soon after the start, then every interval."""
    if last_patrol is None or last_patrol < infusion.started_at:
        return infusion.started_at + timedelta(minutes=policy.patrol_first_min)
    return last_patrol + timedelta(minutes=patrol_interval_min(care_level, policy))


def patrol_state(last: datetime, interval_min: float, now: datetime) -> str:
    """Return ``ok``, ``due``, ``warn`` (10 % over) or ``overdue`` (25 % over) for a look at intervals."""
    minutes = (now - last).total_seconds() / 60.0
    if minutes >= interval_min * _OVERDUE_PART:
        return "overdue"
    if minutes >= interval_min * _WARN_PART:
        return "warn"
    return "due" if minutes >= interval_min else "ok"


def standing(infusion: Infusion, care_level: CareLevel | None, now: datetime, policy: SitePolicy) -> str:
    """Return how the next look at a bag stands (:func:`patrol_state`), by its newest round."""
    last = infusion.looked_at
    if last is None or last < infusion.started_at:
        return patrol_state(infusion.started_at, policy.patrol_first_min, now)
    return patrol_state(last, patrol_interval_min(care_level, policy), now)


def run_minutes(infusion: Infusion, now: datetime) -> float:
    """Return minutes an infusion has really run: pauses do not count."""
    end = infusion.ended_at or now
    paused = infusion.paused_s
    if infusion.state is InfusionState.PAUSED and infusion.paused_at is not None:
        paused += int((end - infusion.paused_at).total_seconds())
    return max((end - infusion.started_at).total_seconds() - paused, 0.0) / 60.0


def planned_minutes(infusion: Infusion) -> float | None:
    """Return how long the bag should take at its rate; None without a rate."""
    return minutes_left(float(infusion.volume_ml), float(infusion.rate_ml_h))


def is_overrun(
    infusion: Infusion, now: datetime, overrun_percent: float, beyond_use: datetime | None = None
) -> bool:
    """Tell whether a bag runs longer than planned plus its margin, past its use-by time, or over 24 hours."""
    if infusion.state not in FLOWING:
        return False
    if now - infusion.started_at > _LONGEST or (beyond_use is not None and now > beyond_use):
        return True
    planned = planned_minutes(infusion)
    return planned is not None and run_minutes(infusion, now) > planned * (1.0 + overrun_percent / 100.0)
