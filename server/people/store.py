"""SQL of credentials, sessions and one-time codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from server.storage.columns import EPOCH
from server.storage.schema import confirmations, credentials, one_time_codes, sessions, ward_grants

REVOKED, GIVEN_UP = "revoked", "given-up"
"""How a session ended that its holder did not end: by a manager, or with its handheld."""


def credential_of(connection: Connection, badge: str) -> Row[Any] | None:
    """Find the credential of a badge."""
    return connection.execute(select(credentials).where(credentials.c.badge == badge)).first()


def note_attempt(
    connection: Connection, practitioner: str, failed: int, locked_until: datetime | None
) -> None:
    """Write how many attempts failed in a row, and until when no further one is taken."""
    connection.execute(
        update(credentials)
        .where(credentials.c.practitioner_id == practitioner)
        .values(failed=failed, locked_until=locked_until)
    )


def note_hash(connection: Connection, practitioner: str, known: str, by: str = "pin") -> None:
    """Replace the hash of a PIN or password, for instance when the parameters became stronger."""
    column = "password_hash" if by == "password" else "pin_hash"
    connection.execute(
        update(credentials).where(credentials.c.practitioner_id == practitioner).values({column: known})
    )


def note_badge(connection: Connection, practitioner: str, badge: str) -> None:
    """Give a person another badge."""
    connection.execute(
        update(credentials).where(credentials.c.practitioner_id == practitioner).values(badge=badge)
    )


def credentials_of(connection: Connection, practitioners: Sequence[str]) -> dict[str, Row[Any]]:
    """Find the credentials of several people by their ids."""
    rows = connection.execute(select(credentials).where(credentials.c.practitioner_id.in_(practitioners)))
    return {row.practitioner_id: row for row in rows}


def count_open(connection: Connection, practitioners: Sequence[str], now: datetime) -> dict[str, int]:
    """How many sessions of each person are open."""
    table = sessions
    rows = connection.execute(
        select(table.c.practitioner_id, func.count())
        .where(table.c.practitioner_id.in_(practitioners), table.c.ended.is_(None), table.c.expires > now)
        .group_by(table.c.practitioner_id)
    )
    return {row[0]: row[1] for row in rows}


def end_sessions_of(connection: Connection, practitioner: str, at: datetime) -> int:
    """End every session of a person, and what else opens a door in their name; returns how many sessions."""
    ended = connection.execute(
        update(sessions)
        .where(sessions.c.practitioner_id == practitioner, sessions.c.ended.is_(None))
        .values(ended=at, ended_as=REVOKED)
    )
    connection.execute(delete(one_time_codes).where(one_time_codes.c.practitioner_id == practitioner))
    connection.execute(
        delete(confirmations).where(
            confirmations.c.practitioner_id == practitioner, confirmations.c.used_by.is_(None)
        )
    )
    return ended.rowcount


def is_known_handheld(connection: Connection, handheld: str) -> bool:
    """Whether anybody has signed in on a handheld."""
    found = select(sessions.c.id).where(sessions.c.handheld == handheld).limit(1)
    return connection.scalar(found) is not None


def holders_of(connection: Connection, handheld: str, since: datetime = EPOCH) -> list[str]:
    """Who has signed in on a handheld, in sessions that had not run their full time at ``since``."""
    table = sessions
    held = select(table.c.practitioner_id).where(table.c.handheld == handheld, table.c.expires > since)
    return list(connection.scalars(held.distinct()))


def give_up_handheld(connection: Connection, handheld: str, at: datetime) -> int:
    """End every session on a handheld, the signed-out ones too: whatever token it shows, it is wiped."""
    holders = holders_of(connection, handheld, at)
    web = update(sessions).where(
        sessions.c.practitioner_id.in_(holders), sessions.c.kind == "web", sessions.c.ended.is_(None)
    )
    connection.execute(web.values(ended=at, ended_as=REVOKED))  # opened, perhaps, with a code made on it
    connection.execute(
        delete(one_time_codes).where(
            one_time_codes.c.practitioner_id.in_(holders), one_time_codes.c.purpose == "web"
        )
    )
    here = update(sessions).where(sessions.c.handheld == handheld)
    ended = connection.execute(here.where(sessions.c.ended.is_(None)).values(ended=at))
    connection.execute(here.values(ended_as=GIVEN_UP))
    return ended.rowcount


def note_use(connection: Connection, session_id: str, at: datetime) -> None:
    """Write when somebody last did something in a session."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(used=at))


def lock_session(connection: Connection, session_id: str, at: datetime | None) -> None:
    """Lock a session, or open it again with None."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(locked=at))


def add_credential(connection: Connection, practitioner: str, badge: str, pin_hash: str) -> None:
    """Give a person a badge and a PIN."""
    connection.execute(
        insert(credentials).values(practitioner_id=practitioner, badge=badge, pin_hash=pin_hash, failed=0)
    )


def add_session(connection: Connection, **values: Any) -> None:
    """Store a session under the hash of its token."""
    connection.execute(insert(sessions).values(**values))


def session_of(connection: Connection, token_hash: str) -> Row[Any] | None:
    """Find a session by the hash of its token, ended or not."""
    return connection.execute(select(sessions).where(sessions.c.token_hash == token_hash)).first()


def sessions_on(connection: Connection, practitioner: str, handheld: str) -> Sequence[Row[Any, Any, Any]]:
    """Every session a person had on a handheld, ended or not."""
    table = sessions
    return connection.execute(
        select(table.c.created, table.c.ended, table.c.expires).where(
            table.c.practitioner_id == practitioner, table.c.handheld == handheld
        )
    ).all()


def end_session(connection: Connection, session_id: str, at: datetime) -> None:
    """End one session."""
    connection.execute(
        update(sessions).where(sessions.c.id == session_id, sessions.c.ended.is_(None)).values(ended=at)
    )


def add_code(
    connection: Connection, code_hash: str, practitioner: str, expires: datetime, purpose: str
) -> None:
    """Store a one-time code under its hash; ``purpose`` is ``web`` (a session) or ``pin`` (a new PIN)."""
    connection.execute(
        insert(one_time_codes).values(
            code_hash=code_hash, practitioner_id=practitioner, expires=expires, purpose=purpose
        )
    )


def forget_codes(connection: Connection, practitioner: str, purpose: str) -> None:
    """Let a person's codes for one purpose count no more."""
    table = one_time_codes
    connection.execute(
        delete(table).where(table.c.practitioner_id == practitioner, table.c.purpose == purpose)
    )


def use_code(
    connection: Connection, code_hash: str, now: datetime, purpose: str, owner: str = ""
) -> str | None:
    """Use a code up and return whose it was; None when unknown, used, expired, or not for this.

    ``owner`` is whose it has to be; whoever shows it, when empty.
    """
    row = connection.execute(select(one_time_codes).where(one_time_codes.c.code_hash == code_hash)).first()
    if row is None or row.used is not None or row.expires <= now or row.purpose != purpose:
        return None
    if owner and row.practitioner_id != owner:
        return None
    connection.execute(update(one_time_codes).where(one_time_codes.c.code_hash == code_hash).values(used=now))
    return str(row.practitioner_id)


def open_wards(connection: Connection, practitioner: str, now: datetime) -> frozenset[str]:
    """The wards a person has opened with break-glass and that are still open."""
    table = ward_grants
    wards = connection.scalars(
        select(table.c.ward).where(table.c.practitioner_id == practitioner, table.c.expires > now)
    )
    return frozenset(wards)
