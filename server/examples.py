"""Examples of every body and answer, composed for the contract from one table of values.

An example is made of the schema itself, so it can never tell another story than the contract: names give
values (``examples.toml``), words give their first, times and days are those of one shift. A new field whose
name is not in the table is found by a test.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

Schema = Mapping[str, Any]
_FORMATS = {"date-time": "2026-05-04T01:00:00Z", "date": "2026-05-04", "binary": "", "byte": ""}
_DEEPEST = 12
_JSON = "application/json"


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "examples.toml").read_text(encoding="utf-8"))


def add(document: dict[str, Any]) -> None:
    """Give every JSON body and good answer of the contract an example, where it has none of its own."""
    composer = Composer(document)
    for where, media in _bodies(document):
        if not {"example", "examples"} & media.keys():
            media["example"] = composer.of(media["schema"], where)


def unknown(document: dict[str, Any]) -> set[str]:
    """Return the texts and objects of the contract for which the table has no value, as ``Schema.field``."""
    composer = Composer(document)
    for where, media in _bodies(document):
        composer.of(media["schema"], where)
    return composer.unknown


def _bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is sent and answered as JSON, with the operation it belongs to."""
    for path, ways in document["paths"].items():
        if not path.startswith("/api/"):
            continue  # FHIR's shapes are those of FHIR
        for method, operation in ways.items():
            where = f"{method.upper()} {path.removeprefix('/api/v1')}"
            answers = [one for status, one in operation["responses"].items() if status.startswith("2")]
            for holder in (operation.get("requestBody", {}), *answers):
                media = holder.get("content", {}).get(_JSON)
                if media is not None and "schema" in media:
                    yield where, media


class Composer:
    """Makes values that fit schemas; remembers for which it knew none."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas: dict[str, Any] = document.get("components", {}).get("schemas", {})
        self.unknown: set[str] = set()

    def of(self, schema: Schema, name: str, owner: str = "", depth: int = 0) -> Any:
        """Return a value of ``schema``, which stands under ``name`` in the schema ``owner``."""
        if "$ref" in schema:
            title = str(schema["$ref"]).rsplit("/", 1)[1]
            return self.of(self._schemas[title], name, title, depth + 1)
        for candidate in self._candidates(schema, name, owner):
            if self._fits(schema, candidate):
                return candidate
        return self._made(schema, name, owner, depth)

    def _candidates(self, schema: Schema, name: str, owner: str) -> Iterator[Any]:
        yield from schema.get("examples", ())
        values = _table()["values"]
        for key in (f"{owner}.{name}", name):
            found = values.get(key, [])
            yield from found if isinstance(found, list) else [found]

    def _made(self, schema: Schema, name: str, owner: str, depth: int) -> Any:
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            good = [one for one in choices if one.get("type") != "null"] if depth < _DEEPEST else choices[-1:]
            return self.of(good[0], name, owner, depth + 1)
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else schema["enum"][0]
        match schema.get("type"):
            case "object":
                return self._object(schema, name, owner, depth)
            case "array":
                return self._array(schema, name, owner, depth)
            case "boolean":
                return bool(schema.get("default", False))
            case "integer" | "number":
                return self._number(schema)
            case "string" if schema.get("format") in _FORMATS:
                return _FORMATS[schema["format"]]
            case _:
                self.unknown.add(f"{owner}.{name}")
                return "…"

    def _object(self, schema: Schema, name: str, owner: str, depth: int) -> Any:
        if "properties" not in schema:
            self.unknown.add(f"{owner}.{name}")
            return {}
        title = str(schema.get("title", owner))
        wanted = set(schema.get("required", ())) if depth >= _DEEPEST else schema["properties"].keys()
        return {
            field: self.of(shape, field, title, depth + 1)
            for field, shape in schema["properties"].items()
            if field in wanted
        }

    def _array(self, schema: Schema, name: str, owner: str, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self.of(one, name, owner, depth + 1) for one in schema["prefixItems"]]
        count = max(1, int(schema.get("minItems", 1)))
        return [] if depth >= _DEEPEST else [self.of(schema["items"], name, owner, depth + 1)] * count

    @staticmethod
    def _number(schema: Schema) -> int | float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
        value = low if low == high else min(low + 1, high)
        return int(value) if schema["type"] == "integer" else value

    def _fits(self, schema: Schema, value: Any) -> bool:
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return any(self._fits(one, value) for one in choices)
        if "$ref" in schema:
            return self._fits(self._schemas[str(schema["$ref"]).rsplit("/", 1)[1]], value)
        if "enum" in schema or "const" in schema:
            return bool(value == schema["const"] if "const" in schema else value in schema["enum"])
        return _is(schema, value) and _within(schema, value)


def _is(schema: Schema, value: Any) -> bool:
    kinds: dict[str, tuple[type, ...]] = {
        "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
        "object": (dict,),
    }  # fmt: skip
    wanted = kinds.get(schema.get("type", ""), ())
    return isinstance(value, wanted) and (schema.get("type") == "boolean" or not isinstance(value, bool))


def _within(schema: Schema, value: Any) -> bool:
    if isinstance(value, str):
        long_enough = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return long_enough and re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True
