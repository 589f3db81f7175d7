"""The HTTP application: routes, headers and the central screen's files over one running server."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import errors
from server.alarms import routes as alarms
from server.context import Context
from server.dependencies import SignedInAs
from server.health import routes as health
from server.live import routes as live
from server.nodes import routes as nodes
from server.observations import routes as observations
from server.people import routes as people
from server.preparations import routes as preparations
from server.sync import routes as sync
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
    """Sets the safety headers on every answer and refuses bodies that are too large before reading them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY:
            answer = errors.problem(413, "too-large", "Too large", f"a request has at most {MAX_BODY} bytes")
            await answer(scope, receive, _with_headers(send, scope))
            return
        await self._app(scope, _bounded(receive), _with_headers(send, scope))


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
    api = APIRouter(prefix="/api/v1")
    for feature in (people, sync, wristbands, preparations, alarms, observations, nodes, health):
        api.include_router(feature.router)
    app.include_router(api)

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    def contract(_session: SignedInAs) -> JSONResponse:
        """Return this very document to people who are signed in."""
        return JSONResponse(app.openapi())

    app.include_router(live.router)
    app.include_router(live.router, prefix="/api/v1")
    app.add_middleware(Guard)
    if (WEB / "index.html").is_file():
        app.mount("/", StaticFiles(directory=WEB, html=True), name="web")
    return app
