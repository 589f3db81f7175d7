"""Tokens of other systems: made by an engineer, shown once, kept as a digest, revoked at once."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from clinical.errors import BadInputError, ConflictError, NotFoundError, RefusedError
from server.fhir.caller import Scope, System, read_scope
from server.fhir.served import TYPES
from server.people.errors import SignInError, TooManyAttemptsError
from server.people.service import digest
from server.sites import Site
from server.storage.schema import fhir_tokens as table
from server.storage.store import Store, UnitOfWork

PREFIX = "wlf_"
"""What every token begins with, so that a leaked one is found and told from a session."""
MAKERS = ("engineer",)
_OTHERS = frozenset({"*", "Group", "Subscription"})
_MINUTE = timedelta(minutes=1)
_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; never the token itself."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: datetime
    created_by: str
    expires: datetime
    revoked: datetime | None = None


def make(
    unit: UnitOfWork,
    site: Site,
    *,
    name: str,
    scopes: Sequence[str],
    days: int,
    by: str,
    own: Sequence[str] = (),
) -> tuple[str, Token]:
    """Make a token and return it with what is known of it; this is the only time it is seen.

    Raises:
        BadInputError: A scope is not one, or names a type or ward that is not here.
        ConflictError: A token of this name is in use.
    """
    read = [read_scope(text) for text in scopes]
    if not read:
        raise BadInputError("fhir-scope", "a token needs at least one scope")
    for scope in read:
        _check(scope, site)
    if own and any(scope.ward not in own for scope in read):
        raise RefusedError(
            "other-ward", "name your own ward in every scope, or ask an engineer of the whole hospital"
        )
    if any(
        one.name == name and one.revoked is None and one.expires > unit.now for one in every(unit.connection)
    ):
        raise ConflictError(
            "fhir-token-name", "a token of this name is in use; revoke it first, or name another"
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token(
        id=secrets.token_hex(8),
        name=name,
        scopes=tuple(map(str, read)),
        created=unit.now,
        created_by=by,
        expires=unit.now + timedelta(days=days),
    )
    values = {field: getattr(token, field) for field in ("id", "name", "created", "created_by", "expires")}
    scopes_text = msgspec.json.encode(token.scopes).decode()
    unit.connection.execute(insert(table).values(**values, token_hash=digest(secret), scopes=scopes_text))
    unit.audit("fhir-token", actor=by, entity=f"fhir-token:{token.id}", detail=" ".join(token.scopes))
    return secret, token


def _check(scope: Scope, site: Site) -> None:
    if scope.kind not in TYPES.keys() | _OTHERS:
        raise BadInputError("fhir-scope", "a scope names a kind of resource that is not served here")
    if scope.ward:
        site.ward(scope.ward)


def revoke(unit: UnitOfWork, token_id: str, by: str) -> None:
    """End a token now; ending it again changes nothing.

    Raises:
        NotFoundError: There is no such token.
    """
    if unit.connection.scalar(select(table.c.id).where(table.c.id == token_id)) is None:
        raise NotFoundError("fhir-token", "there is no such token; list them")
    ended = update(table).where(table.c.id == token_id, table.c.revoked.is_(None)).values(revoked=unit.now)
    if unit.connection.execute(ended).rowcount:
        unit.audit("fhir-token-revoke", actor=by, entity=f"fhir-token:{token_id}")


def every(connection: Connection, limit: int = 500, offset: int = 0) -> list[Token]:
    """Every token there ever was, newest first."""
    rows = connection.execute(
        select(table).order_by(table.c.created.desc(), table.c.id).limit(limit).offset(offset)
    )
    return [_token(row) for row in rows]


def _token(row: Row[tuple[object, ...]]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=msgspec.json.decode(row.scopes, type=tuple[str, ...]),
        created=row.created,
        created_by=row.created_by,
        expires=row.expires,
        revoked=row.revoked,
    )


def system_of(connection: Connection, secret: str, now: datetime) -> System:
    """Return whose token this is.

    Raises:
        SignInError: It is no token, was revoked, or has expired.
    """
    row = connection.execute(select(table).where(table.c.token_hash == digest(secret))).first()
    if row is None or row.revoked is not None or row.expires <= now:
        raise SignInError(
            "fhir-token-ended", "this token is not known, was revoked or has expired; ask for a new one"
        )
    return system(_token(row))


def system(token: Token) -> System:
    """Return the system a token stands for."""
    return System(token_id=token.id, name=token.name, scopes=tuple(map(read_scope, token.scopes)))


def by_id(connection: Connection, token_id: str, now: datetime) -> System | None:
    """Return the system of a token that still opens, by the token's id."""
    row = connection.execute(select(table).where(table.c.id == token_id)).first()
    if row is None or row.revoked is not None or row.expires <= now:
        return None
    return system(_token(row))


class Limiter:
    """Counts the requests of each token within the last minute; may be asked from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, deque[datetime]] = OrderedDict()

    def note(self, token_id: str, now: datetime, per_minute: int) -> None:
        """Count a request.

        Raises:
            TooManyAttemptsError: There were too many within a minute.
        """
        with self._lock:
            asked = self._asked.setdefault(token_id, deque())
            self._asked.move_to_end(token_id)
            while len(self._asked) > _MOST:
                self._asked.popitem(last=False)
            while asked and now - asked[0] >= _MINUTE:
                asked.popleft()
            if len(asked) >= per_minute:
                wait = (asked[0] + _MINUTE - now).total_seconds() // 1 + 1
                raise TooManyAttemptsError(
                    "fhir-rate", "this token has asked too often within a minute; wait", retry_after_s=wait
                )
            asked.append(now)


class Trail:
    """Writes down what a system looks at: the same thing once a minute, before it is answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: OrderedDict[tuple[str, ...], datetime] = OrderedDict()

    def note(self, store: Store, system: System, action: str, entity: str, patient: str = "") -> None:
        """Note one look."""
        key, now = (system.token_id, action, entity, patient), store.clock()
        with self._lock:
            before = self._noted.get(key)
        if before is not None and now - before < _MINUTE:
            return
        store.write(lambda unit: unit.audit(action, actor=system.actor, entity=entity, patient=patient))
        with self._lock:
            self._noted[key] = now
            self._noted.move_to_end(key)
            while len(self._noted) > _MOST:
                self._noted.popitem(last=False)
