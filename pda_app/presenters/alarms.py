"""N8: alarms over everything. They leave by "I'll go", or when the condition ends, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clinical.errors import WardlinkError
from clinical.exchange import AlarmAcknowledged
from clinical.records import Alarm, AlarmPriority
from pda_app.ports import Cue
from pda_app.presenters import alarm_words
from pda_app.presenters.alarm_view import about, view
from pda_app.presenters.desk import Desk
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import AlarmRow, AlarmsState, Button, Msg, Text, Tone

MUTE_S = 120
_RANK = {AlarmPriority.HIGH: 0, AlarmPriority.MEDIUM: 1, AlarmPriority.LOW: 2, AlarmPriority.NONE: 3}
_CUES = {
    AlarmPriority.HIGH: (Cue.ALARM_HIGH, 3.0),
    AlarmPriority.MEDIUM: (Cue.ALARM_MEDIUM, 3.0),
    AlarmPriority.LOW: (Cue.ALARM_LOW, 30.0),
}
"""Cue and seconds until it sounds again (look/handheld §7)."""


class Alarms(Observable[AlarmsState]):
    """The overlay, its queue and the page; ``on_go`` gets the alarm a nurse goes to."""

    def __init__(self, desk: Desk, on_go: Callable[[Alarm], None]) -> None:
        super().__init__(AlarmsState())
        self._desk = desk
        self._on_go = on_go
        self._chosen = ""
        self._muted_until = self._sounded_at = -1e9
        self._spoken: set[str] = set()
        self._busy: set[str] = set()

    def show(self, alarm_id: str) -> None:
        """A line was touched: a calling alarm is shown; of one that somebody has, its patient."""
        alarm = self._desk.book.get(Alarm, alarm_id)
        if alarm is None:
            return
        if not alarm_words.is_calling(alarm):
            self._on_go(alarm)
            return
        self._chosen = alarm_id
        self.refresh()

    def acknowledge(self) -> None:
        """I'll go: silent everywhere at once, visible until the condition ends."""
        alarm = self._current()
        if alarm is None or alarm.id in self._busy or not self._desk.at_work:
            return
        self._busy.add(alarm.id)
        self._desk.spawn(self._write(alarm))

    def mute(self) -> None:
        """No sound for two minutes; what is seen stays, and a new high alarm sounds all the same."""
        self._muted_until = self._desk.ports.clock.monotonic() + MUTE_S
        self.refresh()

    def refresh(self) -> None:
        """Draw again from the newest facts and time."""
        calling = self._calling()
        current = self._current()
        rest = [one for one in calling if current is None or one.id != current.id]
        rows = sorted(filter(alarm_words.is_open, self._desk.book.all(Alarm)), key=_order)
        muted_s = max(int(self._muted_until - self._desk.ports.clock.monotonic()), 0)
        self._set(
            replace(
                self.state,
                current=view(self._desk, current) if current else None,
                queue=tuple(self._row(one) for one in rest),
                rows=tuple(self._row(one) for one in rows),
                acknowledge=self._go_button(),
                mute=Button(text=Msg("alarm.mute"), enabled=muted_s == 0, icon="sound-off"),
                muted_s=muted_s,
                empty="" if rows else self._empty(),
                picture=self._desk.picture,
            )
        )

    def _go_button(self) -> Button:
        """Somebody must have signed in to go: a nameless "I'll go" would silence it for everybody."""
        return Button(
            text=Msg("alarm.go"), enabled=self._desk.at_work, tone=Tone.ACT, icon="go", busy=bool(self._busy)
        )

    def _empty(self) -> Text:
        """Nothing is said about the ward without its facts, nor about now with old ones."""
        none: Text = Msg("alarm.none")
        if self._desk.sync.link.silent:
            none = Msg.of("alarm.none-offline", time=self._desk.hhmm(self._desk.book.fetched_at))
        return self._desk.unread() or none

    def tick(self) -> None:
        """Sound the worst alarm again in its rhythm; called about once a second."""
        self.refresh()
        calling = self._calling(lowest=AlarmPriority.LOW)
        if not calling or self._desk.session is None:
            return
        worst, mono = calling[0], self._desk.ports.clock.monotonic()
        cue, every_s = _CUES[worst.priority]
        fresh = worst.id not in self._spoken
        quiet = mono < self._muted_until and not (fresh and worst.priority is AlarmPriority.HIGH)
        if quiet or (not fresh and mono - self._sounded_at < every_s):
            return
        self._sounded_at = mono
        self._desk.cue(cue)
        if fresh:
            self._spoken.add(worst.id)
            self._speak(worst)

    def _speak(self, alarm: Alarm) -> None:
        """Bed and cause, for high alarms only."""
        if alarm.priority is AlarmPriority.HIGH:
            self._desk.speak(
                Msg.of("alarm.spoken", bed=alarm.bed, cause=alarm_words.cause(self._desk.book, alarm))
            )

    def _calling(self, lowest: AlarmPriority = AlarmPriority.MEDIUM) -> list[Alarm]:
        some = (one for one in self._desk.book.all(Alarm) if alarm_words.is_calling(one))
        return sorted((one for one in some if _RANK[one.priority] <= _RANK[lowest]), key=_order)

    def _current(self) -> Alarm | None:
        """The worst; a chosen one only as long as nothing worse calls."""
        calling = self._calling()
        chosen = self._desk.book.get(Alarm, self._chosen)
        if chosen is None or not alarm_words.is_calling(chosen):
            return calling[0] if calling else None
        worse = calling and _RANK[calling[0].priority] < _RANK[chosen.priority]
        return calling[0] if worse else chosen

    async def _write(self, alarm: Alarm) -> None:
        event = AlarmAcknowledged(**self._desk.event_base(), alarm_id=alarm.id)
        try:
            await self._desk.sync.record(event)
        except WardlinkError as error:
            self._desk.failed(error)
            return
        finally:
            self._busy.discard(alarm.id)
            self.refresh()
        self._desk.cue(Cue.RECORDED)
        self._on_go(alarm)

    def _row(self, alarm: Alarm) -> AlarmRow:
        who: Text = ""
        if alarm.acknowledged_by:
            who = Msg.of(
                "alarm.acknowledged", name=self._desk.person_name(alarm.acknowledged_by),
                time=self._desk.hhmm(alarm.acknowledged_at),
            )  # fmt: skip
        return AlarmRow(
            alarm_id=alarm.id,
            priority=alarm.priority,
            tone=alarm_words.TONES[alarm.priority],
            bed=alarm.bed,
            text=alarm_words.cause(self._desk.book, alarm),
            about=about(self._desk, alarm),
            at=self._desk.hhmm(alarm.started_at),
            acknowledged=who,
        )


def _order(alarm: Alarm) -> tuple[int, float]:
    """Worst first; among equals the oldest."""
    return _RANK[alarm.priority], alarm.started_at.timestamp()
