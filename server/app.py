"""The HTTP application: routes, headers and the central screen's files over one running server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import errors, examples
from server.administrations import routes as administrations
from server.alarms import routes as alarms
from server.assignments import routes as assignments
from server.chart import routes as chart
from server.context import Context
from server.corrections import routes as corrections
from server.critical_values import routes as critical_values
from server.dependencies import SignedInAs, own_ward, token_of
from server.fhir import mount as fhir
from server.handover import routes as handover
from server.health import routes as health
from server.health.metrics import Requests
from server.infusions import routes as infusions
from server.live import routes as live
from server.nodes import routes as nodes
from server.observations import charted_routes as charted
from server.observations import routes as observations
from server.orders import routes as orders
from server.patients import routes as patients
from server.people import routes as people
from server.people import staff_routes as staff
from server.people.errors import TooManyAttemptsError
from server.people.rates import Rates
from server.people.settings import access_of
from server.preparations import routes as preparations
from server.prints import routes as prints
from server.quarantine import routes as quarantine
from server.specimens import routes as specimens
from server.statistics import routes as statistics
from server.sync import routes as sync
from server.transfusions import routes as transfusions
from server.verbal_orders import routes as verbal_orders
from server.worklist import routes as worklist
from server.wristbands import routes as wristbands

WEB = Path(__file__).parent / "web"
MAX_BODY = 2_000_000
_POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; "
    "img-src 'self' data:; connect-src 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Sets the safety headers on every answer; refuses what is too large, or too often, before reading it."""

    def __init__(self, app: ASGIApp, requests: Requests | None = None, rates: Rates | None = None) -> None:
        self._app, self._requests, self._rates = app, requests, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = self._counting(_with_headers(send, scope), scope)
        refused = self._too_often(scope) or _too_large(scope)
        if refused is not None:
            await refused(scope, receive, answering)
            return
        await self._app(scope, _bounded(receive), answering)

    def _too_often(self, scope: Scope) -> Response | None:
        """Answer 429 to a session whose requests have used up its share."""
        if self._rates is None or not scope["path"].startswith(("/api/", "/fhir/")):
            return None
        wait = self._rates.wait_s(token_of(HTTPConnection(scope)), time.monotonic())
        if not wait:
            return None
        error = TooManyAttemptsError(
            "too-many-requests", "this session asks too often; wait", retry_after_s=int(wait) + 1
        )
        return errors.from_domain(error, errors.language_of(Request(scope)))

    def _counting(self, send: Send, scope: Scope) -> Send:
        began = time.monotonic()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start" and self._requests is not None:
                self._requests.note(scope["method"], message["status"], time.monotonic() - began)
            await send(message)

        return counting


def _too_large(scope: Scope) -> Response | None:
    """Answer 413 to a body that says it is too large, or does not say how large it is in numbers."""
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if length.isdigit() and int(length) <= MAX_BODY:
        return None
    return errors.problem(413, "too-large", "Too large", f"a request has at most {MAX_BODY} bytes")


def _bounded(receive: Receive) -> Receive:
    """Count what arrives without a length; a body that grows too large ends as a disconnect."""
    total = 0

    async def bounded() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        return message if total <= MAX_BODY else {"type": "http.disconnect"}

    return bounded


def _with_headers(send: Send, scope: Scope) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if scope["path"].startswith("/api/"):
                headers.setdefault("Cache-Control", "no-store")
            else:
                headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return with_headers


def create_app(context: Context | None) -> FastAPI:
    """Build the application; without a context only for its OpenAPI document."""
    app = FastAPI(
        title="Wardlink ward server",
        version="1",
        openapi_url=None,  # only for people who are signed in, see below
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    errors.install(app)
    api = APIRouter(prefix="/api/v1", responses=errors.RESPONSES)
    features = (
        sync, wristbands, preparations, specimens, transfusions, worklist, alarms, observations,
        charted, corrections, nodes, statistics, orders, patients, infusions, verbal_orders, chart,
        critical_values, handover, administrations, assignments, prints, quarantine,
    )  # fmt: skip
    for feature in features:
        api.include_router(feature.router, dependencies=[Depends(own_ward)])
    for feature in (people, staff, health):
        api.include_router(feature.router)
    app.include_router(api)

    _describe_problems(app)

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    def contract(_session: SignedInAs) -> JSONResponse:
        """Return this very document to people who are signed in."""
        return JSONResponse(app.openapi())

    app.include_router(live.router)
    app.include_router(live.router, prefix="/api/v1")
    if context is not None:
        access = access_of(context.settings)
        rates = Rates(access.requests_per_s, access.requests_burst)
        app.add_middleware(Guard, requests=context.requests, rates=rates)
    else:
        app.add_middleware(Guard)
    fhir.mount(app)
    if (WEB / "index.html").is_file():
        app.mount("/", StaticFiles(directory=WEB, html=True), name="web")
    return app


def _describe_problems(app: FastAPI) -> None:
    """Name the shape of a problem document once in the contract, and give bodies and answers examples."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = (
            errors.Problem.model_json_schema()
        )
        examples.add(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend the document
