"""The outbox on SQLite: WAL, every commit on the platter before it returns.

``synchronous=FULL`` for every class, although continuous readings alone would bear ``NORMAL``: with
NORMAL a power cut can undo a row that was already published, its number would be given out again, and
the server would drop the new row as a repeat.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from broker.topics import Up
from edge_node.ports import Change, Row, RowClass, StoreBrokenError, StoreFullError

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        class INTEGER NOT NULL,
        kind TEXT NOT NULL,
        device TEXT NOT NULL,
        boot TEXT NOT NULL,
        mono_ns INTEGER NOT NULL,
        effective TEXT NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    CREATE INDEX outbox_by_class ON outbox (class, seq);
    """,
)
"""Forward only; one never changes once it was shipped."""
PAGE = 4096
COLUMNS = "seq, id, class, kind, device, boot, mono_ns, effective, payload"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if (
            error.sqlite_errorcode == sqlite3.SQLITE_FULL
            or error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR
        ):
            raise StoreFullError from error
        raise StoreBrokenError from error
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise StoreBrokenError from error


class SqliteOutbox:
    """One outbox file; see :class:`edge_node.ports.OutboxStore`.

    Args:
        path: The file; made if missing.
        max_bytes: Hard limit of the file, reserve not included.
        reserve_bytes: Kept back for alarms and events: as pages of the limit and as a real file beside
            the database, so that it also helps when something else has filled the disk.

    Raises:
        StoreBrokenError: The file exists and cannot be used.
    """

    def __init__(self, path: Path, *, max_bytes: int, reserve_bytes: int) -> None:
        self.path = path
        self._max_pages = max(64, max_bytes // PAGE)
        self._reserve_pages = max(16, reserve_bytes // PAGE)
        self._reserve_file = path.with_name(path.name + ".reserve")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _translated():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except sqlite3.DatabaseError:
                self._db.close()
                raise
        self.restore_reserve()

    def _prepare(self) -> None:
        db = self._db
        db.execute(f"PRAGMA page_size = {PAGE}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("quick_check")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            db.executescript(f"BEGIN;{script};PRAGMA user_version = {number};COMMIT;")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('outbox', ?)", (str(uuid.uuid4()),))
        self.outbox_id = str(db.execute("SELECT value FROM meta WHERE key = 'outbox'").fetchone()[0])
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        self.last_seq = int(row[0]) if row else 0

    # ---- writing
    def commit(self, change: Change) -> None:
        """Write rows and state, forget the evicted and re-class the kept in one transaction."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in change.evict])
            db.executemany(
                "UPDATE outbox SET class = ? WHERE seq = ?",
                [(int(RowClass.SUMMARY), seq) for seq in change.summarise],
            )
            _insert(db, change.rows)
            db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?)", list(change.state.items()))

        self._transaction(work)
        if change.rows:
            self.last_seq = max(self.last_seq, change.rows[-1].seq)

    def forget(self, ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """Delete what the server has committed; returns rows and payload bytes that went.

        Not synchronised: a deletion that a power cut undoes only means that the row is sent once more.
        """
        sizes: list[int] = []

        def work(db: sqlite3.Connection) -> None:
            for first, last in ranges:
                gone = db.execute(
                    "DELETE FROM outbox WHERE seq BETWEEN ? AND ? RETURNING LENGTH(payload)", (first, last)
                )
                sizes.extend(size for (size,) in gone.fetchall())

        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            self._transaction(work)
        finally:
            self._db.execute("PRAGMA synchronous = FULL")
        return len(sizes), sum(sizes)

    def replace_all(self, outbox_id: str, rows: Sequence[Row]) -> None:
        """Take a new outbox id and these rows instead of everything that waited."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE meta SET value = ? WHERE key = 'outbox'", (outbox_id,))
            db.execute("DELETE FROM outbox")
            db.execute("DELETE FROM sqlite_sequence WHERE name = 'outbox'")
            _insert(db, rows)

        self._transaction(work)
        self.outbox_id, self.last_seq = outbox_id, rows[-1].seq if rows else 0

    def _transaction(self, work: Callable[[sqlite3.Connection], None]) -> None:
        with _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                work(self._db)
                self._db.execute("COMMIT")
            except sqlite3.Error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    # ---- reading
    def rows(self, after: tuple[int, int], upto_seq: int, limit: int) -> list[Row]:
        """Rows in (class, seq) order, so that alarms of an outage travel before its waveforms."""
        return self._select(
            "(class, seq) > (?, ?) AND seq <= ? ORDER BY class, seq LIMIT ?", (*after, upto_seq, limit)
        )

    def span(self, first: int, last: int, limit: int) -> list[Row]:
        """Rows of one range, in seq order."""
        return self._select("seq BETWEEN ? AND ? ORDER BY seq LIMIT ?", (first, last, limit))

    def oldest(self, row_class: RowClass, limit: int) -> list[Row]:
        """The oldest rows of one class."""
        return self._select("class = ? ORDER BY seq LIMIT ?", (int(row_class), limit))

    def has_id(self, row_id: str) -> bool:
        """Whether a message with this id waits."""
        with _translated():
            return self._db.execute("SELECT 1 FROM outbox WHERE id = ?", (row_id,)).fetchone() is not None

    def usage(self) -> dict[RowClass, tuple[int, int]]:
        """Rows and payload bytes by class."""
        with _translated():
            found = self._db.execute(
                "SELECT class, COUNT(*), SUM(LENGTH(payload)) FROM outbox GROUP BY class"
            ).fetchall()
        return {RowClass(row_class): (rows, size) for row_class, rows, size in found}

    def state(self, key: str) -> bytes | None:
        """A value of the node's own small memory."""
        with _translated():
            row = self._db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def _select(self, where: str, values: tuple[int, ...]) -> list[Row]:
        with _translated():
            found = self._db.execute(f"SELECT {COLUMNS} FROM outbox WHERE {where}", values).fetchall()  # noqa: S608 - fixed text
        return [_row(values) for values in found]

    # ---- the reserve
    def release_reserve(self) -> None:
        """Give the space kept back for alarms to the next writes."""
        self._reserve_file.unlink(missing_ok=True)
        self._limit(self._max_pages + self._reserve_pages)

    def restore_reserve(self) -> bool:
        """Keep space back again; False when there is none to keep."""
        self._limit(self._max_pages)
        try:
            with self._reserve_file.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, self._reserve_pages * PAGE)
        except OSError:
            self._reserve_file.unlink(missing_ok=True)
            return False
        return True

    def _limit(self, pages: int) -> None:
        with _translated():
            self._db.execute(f"PRAGMA max_page_count = {pages}")

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._db.close()
        self._reserve_file.unlink(missing_ok=True)


