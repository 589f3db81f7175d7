"""Frequency codes of Chinese and English orders: how often, at which clock times, on which days.

A code is looked up in the site policy's clock times first, so a hospital changes 8:00 to 7:00 without code.
``q<n>h`` and ``q<n>min`` without clock times repeat from the order's start; ``HH:MM,HH:MM`` names fixed
times, ``@1,3 08:00`` the days of the week as well (1 = Monday).

Source: common frequency codes of orders; clock times are the site's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinical.policy import SitePolicy

_ALIASES = {
    "od": "qd", "daily": "qd", "q24h": "qd", "on": "qn", "bd": "bid", "tds": "tid", "qds": "qid",
    "q2d": "qod", "q48h": "qod", "weekly": "qw", "stat": "st", "one-time": "once", "cont": "continuous",
}  # fmt: skip
_EVERY = re.compile(r"q(\d{1,3})\s*(min|m|h|d)|q(h|d|w)")
_TIMES = re.compile(r"(?:@([1-7](?:,[1-7])*) )?(\d{2}:\d{2}(?:,\d{2}:\d{2})*)")
_UNIT_MIN = {"min": 1, "m": 1, "h": 60, "d": 1440, "w": 10_080}
_EVERY_DAYS = {"qod": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """A frequency, understood.

    Exactly one of ``times`` (clock times, on every ``every_days``-th day or the named ``week_days``) and
    ``every_min`` is given for repeating orders; ``once`` and ``as_needed`` have neither.
    """

    code: str
    times: tuple[str, ...] = ()
    week_days: tuple[int, ...] = ()  # 0 = Monday
    every_days: int = 1
    every_min: int = 0
    once: bool = False
    as_needed: bool = False


def normal(code: str) -> str:
    """Return the code as this product writes it: lower case, common synonyms folded."""
    text = code.strip().lower()
    return _ALIASES.get(text, text)


def is_once(code: str) -> bool:
    """Tell whether an order with this frequency is carried out once."""
    return normal(code) in {"once", "st", "continuous", "sos"}


def is_stat(code: str) -> bool:
    """Tell whether an order with this frequency is to be carried out at once."""
    return normal(code) == "st"


def parse(code: str, route: str, policy: SitePolicy) -> Frequency | None:
    """Understand a frequency code for a route; None when it cannot be scheduled."""
    text = normal(code)
    if text == "prn":
        return Frequency(code=text, as_needed=True)
    if is_once(text):
        return Frequency(code=text, once=True)
    clock = policy.clock_times.get(text)
    if clock is not None:
        times = clock.injection if route in policy.injection_routes and clock.injection else clock.oral
        return _on_days(text, times, policy)
    fixed = _TIMES.fullmatch(text)
    if fixed is not None and all(_is_clock(time) for time in fixed[2].split(",")):
        days = tuple(int(day) - 1 for day in fixed[1].split(",")) if fixed[1] else ()
        return Frequency(code=text, times=tuple(sorted(fixed[2].split(","))), week_days=days)
    return _every(text)


def _on_days(text: str, times: tuple[str, ...], policy: SitePolicy) -> Frequency:
    every = 7 if text == "qw" else _EVERY_DAYS.get(text, 1)
    return Frequency(
        code=text, times=times, week_days=tuple(policy.week_days.get(text, ())), every_days=every
    )


def _is_clock(time: str) -> bool:
    hour, minute = time.split(":")
    return int(hour) < 24 and int(minute) < 60


def _every(text: str) -> Frequency | None:
    match = _EVERY.fullmatch(text)
    if match is None:
        return None
    number, unit, single = match.groups()
    minutes = _UNIT_MIN[single] if single else int(number) * _UNIT_MIN[unit]
    return Frequency(code=text, every_min=minutes) if minutes else None


def interval_min(code: str, route: str, policy: SitePolicy) -> int | None:
    """Return the shortest time between two planned executions in minutes; None for once and as needed."""
    nominal = _EVERY.fullmatch(normal(code))
    if nominal is not None:
        every = _every(normal(code))
        return every.every_min if every else None
    frequency = parse(code, route, policy)
    if frequency is None or frequency.once or frequency.as_needed:
        return None
    return _shortest_gap(frequency)


def _shortest_gap(frequency: Frequency) -> int:
    minutes = sorted(int(time[:2]) * 60 + int(time[3:]) for time in frequency.times)
    gaps = [later - earlier for earlier, later in pairwise(minutes) if later > earlier]
    if frequency.every_days == 1 and len(frequency.week_days) in {0, 7}:
        gaps.append(1440 - minutes[-1] + minutes[0])
    return min(gaps, default=1440 * max(frequency.every_days, 1))
