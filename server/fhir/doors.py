"""What every FHIR route asks first: who it is, what it wants back, and within which bounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from server.context import Context
from server.dependencies import Ctx, context_of, current_session
from server.fhir import tokens
from server.fhir.caller import Caller, Person, System
from server.fhir.errors import BASE, FhirError
from server.fhir.exports import Exports
from server.fhir.reading import Asking
from server.fhir.served import READERS
from server.fhir.settings import Fhir
from server.fhir.shape import JSON, Resource, to_json
from server.fhir.view import View
from server.people import access

_ACCEPTED = ("application/fhir+json", "application/json", "json", "*/*", "application/*", "text/json")
_SENT = ("application/fhir+json", "application/json")


@dataclass(slots=True)
class Door:
    """What the door remembers while the process runs."""

    limiter: tokens.Limiter = field(default_factory=tokens.Limiter)
    trail: tokens.Trail = field(default_factory=tokens.Trail)
    exports: Exports = field(default_factory=Exports)
    settings: Fhir | None = None  # instead of the server's own


def door_of(request: Request) -> Door:
    """Return what the door remembers."""
    door: Door = request.app.state.fhir
    return door


def settings_of(request: Request) -> Fhir:
    """Return the site's settings of this door."""
    found = door_of(request).settings or getattr(context_of(request).settings, "fhir", None)
    return found if isinstance(found, Fhir) else Fhir()


def caller_of(request: Request, context: Ctx) -> Caller:
    """Return who asks: a system by its token, else a person by their session.

    Raises:
        SignInError: Nobody does, or what they show has ended.
        TooManyAttemptsError: A system asks too often.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip().startswith(tokens.PREFIX):
        now = context.store.clock()
        with context.store.reading() as connection:
            system = tokens.system_of(connection, secret.strip(), now)
        door_of(request).limiter.note(system.token_id, now, settings_of(request).requests_per_minute)
        return system
    return Person(session=current_session(request), roles=dict(READERS))


CallerIs = Annotated[Caller, Depends(caller_of)]


def base_of(request: Request) -> str:
    """Return the address of this door as callers reach it."""
    public = context_of(request).settings.server.public_url.rstrip("/")
    return (public or str(request.base_url).rstrip("/")) + BASE


def check_accept(request: Request) -> None:
    """Refuse who cannot read JSON.

    Raises:
        FhirError: Only something else is asked for.
    """
    wanted = request.query_params.get("_format") or request.headers.get("accept") or "*/*"
    kinds = [part.split(";")[0].strip().lower().replace(" ", "+") for part in wanted.split(",")]
    if not any(kind in _ACCEPTED for kind in kinds):
        raise FhirError(406, "fhir-accept", "this server speaks application/fhir+json alone")


def check_sent(request: Request) -> None:
    """Refuse what is not JSON.

    Raises:
        FhirError: It says that it is something else.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in _SENT:
        raise FhirError(415, "fhir-content-type", "send application/fhir+json")


Checked = Depends(check_accept)


def view_of(request: Request) -> View:
    """Return the facts as they are now."""
    context = context_of(request)
    return View(picture=context.store.picture, site=context.site, systems=settings_of(request).systems)


@contextmanager
def asking_of(request: Request, context: Context, caller: Caller) -> Iterator[Asking]:
    """Open one moment of the ward for a caller; what they used by break-glass is noted afterwards."""
    settings, view = settings_of(request), view_of(request)
    with context.store.reading() as connection:
        yield Asking(
            connection=connection,
            view=view,
            caller=caller,
            settings=settings,
            base=base_of(request),
            lenient="handling=lenient" in request.headers.get("prefer", ""),
        )
    if isinstance(caller, Person) and caller.used:
        route: Any = request.scope["route"]
        access.note_use(context.store, caller.session, caller.used, f"{request.method} {route.path}")


def note_look(
    request: Request, context: Context, caller: Caller, action: str, what: str, patient: str = ""
) -> None:
    """Write down what a system looks at."""
    if isinstance(caller, System):
        door_of(request).trail.note(context.store, caller, action, f"fhir:{what}", patient)


def answer(resource: Resource, request: Request | None = None, status: int = 200) -> Response:
    """Send a resource with its version; unchanged for who has it already."""
    headers = {}
    meta = resource.get("meta", {})
    if "versionId" in meta:
        headers["ETag"] = f'W/"{meta["versionId"]}"'
        known = request.headers.get("if-none-match", "") if request is not None else ""
        if status == 200 and headers["ETag"] in [part.strip() for part in known.split(",")]:
            return Response(status_code=304, headers=headers)
    return Response(to_json(resource), status_code=status, media_type=JSON, headers=headers)
