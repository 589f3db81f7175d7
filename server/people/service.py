"""Signing in: badge and PIN on handhelds, password or a one-time code on the web; sessions kept here.

Argon2id with the OWASP minimum (19 MiB, 2 passes, 1 lane). An attempt is counted before the PIN is
looked at, so that attempts sent at the same moment cannot get past the limit.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from sqlalchemy import Row

from clinical.errors import RefusedError
from clinical.identifiers import resolve
from clinical.records import Practitioner
from server.people import store as people
from server.people.doors import Doors
from server.people.errors import GivenUpError, SignInError, TooManyAttemptsError
from server.people.settings import Access
from server.storage.store import Store, UnitOfWork

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
PLACES = 5
"""A badge is locked everywhere after as many wrong PINs as this many places may try."""
CODE_LIFE = timedelta(minutes=10)
OFFLINE_LIFE = timedelta(hours=12)
CLINICAL = ("nurse", "charge-nurse", "student", "instructor", "doctor", "pharmacist", "manager")
"""Roles that act for patients; an engineer keeps devices going and needs no names."""
READING = (*CLINICAL, "read-only")
"""Roles that may see who the patients are."""
ACKNOWLEDGING = ("nurse", "charge-nurse", "doctor", "manager", "instructor")
"""Roles that may say of an alarm "I have seen it, I go", on the web and on a handheld alike."""
# Verified when the badge is unknown, so that the answer takes as long as for a known one.
_NOBODY = HASHER.hash(secrets.token_hex(16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Someone signed in on something."""

    id: str
    practitioner: Practitioner
    kind: str  # bearer, web
    handheld: str
    expires: datetime
    opened: frozenset[str] = frozenset()  # other wards, by break-glass (server.people.access)
    locked: bool = False  # it waits for PIN or password before anything else is done in it
    used: datetime | None = None  # when somebody last did something in it, to the minute

    def sees(self, ward: str) -> bool:
        """Whether what belongs to a ward is the person's to see; what belongs to none is everybody's."""
        own = self.practitioner.wards
        return not ward or not own or ward in own or ward in self.opened

    def is_guest(self, ward: str) -> bool:
        """Whether the ward is open to the person by break-glass alone."""
        own = self.practitioner.wards
        return ward in self.opened and bool(own) and ward not in own

    def require_ward(self, ward: str) -> None:
        """Let only people of a ward go on.

        Raises:
            RefusedError: The ward is not theirs.
        """
        if not self.sees(ward):
            raise RefusedError(
                "other-ward", "this belongs to another ward; open it with a reason if you must"
            )

    @property
    def may_read(self) -> bool:
        """Whether the person may see who the patients are."""
        return bool(set(READING) & set(self.practitioner.roles))

    def require(self, *roles: str) -> None:
        """Let only people with one of ``roles`` go on.

        Raises:
            RefusedError: The person has none of them.
        """
        if not set(roles) & set(self.practitioner.roles):
            raise RefusedError("role", "your role does not allow this")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often and for how long."""

    attempts: int
    lockout: timedelta
    life: timedelta


def badge_number(raw: str) -> str:
    """Return the number on a badge, whether scanned as a code or typed."""
    seen = resolve(raw)
    return seen.value if seen.kind == "badge" and seen.valid else raw.strip()


def hash_pin(pin: str) -> str:
    """Hash a PIN for the store."""
    return HASHER.hash(pin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody who wants to sign in shows, and from where."""

    badge: str
    pin: str  # or the password, where ``by`` says so
    handheld: str
    address: str = ""
    by: str = "pin"  # pin, password
    own: bool = False  # of who shows a session already: nobody else can stand in this place

    @property
    def place(self) -> str:
        """Where a lock holds: one handheld at one address, so that nobody locks out a nurse elsewhere."""
        return f"{self.address}\x00{self.handheld}" + ("\x00own" if self.own else "")


def sign_in(store: Store, limits: Limits, doors: Doors, attempt: Attempt) -> tuple[str, Session]:
    """Open a session for the holder of badge and PIN or password, and return its token.

    A PIN opens a handheld's session, a password one of the web.

    Raises:
        SignInError: Badge and PIN do not belong together, or the person is not active.
        TooManyAttemptsError: The badge is locked for a while.
    """
    person, known = prove(store, limits, doors, attempt)
    return store.write(lambda unit: _open_after(unit, limits, person, known, attempt))


