"""How the FHIR routes stand in the HTTP contract: what they answer, and which parameters they take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.fhir.errors import outcome
from server.fhir.shape import JSON, NDJSON

SCHEMAS: dict[str, dict[str, Any]] = {
    "Resource": {
        "type": "object",
        "description": "A FHIR R4 resource",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string"}},
    },
    "OperationOutcome": {
        "type": "object",
        "description": "Why something was refused, and what to do",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "issue": {"type": "array", "minItems": 1},
        },
        "examples": [outcome(400, "fhir-parameter", "this search parameter is not known here")],
    },
}
"""Shapes that every FHIR route refers to."""
_RESOURCE = {"$ref": "#/components/schemas/Resource"}
_OUTCOME = {JSON: {"schema": {"$ref": "#/components/schemas/OperationOutcome"}}}


_SAID = {
    400: "A parameter is unknown or badly written",
    401: "Sign in",
    403: "Not allowed",
    404: "Not found",
    406: "Only JSON is spoken here",
    409: "A newer fact stands against it",
    412: "The condition is about something else",
    413: "Too large",
    415: "Only JSON is taken here",
    422: "What was sent cannot be used",
    429: "Too often",
    503: "A needed part does not answer",
}
REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"description": said, "content": _OUTCOME} for status, said in _SAID.items()
}
"""What any FHIR route may answer instead."""
FOUND: dict[int | str, dict[str, Any]] = {
    200: {"description": "The resource, or a Bundle of them", "content": {JSON: {"schema": _RESOURCE}}},
    304: {"description": "It is as the caller has it"},
}
CREATED: dict[int | str, dict[str, Any]] = {
    200: {"description": "It was there already", "content": {JSON: {"schema": _RESOURCE}}},
    201: {"description": "Created", "content": {JSON: {"schema": _RESOURCE}}},
}


def query_parameters(names: Iterable[str]) -> dict[str, Any]:
    """Name query parameters in the contract."""
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}, "required": False} for name in names
        ]
    }


def resource_body() -> dict[str, Any]:
    """Name the body of what is created in the contract."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": _RESOURCE}}}}


STARTED: dict[int | str, dict[str, Any]] = {
    202: {"description": "Accepted; Content-Location says where to ask"}
}
FINISHED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What there is to fetch",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
    202: {"description": "Not done yet"},
}
LINES: dict[int | str, dict[str, Any]] = {
    200: {"description": "One resource a line", "content": {NDJSON: {"schema": {"type": "string"}}}}
}
REMOVED: dict[int | str, dict[str, Any]] = {204: {"description": "Removed"}}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Add the shapes to the HTTP contract."""
    document.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
    return document
