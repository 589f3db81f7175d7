"""The right end of the app bar: connection, age of the picture, clock, battery, what waits."""

from __future__ import annotations

from clinical.records import Alarm, Generation, Patient
from pda_app.presenters import words
from pda_app.presenters.alarm_words import is_open
from pda_app.presenters.desk import Desk
from pda_app.presenters.states import Connection, Msg, StatusBar, Text

CLOCK_WRONG_S = 120.0
"""From here on the bedside check warns as well (SYS-CLOCK)."""


def status_bar(desk: Desk) -> StatusBar:
    """Draw the status from link, book and session."""
    sync, book, session = desk.sync, desk.book, desk.session
    return StatusBar(
        ward=desk.ward.display if desk.ward.id else "",
        ward_code=desk.ward.id,
        user=session.practitioner.name if session is not None else "",
        connection=_connection(desk),
        data_at=Msg.of("status.data-at", time=desk.hhmm(book.fetched_at)) if book.fetched_at else "",
        clock=_clock(desk),
        fault=Msg("status.server-fault") if sync.link.fault else "",
        sound=Msg("status.no-sound") if desk.ports.sound.is_silent else "",
        battery_percent=desk.ports.battery.percent(),
        time=desk.hhmm(desk.now()) if desk.ward.id else "",
        queued=sync.counts.queued,
        returned=sync.counts.returned,
        alarms=sum(is_open(one) for one in book.all(Alarm)),
        demo=any(one.generation is Generation.DEMO for one in book.all(Patient)),
    )


def _connection(desk: Desk) -> Connection:
    if desk.sync.link.fault:
        return Connection.FAULT
    if not desk.sync.link.online:
        return Connection.OFFLINE if desk.sync.link.silent else Connection.TRYING
    return Connection.ATTENTION if desk.sync.counts.returned else Connection.ONLINE


def _clock(desk: Desk) -> Text:
    offset = desk.sync.link.clock_offset_s
    if abs(offset) <= CLOCK_WRONG_S:
        return ""
    return Msg.of("status.clock-wrong", span=words.minutes(offset / 60))
