"""A look into an outbox file for engineers; opened read-only, so it never disturbs a running node."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlite_utils

from broker.messages import Wave, decode
from broker.topics import Up
from clinical.errors import BadInputError, NotFoundError
from edge_node.ports import RowClass


def _open(file: Path) -> sqlite_utils.Database:
    if not file.is_file():
        raise NotFoundError("outbox-missing", f"there is no outbox at {file}")
    database = sqlite_utils.Database(sqlite3.connect(f"file:{file}?mode=ro", uri=True))
    try:
        known = set(database.table_names())
    except sqlite3.DatabaseError as error:
        database.close()
        raise BadInputError("outbox-broken", f"{file} cannot be read as a database") from error
    if not {"outbox", "meta"} <= known:
        database.close()
        raise BadInputError("outbox-other", f"{file} is not an outbox")
    return database


def inspect(file: Path) -> dict[str, Any]:
    """Summarise what waits: counts and bytes by class, the range of numbers, the age.

    Raises:
        NotFoundError: No such file.
        BadInputError: Not an outbox.
    """
    database = _open(file)
    try:
        classes = {
            RowClass(row["class"]).name.lower(): {"rows": row["n"], "bytes": row["size"]}
            for row in database.query(
                "SELECT class, COUNT(*) AS n, SUM(LENGTH(payload)) AS size FROM outbox GROUP BY class"
            )
        }
        span = next(
            database.query(
                "SELECT MIN(seq) AS first, MAX(seq) AS last, MIN(effective) AS oldest,"
                " MAX(effective) AS newest FROM outbox"
            )
        )
        return {
            "outbox": database.table("meta").get("outbox")["value"],
            "waiting": database.table("outbox").count,
            "classes": classes,
            **span,
        }
    finally:
        database.close()


def export(file: Path) -> Iterator[dict[str, Any]]:
    """Yield every message that waits, in order of number.

    Raises:
        NotFoundError: No such file.
        BadInputError: Not an outbox.
    """
    database = _open(file)
    try:
        for row in database.table("outbox").rows_where(order_by="seq"):
            kind = Up(row["kind"])
            body = decode(row["payload"], Wave) if kind is Up.WAVES else msgspec.json.decode(row["payload"])
            yield {
                "seq": row["seq"],
                "class": RowClass(row["class"]).name.lower(),
                "kind": kind.value,
                "message": msgspec.to_builtins(body),
            }
    finally:
        database.close()
