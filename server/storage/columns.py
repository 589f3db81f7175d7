"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Counter = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key that SQLite can number by itself."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, kept as integer microseconds since 1970.

    Integers sort, index and compare the same on both stores; SQLite has no time type, and
    PostgreSQL's would bring session time zones into the one code path.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Convert to microseconds; a naive time is a programming error."""
        del dialect
        return None if value is None else micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Convert back to an aware time."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=int(value))


def micros(value: datetime) -> int:
    """Microseconds since 1970 of an aware time, exact (no float in between).

    Raises:
        ValueError: ``value`` has no time zone.
    """
    if value.tzinfo is None:
        raise ValueError("a stored time needs a zone")
    return (value - EPOCH) // _MICROSECOND
