"""What a good PIN or password is, and how a person gets one: a PIN with a code, a password with the PIN."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.errors import BadInputError, RefusedError
from clinical.records import Practitioner
from server.people import store as people
from server.people.doors import Doors
from server.people.errors import SignInError
from server.people.revocation import revoke
from server.people.service import HASHER, Attempt, Limits, badge_number, digest, prove
from server.people.settings import Access
from server.storage.store import Store, UnitOfWork

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that looks like something else
_LETTERS = 10
_FEWEST = 5  # different characters in a password
PIN_MAX, PASSWORD_MAX = 12, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPin:
    """A person's badge, the code they were given, and the PIN they want."""

    badge: str
    code: str
    pin: str
    address: str = ""


def check_pin(pin: str, badge: str, access: Access) -> None:
    """Refuse a PIN that is short, no number, or the first that anybody would try.

    Raises:
        BadInputError: It is; the sentence says what to do.
    """
    if not (pin.isascii() and pin.isdigit() and access.pin_min <= len(pin) <= PIN_MAX):
        raise BadInputError("pin-length", f"a PIN has {access.pin_min} to {PIN_MAX} digits")
    steps = {(int(after) - int(before)) % 10 for before, after in itertools.pairwise(pin)}
    if (len(steps) == 1 and steps <= {0, 1, 9}) or pin in badge:
        raise BadInputError("pin-weak", "this PIN is guessed at once; no rows of digits, no badge number")


def check_password(password: str, badge: str, access: Access) -> None:
    """Refuse a password that is short, of few characters, or holds the badge.

    Raises:
        BadInputError: It is; the sentence says what to do.
    """
    if not access.password_min <= len(password) <= PASSWORD_MAX:
        raise BadInputError(
            "password-length", f"a password has {access.password_min} to {PASSWORD_MAX} characters"
        )
    if len(set(password)) < _FEWEST or badge.casefold() in password.casefold():
        raise BadInputError(
            "password-weak", "this password is guessed at once; take several words, and not your badge"
        )


def make_pin_code(unit: UnitOfWork, person: Practitioner, life: timedelta) -> tuple[str, datetime]:
    """Make the code with which a person sets a new PIN once; older ones count no more.

    Raises:
        RefusedError: The person is not active.
    """
    if not person.active:
        raise RefusedError("person", "this person cannot sign in")
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))
    people.forget_codes(unit.connection, person.id, "pin")
    expires = unit.now + life
    people.add_code(unit.connection, digest(letters), person.id, expires, "pin")
    return f"{letters[:5]}-{letters[5:]}", expires


def set_pin(store: Store, limits: Limits, doors: Doors, access: Access, wish: NewPin) -> None:
    """Give the holder of a badge and its code a new PIN, and withdraw what the old one opened; slow.

    Raises:
        BadInputError: The PIN is too weak.
        SignInError: The code is not this badge's, was used, or has expired.
        TooManyAttemptsError: Too many codes were tried.
    """
    badge, place = badge_number(wish.badge), f"{wish.address}\x00code"
    check_pin(wish.pin, badge, access)
    doors.reserve(badge, place, store.clock(), attempts=limits.attempts, lockout=limits.lockout)
    code = wish.code.upper().replace("-", "").replace(" ", "")
    known = HASHER.hash(wish.pin)
    if not store.write(lambda unit: _set_pin(unit, badge, digest(code), known)):
        raise SignInError("one-time-code", "this code was used or has expired; ask for a new one")
    doors.opened(badge, place, wish.address)


def _set_pin(unit: UnitOfWork, badge: str, code: str, known: str) -> bool:
    credential = people.credential_of(unit.connection, badge)
    if credential is None:
        return False
    owner = people.use_code(unit.connection, code, unit.now, "pin", owner=credential.practitioner_id)
    person = unit.get(Practitioner, owner) if owner else None
    if person is None or not person.active:
        return False
    people.note_hash(unit.connection, person.id, known)
    people.note_hash(unit.connection, person.id, "", by="password")  # it was set with the old PIN
    people.note_attempt(unit.connection, person.id, 0, None)
    revoke(unit, person)
    unit.audit("pin-set", actor=person.id, entity=f"person:{person.id}")
    return True


def set_password(store: Store, limits: Limits, doors: Doors, attempt: Attempt, password: str) -> None:
    """Give a person a password for the web; their PIN proves who asks. Slow by design.

    The password was looked at by :func:`check_password` before.

    Raises:
        SignInError: The PIN is wrong.
        TooManyAttemptsError: The badge is locked for a while.
    """
    person, _ = prove(store, limits, doors, attempt)
    known = HASHER.hash(password)

    def run(unit: UnitOfWork) -> None:
        people.note_attempt(unit.connection, person.id, 0, None)
        people.note_hash(unit.connection, person.id, known, by="password")
        unit.audit("password-set", actor=person.id, entity=f"person:{person.id}")

    store.write(run)
