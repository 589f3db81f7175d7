"""Many rows at once, the quickest way each store has: COPY and arrays on PostgreSQL, one statement on SQLite.

For rows that come by the thousand a second. Values are those of the driver (integers for instants, bytes,
text): the column types of SQLAlchemy would touch every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import structlog
from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, LargeBinary, SmallInteger, Table
from sqlalchemy.types import TypeDecorator, TypeEngine

from clinical.errors import UnavailableError
from server.storage import schema

Row = tuple[Any, ...]
log = structlog.get_logger(__name__)


def append(connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert rows that are new.

    Raises:
        UnavailableError: The store does not answer or is full.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, columns, rows)
    else:
        connection.exec_driver_sql(_insert(table, columns), list(rows))


def upsert(
    connection: Connection, table: str, keys: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Insert rows, or replace the other columns of those whose ``keys`` are there already.

    No two rows of one call may have the same keys.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        statement = _insert_of_arrays(table, columns) + _replacing(keys, columns)
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(_insert(table, columns) + _replacing(keys, columns), list(rows))


def add_missing(connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """Insert rows, leaving out those that are there already."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        statement = _insert_of_arrays(table, columns) + " ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
    else:
        connection.exec_driver_sql(_insert(table, columns) + " ON CONFLICT DO NOTHING", list(rows))


@cache
def _insert(table: str, columns: tuple[str, ...]) -> str:
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({_named(columns)}) VALUES ({marks})"  # noqa: S608 - names of the schema


@cache
def _replacing(keys: tuple[str, ...], columns: tuple[str, ...]) -> str:
    kept = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    return f" ON CONFLICT ({_named(keys)}) DO UPDATE SET {kept}"


@cache
def _insert_of_arrays(table: str, columns: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for kind in _kinds(table, columns))  # binary: nothing to escape
    return f"INSERT INTO {table} ({_named(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - as above


@cache
def _kinds(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    found: Table = schema.metadata.tables[table]
    return tuple(_kind(found.c[name].type) for name in columns)


def _kind(column_type: TypeEngine[Any]) -> str:
    if isinstance(column_type, TypeDecorator):
        return _kind(column_type.impl_instance)
    for kind, name in (
        (BigInteger, "int8"),
        (SmallInteger, "int2"),
        (Integer, "int4"),
        (Float, "float8"),
        (LargeBinary, "bytea"),
        (Boolean, "bool"),
    ):
        if isinstance(column_type, kind):
            return name
    return "text"


def _named(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


@cache
def _copy_statement(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {table} ({_named(columns)}) FROM STDIN (FORMAT BINARY)"


def _copy(connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    driver = connection.connection.driver_connection
    if driver is None:
        raise UnavailableError("storage", "the store does not answer; check [storage] url")
    with (
        _translated(),
        driver.cursor() as cursor,
        cursor.copy(_copy_statement(table, columns)) as copy,
    ):
        copy.set_types(_kinds(table, columns))
        for row in rows:
            copy.write_row(row)


@contextmanager
def _translated() -> Iterator[None]:
    """Tell a store that does not answer from a row it cannot take, as SQLAlchemy does for the rest."""
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        log.error("store-failed", reason=type(error).__name__)  # noqa: TRY400 - a trace may hold rows
        raise UnavailableError(
            "storage", "the store does not answer or is full; nothing was changed, try again"
        ) from error
