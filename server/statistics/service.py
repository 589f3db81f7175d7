"""The ward's figures for a period (bc-1 §5.11)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import quantiles
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from clinical import measures
from clinical.bedside_check.model import Severity
from clinical.measures import Evaluation, Rate
from clinical.policy import SitePolicy
from clinical.records import Administration, Alarm, Infusion, InfusionState, Task
from server.statistics import store as stored
from server.statistics.store import Period

DONE = frozenset({"given", "partial", "running"})
DELAY_BINS = tuple(range(-60, 61, 10))
"""Edges in minutes: the first count lies before the first edge, the last one at or after the last."""
RESPONSE_S = (15, 30, 60, 90, 120, 180)
"""Seconds within which an alarm was answered."""
TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many; ``percent`` is null of nothing."""

    count: int
    of: int
    percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often a name came up."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFigures:
    """Alarms that began in the period; times in seconds from the beginning to the acknowledgement."""

    total: int
    per_bed_day: float | None
    by_priority: dict[str, int]
    answered: Share
    unanswered_short: Share  # ended by themselves, unseen, within the policy's time
    response_s_median: float | None
    response_s_p90: float | None
    top_conditions: tuple[Count, ...]
    top_beds: tuple[Count, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One of the ward's own days within the period."""

    day: date
    scan_compliance: Share
    on_time: Share
    near_misses: int
    alarms: dict[str, int]  # by priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything the statistics page shows."""

    period: Period
    beds: int
    checks: dict[str, int]  # by word
    scan_compliance: Share
    compliance_target: float
    bypasses: dict[str, int]
    near_misses: int
    near_miss_codes: tuple[Count, ...]
    overrides: dict[str, Share]
    to_review: tuple[str, ...]
    on_time: Share
    after_sync: dict[str, Share]
    infusions_as_planned: Share
    alarms: AlarmFigures
    administrations_by_hour: tuple[int, ...]  # 24 counts, hours of the ward's own clock
    delays: tuple[int, ...]  # doses by minutes from their planned time; see DELAY_BINS
    responses: dict[str, tuple[int, ...]]  # by priority: alarms answered within RESPONSE_S, and all of them
    days: tuple[Day, ...]


def figures(connection: Connection, ward: str, beds: int, period: Period, policy: SitePolicy) -> Figures:
    """Return the figures of one ward."""
    known = stored.evaluations(connection, stored.patients(connection, ward), period)
    done = [one for one in stored.administrations(connection, ward, period) if one.outcome in DONE]
    tasks = stored.tasks(connection, ward, period)
    began = stored.alarms(connection, ward, period)
    requests = [one.request for one in known if one.committed]
    missed = measures.near_misses(known)
    stops = (
        finding.code for one in missed for finding in one.result.findings if finding.severity is Severity.STOP
    )
    bypasses = Counter(code for request in requests for code in measures.bypasses(request))
    return Figures(
        period=period,
        beds=beds,
        checks=dict(Counter(one.result.word.value for one in known)),
        scan_compliance=_share(measures.scan_compliance(requests)),
        compliance_target=measures.COMPLIANCE_TARGET,
        bypasses=dict(bypasses),
        near_misses=len(missed),
        near_miss_codes=_top(stops),
        overrides={code: _share(rate) for code, rate in measures.override_rates(known).items()},
        to_review=measures.to_review(known, period.until),
        on_time=_share(_on_time(done, tasks)),
        after_sync={
            name: _share(rate)
            for name, rate in measures.after_sync(stored.outcomes(connection, period)).items()
        },
        infusions_as_planned=_share(
            _as_planned(stored.infusions(connection, ward, period), policy.flow.overrun_percent)
        ),
        alarms=_alarms(began, beds, period, policy.alarm_short_s),
        administrations_by_hour=_by_hour(done, policy.zone),
        delays=_delays(done, tasks),
        responses=_responses(began),
        days=_days(_Facts(known, done, tasks, began), policy.zone),
    )


def _share(rate: Rate) -> Share:
    return Share(
        count=rate.count, of=rate.of, percent=None if rate.percent is None else round(rate.percent, 1)
    )


def _top(names: Iterable[str]) -> tuple[Count, ...]:
    return tuple(Count(name=name, count=count) for name, count in Counter(names).most_common(TOP))


def _on_time(done: Iterable[Administration], tasks: dict[str, Task]) -> Rate:
    """Doses with a window that were given inside it."""
    planned = [(one, tasks[one.task_id]) for one in done if one.task_id in tasks]
    return measures.rate(
        task.earliest <= one.at <= task.latest
        for one, task in planned
        if task.earliest is not None and task.latest is not None
    )


def _as_planned(ended: Iterable[Infusion], percent: float) -> Rate:
    """Whole bags whose time, pauses left out, lay within the site's overrun limit of what the rate says."""
    found = []
    for one in ended:
        if one.state is not InfusionState.COMPLETED or one.ended_at is None or one.rate_ml_h <= 0:
            continue
        planned = float(one.volume_ml / one.rate_ml_h) * 60
        took = (one.ended_at - one.started_at).total_seconds() / 60 - one.paused_s / 60
        found.append(abs(took - planned) * 100 <= percent * planned)
    return measures.rate(found)


def _alarms(known: Sequence[Alarm], beds: int, period: Period, short_s: float) -> AlarmFigures:
    bed_days = beds * (period.until - period.since).total_seconds() / 86_400
    waits = sorted(
        (one.acknowledged_at - one.started_at).total_seconds()
        for one in known
        if one.acknowledged_at is not None
    )
    short = [
        one.acknowledged_at is None
        and one.ended_at is not None
        and (one.ended_at - one.started_at).total_seconds() <= short_s
        for one in known
    ]
    return AlarmFigures(
        total=len(known),
        per_bed_day=round(len(known) / bed_days, 2) if bed_days else None,
        by_priority=dict(Counter(one.priority.value for one in known)),
        answered=_share(measures.rate(one.acknowledged_at is not None for one in known)),
        unanswered_short=_share(measures.rate(short)),
        response_s_median=_quantile(waits, 5),
        response_s_p90=_quantile(waits, 9),
        top_conditions=_top(one.condition for one in known),
        top_beds=_top(one.bed for one in known if one.bed),
    )


def _quantile(values: Sequence[float], tenth: int) -> float | None:
    if not values:
        return None
    if len(values) == 1:
        return round(values[0], 1)
    return round(quantiles(values, n=10, method="inclusive")[tenth - 1], 1)


def _delays(done: Iterable[Administration], tasks: dict[str, Task]) -> tuple[int, ...]:
    counts = [0] * (len(DELAY_BINS) + 1)
    for one in done:
        task = tasks.get(one.task_id)
        if task is not None and task.planned_at is not None:
            minutes = (one.at - task.planned_at).total_seconds() / 60
            counts[bisect_right(DELAY_BINS, minutes)] += 1
    return tuple(counts)


def _responses(began: Sequence[Alarm]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for priority in sorted({one.priority.value for one in began}):
        mine = [one for one in began if one.priority.value == priority]
        waits = [
            (one.acknowledged_at - one.started_at).total_seconds()
            for one in mine
            if one.acknowledged_at is not None
        ]
        found[priority] = (*(sum(wait <= limit for wait in waits) for limit in RESPONSE_S), len(mine))
    return found


class _Facts(NamedTuple):
    known: list[Evaluation]
    done: list[Administration]
    tasks: dict[str, Task]
    began: list[Alarm]


def _days(facts: _Facts, zone: str) -> tuple[Day, ...]:
    """Split what is known by the ward's own days; a day on which nothing was recorded is left out."""
    place = ZoneInfo(zone)

    def of(at: datetime) -> date:
        return at.astimezone(place).date()

    moments = [
        *(one.at for one in facts.known),
        *(one.at for one in facts.done),
        *(one.started_at for one in facts.began),
    ]
    return tuple(
        _day(
            day,
            _Facts(
                [one for one in facts.known if of(one.at) == day],
                [one for one in facts.done if of(one.at) == day],
                facts.tasks,
                [one for one in facts.began if of(one.started_at) == day],
            ),
        )
        for day in sorted({of(moment) for moment in moments})
    )


def _day(day: date, facts: _Facts) -> Day:
    requests = [one.request for one in facts.known if one.committed]
    return Day(
        day=day,
        scan_compliance=_share(measures.scan_compliance(requests)),
        on_time=_share(_on_time(facts.done, facts.tasks)),
        near_misses=len(measures.near_misses(facts.known)),
        alarms=dict(Counter(one.priority.value for one in facts.began)),
    )


def _by_hour(done: Iterable[Administration], zone: str) -> tuple[int, ...]:
    hours = Counter(one.at.astimezone(ZoneInfo(zone)).hour for one in done)
    return tuple(hours[hour] for hour in range(24))
