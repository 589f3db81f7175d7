"""Remaining millilitres over minutes: measured, as ordered, and where the present rate leads."""

from __future__ import annotations

from datetime import datetime, timedelta

from clinical.records import Flow, Infusion
from pda_app.book import FlowPoint
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Curve, CurvePoint

GAP = timedelta(seconds=90)
"""Measured points further apart are not joined: gaps stay gaps."""
_MOST_POINTS = 240  # the curve is 300 dp wide; more cannot be seen


def curve(desk: Desk, infusion: Infusion, flow: Flow | None, rounds: tuple[FlowPoint, ...]) -> Curve:
    """Draw one infusion from its start to its expected end."""
    volume, rate = float(infusion.volume_ml), float(infusion.rate_ml_h)
    now_minute = _minute(infusion, desk.now())
    ordered_end = volume / rate * 60.0 if rate > 0 else 60.0
    measured = _lines(infusion, desk.book.flow_points(infusion.id))
    forecast = _forecast(flow, now_minute)
    end = max(ordered_end, forecast[-1].minute if forecast else 0.0, now_minute) * 1.02
    return Curve(
        volume_ml=volume,
        end_minute=end,
        now_minute=now_minute,
        measured=measured,
        ordered=(CurvePoint(minute=0.0, ml=volume), CurvePoint(minute=ordered_end, ml=0.0)),
        forecast=forecast,
        rounds=tuple(_point(infusion, one) for one in rounds),
        ticks=_ticks(desk, infusion, end),
    )


def _minute(infusion: Infusion, at: datetime) -> float:
    return (at - infusion.started_at).total_seconds() / 60.0


def _point(infusion: Infusion, one: FlowPoint) -> CurvePoint:
    return CurvePoint(minute=_minute(infusion, one.at), ml=max(one.remaining_ml, 0.0))


def _lines(infusion: Infusion, points: tuple[FlowPoint, ...]) -> tuple[tuple[CurvePoint, ...], ...]:
    step = max(len(points) // _MOST_POINTS, 1)
    thinned = [one for index, one in enumerate(points) if index % step == 0 or index == len(points) - 1]
    lines: list[list[CurvePoint]] = []
    before: FlowPoint | None = None
    for one in thinned:
        if before is None or one.at - before.at > GAP * step:
            lines.append([])
        lines[-1].append(_point(infusion, one))
        before = one
    return tuple(map(tuple, lines))


def _forecast(flow: Flow | None, now_minute: float) -> tuple[CurvePoint, ...]:
    if flow is None or not flow.rate_ml_h or flow.remaining_ml is None or flow.remaining_ml <= 0:
        return ()
    left = flow.remaining_ml / flow.rate_ml_h * 60.0
    if left > 24 * 60:
        return ()  # hardly flowing: a line to tomorrow says nothing
    return (
        CurvePoint(minute=now_minute, ml=flow.remaining_ml),
        CurvePoint(minute=now_minute + left, ml=0.0),
    )


def _ticks(desk: Desk, infusion: Infusion, end: float) -> tuple[tuple[float, str], ...]:
    step = next((one for one in (5, 15, 30, 60, 120, 240) if end / one <= 5), 480)
    start = infusion.started_at.astimezone(desk.zone)
    first = step - (start.hour * 60 + start.minute) % step - start.second / 60.0
    count = int(max(end - first, 0.0) // step) + 1
    minutes = [first + index * step for index in range(count)]
    return tuple(
        (minute, desk.hhmm(infusion.started_at + timedelta(minutes=minute, seconds=0.5)))
        for minute in minutes
    )
