"""Figures of an invented ward in the types of the server: a change of its contract breaks these tests."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from server.statistics.service import (
    DELAY_BINS,
    RESPONSE_S,
    AlarmFigures,
    Count,
    Day,
    Figures,
    Share,
)
from server.statistics.store import Period


def share(count: int, of: int) -> Share:
    return Share(count=count, of=of, percent=round(100 * count / of, 1) if of else None)


def figures(since: datetime, until: datetime, *, busy: bool = True) -> Figures:
    """Figures of a period; a quiet ward has recorded nothing."""
    chance = random.Random(since.toordinal())
    days = [(since + timedelta(days=number)).date() for number in range((until - since).days)] if busy else []
    daily = tuple(_day(day, chance) for day in days)
    total = {name: sum(day.alarms[name] for day in daily) for name in ("Hi", "Me", "Lo")} if daily else {}
    doses = sum(day.scan_compliance.of for day in daily)
    scanned = sum(day.scan_compliance.count for day in daily)
    misses = sum(day.near_misses for day in daily)
    return Figures(
        period=Period(since=since, until=until),
        beds=8,
        checks={"GIVE": doses, "CHECK": doses // 20, "STOP": misses} if busy else {},
        scan_compliance=share(scanned, doses),
        compliance_target=95.0,
        bypasses={"WKEY": 3, "MUAS": 2} if busy else {},
        near_misses=misses,
        near_miss_codes=tuple(
            Count(name=name, count=count)
            for name, count in (
                ("MED-WRONG-PATIENT", misses // 2),
                ("ORD-NONE", misses // 4),
                ("TIME-DUP", 3),
                ("PT-LABEL-REVOKED", 1),
            )
        )
        if busy
        else (),
        overrides={"TIME-LATE": share(19, 20)} if busy else {},
        to_review=("TIME-LATE",) if busy else (),
        on_time=share(int(doses * 0.92), doses),
        after_sync={},
        infusions_as_planned=share(88, 99) if busy else share(0, 0),
        alarms=_alarms(total, len(days)),
        administrations_by_hour=_hours(chance, busy=busy),
        delays=tuple(_bell(number, len(DELAY_BINS)) if busy else 0 for number in range(len(DELAY_BINS) + 1)),
        responses={name: _responses(name, count) for name, count in total.items()},
        days=daily,
    )


def _day(day: datetime, chance: random.Random) -> Day:
    doses = chance.randint(60, 90)
    return Day(
        day=day,
        scan_compliance=share(doses - chance.randint(0, 6), doses),
        on_time=share(doses - 6, doses),
        near_misses=chance.randint(0, 4),
        alarms={"Hi": chance.randint(2, 8), "Me": chance.randint(8, 16), "Lo": 9},
    )


def _bell(number: int, bins: int) -> int:
    return max(0, 90 - 12 * abs(number - bins // 2) ** 2 // 4)


def _hours(chance: random.Random, *, busy: bool) -> tuple[int, ...]:
    return tuple(
        chance.randint(2, 12) + (30 if hour in {8, 12, 16, 20} else 0) if busy else 0 for hour in range(24)
    )


def _responses(name: str, count: int) -> tuple[int, ...]:
    slow = {"Hi": 40, "Me": 60, "Lo": 110}[name]
    return (*(int(count * min(1.0, limit / (limit + slow) * 1.3)) for limit in RESPONSE_S), count)


def _alarms(total: dict[str, int], days: int) -> AlarmFigures:
    every = sum(total.values())
    return AlarmFigures(
        total=every,
        per_bed_day=round(every / (8 * days), 2) if days else None,
        by_priority=total,
        answered=share(int(every * 0.9), every),
        unanswered_short=share(every // 4, every),
        response_s_median=38.0 if every else None,
        response_s_p90=74.0 if every else None,
        top_conditions=tuple(
            Count(name=name, count=every // part)
            for name, part in (
                ("limit-low", 3),
                ("no-flow", 5),
                ("near-end", 6),
                ("rate-deviation", 9),
                ("device-lost", 12),
            )
        )
        if every
        else (),
        top_beds=tuple(
            Count(name=f"{bed:02}", count=every // part) for bed, part in ((8, 3), (3, 5), (1, 7), (5, 9))
        )
        if every
        else (),
    )
