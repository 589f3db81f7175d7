"""When an order is to be given: TQ1, or the older TQ fields ORC-7 and RXE-1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from server.his.message import Segment
from server.his.reading import Site
from server.his.refusal import wrong_form
from server.his.times import parse_stamp

_EVERY = re.compile(
    r"(?:q|every\s+|每)\s*(?P<n>\d{1,3})\s*(?P<unit>hours?|h|小时|minutes?|min|m|days?|d|天)(?:\s*一次)?\Z"
)
_SPAN = re.compile(r"(?P<unit>[SMHDWL])(?P<n>\d{1,4})\Z")
_SECONDS = {"S": 1, "M": 60, "H": 3600, "D": 86_400, "W": 604_800, "L": 30 * 86_400}
_UCUM_SPAN = {"s": "S", "sec": "S", "min": "M", "h": "H", "hr": "H", "d": "D", "day": "D", "wk": "W"}
_PRIORITIES = {"S": "stat", "STAT": "stat", "A": "asap", "ASAP": "asap"}
_CLOCK = re.compile(r"(?P<h>[01]\d|2[0-3]):?(?P<m>[0-5]\d)(?::?\d{2})?\Z")
_DAILY = frozenset({"qd", "qn", "bid", "tid", "qid", "hs", "ac", "pc", "q24h", "q12h", "q8h", "q6h", "q4h"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a message says about when; empty and ``None`` were not said."""

    frequency: str = ""
    times: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    priority: str = ""
    condition: str = ""
    text: str = ""
    said: bool = False

    @property
    def schedule(self) -> str:
        """The frequency word, or the explicit times of day where the message fixes them (``08:00,20:00``)."""
        if self.times and self.frequency in _DAILY:
            return ",".join(sorted(set(self.times)))
        return self.frequency


def timing_of(tq1: Segment | None, orc: Segment, rxe: Segment | None, site: Site) -> Timing:
    """Return the order's timing: TQ1 where there is one, else ORC-7, else RXE-1."""
    if tq1 is not None and len(tq1) > 1:
        return _from_tq1(tq1, site)
    first = _from_tq(orc, 7, "ORC-7", site)
    if first.frequency or rxe is None:
        return first
    return _merged(first, _from_tq(rxe, 1, "RXE-1", site))


def _merged(first: Timing, second: Timing) -> Timing:
    return Timing(
        frequency=first.frequency or second.frequency,
        times=first.times or second.times,
        start=first.start or second.start,
        end=first.end or second.end,
        priority=first.priority or second.priority,
        condition=first.condition or second.condition,
        text=first.text or second.text,
        said=first.said or second.said,
    )


def _from_tq1(tq1: Segment, site: Site) -> Timing:
    start = parse_stamp(tq1.value(7), site.zone, where="TQ1-7")
    end = parse_stamp(tq1.value(8), site.zone, where="TQ1-8")
    unit = _UCUM_SPAN.get(tq1.value(6, 2).lower(), "")
    span = _span(unit + tq1.value(6), "TQ1-6") if tq1.value(6) else None
    return Timing(
        frequency=frequency_word(tq1.value(3), site),
        times=_times([part.component(1) for part in tq1.repetitions(4)], "TQ1-4"),
        start=start,
        end=end or _after(start, span),
        priority=_PRIORITIES.get(tq1.value(9).upper(), "routine" if tq1.value(9) else ""),
        condition=tq1.text(10),
        text=tq1.text(11),
        said=True,
    )


def _from_tq(segment: Segment, field: int, where: str, site: Site) -> Timing:
    start = parse_stamp(segment.value(field, 4), site.zone, where=where)
    end = parse_stamp(segment.value(field, 5), site.zone, where=where)
    span = _span(segment.value(field, 3), where) if segment.value(field, 3) else None
    priority = segment.value(field, 6).upper()
    explicit = segment.value(field, 2, 2)
    return Timing(
        frequency=frequency_word(segment.value(field, 2), site),
        times=_times(explicit.split(",") if explicit else [], where),
        start=start,
        end=end or _after(start, span),
        priority=_PRIORITIES.get(priority, "routine" if priority else ""),
        text=segment.value(field, 8),
        said=bool(segment.raw_field(field)),
    )


def frequency_word(text: str, site: Site) -> str:
    """Turn a repeat pattern into the schedule's word; text that is not known stays as it is."""
    if not text:
        return ""
    known = site.tables.find("frequency", text)
    if known:
        return known
    lowered = " ".join(text.lower().split())
    if lowered.startswith("prn"):
        return "prn"
    found = _EVERY.match(lowered)
    if found is None:
        return text
    unit = {"h": "h", "小": "h", "m": "min", "d": "d", "天": "d"}[found["unit"][0]]
    return f"q{int(found['n'])}{unit}"


def _span(text: str, where: str) -> timedelta | None:
    if text.upper() == "INDEF":  # without end
        return None
    found = _SPAN.match(text.upper())
    if found is None:
        # X<n> counts doses: taking it as "without end" would give more doses than were ordered.
        raise wrong_form(where, "a duration such as D7 or H12; send an end time instead of a number of doses")
    return timedelta(seconds=int(found["n"]) * _SECONDS[found["unit"]])


def _after(start: datetime | None, span: timedelta | None) -> datetime | None:
    return start + span if start is not None and span is not None else None


def _times(texts: list[str], where: str) -> tuple[str, ...]:
    found = [_CLOCK.match(text.strip()) for text in texts if text.strip()]
    if any(clock is None for clock in found):
        raise wrong_form(where, "a time of day HHMM")
    return tuple(f"{clock['h']}:{clock['m']}" for clock in found if clock is not None)
