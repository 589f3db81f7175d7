"""``/sessions`` and ``/me``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from server.dependencies import COOKIE, Ctx, SignedInAs, check_origin
from server.people import service
from server.people.schemas import Me, OfflineVerifier, OneTime, OneTimeCode, SignedIn, SignIn

router = APIRouter(tags=["people"])


@router.post("/sessions", status_code=201)
def sign_in(body: SignIn, context: Ctx) -> SignedIn:
    """Open a session on a handheld with badge and PIN."""
    token, session = service.sign_in(
        context.store, context.limits, badge=body.badge, pin=body.pin, handheld=body.handheld
    )
    return SignedIn(
        token=token,
        expires=session.expires,
        practitioner=session.practitioner,
        ward=context.site.first,
        offline_verifier=OfflineVerifier(**service.offline_verifier(body.pin, context.store.clock())),
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
