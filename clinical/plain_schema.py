"""The JSON Schema (2020-12) of what :func:`clinical.plain.read` accepts: same types, same strictness."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Decimal: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}]},
}


def schema(kind: type[Any]) -> dict[str, Any]:
    """Return the schema of a dataclass; every setting may be left out unless it has no default."""
    hints = get_type_hints(kind)
    required = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    found: dict[str, Any] = {
        "type": "object",
        "description": (kind.__doc__ or "").strip().splitlines()[0],
        "properties": {item.name: _hint(hints[item.name]) for item in dataclasses.fields(kind)},
        "additionalProperties": False,
    }
    return found | ({"required": required} if required else {})


def _hint(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _hint(arguments[0])
    if origin is tuple:
        return {"type": "array", "items": _hint(arguments[0])}
    if origin is not None:
        return {"type": "object", "additionalProperties": _hint(arguments[1])}
    if dataclasses.is_dataclass(hint):
        return schema(hint)  # type: ignore[arg-type]  # a dataclass type, not an instance
    if issubclass(hint, StrEnum):
        return {"enum": [member.value for member in hint]}
    return dict(_SCALARS[hint])