def prove(store: Store, limits: Limits, doors: Doors, attempt: Attempt) -> tuple[Practitioner, str]:
    """Return who holds badge and PIN (or password), and the hash of it; slow by design.

    The caller forgets the failed attempts of the person in the transaction that follows.

    Raises:
        SignInError: Badge and PIN do not belong together, or the person is not active.
        TooManyAttemptsError: The badge is locked for a while.
    """
    badge, handheld = badge_number(attempt.badge), attempt.handheld
    doors.reserve(badge, attempt.place, store.clock(), attempts=limits.attempts, lockout=limits.lockout)
    credential = store.write(lambda unit: _reserve_attempt(unit, limits, badge, handheld, own=attempt.own))
    known = _hash_of(credential, attempt.by)
    good = _fits(known or _NOBODY, attempt.pin) and bool(known)
    person = store.picture.get(Practitioner, credential.practitioner_id) if credential else None
    if not good or credential is None or person is None or not person.active:
        store.write(
            lambda unit: unit.audit(
                "sign-in", actor=person.id if person else "", entity="session", outcome="refused"
            )
        )
        raise _wrong(attempt)
    doors.opened(badge, attempt.place, attempt.address)
    return person, known


def _hash_of(credential: Row[Any] | None, by: str) -> str:
    """What is kept of a PIN or password; empty where the person has none, or nobody holds the badge."""
    if credential is None:
        return ""
    return str(credential.password_hash if by == "password" else credential.pin_hash)


def _wrong(attempt: Attempt) -> SignInError:
    if attempt.by == "password":
        return SignInError("sign-in-password", "badge and password do not belong together; type both again")
    return SignInError(
        "sign-in", "badge and PIN do not belong together; scan the badge again and type the PIN"
    )


def _reserve_attempt(
    unit: UnitOfWork, limits: Limits, badge: str, handheld: str, *, own: bool
) -> Row[Any] | None:
    """Count an attempt on a badge wherever it comes from.

    A badge that is tried from many places is locked for all but the handhelds its holder has used before:
    those have a lock of their own (:class:`server.people.doors.Doors`).
    """
    credential = people.credential_of(unit.connection, badge)
    if credential is None:
        return None
    failed = credential.failed
    if credential.locked_until is not None:
        if credential.locked_until > unit.now:
            if own or _has_used(unit, credential, handheld):
                return credential
            wait = (credential.locked_until - unit.now).total_seconds()
            raise TooManyAttemptsError(
                "too-many-attempts",
                "too many wrong PINs; wait or ask the charge nurse",
                retry_after_s=wait // 1 + 1,
            )
        failed = 0
    failed += 1
    locked = unit.now + limits.lockout if failed >= limits.attempts * PLACES else None
    people.note_attempt(unit.connection, credential.practitioner_id, failed, locked)
    return credential


def _has_used(unit: UnitOfWork, credential: Row[Any], handheld: str) -> bool:
    sessions = people.sessions_on(unit.connection, credential.practitioner_id, handheld) if handheld else ()
    return bool(sessions)


def _fits(known: str, secret: str) -> bool:
    try:
        return HASHER.verify(known, secret)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def _open_after(
    unit: UnitOfWork, limits: Limits, person: Practitioner, known: str, attempt: Attempt
) -> tuple[str, Session]:
    people.note_attempt(unit.connection, person.id, 0, None)
    if HASHER.check_needs_rehash(known):
        people.note_hash(unit.connection, person.id, HASHER.hash(attempt.pin), by=attempt.by)
    kind = "web" if attempt.by == "password" else "bearer"
    return open_session(unit, limits, person, kind=kind, handheld=attempt.handheld)


def open_session(
    unit: UnitOfWork, limits: Limits, person: Practitioner, *, kind: str, handheld: str
) -> tuple[str, Session]:
    """Store a new session; only the hash of the returned token is kept."""
    token = secrets.token_urlsafe(32)
    session = Session(
        id=secrets.token_hex(8),
        practitioner=person,
        kind=kind,
        handheld=handheld,
        expires=unit.now + limits.life,
    )
    people.add_session(
        unit.connection,
        token_hash=digest(token),
        id=session.id,
        practitioner_id=person.id,
        kind=kind,
        handheld=handheld,
        created=unit.now,
        expires=session.expires,
        used=unit.now,
    )
    unit.audit("sign-in", actor=person.id, entity=f"session:{session.id}", detail=kind)
    return token, session


