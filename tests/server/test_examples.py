"""Every body and answer of the contract has an example, and the example is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from server import examples
from server.app import create_app
from tests.support.ward_http import bearer, put_person, serving, token_of

pytestmark = pytest.mark.requirement("R-PEOPLE-10")
JSON = "application/json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(None).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of our own."""
    for path, ways in document["paths"].items():
        for method, operation in ways.items():
            if path.startswith("/api/"):
                yield f"{method.upper()} {path}", operation


def media_of(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    good = [one for status, one in operation["responses"].items() if status.startswith("2")]
    for holder in (operation.get("requestBody", {}), *good):
        media = holder.get("content", {}).get(JSON)
        if media is not None:
            yield media


def shown(media: dict[str, Any]) -> list[Any]:
    """The examples of one body or answer."""
    named = [one["value"] for one in media.get("examples", {}).values()]
    return [media["example"], *named] if "example" in media else named


def test_every_operation_shows_what_is_sent_and_answered_and_it_is_valid(document: dict[str, Any]) -> None:
    wrong = []
    for where, operation in operations(document):
        for media in media_of(operation):
            schema = {**media["schema"], "components": document["components"]}
            held = jsonschema_rs.validator_for(schema, validate_formats=True)
            said = shown(media)
            wrong += [(where, "has no example")] if not said else []
            wrong += [(where, str(error)[:300]) for one in said for error in held.iter_errors(one)]
    assert wrong == []


def test_no_example_is_made_up_of_nothing(document: dict[str, Any]) -> None:
    """Add the field to server/examples.toml, with a value that a nurse would recognise."""
    assert sorted(examples.unknown(document)) == []


def test_what_an_example_sends_is_understood(ward: Any, tmp_path: Path, document: dict[str, Any]) -> None:
    """A body that is shown reaches the rules of its route; ids nobody knows may then be refused."""
    put_person(
        ward.store, "all", "nurse", "charge-nurse", "doctor", "pharmacist", "manager", "engineer", wards=()
    )
    unread = []
    with serving(ward.store, ward.site, tmp_path) as client:
        for where, operation in operations(document):
            if "requestBody" in operation:
                unread += _unread(client, where, operation, bearer(token_of(ward.store, "all")))
    assert unread == []


def _unread(
    client: TestClient, where: str, operation: dict[str, Any], head: dict[str, str]
) -> Iterator[tuple[str, str]]:
    method, path = where.split(" ")
    for name, value in {"ward": "W1", "number": "1", "name": "events"}.items():
        path = path.replace(f"{{{name}}}", value)
    for said in shown(operation["requestBody"]["content"][JSON]):
        answer = client.request(method, path.replace("{", "").replace("}", ""), json=said, headers=head)
        if answer.status_code == 500 or (answer.status_code == 422 and answer.json()["code"] == "request"):
            yield where, answer.text


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = {
        "type": "object", "title": "Tree", "required": ["name"],
        "properties": {
            "name": {"type": "string", "const": "n"},
            "child": {"anyOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
        },
    }  # fmt: skip
    composer = examples.Composer({"components": {"schemas": {"Tree": tree}}})
    assert composer.of({"$ref": "#/components/schemas/Tree"}, "x")["child"]["name"] == "n"
    assert composer.unknown == set()


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "integer", "minimum": 5, "maximum": 5}, 5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 3}, 1),
        ({"type": "boolean", "default": True}, True),
        ({"type": "string", "format": "date"}, "2026-05-04"),
        ({"type": "array", "minItems": 2, "items": {"enum": ["a"]}}, ["a", "a"]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"type": "boolean"}]}, [1, False]),
        ({"anyOf": [{"type": "null"}, {"type": "string", "examples": ["x"]}]}, "x"),
    ],
)
def test_a_value_is_made_of_its_schema(schema: dict[str, Any], made: Any) -> None:
    assert examples.Composer({}).of(schema, "nothing-of-that-name") == made


def test_a_text_nobody_has_a_value_for_is_told() -> None:
    composer = examples.Composer({})
    assert composer.of({"type": "string"}, "nothing-of-that-name", "Shape") == "…"
    assert composer.unknown == {"Shape.nothing-of-that-name"}
