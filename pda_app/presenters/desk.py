"""What all presenters share: the ward's book, the way to the server, the time, the nurse, the loudspeaker."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from clinical.bedside_check.model import HandheldState, Operator
from clinical.errors import WardlinkError
from clinical.exchange import Ward
from clinical.records import Practitioner
from pda_app.book import Book, aged
from pda_app.ids import uuid7
from pda_app.ports import Cue, Ports
from pda_app.presenters.states import Msg, Picture, Text, Tone
from pda_app.session import Session, Sessions
from pda_app.settings import HandheldSettings
from pda_app.sync import Sync


class EventBase(TypedDict):
    """The fields every event begins with."""

    id: str
    at: datetime
    sent: datetime
    operator: str
    handheld: str
    snapshot_version: str


@dataclass(slots=True, kw_only=True)
class Desk:
    """One per running handheld; made by ``App``."""

    ports: Ports
    book: Book
    sync: Sync
    sessions: Sessions
    settings: HandheldSettings
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    toast: Callable[[Text, Tone], None]
    speak: Callable[[Text], None]
    last_ward: Ward | None = None  # of whoever signed in here last; all that is known on the sign-in page

    @property
    def session(self) -> Session | None:
        """The nurse at work."""
        return self.sessions.current

    @property
    def at_work(self) -> bool:
        """A nurse is signed in and the lock is up: only then may anything be recorded in her name."""
        return self.session is not None and not self.sessions.locked

    def now(self) -> datetime:
        """The server's time as well as it is known here."""
        return self.sync.now()

    @property
    def ward(self) -> Ward:
        """The ward as the newest picture has it; before there is one, as the sign-in told."""
        if self.book.ward.id:
            return self.book.ward
        told = self.session.ward if self.session is not None else self.last_ward
        return told or self.book.ward

    @property
    def picture(self) -> Picture:
        """Whether the ward's facts are here: an empty list means nothing before they are."""
        if self.book.fetched_at is not None:
            return Picture.HERE
        return Picture.MISSING if self.sync.link.silent else Picture.READING

    def unread(self) -> Text:
        """Why nothing can be said about the ward; empty when its facts are here."""
        return "" if self.picture is Picture.HERE else Msg(f"data.{self.picture}")

    @property
    def zone(self) -> tzinfo:
        """The ward's time zone."""
        return ZoneInfo(self.ward.zone or "UTC")

    def hhmm(self, at: datetime | None) -> str:
        """Ward clock time, or empty."""
        return at.astimezone(self.zone).strftime("%H:%M") if at is not None else ""

    def cue(self, cue: Cue) -> None:
        """Sound and vibration."""
        self.ports.sound.play(cue)

    def event_base(self) -> EventBase:
        """Make id, times and names for one new event."""
        at = self.now()
        return EventBase(
            id=uuid7(at),
            at=at,
            sent=at,
            operator=self.session.practitioner.id if self.session else "",
            handheld=self.settings.handheld,
            snapshot_version=self.book.snapshot_version,
        )

    def handheld_state(self, *, online: bool) -> HandheldState:
        """What the bedside check asks about this device."""
        link = self.sync.link
        return HandheldState(
            id=self.settings.handheld,
            clock_offset_s=link.clock_offset_s,
            last_time_sync=self._time_sync(),
            battery_percent=self.ports.battery.percent(),
            online=online,
        )

    def _time_sync(self) -> datetime | None:
        """When the time was last right; before the first contact, when the kept picture was fetched."""
        known = self.sync.link.last_time_sync or self.book.fetched_at
        return aged(known, self.now()) if known is not None else None

    def operator(self) -> Operator:
        """What the bedside check asks about the person."""
        session = self.session
        if session is None:
            return Operator(id="", roles=())
        return Operator(
            id=session.practitioner.id, roles=session.practitioner.roles, badge_at=session.badge_at
        )

    def person_name(self, id_: str) -> str:
        """A colleague's name as written; the id when nobody knows it."""
        person = self.book.get(Practitioner, id_)
        return person.name if person is not None else id_

    def recorded_text(self) -> Text:
        """That it is recorded, or that it is kept here and sent when the server answers."""
        link = self.sync.link
        return Msg(
            "toast.recorded" if link.sends else "toast.kept-fault" if link.fault else "toast.kept-here"
        )

    def failed(self, error: WardlinkError) -> None:
        """Say that something was not done, and what to do."""
        self.cue(Cue.REFUSED)
        self.toast(error_text(error), Tone.BAD)


def error_text(error: WardlinkError) -> Msg:
    """Translate an error by its code."""
    params: dict[str, Text] = {name: str(value) for name, value in error.params.items()}
    return Msg.of(f"error.{error.code}", **params)
