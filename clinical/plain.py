"""Turns plain tables (parsed TOML or JSON) into frozen dataclasses and back, and says where one is wrong.

Only the few shapes that policies use are known: numbers, texts, closed words, lists, tables, and dataclasses
of these. A value of another kind is refused, never guessed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from types import MappingProxyType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from clinical.errors import BadInputError

T = TypeVar("T")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def read(kind: type[T], document: Any, where: str) -> T:
    """Make a dataclass from a table; settings it does not name keep their default.

    Args:
        kind: The dataclass.
        document: A mapping.
        where: Name of the table, for the error.

    Raises:
        BadInputError: Not a table, an unknown setting, a missing one, or a value that cannot be used.
    """
    if not isinstance(document, Mapping):
        raise BadInputError("policy-value", f"{where} must be a table", where=where)
    hints = _hints(cast("Any", kind))
    unknown = sorted(set(document) - set(hints))
    if unknown:
        raise BadInputError("policy-key", f"{where} has no setting {unknown[0]}", where=where)
    values = {name: _convert(hints[name], value, f"{where}.{name}") for name, value in document.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise BadInputError("policy-value", f"{where} lacks a required setting", where=where) from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _convert(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise BadInputError("policy-value", f"{where} must be a list", where=where)
        return tuple(_convert(arguments[0], item, where) for item in value)
    if origin is not None:
        if not isinstance(value, Mapping):
            raise BadInputError("policy-value", f"{where} must be a table", where=where)
        converted = {str(key): _convert(arguments[1], item, where) for key, item in value.items()}
        return MappingProxyType(converted)
    if dataclasses.is_dataclass(hint):
        return read(cast("type[Any]", hint), value, where)
    return _scalar(hint, value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        if hint is Decimal and (number or isinstance(value, str | Decimal)):
            return Decimal(str(value))
        if hint is float and number:
            return float(value)
        if issubclass(hint, StrEnum):
            return hint(value)
    except (InvalidOperation, ValueError) as error:
        raise BadInputError("policy-value", f"{where} cannot have this value", where=where) from error
    if type(value) is not hint:
        raise BadInputError("policy-value", f"{where} must be of type {hint.__name__}", where=where)
    return value


def write(value: Any) -> dict[str, Any]:
    """Return a dataclass as a table that :func:`read` reads back equal; unset options are left out."""
    return {
        item.name: _plain(getattr(value, item.name))
        for item in dataclasses.fields(value)
        if getattr(value, item.name) is not None
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return write(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal | StrEnum) else value
