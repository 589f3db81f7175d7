"""Who holds this handheld: badge and PIN, with or without the server, locked when left alone."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from clinical.errors import RefusedError, UnavailableError
from clinical.exchange import Ward
from clinical.identifiers import resolve
from clinical.records import Practitioner
from pda_app.ports import Api, Clock, KnownPerson, SignedIn, Store, Verifier
from pda_app.settings import Security

OFFLINE_LIFE = timedelta(hours=12)
"""How long the server lets somebody in without it: a verifier was made so long before it expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One nurse at work. ``token`` is empty after an offline sign-in, until the server is back."""

    badge: str
    practitioner: Practitioner
    ward: Ward
    badge_at: datetime
    token: str = ""


def badge_number(raw: str) -> str:
    """Return the number on a badge, whether scanned as a code or typed."""
    seen = resolve(raw)
    return seen.value if seen.kind == "badge" and seen.valid else raw.strip()


def fits(verifier: Verifier, pin: str) -> bool:
    """Tell whether a PIN is the one the server's verifier was made of; slow, so call it in a thread."""
    try:
        salt, expected = base64.b64decode(verifier.salt), base64.b64decode(verifier.hash)
        cost = verifier.params
        made = hash_secret_raw(
            pin.encode(), salt, cost["t"], cost["m"], cost["p"], cost.get("length", len(expected)), Type.ID
        )
    except (binascii.Error, KeyError, HashingError):
        return False
    return hmac.compare_digest(made, expected)


def withdrawn(people: Iterable[KnownPerson], records: Iterable[Practitioner]) -> list[KnownPerson]:
    """Return those whom the ward's records no longer let in by what is kept here.

    They have left, or their sign-ins were withdrawn after they last signed in on this handheld.
    """
    by_id = {record.id: record for record in records}
    found = ((person, by_id.get(person.practitioner.id)) for person in people)
    return [person for person, record in found if record is not None and _is_out(person, record)]


def _is_out(person: KnownPerson, record: Practitioner) -> bool:
    later = record.revoked_at is not None and record.revoked_at > _signed(person)
    return later or not record.active


def _signed(person: KnownPerson) -> datetime:
    """When somebody last signed in; a clock here that is fast outlives no withdrawal."""
    verifier = person.verifier
    return person.last_at if verifier is None else min(person.last_at, verifier.expires - OFFLINE_LIFE)


