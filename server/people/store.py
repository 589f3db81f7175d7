"""SQL of credentials, sessions and one-time codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from server.storage.schema import credentials, one_time_codes, sessions, ward_grants


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


def note_hash(connection: Connection, practitioner: str, pin_hash: str) -> None:
    """Replace a PIN hash, for instance when the parameters became stronger."""
    connection.execute(
        update(credentials).where(credentials.c.practitioner_id == practitioner).values(pin_hash=pin_hash)
    )


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


def add_code(connection: Connection, code_hash: str, practitioner: str, expires: datetime) -> None:
    """Store a one-time code under its hash."""
    connection.execute(
        insert(one_time_codes).values(code_hash=code_hash, practitioner_id=practitioner, expires=expires)
    )


def use_code(connection: Connection, code_hash: str, now: datetime) -> str | None:
    """Use a code up and return whose it was; None when unknown, used or expired."""
    row = connection.execute(select(one_time_codes).where(one_time_codes.c.code_hash == code_hash)).first()
    if row is None or row.used is not None or row.expires <= now:
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
