"""What the handheld needs from the world outside: small protocols, and the plain values they carry.

Every ``Api`` method raises ``UnavailableError`` when the server does not answer, ``RefusedError`` when it
says no (code ``device-wiped`` when this handheld must forget everything) and other errors with the
server's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from clinical.bedside_check.model import CheckRequest, Confirmation, ScanMethod
from clinical.confirmation import Purpose
from clinical.exchange import Changes, CheckAnswer, Event, Outcome, Ward
from clinical.records import Practitioner


class Cue(StrEnum):
    """What a sound and a vibration can say (look/handheld §7)."""

    SCAN_READ = "scan-read"
    REFUSED = "refused"
    GIVE = "give"
    CHECK = "check"
    STOP = "stop"
    RECORDED = "recorded"
    QUEUED = "queued"
    ALARM_HIGH = "alarm-high"
    ALARM_MEDIUM = "alarm-medium"
    ALARM_LOW = "alarm-low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A whole code, as one scanner read it; ``symbology`` is the AIM identifier when the reader told it."""

    raw: str
    method: ScanMethod
    symbology: str = ""
    reason: str = ""  # why it was typed
    at: datetime | None = None  # None: the moment it enters the queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A scan of which a part may be missing: never used, the nurse is told to scan again."""

    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What lets a nurse sign in without the server, until it expires (argon2id, from the server)."""

    salt: str
    params: dict[str, int]
    hash: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The server's answer to a badge and a PIN."""

    token: str
    expires: datetime
    practitioner: Practitioner
    ward: Ward
    offline_verifier: Verifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """Someone who has signed in on this handheld: enough to sign in again without the server."""

    badge: str
    practitioner: Practitioner
    ward: Ward
    last_at: datetime
    verifier: Verifier | None = None
    failures: int = 0
    blocked_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An event whose outcome a person must answer."""

    event: Event
    outcome: Outcome
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many events wait to be sent, wait for a person, and are done."""

    queued: int = 0
    returned: int = 0
    confirmed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The ward picture this handheld last held, put together from all changes so far."""

    changes: Changes
    fetched_at: datetime  # by this handheld's clock, corrected


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPin:
    """Another person's badge and PIN, and the question they stand behind."""

    badge: str
    pin: str = field(repr=False)
    purpose: Purpose
    request: CheckRequest
    task_id: str
    codes: tuple[str, ...] = ()  # findings they accept
    value: Decimal | None = None  # what they calculated on their own


class Clock(Protocol):
    """The handheld's own clock."""

    def now(self) -> datetime:
        """Aware UTC wall time of this device, uncorrected."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, and go on while the device sleeps."""
        ...


class Api(Protocol):
    """The ward server, over HTTPS."""

    def use(self, token: str) -> None:
        """Carry this bearer token from now on; empty for none."""
        ...

    async def sign_in(self, badge: str, pin: str, handheld: str) -> SignedIn:
        """Badge and PIN for a session; ``RefusedError`` with code ``sign-in`` when they are wrong."""
        ...

    async def sign_out(self) -> None:
        """End the session on the server."""
        ...

    async def changes(self, ward: str, *, since: int, epoch: str, wait_s: float) -> Changes:
        """What changed after the cursor; returns at once when something did, else after ``wait_s``."""
        ...

    async def check(self, request: CheckRequest) -> CheckAnswer:
        """The server's own verdict, with a lease when the word is GIVE."""
        ...

    async def confirm(self, second: SecondPin) -> Confirmation:
        """The server's proof that another person stands behind a question; it counts once."""
        ...

    async def send(self, events: Sequence[Event]) -> tuple[Outcome, ...]:
        """Hand over at most 200 events; one outcome each, in the same order. Safe to repeat."""
        ...

    async def close(self) -> None:
        """Give up the connection."""
        ...


class Store(Protocol):
    """What survives a power cut: people, the ward picture, the outbox, the returned outcomes.

    Two compartments, both encrypted: the *device* compartment (people, events) opens with the device's
    secret, so that whoever signs in can upload a colleague's events; the *ward* compartment (patients,
    orders) also needs a nurse's PIN.
    """

    async def open(self) -> None:
        """Make or open the files and the device compartment."""
        ...

    async def close(self) -> None:
        """Close the files."""
        ...

    async def people(self) -> tuple[KnownPerson, ...]:
        """Everybody known here, newest first."""
        ...

    async def remember(self, person: KnownPerson, pin: str) -> None:
        """After an online sign-in: keep the person and wrap the ward key for this PIN.

        When the ward compartment is closed its picture cannot be read, so a new key and an empty
        picture take its place; the next changes are then complete.
        """
        ...

    async def update_person(self, person: KnownPerson) -> None:
        """Keep failures and blocking of one person."""
        ...

    async def forget_person(self, badge: str) -> None:
        """Destroy what lets a person in without the server: the verifier, and the ward key of their PIN."""
        ...

    async def unlock(self, badge: str, pin: str) -> bool:
        """Open the ward compartment with a PIN; False when it does not fit or nothing is wrapped."""
        ...

    def lock(self) -> None:
        """Forget the ward key until somebody signs in."""
        ...

    async def kept(self) -> Kept | None:
        """The picture, or None when there is none or the compartment is closed."""
        ...

    async def keep(self, changes: Changes, fetched_at: datetime) -> None:
        """Merge changes into the kept picture, in one transaction with its cursor."""
        ...

    async def put(self, event: Event) -> None:
        """Write one event; it is on the disk when this returns."""
        ...

    async def pending(self, limit: int = 200) -> tuple[Event, ...]:
        """Events without an outcome, oldest first."""
        ...

    async def settle(self, outcomes: Sequence[Outcome], at: datetime) -> None:
        """Keep the outcomes; those a person must answer go to ``returned``."""
        ...

    async def returned(self) -> tuple[Returned, ...]:
        """Outcomes nobody has answered yet, oldest first."""
        ...

    async def answer(self, event_id: str, answer: str, at: datetime) -> None:
        """A person answered a returned outcome."""
        ...

    async def counts(self) -> Counts:
        """The three numbers of the uploads page."""
        ...

    async def wipe(self) -> None:
        """Destroy the keys, then the files: nothing can be read afterwards."""
        ...


class Sound(Protocol):
    """Sound and vibration."""

    @property
    def is_silent(self) -> bool:
        """Nobody can hear this device: sound is off, or what was played last did not sound."""
        ...

    def play(self, cue: Cue) -> None:
        """Play one cue and return at once."""
        ...


class Speech(Protocol):
    """Spoken words; may be silent."""

    def say(self, text: str, language: str) -> None:
        """Say it and return at once."""
        ...


class ScanSource(Protocol):
    """A scanner: calls ``deliver`` for everything it reads, from the event loop's own thread."""

    def start(self, deliver: Callable[[Read | Broken], None]) -> None:
        """Begin to read."""
        ...

    def stop(self) -> None:
        """Stop and release the device."""
        ...


class Camera(ScanSource, Protocol):
    """A camera: a scanner that is only open while somebody looks through it."""

    def preview(self) -> Any:
        """The newest picture (BGR array), or None."""
        ...


class Battery(Protocol):
    """How full the battery is."""

    def percent(self) -> int | None:
        """0-100, or None when the device does not say."""
        ...


@dataclass(slots=True, kw_only=True)
class Ports:
    """All adapters of one running handheld."""

    api: Api
    store: Store
    clock: Clock
    sound: Sound
    speech: Speech
    battery: Battery
    scanners: list[ScanSource] = field(default_factory=list)
    camera: Camera | None = None