def _insert(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    db.executemany(
        f"INSERT INTO outbox ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608 - fixed text
        [_values(row) for row in rows],
    )


def open_or_recreate(path: Path, *, max_bytes: int, reserve_bytes: int) -> tuple[SqliteOutbox, Path | None]:
    """Open the outbox; set a damaged file aside and start a new one with a new outbox id.

    Returns:
        The outbox, and where the damaged file went (None when there was none).
    """
    try:
        return SqliteOutbox(path, max_bytes=max_bytes, reserve_bytes=reserve_bytes), None
    except StoreBrokenError:
        aside = path.with_name(
            f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        )
        for suffix in ("-wal", "-shm"):
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.rename(aside.with_name(aside.name + suffix))
        path.rename(aside)
        return SqliteOutbox(path, max_bytes=max_bytes, reserve_bytes=reserve_bytes), aside


def salvage(path: Path) -> Iterator[Row]:
    """Yield the rows of a damaged outbox that can still be read, oldest first, up to the damage."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        for values in db.execute(f"SELECT {COLUMNS} FROM outbox ORDER BY seq"):  # noqa: S608 - fixed text
            yield _row(values)
    except (sqlite3.DatabaseError, ValueError):
        return
    finally:
        db.close()


def _values(row: Row) -> tuple[object, ...]:
    return (
        row.seq, row.id, int(row.row_class), row.kind.value, row.device, row.boot, row.mono_ns, row.effective,
        row.payload,
    )  # fmt: skip


def _row(values: tuple[int, str, int, str, str, str, int, str, bytes]) -> Row:
    seq, row_id, row_class, kind, device, boot, mono_ns, effective, payload = values
    return Row(
        seq=seq, id=row_id, row_class=RowClass(row_class), kind=Up(kind), device=device, boot=boot,
        mono_ns=mono_ns, effective=effective, payload=payload,
    )  # fmt: skip
