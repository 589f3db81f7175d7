"""Errors of the domain as HTTP problem documents (RFC 9457); the one table that maps them."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from clinical.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    WardlinkError,
)
from server.people.errors import SignInError, TooManyAttemptsError

log = structlog.get_logger(__name__)

STATUS: tuple[tuple[type[WardlinkError], int, str], ...] = (
    (BadInputError, 422, "What was sent cannot be used"),
    (NotFoundError, 404, "Not found"),
    (ConflictError, 409, "A newer fact stands against it"),
    (RefusedError, 403, "Not allowed"),
    (UnavailableError, 503, "A needed part does not answer"),
)


def problem(
    status: int, code: str, title: str, detail: str, params: dict[str, str | float] | None = None
) -> JSONResponse:
    """Build one problem document; ``detail`` never holds patient data."""
    document: dict[str, Any] = {
        "type": f"urn:wardlink:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "params": params or {},
    }
    return JSONResponse(document, status_code=status, media_type="application/problem+json")


def from_domain(error: WardlinkError) -> JSONResponse:
    """Answer for one error of the domain."""
    status, title = status_of(error)
    answer = problem(status, error.code, title, error.message, error.params)
    if isinstance(error, SignInError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if "retry_after_s" in error.params:
        answer.headers["Retry-After"] = str(int(error.params["retry_after_s"]))
    return answer


def status_of(error: WardlinkError) -> tuple[int, str]:
    """HTTP status and title of an error of the domain."""
    if isinstance(error, SignInError):
        return 401, "Sign in"
    if isinstance(error, TooManyAttemptsError):
        return 429, "Too many attempts"
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "Unexpected"


def install(app: FastAPI) -> None:
    """Make every error that leaves a route a problem document."""

    @app.exception_handler(WardlinkError)
    async def _domain(_request: Request, error: WardlinkError) -> JSONResponse:
        return from_domain(error)

    @app.exception_handler(RequestValidationError)
    async def _request(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])[:200]
        # Only the key and the rule: the value may be a PIN or a name.
        return problem(
            422, "request", "What was sent cannot be used", f"{first['type']} at {field}", {"field": field}
        )

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "no-such-address", 405: "method"}.get(error.status_code, "http")
        answer = problem(error.status_code, code, "The address or method is wrong", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(UnicodeEncodeError)
    async def _text(_request: Request, _error: UnicodeEncodeError) -> JSONResponse:
        return problem(422, "text", "What was sent cannot be used", "the text holds half of a character pair")

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, error: Exception) -> JSONResponse:
        log.error("request-failed", error=type(error).__name__)
        return problem(
            500, "unexpected", "Unexpected", "the server could not answer; the error is in its log"
        )
