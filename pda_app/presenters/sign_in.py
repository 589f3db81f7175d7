"""N1: badge, then PIN; also the page that lies over everything while the handheld is locked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clinical.errors import RefusedError, UnavailableError, WardlinkError
from clinical.records import Practitioner
from pda_app.ports import Cue, KnownPerson
from pda_app.presenters.desk import Desk, error_text
from pda_app.presenters.observable import Observable
from pda_app.presenters.states import Msg, PersonCard, RecentPerson, SignInState, Text, Tone
from pda_app.session import badge_number

_RECENT = 3


class SignIn(Observable[SignInState]):
    """Takes a badge and digits; tells ``on_open`` whether the work below belongs to the same nurse."""

    def __init__(self, desk: Desk, on_open: Callable[[bool], None]) -> None:
        security = desk.settings.security
        super().__init__(SignInState(handheld=desk.settings.handheld, pin_length=security.pin_length))
        self._desk = desk
        self._on_open = on_open
        self._badge = ""
        self._digits = ""
        self._people: tuple[KnownPerson, ...] = ()

    async def load(self) -> None:
        """Read who signed in here lately."""
        await self._meet()
        self.refresh()

    def refresh(self) -> None:
        """Redraw with the newest connection and ward."""
        ward = self._desk.ward
        locked = self._desk.sessions.locked
        self._set(
            replace(
                self.state,
                ward=ward.display if ward.id else "",
                offline=self._desk.sync.link.silent,
                unlocking=locked,
                recent=tuple(map(self._recent, self._people[:_RECENT])),
            )
        )

    def badge(self, raw: str) -> None:
        """A badge was scanned, typed, or touched in the list of recent people."""
        number = badge_number(raw)
        if not number or self.state.step == "working":
            return
        self._badge, self._digits = number, ""
        self._set(replace(self.state, step="pin", person=self._card(number), digits=0, message=""))

    def digit(self, digit: str) -> None:
        """One key of the pad; the last one signs in."""
        if self.state.step != "pin" or not digit.isdigit() or len(digit) != 1:
            return
        self._digits += digit
        self._set(replace(self.state, digits=len(self._digits), message=""))
        if len(self._digits) == self.state.pin_length:
            pin, self._digits = self._digits, ""
            self._set(replace(self.state, step="working"))
            self._desk.spawn(self._open(self._badge, pin))

    def erase(self) -> None:
        """Take the last digit back."""
        if self.state.step == "pin":
            self._digits = self._digits[:-1]
            self._set(replace(self.state, digits=len(self._digits)))

    def another(self) -> None:
        """Somebody else: back to the badge."""
        if self.state.step != "working":
            self.ask_badge()

    def ask_badge(self, message: Text = "", tone: Tone = Tone.PLAIN) -> None:
        """Begin again, with a word why."""
        self._badge = self._digits = ""
        self._set(
            replace(self.state, step="badge", person=None, digits=0, message=message, message_tone=tone)
        )

    def ask_pin(self) -> None:
        """The lock came down: the same nurse only needs the PIN."""
        session = self._desk.session
        if session is None:
            self.ask_badge()
        elif self.state.step != "working":
            self.badge(session.badge)

    async def _open(self, badge: str, pin: str) -> None:
        sessions = self._desk.sessions
        try:
            same = await (sessions.unlock(badge, pin) if sessions.locked else self._fresh(badge, pin))
        except WardlinkError as error:
            self._refused(error)
            return
        await self._meet()
        self._desk.cue(Cue.RECORDED)
        self.ask_badge()
        self.refresh()
        self._on_open(same)

    async def _fresh(self, badge: str, pin: str) -> bool:
        await self._desk.sessions.sign_in(badge, pin)
        return False

    def _refused(self, error: WardlinkError) -> None:
        self._desk.cue(Cue.REFUSED)
        wrong = isinstance(error, RefusedError) and error.code == "sign-in"
        blocked = int(float(error.params.get("seconds", error.params.get("retry_after_s", 0))))
        troubled = isinstance(error, UnavailableError)
        message = error_text(error)
        step = "pin" if wrong or troubled else "badge"
        self._set(
            replace(
                self.state, step=step, digits=0, message=message, message_tone=Tone.BAD, blocked_s=blocked
            )
        )

    def _card(self, number: str) -> PersonCard:
        known = next((person for person in self._people if person.badge == number), None)
        if known is not None:
            return _card(number, known.practitioner)
        everybody = self._desk.book.all(Practitioner)
        person = next((one for one in everybody if badge_number(one.badge) == number), None)
        return _card(number, person) if person else _unknown(number)

    def _recent(self, person: KnownPerson) -> RecentPerson:
        name = person.practitioner.name
        return RecentPerson(
            badge=person.badge, name=name, initial=name[:1], when=self._desk.hhmm(person.last_at)
        )

    async def _meet(self) -> None:
        """Read who signed in here lately, and where."""
        self._people = await self._desk.ports.store.people()
        self._desk.last_ward = self._people[0].ward if self._people else None


def _card(number: str, person: Practitioner) -> PersonCard:
    role = Msg(f"role.{person.roles[0]}") if person.roles else ""
    note = Msg.of("sign-in.badge-read", badge=number)
    return PersonCard(badge=number, name=person.name, role=role, initial=person.name[:1], note=note)


def _unknown(number: str) -> PersonCard:
    note = Msg.of("sign-in.badge-read", badge=number)
    return PersonCard(badge=number, name=number, role="", initial=number[:1], note=note)
