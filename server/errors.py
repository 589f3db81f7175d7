"""Errors of the domain as HTTP problem documents (RFC 9457); the one table that maps them."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from clinical.errors import (
    BadInputError,
    ConflictError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    WardlinkError,
)
from server import i18n
from server.people.errors import GivenUpError, SignInError, TooManyAttemptsError

log = structlog.get_logger(__name__)

STATUS: tuple[tuple[type[WardlinkError], int, str], ...] = (
    (BadInputError, 422, "What was sent cannot be used"),
    (NotFoundError, 404, "Not found"),
    (ConflictError, 409, "A newer fact stands against it"),
    (RefusedError, 403, "Not allowed"),
    (UnavailableError, 503, "A needed part does not answer"),
)
PROBLEM = "application/problem+json"


class Problem(BaseModel):
    """A problem document (RFC 9457); title and detail follow ``Accept-Language`` (zh or en)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    params: dict[str, str | float]


def _answer(status: int, title: str, code: str, detail: str) -> dict[str, Any]:
    example = {
        "type": f"urn:wardlink:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "params": {},
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": title, "content": {PROBLEM: {"schema": schema, "example": example}}}


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: _answer(400, "The address or method is wrong", "http", "There was an error parsing the body"),
    401: _answer(401, "Sign in", "session", "sign in first"),
    403: _answer(403, "Not allowed", "other-ward", "this belongs to another ward"),
    404: _answer(404, "Not found", "unknown-task", "there is no such task"),
    409: _answer(409, "A newer fact stands against it", "bed-taken", "another patient lies in this bed"),
    410: _answer(410, "Given up", "handheld-given-up", "the ward has given this handheld up"),
    413: _answer(413, "Too large", "too-large", "a request has at most 2000000 bytes"),
    422: _answer(422, "What was sent cannot be used", "request", "missing at body.badge"),
    429: _answer(429, "Too many attempts", "too-many-attempts", "too many wrong PINs; wait"),
    503: _answer(503, "A needed part does not answer", "storage", "the store does not answer"),
}
"""What any route may answer instead, for the contract."""


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    params: dict[str, str | float] | None = None,
    language: str = "en",
) -> JSONResponse:
    """Build one problem document; ``detail`` never holds patient data."""
    document: dict[str, Any] = {
        "type": f"urn:wardlink:problem:{code}",
        "title": i18n.title(status, language, title),
        "status": status,
        "code": code,
        "detail": i18n.detail(code, language, detail),
        "params": params or {},
    }
    headers = {"Content-Language": language, "Vary": "Accept-Language"}
    return JSONResponse(document, status_code=status, media_type=PROBLEM, headers=headers)


def from_domain(error: WardlinkError, language: str = "en") -> JSONResponse:
    """Answer for one error of the domain."""
    status, title = status_of(error)
    answer = problem(status, error.code, title, error.message, error.params, language)
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
    if isinstance(error, GivenUpError):
        return 410, "Given up"
    for kind, status, title in STATUS:
        if isinstance(error, kind):
            return status, title
    return 500, "Unexpected"


def language_of(request: Request) -> str:
    """Language a request asks for."""
    return i18n.wanted(request.headers.get("accept-language", ""))


def install(app: FastAPI) -> None:
    """Make every error that leaves a route a problem document."""

    @app.exception_handler(WardlinkError)
    async def _domain(request: Request, error: WardlinkError) -> JSONResponse:
        return from_domain(error, language_of(request))

    @app.exception_handler(RequestValidationError)
    async def _request(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])[:200].encode("utf-8", "replace").decode()
        # Only the key and the rule: the value may be a PIN or a name.
        return problem(
            422,
            "request",
            "What was sent cannot be used",
            f"{first['type']} at {field}",
            {"field": field, "rule": str(first["type"])},
            language_of(request),
        )

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "no-such-address", 405: "method"}.get(error.status_code, "http")
        title = "The address or method is wrong"
        answer = problem(error.status_code, code, title, str(error.detail), None, language_of(request))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(UnicodeEncodeError)
    async def _text(request: Request, _error: UnicodeEncodeError) -> JSONResponse:
        sentence = "the text holds half of a character pair"
        return problem(422, "text", "What was sent cannot be used", sentence, None, language_of(request))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request-failed", error=type(error).__name__)
        sentence = "the server could not answer; the error is in its log"
        return problem(500, "unexpected", "Unexpected", sentence, None, language_of(request))
