"""Sessions that wait for their holder: locked by hand or by silence, opened with PIN or password.

A locked session shows who it belongs to and does nothing else. What goes on is what a patient depends on: the
wall keeps showing the ward, and a handheld keeps sending what was done and hearing what changes.
"""

from __future__ import annotations

import re
from datetime import timedelta

from server.people import store as people
from server.people.doors import Doors
from server.people.errors import SignInError
from server.people.service import Attempt, Limits, Session, prove
from server.people.settings import Access
from server.storage.store import Store, UnitOfWork

NOTE_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used."""
_ALWAYS = ("/sessions/current", "/sessions/current/lock", "/sessions/current/unlock", "/me")
_HANDHELD = re.compile(r"/api/v1/(events|wards/[^/]+/changes)")


def is_exempt(path: str, kind: str) -> bool:
    """Whether a locked session may call an address all the same."""
    return path.endswith(_ALWAYS) or (kind == "bearer" and _HANDHELD.fullmatch(path) is not None)


def require_open(session: Session, path: str) -> None:
    """Let a locked session do nothing but open again, end, and what a patient depends on.

    Raises:
        SignInError: It is locked.
    """
    if session.locked and not is_exempt(path, session.kind):
        raise SignInError("session-locked", "this session is locked; type your PIN or password")


def note_use(store: Store, session: Session, access: Access, path: str) -> None:
    """Remember that somebody is there, where silence would lock the session."""
    if access.silence(session.kind) is None or session.locked or is_exempt(path, session.kind):
        return
    now = store.clock()
    if session.used is None or now - session.used >= NOTE_EVERY:
        store.write(lambda unit: people.note_use(unit.connection, session.id, now))


def lock(unit: UnitOfWork, session: Session) -> None:
    """Lock a session now."""
    people.lock_session(unit.connection, session.id, unit.now)
    unit.audit("session-lock", actor=session.practitioner.id, entity=f"session:{session.id}")


def unlock(store: Store, limits: Limits, doors: Doors, session: Session, attempt: Attempt) -> None:
    """Open a locked session for its own holder; slow by design.

    Raises:
        SignInError: The PIN or password is wrong.
        TooManyAttemptsError: The badge is locked for a while.
    """
    person, _ = prove(store, limits, doors, attempt)
    if person.id != session.practitioner.id:  # a badge that changed hands meanwhile
        raise SignInError("session", "your session has ended; sign in again")

    def run(unit: UnitOfWork) -> None:
        people.note_attempt(unit.connection, person.id, 0, None)
        people.lock_session(unit.connection, session.id, None)
        people.note_use(unit.connection, session.id, unit.now)
        unit.audit("session-unlock", actor=person.id, entity=f"session:{session.id}")

    store.write(run)
