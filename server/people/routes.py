"""``/sessions`` and ``/me``."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from server.context import Context
from server.dependencies import COOKIE, Ctx, SignedInAs, check_origin
from server.people import service
from server.people.schemas import Me, OfflineVerifier, OneTime, OneTimeCode, SignedIn, SignIn

router = APIRouter(tags=["people"])


@router.post("/sessions", status_code=201)
async def sign_in(body: SignIn, request: Request, context: Ctx) -> SignedIn:
    """Open a session on a handheld with badge and PIN."""
    address = request.client.host if request.client else ""
    context.doors.knock(address, context.store.clock())
    attempt = service.Attempt(badge=body.badge, pin=body.pin, handheld=body.handheld, address=address)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(context.doors.pool, _signed_in, context, attempt)


def _signed_in(context: Context, attempt: service.Attempt) -> SignedIn:
    token, session = service.sign_in(context.store, context.limits, context.doors, attempt)
    return SignedIn(
        token=token,
        expires=session.expires,
        practitioner=session.practitioner,
        ward=context.site.first,
        offline_verifier=OfflineVerifier(**service.offline_verifier(attempt.pin, context.store.clock())),
    )


@router.post("/sessions/one-time", status_code=201)
def open_web(body: OneTime, request: Request, response: Response, context: Ctx) -> Me:
    """Open a web session with a one-time code; the answer sets the session cookie."""
    check_origin(request)
    token, session = service.use_code(context.store, context.limits, body.code)
    response.set_cookie(
        COOKIE,
        token,
        expires=session.expires,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return Me(practitioner=session.practitioner, ward=context.site.first, expires=session.expires)


@router.post("/sessions/one-time-codes", status_code=201)
def make_code(session: SignedInAs, context: Ctx) -> OneTimeCode:
    """Make a one-time code with which the same person opens the web on a screen."""
    code, expires = service.make_code(context.store, session.practitioner.id)
    return OneTimeCode(code=code, expires=expires)


@router.delete("/sessions/current", status_code=204)
def sign_out(session: SignedInAs, context: Ctx) -> Response:
    """End the session; its token opens nothing any more."""
    service.sign_out(context.store, session)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/me")
def me(session: SignedInAs, context: Ctx) -> Me:
    """Say who is signed in."""
    return Me(practitioner=session.practitioner, ward=context.site.first, expires=session.expires)
