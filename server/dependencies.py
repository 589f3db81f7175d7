"""What routes ask for: the running server's parts, and who is signed in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection

from clinical.errors import RefusedError
from server.context import Context
from server.people.errors import SignInError
from server.people.service import Session, session_of

COOKIE = "wardlink_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def context_of(connection: HTTPConnection) -> Context:
    """Return the running server's parts."""
    context: Context = connection.app.state.context
    return context


def current_session(connection: HTTPConnection) -> Session:
    """Return who is signed in: by bearer token, or by cookie with the right origin.

    Raises:
        SignInError: Nobody is, or the session has ended.
        RefusedError: A browser sends the cookie from another site.
    """
    context = context_of(connection)
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return session_of(context.store, token.strip())
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        raise SignInError("session", "sign in first")
    if connection.scope.get("method", "WEBSOCKET") not in _SAFE:
        check_origin(connection)
    return session_of(context.store, cookie)


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
