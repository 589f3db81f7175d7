"""``/sessions``, ``/me``, and how another ward is opened."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from server.context import Context
from server.dependencies import COOKIE, Ctx, SignedInAs, check_origin
from server.people import access, service
from server.people.confirmations import Confirmed, Wish, issue
from server.people.schemas import (
    BreakGlass,
    Confirm,
    Grants,
    Me,
    OfflineVerifier,
    OneTime,
    OneTimeCode,
    SignedIn,
    SignIn,
)
from server.sync.sound import check_sound

router = APIRouter(tags=["people"])
WardId = Annotated[str, Path(max_length=64)]


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
        ward=access.home(context.site, session),
        offline_verifier=OfflineVerifier(**service.offline_verifier(attempt.pin, context.store.clock())),
    )


@router.post("/confirmations", status_code=201)
async def confirm(body: Confirm, request: Request, session: SignedInAs, context: Ctx) -> Confirmed:
    """Prove with another person's badge and PIN that they stand behind one check; counts once, for 5 min."""
    check_sound(body.request)
    address = request.client.host if request.client else ""
    context.doors.knock(address, context.store.clock())
    attempt = service.Attempt(badge=body.badge, pin=body.pin, handheld=session.handheld, address=address)
    wish = Wish(
        purpose=body.purpose,
        request=body.request,
        task_id=body.task_id,
        codes=tuple(body.codes),
        value=body.value,
    )
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(context.doors.pool, _confirmed, context, session, attempt, wish)


def _confirmed(context: Context, session: service.Session, attempt: service.Attempt, wish: Wish) -> Confirmed:
    person, _ = service.prove(context.store, context.limits, context.doors, attempt)
    return context.store.write(lambda unit: issue(unit, session, person, wish, context.site.policy))


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
    return Me(
        practitioner=session.practitioner, ward=access.home(context.site, session), expires=session.expires
    )


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
    return Me(
        practitioner=session.practitioner, ward=access.home(context.site, session), expires=session.expires
    )


@router.post("/wards/{ward}/break-glass", status_code=201)
def break_glass(body: BreakGlass, ward: WardId, session: SignedInAs, context: Ctx) -> access.Grant:
    """Open another ward for an hour, when a patient there cannot wait; its manager reads the reason."""
    context.site.ward(ward)
    return context.store.write(lambda unit: access.open_ward(unit, session, ward, body.reason.strip()))


@router.get("/wards/{ward}/break-glass")
def read_break_glass(
    ward: WardId,
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=access.MAX_GRANTS)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Grants:
    """List who opened this ward, newest first."""
    session.require(*access.MANAGERS)
    context.site.ward(ward)
    session.require_ward(ward)
    with context.store.reading() as connection:
        return Grants(grants=access.grants_of(connection, ward, limit, offset))
