"""``/sessions``, ``/me``, new PINs and passwords, and how another ward is opened."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from server.context import Context
from server.dependencies import COOKIE, Ctx, SignedInAs, check_origin
from server.people import access, locks, pins, service
from server.people.confirmations import Confirmed, Wish, issue
from server.people.schemas import (
    BreakGlass,
    Confirm,
    Grants,
    Me,
    NewPassword,
    NewPin,
    OfflineVerifier,
    OneTime,
    OneTimeCode,
    Secret,
    SignedIn,
    SignIn,
    WebSignIn,
)
from server.people.settings import access_of
from server.sync.sound import check_sound

router = APIRouter(tags=["people"])
WardId = Annotated[str, Path(max_length=64)]


@router.post("/sessions", status_code=201)
async def sign_in(body: SignIn, request: Request, context: Ctx) -> SignedIn:
    """Open a session on a handheld with badge and PIN."""
    attempt = service.Attempt(
        badge=body.badge, pin=body.pin, handheld=body.handheld, address=_address(request)
    )
    context.doors.knock(attempt.address, context.store.clock())
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
    attempt = service.Attempt(
        badge=body.badge, pin=body.pin, handheld=session.handheld, address=_address(request)
    )
    context.doors.knock(attempt.address, context.store.clock())
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
    return _opened(context, request, response, token, session)


def _opened(
    context: Context, request: Request, response: Response, token: str, session: service.Session
) -> Me:
    """Give the browser its cookie, and say who has signed in."""
    response.set_cookie(
        COOKIE,
        token,
        expires=session.expires,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        path="/",
    )
    return _me(context, session)


def _me(context: Context, session: service.Session) -> Me:
    return Me(
        practitioner=session.practitioner,
        ward=access.home(context.site, session),
        expires=session.expires,
        locked=session.locked,
    )


@router.post("/sessions/web", status_code=201)
async def sign_in_web(body: WebSignIn, request: Request, response: Response, context: Ctx) -> Me:
    """Open a web session with badge and password; the answer sets the session cookie."""
    check_origin(request)
    attempt = service.Attempt(
        badge=body.badge, pin=body.password, handheld="", address=_address(request), by="password"
    )
    context.doors.knock(attempt.address, context.store.clock())
    loop = asyncio.get_running_loop()
    token, session = await loop.run_in_executor(
        context.doors.pool, service.sign_in, context.store, context.limits, context.doors, attempt
    )
    return _opened(context, request, response, token, session)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


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
    """Say who is signed in, and whether the session is locked."""
    return _me(context, session)


@router.post("/sessions/current/lock", status_code=204)
def lock(session: SignedInAs, context: Ctx) -> None:
    """Lock the session: nothing is done in it until its holder has typed PIN or password."""
    context.store.write(lambda unit: locks.lock(unit, session))


@router.post("/sessions/current/unlock", status_code=204)
async def unlock(body: Secret, request: Request, session: SignedInAs, context: Ctx) -> None:
    """Open a locked session again with its holder's own PIN or password."""
    attempt = _own_attempt(request, session, body.secret, body.by)
    context.doors.knock(attempt.address, context.store.clock())
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(
        context.doors.pool, locks.unlock, context.store, context.limits, context.doors, session, attempt
    )


@router.post("/me/password", status_code=204)
async def set_password(body: NewPassword, request: Request, session: SignedInAs, context: Ctx) -> None:
    """Set the password with which the person who is signed in opens the web; their PIN proves it is them."""
    pins.check_password(body.password, session.practitioner.badge, access_of(context.settings))
    attempt = _own_attempt(request, session, body.pin, "pin")
    context.doors.knock(attempt.address, context.store.clock())
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(
        context.doors.pool, pins.set_password, context.store, context.limits, context.doors, attempt,
        body.password,
    )  # fmt: skip


def _own_attempt(request: Request, session: service.Session, secret: str, by: str) -> service.Attempt:
    badge = session.practitioner.badge
    return service.Attempt(
        badge=badge, pin=secret, handheld=session.handheld, address=_address(request), by=by, own=True
    )


@router.post("/pins", status_code=204)
async def set_pin(body: NewPin, request: Request, context: Ctx) -> None:
    """Set a new PIN with the code that the ward's manager has handed over; it counts once."""
    wish = pins.NewPin(badge=body.badge, code=body.code, pin=body.pin, address=_address(request))
    context.doors.knock(wish.address, context.store.clock())
    loop = asyncio.get_running_loop()
    allowed = access_of(context.settings)
    await loop.run_in_executor(
        context.doors.pool, pins.set_pin, context.store, context.limits, context.doors, allowed, wish
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
