"""The handheld's encrypted store: SQLite in WAL mode, every commit on the disk before it counts.

Values and names are encrypted (``sealing``); what SQLite itself sees are counters, states, times of sign-in
and of confirmation, and blinded names. A copy of the directory tells nothing as long as the device secret
lies elsewhere; with the secret beside it (Demo wards only) a copy opens the device compartment. All work
runs on one thread of its own: SQLite and argon2 never block the window.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
import sqlite_utils

from clinical.errors import UnavailableError
from clinical.exchange import Changes, Event, Outcome
from clinical.records import Facts
from pda_app import wire
from pda_app.adapters import sealing
from pda_app.adapters.local_schema import MIGRATIONS
from pda_app.adapters.sealing import Box, PinCost
from pda_app.ports import Counts, Kept, KnownPerson, Returned

T = TypeVar("T")

KEPT_S = 24 * 3600.0
"""How long a confirmed event stays for the count on the uploads page; the server has it."""
NEEDS_A_PERSON = frozenset({"accepted-exception", "duplicate", "refused"})
"""Outcomes that leave the handheld only by an answer."""

_KINDS: dict[str, type[Any]] = {name: get_args(hint)[0] for name, hint in get_type_hints(Facts).items()}


class EncryptedStore:
    """One handheld's store in one directory.

    Args:
        directory: Holds the database; made when missing, readable by this user only.
        secret_file: The device secret, outside the directory (``HandheldSettings.device_secret``); without
            one it is made in the directory, which is good enough only where no patient is real.
        cost: How slow guessing a PIN is.
    """

    def __init__(
        self, directory: Path, secret_file: Path | None = None, *, cost: PinCost | None = None
    ) -> None:
        self._directory = directory
        self._secret_file = secret_file or directory / "device.key"
        self._cost = cost or PinCost()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._database: sqlite_utils.Database | None = None
        self._secret = b""
        self._names = b""
        self._device: Box | None = None
        self._ward: Box | None = None
        self._ward_key = b""

    # --- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make or open the files and the device compartment."""
        await self._do(self._open)

    async def close(self) -> None:
        """Close the files."""
        await self._do(self._close)
        self._thread.shutdown(wait=True)

    async def wipe(self) -> None:
        """Destroy the keys, then the files."""
        await self._do(self._wipe)

    def lock(self) -> None:
        """Forget the ward key until somebody signs in."""
        self._ward, self._ward_key = None, b""

    # --- people -------------------------------------------------------------------------------------

    async def people(self) -> tuple[KnownPerson, ...]:
        """Everybody known here, newest first."""
        return await self._do(self._people)

    async def remember(self, person: KnownPerson, pin: str) -> None:
        """Keep a person after an online sign-in and wrap the ward key for this PIN."""
        await self._do(lambda: self._remember(person, pin))

    async def update_person(self, person: KnownPerson) -> None:
        """Keep failures and blocking of one person."""
        await self._do(lambda: self._write(lambda db: self._put_person(db, person)))

    async def forget_person(self, badge: str) -> None:
        """Destroy what lets a person in without the server: the verifier, and the ward key of their PIN."""
        name = (self._person_name(badge),)

        def work(database: sqlite_utils.Database) -> None:
            for forget in ("DELETE FROM people WHERE name = ?", "DELETE FROM wraps WHERE name = ?"):
                database.execute(forget, name)

        await self._do(lambda: self._write(work))

    async def unlock(self, badge: str, pin: str) -> bool:
        """Open the ward compartment with a PIN."""
        return await self._do(lambda: self._unlock(badge, pin))

    # --- the ward's picture -------------------------------------------------------------------------

    async def kept(self) -> Kept | None:
        """The picture put together from all changes so far."""
        return await self._do(self._kept)

    async def keep(self, changes: Changes, fetched_at: datetime) -> None:
        """Merge changes into the picture, in one transaction with its cursor."""
        await self._do(lambda: self._keep(changes, fetched_at))

    # --- outbox -------------------------------------------------------------------------------------

    async def put(self, event: Event) -> None:
        """Write one event; it is on the disk when this returns. The same event twice is one row."""
        await self._do(lambda: self._put(event))

    async def pending(self, limit: int = 200) -> tuple[Event, ...]:
        """Events without an outcome, oldest first."""
        return await self._do(lambda: self._pending(limit))

    async def settle(self, outcomes: Sequence[Outcome], at: datetime) -> None:
        """Keep the outcomes of events that were sent."""
        await self._do(lambda: self._write(lambda db: self._settle(db, outcomes, at)))

    async def returned(self) -> tuple[Returned, ...]:
        """Outcomes nobody has answered yet, oldest first."""
        return await self._do(self._returned)

    async def answer(self, event_id: str, answer: str, at: datetime) -> None:
        """A person answered a returned outcome."""
        await self._do(lambda: self._write(lambda db: self._answer(db, event_id, answer, at)))

    async def counts(self) -> Counts:
        """The three numbers of the uploads page."""
        return await self._do(self._counts)

    # --- on the store's own thread ------------------------------------------------------------------

    async def _do(self, work: Callable[[], T]) -> T:
        """Run on the store's thread. A cancelled caller does not stop a commit half way."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise UnavailableError(
                "store-troubled", "the handheld's store cannot be written: free space, then try again"
            ) from error

    def _open(self) -> None:
        if self._database is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._secret = sealing.device_secret(self._secret_file)
        self._names = sealing.derive(self._secret, "wardlink handheld names")
        self._device = Box(sealing.derive(self._secret, "wardlink handheld device compartment"))
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._path.chmod(0o600)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        self._database = sqlite_utils.Database(connection)
        self._migrate()

    @property
    def _path(self) -> Path:
        return self._directory / "handheld.sqlite3"

    def _migrate(self) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise UnavailableError("store-newer", "a newer version wrote the store; update this program")
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE;{script};PRAGMA user_version={number};COMMIT;")

    @property
    def _db(self) -> sqlite_utils.Database:
        if self._database is None:
            raise UnavailableError("store-closed", "the handheld's store is not open")
        return self._database

    @property
    def _device_box(self) -> Box:
        if self._device is None:
            raise UnavailableError("store-closed", "the handheld's store is not open")
        return self._device

    def _close(self) -> None:
        self.lock()
        if self._database is not None:
            self._database.conn.close()
        self._database = None

    def _write(self, work: Callable[[sqlite_utils.Database], None]) -> None:
        database = self._db
        database.execute("BEGIN IMMEDIATE")
        try:
            work(database)
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _wipe(self) -> None:
        sealing.shred(self._secret_file)
        self._close()
        self._secret, self._device = b"", None
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    # --- people

    def _person_name(self, badge: str) -> bytes:
        return sealing.blind(self._names, "person", badge)

    def _people(self) -> tuple[KnownPerson, ...]:
        rows = self._db.query("SELECT name, sealed FROM people ORDER BY last_at DESC")
        opened = ((row["name"], self._device_box.unseal(row["sealed"], row["name"])) for row in rows)
        return tuple(wire.decode(plain, KnownPerson) for _, plain in opened if plain is not None)

    def _put_person(self, database: sqlite_utils.Database, person: KnownPerson) -> None:
        name = self._person_name(person.badge)
        sealed = self._device_box.seal(wire.encode(person), name)
        row = {"name": name, "last_at": person.last_at.timestamp(), "sealed": sealed}
        database.table("people").upsert(row, pk="name")

    def _wrapping(self, pin: str, salt: bytes) -> Box:
        stretched = sealing.stretch(pin, salt, self._cost)
        return Box(sealing.derive(self._secret + stretched, "wardlink handheld ward key", salt))

    def _remember(self, person: KnownPerson, pin: str) -> None:
        fresh = self._ward is None and not self._unlock(person.badge, pin)
        if fresh:
            self._ward_key = secrets.token_bytes(sealing.KEY_BYTES)
            self._ward = Box(self._ward_key)
        salt = secrets.token_bytes(16)
        name = self._person_name(person.badge)
        wrap = {"name": name, "salt": salt, "sealed": self._wrapping(pin, salt).seal(self._ward_key, name)}

        def work(database: sqlite_utils.Database) -> None:
            if fresh:  # what the old key opens is unreadable now: the server has it all
                for table in ("wraps", "records", "picture"):
                    database.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
            database.table("wraps").upsert(wrap, pk="name")
            self._put_person(database, person)

        self._write(work)

    def _unlock(self, badge: str, pin: str) -> bool:
        name = self._person_name(badge)
        row = next(iter(self._db.query("SELECT salt, sealed FROM wraps WHERE name = ?", [name])), None)
        if row is None:
            return False
        key = self._wrapping(pin, row["salt"]).unseal(row["sealed"], name)
        if key is None:
            return False
        self._ward_key, self._ward = key, Box(key)
        return True

    # --- picture

    def _keep(self, changes: Changes, fetched_at: datetime) -> None:
        ward = self._ward
        if ward is None:
            raise UnavailableError("store-locked", "sign in before the ward's picture can be kept")

        def work(database: sqlite_utils.Database) -> None:
            head = self._read_head(database, ward)
            if head is None and not changes.complete:
                raise UnavailableError("store-gap", "the picture kept here has no beginning; fetch it whole")
            if changes.complete:
                database.execute("DELETE FROM records")
            policy = changes.policy or (head.changes.policy if head else {})
            empty = replace(changes, facts=Facts(), removed={}, policy=policy)
            sealed = ward.seal(wire.encode(Kept(changes=empty, fetched_at=fetched_at)), b"picture")
            database.table("picture").upsert({"id": 1, "sealed": sealed}, pk="id")
            database.table("records").upsert_all(self._seal_facts(ward, changes.facts), pk="name")
            for kind, ids in changes.removed.items():
                gone = [(sealing.blind(self._names, kind, id_),) for id_ in ids]
                database.conn.executemany("DELETE FROM records WHERE name = ?", gone)

        self._write(work)

    def _seal_facts(self, ward: Box, facts: Facts) -> Iterable[dict[str, bytes]]:
        for kind in (field.name for field in fields(Facts)):
            for record in getattr(facts, kind):
                name = sealing.blind(self._names, kind, record.id)
                yield {"name": name, "sealed": ward.seal(wire.encode([kind, record]), name)}

    @staticmethod
    def _read_head(database: sqlite_utils.Database, ward: Box) -> Kept | None:
        row = database.execute("SELECT sealed FROM picture").fetchone()
        plain = ward.unseal(row[0], b"picture") if row else None
        return wire.decode(plain, Kept) if plain is not None else None

    def _kept(self) -> Kept | None:
        ward = self._ward
        head = self._read_head(self._db, ward) if ward is not None else None
        if ward is None or head is None:
            return None
        found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
        for name, sealed in self._db.execute("SELECT name, sealed FROM records"):
            plain = ward.unseal(sealed, name)
            if plain is None:
                return None  # not whole: the server's complete answer replaces it
            kind, raw = msgspec.json.decode(plain, type=tuple[str, msgspec.Raw])
            found[kind].append(wire.decode(bytes(raw), _KINDS[kind]))
        facts = Facts(**{kind: tuple(records) for kind, records in found.items()})
        return replace(head, changes=replace(head.changes, facts=facts, complete=True))

    # --- outbox

    def _event_name(self, event_id: str) -> bytes:
        return sealing.blind(self._names, "event", event_id)

    def _put(self, event: Event) -> None:
        name = self._event_name(event.id)
        row = {"name": name, "sealed": self._device_box.seal(wire.encode(event), name)}

        def work(database: sqlite_utils.Database) -> None:
            database.table("outbox").insert(row, ignore=True)

        self._write(work)

    def _open_event(self, name: bytes, sealed: bytes) -> Event:
        plain = self._device_box.unseal(sealed, name)
        if plain is None:
            raise UnavailableError("store-damaged", "an event on this handheld cannot be read; call support")
        return wire.decode_event(plain)

    def _pending(self, limit: int) -> tuple[Event, ...]:
        rows = self._db.execute(
            "SELECT name, sealed FROM outbox WHERE delivery = 'queued' ORDER BY seq LIMIT ?", [limit]
        )
        return tuple(self._open_event(name, sealed) for name, sealed in rows)

    def _settle(self, database: sqlite_utils.Database, outcomes: Sequence[Outcome], at: datetime) -> None:
        for outcome in outcomes:
            name = self._event_name(outcome.event_id)
            business = "returned" if outcome.status in NEEDS_A_PERSON else "confirmed"
            sealed = self._device_box.seal(wire.encode([outcome, at]), name + b"outcome")
            database.execute(
                "UPDATE outbox SET delivery = 'settled', business = ?, outcome = ?, done_at = ?"
                " WHERE name = ? AND delivery = 'queued'",
                [business, sealed, at.timestamp(), name],
            )
        self._forget_done(database, at)

    @staticmethod
    def _forget_done(database: sqlite_utils.Database, at: datetime) -> None:
        """Delete what was confirmed a day ago; rows without a time are from before times were kept."""
        database.execute(
            "UPDATE outbox SET done_at = ? WHERE delivery = 'settled' AND done_at IS NULL", [at.timestamp()]
        )
        database.execute(
            "DELETE FROM outbox WHERE business = 'confirmed' AND done_at < ?",
            [at.timestamp() - KEPT_S],
        )

    def _returned(self) -> tuple[Returned, ...]:
        rows = self._db.execute(
            "SELECT name, sealed, outcome FROM outbox WHERE business = 'returned' ORDER BY seq"
        ).fetchall()
        return tuple(self._open_returned(*row) for row in rows)

    def _open_returned(self, name: bytes, sealed: bytes, outcome: bytes) -> Returned:
        plain = self._device_box.unseal(outcome, name + b"outcome")
        if plain is None:
            raise UnavailableError("store-damaged", "an outcome kept here cannot be read; call support")
        what, received = msgspec.json.decode(plain, type=tuple[Outcome, datetime])
        return Returned(event=self._open_event(name, sealed), outcome=what, received=received)

    def _answer(self, database: sqlite_utils.Database, event_id: str, answer: str, at: datetime) -> None:
        name = self._event_name(event_id)
        sealed = self._device_box.seal(wire.encode([answer, at]), name + b"answer")
        database.execute(
            "UPDATE outbox SET business = 'answered', answer = ?, done_at = ?"
            " WHERE name = ? AND business = 'returned'",
            [sealed, at.timestamp(), name],
        )

    def _counts(self) -> Counts:
        query = (
            "SELECT count(*) FILTER (WHERE delivery = 'queued'),"
            " count(*) FILTER (WHERE business = 'returned'),"
            " count(*) FILTER (WHERE business IN ('confirmed', 'answered')) FROM outbox"
        )
        queued, returned, confirmed = self._db.execute(query).fetchone()
        return Counts(queued=queued, returned=returned, confirmed=confirmed)
