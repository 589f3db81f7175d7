"""A resuscitation (抢救): from when it was called until it ends by hand or by time.

While it lasts a doctor's word may be read back, and what only an emergency allows may be accepted. Whether it
lasted is asked for the moment an act is charted for, so the stay keeps both ends and forgets neither. Calls
may arrive late and in any order from handhelds that had no network: calls that overlap are one resuscitation.

Source: bc-1 §5.2 (``emerg``: 30 minutes, everything flagged).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clinical.records import Encounter

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

BEGIN, END = "begin", "end"


def until(stay: Encounter, policy: SitePolicy) -> datetime | None:
    """Return when the newest resuscitation of a stay ends or ended; None when there was none."""
    if stay.resuscitation_at is None:
        return None
    return stay.resuscitation_until or stay.resuscitation_at + _span(policy)


def lasts(stay: Encounter, at: datetime, policy: SitePolicy) -> bool:
    """Tell whether the patient was being resuscitated at a moment, both ends included."""
    called, ends = stay.resuscitation_at, until(stay, policy)
    return called is not None and ends is not None and called <= at <= ends


def begun(stay: Encounter, at: datetime, policy: SitePolicy) -> Encounter:
    """Return the stay after somebody called a resuscitation at ``at``.

    A call while one lasts prolongs it; one that arrives late and is older than what is known changes nothing.
    """
    called, ends, new_end = stay.resuscitation_at, until(stay, policy), at + _span(policy)
    if called is None or ends is None or at > ends:
        return replace(stay, resuscitation_at=at, resuscitation_until=new_end, resuscitation_ended_at=None)
    if new_end < called:
        return stay
    if stay.resuscitation_ended_at is not None:  # by hand, since: a late call does not begin it again
        return replace(stay, resuscitation_at=min(called, at))
    return replace(stay, resuscitation_at=min(called, at), resuscitation_until=max(ends, new_end))


def ended(stay: Encounter, at: datetime, policy: SitePolicy) -> Encounter:
    """Return the stay after somebody ended its resuscitation at ``at``; nothing changes when none lasted."""
    if not lasts(stay, at, policy):
        return stay
    return replace(stay, resuscitation_until=at, resuscitation_ended_at=at)


def _span(policy: SitePolicy) -> timedelta:
    return timedelta(minutes=policy.resuscitation_min)
