"""Daily anchors of the audit trail: where the chain ended, written down in three places.

A chain shows a changed line, but not that its end was cut off. So once a day its last line's number and hash
go into the store, into a file beside the server's own files, and into the log, which the hospital collects
elsewhere. Whoever cuts the trail has to change all three.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, func, insert, select

from server.storage.schema import audit, audit_anchors, meta
from server.storage.store import UnitOfWork

log = structlog.get_logger(__name__)
FILE = "audit-anchors.jsonl"
"""Name of the file among the server's own files: one JSON object a line (day, n, hash, at, epoch)."""


class Anchors:
    """Anchors the trail with the first look of each of the ward's days.

    Args:
        zone: IANA zone of the ward's days.
        state_dir: Where the server keeps its own files.
    """

    def __init__(self, zone: str, state_dir: Path) -> None:
        self._zone, self._file = ZoneInfo(zone), state_dir / FILE
        self._done = ""

    def tick(self, unit: UnitOfWork) -> None:
        """Anchor the trail when a day has begun that has no anchor yet; the file follows the commit."""
        day = unit.now.astimezone(self._zone).date().isoformat()
        if day == self._done:
            return
        found = unit.connection.scalar(select(audit_anchors.c.day).where(audit_anchors.c.day == day))
        if found is None:
            last = unit.connection.execute(
                select(audit.c.n, audit.c.hash).order_by(audit.c.n.desc()).limit(1)
            ).first()
            if last is None:
                return
            unit.connection.execute(
                insert(audit_anchors).values(day=day, n=last.n, hash=last.hash, at=unit.now)
            )
        epoch, lines = unit.view.epoch, list(_table(unit.connection))
        unit.after_commit(lambda: self._follow(day, epoch, lines))

    def _follow(self, day: str, epoch: str, lines: list[dict[str, Any]]) -> None:
        """Bring the file up to the table; a disk that refuses is tried again a minute later."""
        try:
            known = {(one["day"], one["hash"]) for one in _lines(self._file)}
            for one in lines:
                if (one["day"], one["hash"]) not in known:
                    _append(self._file, one | {"epoch": epoch})
                    log.info("audit-anchor", day=one["day"], n=one["n"], hash=one["hash"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("audit-anchor-file", error=type(error).__name__)
            return
        self._done = day


def problems(connection: Connection, file: Path | None = None) -> Iterator[str]:
    """What the anchors know and the trail does not say any more.

    Args:
        connection: The store.
        file: The anchors beside the server's own files; None for a store that has none, such as a backup.
    """
    rows = [*_table(connection)]
    yield from _against(connection, rows, "the store")
    if file is None:
        return
    try:
        lines = list(_lines(file))
        own, others = _by_history(connection, lines)
        yield from _against(connection, own, "the file")
    except (OSError, ValueError, KeyError, TypeError):
        yield "the file of audit anchors cannot be read"
        return
    if others and connection.scalar(select(audit.c.n).where(audit.c.action == "restore").limit(1)) is None:
        yield "the file has anchors of another history, and the audit trail knows of no restore"
    missing = {row["day"] for row in rows} - {one["day"] for one in lines}
    if missing:
        yield f"the file has no audit anchor of {min(missing)}"


def count(connection: Connection) -> int:
    """How many anchors the store has."""
    return int(connection.scalar(select(func.count()).select_from(audit_anchors)) or 0)


def _against(connection: Connection, anchors: list[dict[str, Any]], where: str) -> Iterator[str]:
    for one in anchors:
        found = connection.scalar(select(audit.c.hash).where(audit.c.n == one["n"]))
        if found is None:
            yield f"the audit trail ends before line {one['n']}, the anchor of {one['day']} in {where}"
        elif found != one["hash"]:
            yield f"audit line {one['n']} is not the one of the anchor of {one['day']} in {where}"


def _by_history(
    connection: Connection, lines: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Part anchors of this store's history from those of before it was restored."""
    epoch = connection.scalar(select(meta.c.value).where(meta.c.key == "epoch"))
    return [one for one in lines if one["epoch"] == epoch], [one for one in lines if one["epoch"] != epoch]


def _table(connection: Connection) -> Iterator[dict[str, Any]]:
    for row in connection.execute(select(audit_anchors).order_by(audit_anchors.c.day)):
        yield {"day": row.day, "n": row.n, "hash": row.hash, "at": row.at.isoformat()}


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            yield dict(json.loads(line))


def _append(file: Path, one: dict[str, Any]) -> None:
    """Write one line and wait until it is on the disk."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(one) + "\n")
        out.flush()
        os.fsync(out.fileno())
