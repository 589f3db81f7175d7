"""N8: one alarm, big: what, against which limit, the last minutes, what stands beside it, who comes next."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from clinical.records import Alarm, Flow, Infusion, Order, Patient
from pda_app.book import RATE, Sample
from pda_app.presenters import alarm_words, infusions, vitals, words
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import AlarmView, Msg, Text, Trend, TrendPoint, VitalTile

SHOWN = timedelta(minutes=6)
GAP = timedelta(seconds=30)
"""Values further apart than this are not joined: gaps stay gaps."""
_ROOM = 0.15  # above and below the curve, as a share of what it spans
_NEIGHBOURS = 3
_RATES = frozenset({"rate-deviation", "free-flow", "no-flow"})


def view(desk: Desk, alarm: Alarm) -> AlarmView:
    """Draw one alarm at this minute."""
    patient, now = desk.book.get(Patient, alarm.patient_id), desk.now()
    seconds = max(int((now - alarm.started_at).total_seconds()), 0)
    age = words.age(patient.birth_date, now.date()) if patient else ""
    return AlarmView(
        alarm_id=alarm.id,
        priority=alarm.priority,
        head=Msg(f"alarm.priority-{alarm.priority}"),
        stars=alarm_words.STARS[alarm.priority],
        bed=alarm.bed,
        name=patient.name if patient else Msg("alarm.whole-ward"),
        demographics=words.joined("dot", words.sex(patient.sex), age) if patient else "",
        cause=alarm_words.cause(desk.book, alarm),
        value=alarm_words.value(alarm),
        unit=alarm_words.unit(alarm),
        limit=alarm_words.limit(alarm),
        age=f"{seconds // 60:02d}:{seconds % 60:02d}",
        note=Msg("alarm.secondary-display"),
        escalation=alarm_words.escalated(alarm),
        countdown=countdown(desk, alarm, now),
        about=about(desk, alarm),
        trend=_trend(desk, alarm, now),
        neighbours=_neighbours(desk, alarm),
        infusion_id=alarm.infusion_id,
        patient_id=alarm.patient_id,
    )


def about(desk: Desk, alarm: Alarm) -> Text:
    """The drug of an infusion's alarm; empty for any other."""
    infusion = desk.book.get(Infusion, alarm.infusion_id)
    order = desk.book.get(Order, infusion.order_id) if infusion else None
    return words.order_title(desk.book, order) if order else ""


def countdown(desk: Desk, alarm: Alarm, now: datetime) -> Text:
    """Who is told next and when, by the ward's policy; the server does the telling."""
    age_s = (now - alarm.started_at).total_seconds()
    steps = [
        step
        for step in desk.book.policy.escalation
        if step.priority == alarm.priority.value and step.after_s > age_s
    ]
    if not steps or not alarm_words.is_calling(alarm):
        return ""
    next_s = min(step.after_s for step in steps)
    told = (Msg(f"escalate.{step.to}") for step in steps if step.after_s == next_s)
    return Msg.of("alarm.escalates", seconds=str(ceil(next_s - age_s)), to=words.joined("list", *told))


def _trend(desk: Desk, alarm: Alarm, now: datetime) -> Trend | None:
    """The alarm's own value; None for what has none, or when nothing was heard lately."""
    samples, limit, side = _measured(desk, alarm)
    shown = [one for one in samples if now - SHOWN <= one.at <= now]
    if not shown:
        return None
    values = [one.value for one in shown] + ([limit] if limit is not None else [])
    room = max((max(values) - min(values)) * _ROOM, 1.0)
    return Trend(
        minutes=SHOWN.total_seconds() / 60,
        lines=_lines(shown, now),
        low=max(min(values) - room, 0.0),
        high=max(values) + room,
        limit=limit,
        side=side,
        ticks=(desk.hhmm(now - SHOWN), desk.hhmm(now)),
    )


def _measured(desk: Desk, alarm: Alarm) -> tuple[tuple[Sample, ...], float | None, str]:
    """What was heard of the alarm's value, its bound, and on which side of it the alarm lies."""
    infusion = desk.book.get(Infusion, alarm.infusion_id)
    if infusion is not None and alarm.condition in _RATES:
        return desk.book.samples(infusion.id, RATE), infusions.gtt_min(infusion), ""
    samples = desk.book.samples(alarm.patient_id, str(alarm.params.get("code", "")))
    bound = alarm.params.get("limit")
    limit = float(bound) if isinstance(bound, int | float) else None
    return samples, limit, {"limit-low": "low", "limit-high": "high"}.get(alarm.condition, "")


def _lines(samples: list[Sample], now: datetime) -> tuple[tuple[TrendPoint, ...], ...]:
    lines: list[list[TrendPoint]] = []
    before: datetime | None = None
    for one in samples:
        if before is None or one.at - before > GAP:
            lines.append([])
        minute = (one.at - now).total_seconds() / 60
        lines[-1].append(TrendPoint(minute=minute, value=one.value))
        before = one.at
    return tuple(map(tuple, lines))


def _neighbours(desk: Desk, alarm: Alarm) -> tuple[VitalTile, ...]:
    """The newest other values of the patient; for an infusion, first what is left in the bag."""
    code = alarm.params.get("code")
    others = (one for one in vitals.newest(desk, alarm.patient_id) if one.code != code)
    return (*_left(desk, alarm), *others)[:_NEIGHBOURS]


def _left(desk: Desk, alarm: Alarm) -> tuple[VitalTile, ...]:
    flow = desk.book.get(Flow, alarm.infusion_id)
    if flow is None or flow.remaining_ml is None or "remaining_ml" in alarm.params:
        return ()
    left = words.number(max(flow.remaining_ml, 0.0), 0)
    stale = not infusions.live(flow, desk.now())
    at = vitals.stamp(desk, flow.effective, aged=stale)
    return (VitalTile(code="remaining", label=Msg("alarm.left"), value=left, unit="mL", at=at, stale=stale),)
