"""Checks that no type says: times with a zone, text that can be stored, numbers that are numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from clinical.errors import BadInputError

MAX_TEXT = 8_192
MAX_DIGITS = 24
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


def check_sound(value: Any) -> None:
    """Walk through a record or request and refuse what no store or rule could use.

    Raises:
        BadInputError: A time without zone or out of this world, half a character pair, a NUL, an endless
            text, a number that is not finite.
    """
    match value:
        case str():
            _check_text(value)
        case datetime():
            _check_time(value)
        case float() if not math.isfinite(value):
            raise BadInputError("number", "a number is not finite")
        case Decimal():
            _check_decimal(value)
        case int() if abs(value) > 2**53:
            raise BadInputError("number", "a number is too large")
        case _:
            for part in _parts(value):
                check_sound(part)


def _parts(value: Any) -> list[Any]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, list | tuple | set | frozenset) else []


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT or "\x00" in text:
        raise BadInputError("text", f"a text has at most {MAX_TEXT} characters and no NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInputError("text", "a text holds half of a character pair") from error


def _check_time(at: datetime) -> None:
    if at.tzinfo is None:
        raise BadInputError("time-zone", "a time needs its zone: 2026-05-01T08:00:00+08:00")
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise BadInputError("time", "a time is out of this world")


def _check_decimal(number: Decimal) -> None:
    if (
        not number.is_finite()
        or abs(number.adjusted()) > MAX_DIGITS
        or len(number.as_tuple().digits) > MAX_DIGITS
    ):
        raise BadInputError("number", "a decimal number is not finite or has too many digits")
