"""What routes ask for: the running server's parts, and who is signed in."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from clinical.errors import RefusedError
from server.context import Context
from server.people import access, locks
from server.people.errors import SignInError
from server.people.service import Session, session_of
from server.people.settings import access_of

COOKIE = "wardlink_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def context_of(connection: HTTPConnection) -> Context:
    """Return the running server's parts."""
    context: Context = connection.app.state.context
    return context


def current_session(connection: HTTPConnection) -> Session:
    """Return who is signed in: by bearer token, or by cookie with the right origin.

    Raises:
        SignInError: Nobody is, or the session has ended or is locked.
        GivenUpError: The ward has given the handheld up.
        RefusedError: A browser sends the cookie from another site.
    """
    context = context_of(connection)
    allowed = access_of(context.settings)
    session = session_of(context.store, _shown(connection), allowed)
    if connection.scope["type"] == "http":  # a wall goes on showing the ward while its person is away
        path = connection.url.path
        locks.require_open(session, path)
        locks.note_use(context.store, session, allowed, path)
    return session


def _shown(connection: HTTPConnection) -> str:
    """Return the token a request shows."""
    token = token_of(connection)
    if not token:
        raise SignInError("session", "sign in first")
    by_cookie = not _bearer(connection)
    if by_cookie and connection.scope.get("method", "WEBSOCKET") not in _SAFE:
        check_origin(connection)
    return token


def token_of(connection: HTTPConnection) -> str:
    """Return the bearer token or cookie of a request, whatever it is worth; empty without one."""
    return _bearer(connection) or connection.cookies.get(COOKIE, "")


def _bearer(connection: HTTPConnection) -> str:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def check_origin(connection: HTTPConnection) -> None:
    """Let only pages of this very server act with its cookie.

    Raises:
        RefusedError: The origin is missing or another one.
    """
    origin = urlsplit(connection.headers.get("origin", ""))
    own = {connection.headers.get("host", "")}
    public = urlsplit(context_of(connection).settings.server.public_url)
    if public.netloc:
        own.add(public.netloc)
    if origin.scheme not in {"http", "https"} or origin.netloc not in own:
        raise RefusedError("origin", "this page may not act for you; open the ward's own address")


Ctx = Annotated[Context, Depends(context_of)]
SignedInAs = Annotated[Session, Depends(current_session)]


_JUDGED = ("/checks", "/events")
"""Their ward is judged with what they say: a patient of another ward is a STOP, a dose is never refused."""


async def own_ward(request: Request, session: SignedInAs, context: Ctx) -> None:
    """Let only people of the ward reach what an address or a body names; on every route about patients.

    Raises:
        RefusedError: It belongs to another ward.
    """
    named = [*request.path_params.items(), *request.query_params.items()]
    if not request.url.path.endswith(_JUDGED):
        named += await _named_in_body(request)
    used = access.check_named(context.store.picture, context.site, session, named)
    if used:
        what = f"{request.method} {request.scope['route'].path}"
        await run_in_threadpool(access.note_use, context.store, session, used, what)


async def _named_in_body(request: Request) -> list[tuple[str, Any]]:
    """What the body names; one that cannot be read is the route's own to refuse."""
    try:
        body = json.loads(await request.body() or b"null")
    except (ValueError, RecursionError):
        return []
    return list(body.items()) if isinstance(body, dict) else []