class Sessions:
    """Signs people in and out and keeps the lock; ``current`` is None when nobody holds the handheld."""

    def __init__(self, *, api: Api, store: Store, clock: Clock, handheld: str, security: Security) -> None:
        self._api, self._store, self._clock = api, store, clock
        self._handheld, self._security = handheld, security
        self._pin = ""  # only between an offline sign-in and the server's return, never on disk
        self._touched = clock.monotonic()
        self.current: Session | None = None
        self.locked = False

    async def sign_in(self, badge: str, pin: str) -> Session:
        """Open a session, on the server or, when it is silent, with the offline verifier.

        Raises:
            RefusedError: ``sign-in`` (wrong), ``too-many-attempts`` (blocked, params ``seconds``),
                ``offline-unknown`` or ``offline-expired`` (needs the server).
        """
        number = badge_number(badge)
        person = await self.known(number)
        self._refuse_blocked(person)
        try:
            session = await self._online(number, pin)
        except UnavailableError:
            session = await self._offline(person, number, pin)
        except RefusedError as error:
            if error.code == "sign-in":
                await self._failed(person)
            raise
        self.current, self.locked = session, False
        self.touch()
        return session

    async def unlock(self, badge: str, pin: str) -> bool:
        """Open the lock: True when the same nurse goes on, False when another one took over."""
        before = self.current
        session = await self._unlock_here(badge_number(badge), pin) or await self.sign_in(badge, pin)
        self.current, self.locked = session, False
        self.touch()
        return before is not None and before.practitioner.id == session.practitioner.id

    async def sign_out(self) -> None:
        """End the session here, and on the server when it answers."""
        had_token = bool(self.current and self.current.token)
        self.current, self.locked, self._pin = None, False, ""
        if had_token:
            # Without an answer the token expires by itself; the next nurse must not wait for that.
            with suppress(UnavailableError, RefusedError):
                await self._api.sign_out()
        self.forget()

    async def ensure_token(self) -> bool:
        """After an offline sign-in, sign in on the server as soon as it answers; True when there is a token.

        Raises:
            UnavailableError: It still does not answer.
            RefusedError: The server does not accept this nurse any more.
        """
        session = self.current
        if session is None or session.token:
            return session is not None
        if not self._pin:
            raise RefusedError("session-ended", "sign in again")
        signed = await self._api.sign_in(session.badge, self._pin, self._handheld)
        await self._keep(session.badge, self._pin, signed)
        self.current = replace(session, token=signed.token, practitioner=signed.practitioner)
        self._pin = ""
        return True

    async def forget_withdrawn(self, records: Iterable[Practitioner]) -> None:
        """Let nobody in without the server whom the ward's records have withdrawn."""
        records = [record for record in records if record.revoked_at is not None or not record.active]
        if records:
            for person in withdrawn(await self._store.people(), records):
                await self._store.forget_person(person.badge)

    async def revoked(self) -> None:
        """The ward has withdrawn this nurse's sign-ins: nothing here lets them in but the server."""
        if self.current is not None:
            await self._store.forget_person(self.current.badge)
        self.lost_token()

    def lost_token(self) -> None:
        """The server ended this session: the lock comes down, the work below stays."""
        if self.current is not None:
            self.current = replace(self.current, token="")
            self.locked = True
        self._api.use("")

    def forget(self) -> None:
        """Nobody holds this handheld any more, and the server need not be told."""
        self.current, self.locked, self._pin = None, False, ""
        self._store.lock()
        self._api.use("")

    def touch(self) -> None:
        """Somebody touched the screen or scanned."""
        self._touched = self._clock.monotonic()

    def lock_when_idle(self) -> bool:
        """Lock after the idle time; True when it has just been locked."""
        idle = self._clock.monotonic() - self._touched
        if self.current is None or self.locked or idle < self._security.lock_after_s:
            return False
        self.locked = True
        return True

    async def known(self, number: str) -> KnownPerson | None:
        """Return what is kept of a person who signed in here before."""
        return next((person for person in await self._store.people() if person.badge == number), None)

    def _refuse_blocked(self, person: KnownPerson | None) -> None:
        until = person.blocked_until if person else None
        if until is not None and until > self._clock.now():
            seconds = int((until - self._clock.now()).total_seconds()) + 1
            raise RefusedError("too-many-attempts", "too many wrong PINs; wait", seconds=seconds)

    async def _failed(self, person: KnownPerson | None) -> None:
        if person is None:
            return
        failures = person.failures + 1
        blocked = None
        if failures >= self._security.attempts:
            blocked, failures = self._clock.now() + timedelta(seconds=self._security.block_s), 0
        await self._store.update_person(replace(person, failures=failures, blocked_until=blocked))

    async def _online(self, number: str, pin: str) -> Session:
        signed = await self._api.sign_in(number, pin, self._handheld)
        await self._keep(number, pin, signed)
        self._pin = ""
        return Session(
            badge=number,
            practitioner=signed.practitioner,
            ward=signed.ward,
            badge_at=self._clock.now(),
            token=signed.token,
        )

    async def _keep(self, number: str, pin: str, signed: SignedIn) -> None:
        self._api.use(signed.token)
        person = KnownPerson(
            badge=number,
            practitioner=signed.practitioner,
            ward=signed.ward,
            last_at=self._clock.now(),
            verifier=signed.offline_verifier,
        )
        await self._store.remember(person, pin)

    async def _unlock_here(self, number: str, pin: str) -> Session | None:
        """Unlock without the server when the same nurse's session is still good; works in the lift."""
        session, person = self.current, await self.known(number)
        if session is None or session.badge != number or person is None or not (session.token or self._pin):
            return None
        self._refuse_blocked(person)
        if person.verifier is None or person.verifier.expires <= self._clock.now():
            return None
        await self._prove(person, pin)
        return replace(session, badge_at=self._clock.now())

    async def recognise(self, badge: str, pin: str) -> Practitioner:
        """Recognise another person's PIN without the server; who is signed in stays so.

        Raises:
            RefusedError: ``sign-in`` (wrong), ``too-many-attempts``, ``offline-unknown`` or
                ``offline-expired``.
        """
        person, verifier = self._ready_offline(await self.known(badge_number(badge)))
        self._refuse_blocked(person)
        await self._failed(person)
        if not await asyncio.to_thread(fits, verifier, pin):
            raise RefusedError("sign-in", "badge and PIN do not belong together")
        await self._store.update_person(replace(person, failures=0, blocked_until=None))
        return person.practitioner

    def _ready_offline(self, person: KnownPerson | None) -> tuple[KnownPerson, Verifier]:
        if person is None or person.verifier is None:
            raise RefusedError("offline-unknown", "the first sign-in on this handheld needs the server")
        if person.verifier.expires <= self._clock.now():
            raise RefusedError("offline-expired", "the offline sign-in has expired; find the network")
        return person, person.verifier

    async def _offline(self, person: KnownPerson | None, number: str, pin: str) -> Session:
        person, _ = self._ready_offline(person)
        await self._prove(person, pin)
        self._pin = pin
        self._api.use("")
        return Session(
            badge=number,
            practitioner=person.practitioner,
            ward=person.ward,
            badge_at=self._clock.now(),
        )

    async def _prove(self, person: KnownPerson, pin: str) -> None:
        """Check a PIN here. The attempt is counted on the disk first, so pulling the battery wins nothing."""
        await self._failed(person)
        verifier = person.verifier
        good = verifier is not None and await asyncio.to_thread(fits, verifier, pin)
        if not good or not await self._store.unlock(person.badge, pin):
            raise RefusedError("sign-in", "badge and PIN do not belong together")
        await self._store.update_person(replace(person, failures=0, blocked_until=None))