def session_of(store: Store, token: str, access: Access | None = None) -> Session:
    """Find the session of a token.

    Args:
        store: Where it rests.
        token: What the handheld or the browser shows.
        access: After how much silence a session counts as locked; none without it.

    Raises:
        SignInError: There is none, it ended or expired, or its holder is no longer active.
        GivenUpError: The ward has given the handheld up.
    """
    now = store.clock()
    with store.reading() as connection:
        row = people.session_of(connection, digest(token))
        opened = people.open_wards(connection, row.practitioner_id, now) if row else frozenset()
    person = store.picture.get(Practitioner, row.practitioner_id) if row else None
    if row is not None and row.ended is not None:
        raise _ended(row.ended_as)
    if row is None or person is None or not person.active or row.expires <= now:
        raise _ended("")
    limit = access.silence(row.kind) if access is not None else None
    silent = limit is not None and now - (row.used or row.created) >= limit
    return Session(
        id=row.id,
        practitioner=person,
        kind=row.kind,
        handheld=row.handheld,
        expires=row.expires,
        opened=opened,
        locked=silent or row.locked is not None,
        used=row.used,
    )


def _ended(how: str) -> SignInError | GivenUpError:
    if how == people.GIVEN_UP:
        return GivenUpError("handheld-given-up", "the ward has given this handheld up; it forgets everything")
    if how == people.REVOKED:
        return SignInError("session-revoked", "your sign-in was withdrawn; sign in again or ask your manager")
    return SignInError("session", "your session has ended; sign in again")


def sign_out(store: Store, session: Session) -> None:
    """End a session now; its token opens nothing any more."""

    def end(unit: UnitOfWork) -> None:
        people.end_session(unit.connection, session.id, unit.now)
        unit.audit("sign-out", actor=session.practitioner.id, entity=f"session:{session.id}")

    store.write(end)


def make_code(store: Store, practitioner_id: str) -> tuple[str, datetime]:
    """Make a one-time web sign-in code for a person; it lives ten minutes.

    Raises:
        RefusedError: The person is not known or not active.
    """
    person = store.picture.get(Practitioner, practitioner_id)
    if person is None or not person.active:
        raise RefusedError("person", "this person cannot sign in")
    code = secrets.token_urlsafe(12)
    expires = store.clock() + CODE_LIFE
    store.write(lambda unit: people.add_code(unit.connection, digest(code), person.id, expires, "web"))
    return code, expires


def use_code(store: Store, limits: Limits, code: str) -> tuple[str, Session]:
    """Open a web session for the holder of a one-time code.

    Raises:
        SignInError: The code is unknown, used or expired.
    """

    def use(unit: UnitOfWork) -> tuple[str, Session] | None:
        owner = people.use_code(unit.connection, digest(code), unit.now, "web")
        person = unit.get(Practitioner, owner) if owner else None
        return open_session(unit, limits, person, kind="web", handheld="") if person else None

    opened = store.write(use)
    if opened is None:
        raise SignInError("one-time-code", "this code was used or has expired; ask for a new one")
    return opened


def offline_verifier(pin: str, now: datetime) -> dict[str, Any]:
    """Make what a handheld needs to recognise this PIN while the server is away."""
    salt = secrets.token_bytes(16)
    params = {"m": 19_456, "t": 2, "p": 1, "length": 32}
    tag = hash_secret_raw(
        pin.encode(),
        salt,
        time_cost=params["t"],
        memory_cost=params["m"],
        parallelism=params["p"],
        hash_len=params["length"],
        type=Type.ID,
    )
    encode = base64.b64encode
    return {
        "salt": encode(salt).decode(),
        "params": params,
        "hash": encode(tag).decode(),
        "expires": now + OFFLINE_LIFE,
    }


def digest(secret: str) -> str:
    """Hash a random token for the store; tokens have 256 random bits, so one round is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
