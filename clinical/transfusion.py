"""Blood: which group may go to whom, when a unit expires, and what a running transfusion asks for now.

Pure functions; the bedside check judges single actions with them, the server and a bedside node ask
:func:`conditions` as time passes.

Source: bc-1 §5.9; ISBT 128 Standard Technical Specification (ST-001); WS/T 433-2013.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from clinical.care_records import BloodUnit, TransfusionEntry
from clinical.records import FLOWING, AlarmPriority, Infusion

if TYPE_CHECKING:
    from clinical.care_policy import BloodPolicy
    from clinical.identifiers import Identified

_EVERY = frozenset({"O", "A", "B", "AB"})
_RED = {
    "O": _EVERY, "A": frozenset({"A", "AB"}), "B": frozenset({"B", "AB"}), "AB": frozenset({"AB"}),
}  # fmt: skip
_PLASMA = {
    "AB": _EVERY, "A": frozenset({"A", "O"}), "B": frozenset({"B", "O"}), "O": frozenset({"O"}),
}  # fmt: skip
RED_CELL_COMPONENTS = frozenset({"red-cells", "whole-blood"})
"""Components for which RhD counts."""


class Match(StrEnum):
    """How a donor's group fits a patient's."""

    FITS = "fits"
    UNKNOWN = "unknown"
    WRONG = "wrong"
    NOT_IDENTICAL = "not-identical"  # of platelets and cryoprecipitate: a doctor decides


def abo(group: str) -> str:
    """Return ``O``, ``A``, ``B`` or ``AB`` of a group as written; empty when it is none of them."""
    name = group.rstrip("+-")
    return name if name in _EVERY else ""


def rhesus(group: str) -> str:
    """Return ``+`` or ``-``; empty when the group does not say."""
    return group[-1:] if abo(group) and group[-1:] in {"+", "-"} else ""


def abo_match(component: str, donor: str, patient: str) -> Match:
    """Compare ABO groups: red cells by antigen, plasma the reverse, whole blood identical only."""
    giving, taking = abo(donor), abo(patient)
    if not giving or not taking:
        return Match.UNKNOWN
    match component:
        case "red-cells":
            fits = taking in _RED[giving]
        case "plasma":
            fits = taking in _PLASMA[giving]
        case "platelets" | "cryoprecipitate":
            return Match.FITS if taking == giving else Match.NOT_IDENTICAL
        case _:
            fits = taking == giving
    return Match.FITS if fits else Match.WRONG


def rhesus_match(component: str, donor: str, patient: str) -> Match:
    """Compare RhD: red cells that are positive, or not known, do not go to a patient who is not positive."""
    if component not in RED_CELL_COMPONENTS or rhesus(donor) == "-" or rhesus(patient) == "+":
        return Match.FITS
    return Match.WRONG if rhesus(donor) == "+" and rhesus(patient) == "-" else Match.UNKNOWN


def label_expiry(found: Identified, zone: str) -> datetime | None:
    """Return when the scanned label says that the unit expires; a date alone is the end of that local day.

    None when this code says nothing about it, or names a day that no year has.
    """
    text = found.element("005") or found.element("004")
    if not text:
        return None
    century, day = int(text[:3]), int(text[3:6])
    year = 1000 + century if century >= 900 else 2000 + century
    hour, minute = (int(text[6:8]), int(text[8:10])) if len(text) == 10 else (23, 59)
    if not 1 <= day <= 366 or hour > 23:
        return None
    start = datetime(year, 1, 1, hour, minute, tzinfo=ZoneInfo(zone))
    moment = start + timedelta(days=day - 1)
    return moment if moment.year == year else None


def minutes_running(infusion: Infusion, now: datetime) -> float:
    """Return minutes since the start: the four hours of a unit go on while it is paused."""
    return (now - infusion.started_at).total_seconds() / 60.0


def entry_kind(
    infusion: Infusion, past: Iterable[TransfusionEntry], at: datetime, policy: BloodPolicy
) -> str:
    """Return what an observation counts as: ``early``, ``quarter`` or ``further``.

    Before the tenth minute it counts for nothing but itself; the first one after that is the 15-minute one.
    """
    if any(entry.kind == "quarter" for entry in past):
        return "further"
    return "early" if minutes_running(infusion, at) < policy.quarter_earliest else "quarter"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfusionCondition:
    """One thing a transfusion asks for now; ``code`` is the rule of bc-1."""

    code: str
    name: str  # condition of an alarm or task: blood-quarter, blood-fast, …
    priority: AlarmPriority
    params: tuple[tuple[str, float], ...] = ()


def conditions(
    infusion: Infusion,
    entries: Iterable[TransfusionEntry],
    now: datetime,
    policy: BloodPolicy,
    measured_ml_h: float | None = None,
) -> tuple[TransfusionCondition, ...]:
    """Return what holds at ``now`` for one running transfusion, worst first.

    Args:
        infusion: The unit that is given.
        entries: Its observations, oldest first.
        now: The present.
        policy: Limits of the site.
        measured_ml_h: Rate the drip sensor or pump measures; None when nobody measures, or it is stale.
    """
    if infusion.state not in FLOWING:
        return ()
    past, minutes = [entry for entry in entries if entry.at <= now], minutes_running(infusion, now)
    quarter = any(entry.kind == "quarter" for entry in past)
    found = [_four_hours(minutes, policy)]
    if not quarter:
        found += [_fast(measured_ml_h, policy), _quarter(minutes, policy)]
    else:
        found.append(_further(past[-1].at, now, policy))
    held = [condition for condition in found if condition is not None]
    return tuple(sorted(held, key=lambda condition: _RANK[condition.priority]))


_RANK = {AlarmPriority.HIGH: 0, AlarmPriority.MEDIUM: 1, AlarmPriority.LOW: 2, AlarmPriority.NONE: 3}


def _four_hours(minutes: float, policy: BloodPolicy) -> TransfusionCondition | None:
    if minutes < policy.end_warn:
        return None
    over = minutes >= policy.end_alarm
    return TransfusionCondition(
        code="BLD-4H", name="blood-four-hours", params=(("minutes", round(minutes)),),
        priority=AlarmPriority.HIGH if over else AlarmPriority.LOW,
    )  # fmt: skip


def _fast(measured: float | None, policy: BloodPolicy) -> TransfusionCondition | None:
    if measured is None or measured <= policy.slow_ml_h:
        return None
    return TransfusionCondition(
        code="BLD-FAST", name="blood-fast", priority=AlarmPriority.HIGH,
        params=(("measured", round(measured, 1)), ("limit", float(policy.slow_ml_h))),
    )  # fmt: skip


def _quarter(minutes: float, policy: BloodPolicy) -> TransfusionCondition | None:
    if minutes < policy.quarter:
        return None
    late = minutes > policy.quarter_latest
    return TransfusionCondition(
        code="BLD-15", name="blood-quarter", params=(("minutes", round(minutes)),),
        priority=AlarmPriority.MEDIUM if late else AlarmPriority.NONE,
    )  # fmt: skip


def _further(last: datetime, now: datetime, policy: BloodPolicy) -> TransfusionCondition | None:
    minutes = (now - last).total_seconds() / 60.0
    if minutes < policy.further_every:
        return None
    return TransfusionCondition(
        code="BLD-15", name="blood-further", priority=AlarmPriority.LOW,
        params=(("minutes", round(minutes)),),
    )  # fmt: skip


def bag_return(unit: BloodUnit, now: datetime, policy: BloodPolicy) -> str:
    """Return ``""``, ``keep`` (the empty bag waits, cold) or ``over`` (nobody has it in time)."""
    if unit.state != "ended" or unit.ended_at is None:
        return ""
    return "over" if now - unit.ended_at > timedelta(hours=policy.keep_bag_h) else "keep"
