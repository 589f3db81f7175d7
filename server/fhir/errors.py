"""Refusals of the FHIR door, and the one place where every refusal becomes an OperationOutcome.

Whatever the server answers with a problem document (nobody signed in, no such address, too large, not
acceptable, a rule that stands against it) leaves below ``/fhir/R4`` as an OperationOutcome instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clinical.errors import WardlinkError
from server import errors
from server.fhir.shape import JSON, Resource, to_json

BASE = "/fhir/R4"
ISSUES: Mapping[int, str] = {
    400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported",
    406: "not-supported", 409: "conflict", 410: "deleted", 412: "multiple-matches", 413: "too-long",
    415: "not-supported", 422: "processing", 429: "throttled", 500: "exception", 503: "transient",
}  # fmt: skip
_CODED = {
    "fhir-code": "code-invalid", "fhir-must-understand": "extension", "fhir-too-costly": "too-costly",
    "identifier-known": "duplicate", "fhir-required": "required", "fhir-element": "structure",
}  # fmt: skip
"""Issue types that say more than the status does, by the code of the refusal."""


class FhirError(WardlinkError):
    """Something that FHIR has an HTTP status of its own for."""

    def __init__(self, status: int, code: str, message: str, **params: str | float) -> None:
        super().__init__(code, message, **params)
        self.status = status


def bad_request(code: str, message: str, **params: str | float) -> FhirError:
    """Refuse a request that is not written as it should be."""
    return FhirError(400, code, message, **params)


def unprocessable(code: str, message: str, **params: str | float) -> FhirError:
    """Refuse a resource that is well formed and still not taken."""
    return FhirError(422, code, message, **params)


def outcome(status: int, code: str, text: str, element: str = "", severity: str = "error") -> Resource:
    """Make an OperationOutcome; ``text`` never holds patient data."""
    issue: Resource = {
        "severity": severity,
        "code": _CODED.get(code, ISSUES.get(status, "processing")),
        "details": {"coding": [{"system": "urn:wardlink:problem", "code": code}], "text": text},
    }
    if element:
        issue["expression"] = [element]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def install(app: FastAPI) -> None:
    """Let refusals with a status of their own become problem documents like all others."""

    @app.exception_handler(FhirError)
    async def _fhir(request: Request, error: FhirError) -> JSONResponse:
        language = errors.language_of(request)
        answer = errors.problem(
            error.status, error.code, error.message, error.message, error.params, language
        )
        if "retry_after_s" in error.params:
            answer.headers["Retry-After"] = str(int(error.params["retry_after_s"]))
        return answer


class Outcomes:
    """Turns every problem document below ``/fhir/R4`` into an OperationOutcome; no answer is cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "http" and (scope["path"] + "/").startswith(BASE + "/"):
            await self._app(scope, receive, _Turned(send))
        else:
            await self._app(scope, receive, send)


class _Turned:
    """One answer: passed on as it comes, or held back whole when it is a problem document."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Cache-Control"] = "no-store"
            if headers.get("content-type", "").startswith(errors.PROBLEM):
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)
            return
        await self._send(message)

    async def _finish(self, start: Message) -> None:
        body = to_json(from_problem(json.loads(self._body)))
        headers = MutableHeaders(scope=start)
        headers["content-type"] = JSON
        headers["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def from_problem(problem: Mapping[str, Any]) -> Resource:
    """Say what a problem document says as an OperationOutcome."""
    params = problem.get("params") or {}
    element = str(params.get("element", ""))
    named = [f"{key}: {value}" for key, value in params.items() if key not in {"element", "retry_after_s"}]
    text = "; ".join([str(problem["detail"]), *named])
    return outcome(int(problem["status"]), str(problem["code"]), text, element)
