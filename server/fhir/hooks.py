"""Tells other systems of changes, in order, again after a failure, and no more when it fails for long.

A subscription knows the change up to which it was told. What changed since is told resource by resource, or
by one empty notification when it asked for no payload; only what was answered with success counts as told,
so that a crash tells something twice rather than never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import structlog
from sqlalchemy import Connection, Row, select, update

from clinical.errors import BadInputError, UnavailableError, WardlinkError
from clinical.records import Observation
from server.fhir import history, hook_wire, subscriptions, tokens
from server.fhir.caller import System
from server.fhir.resources.observations import PANEL, PRESSURE, Waveform, measured_id, observation
from server.fhir.search import Query
from server.fhir.served import TYPES
from server.fhir.settings import Fhir
from server.fhir.shape import JSON, Resource, to_json
from server.fhir.sources import PictureSource, with_meta
from server.fhir.view import View
from server.sites import Site
from server.storage.schema import fhir_subscriptions as table
from server.storage.store import Store, UnitOfWork

log = structlog.get_logger(__name__)
EVERY_S = 2.0
AT_ONCE = 100
"""Resources told to one system in one round, and the rest of their commit; the next round goes on."""
ROUND_S = 30.0
"""After so long a round ends (proposal); the next one begins with who had no turn."""
COMMIT_S = 300.0
"""So much longer one system may take for what a single commit changed, which is never torn (proposal)."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One resource as it is now, and the change that made it so."""

    seq: int
    resource: Resource


class HookSender:
    """Tells every subscription what changed for it."""

    def __init__(self, store: Store, site: Site, settings: Fhir) -> None:
        self._store, self._site, self._settings = store, site, settings
        self._last = ""

    async def run(self) -> None:
        """Tell, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.sweep)
            except UnavailableError:
                log.warning("hooks-postponed")
            await asyncio.sleep(EVERY_S)

    def sweep(self) -> int:
        """Tell everybody who is due once; returns how many notifications were answered with success."""
        now, until = self._store.clock(), monotonic() + ROUND_S
        with self._store.reading() as connection:
            rows = connection.execute(select(table).where(table.c.status != "off").order_by(table.c.id)).all()
            callers = {row.token_id: tokens.by_id(connection, row.token_id, now) for row in rows}
        told = 0
        for row in _in_turn(rows, self._last):
            if monotonic() >= until:
                log.warning("hooks-slow")
                break
            self._last = row.id
            told += self._turn(row, callers[row.token_id], now, until)
        return told

    def _turn(self, row: Row[Any], caller: System | None, now: datetime, until: float) -> int:
        try:
            if caller is None or subscriptions.is_over(row, now):
                self._turn_off(row, "the token has ended" if caller is None else "its end has come")
            elif row.next_attempt is None or row.next_attempt <= now:
                return self._tell(row, caller, until)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next subscription has its turn
            self._fault(row, error)
        return 0

    def _fault(self, row: Row[Any], error: Exception) -> None:
        log.error("hook-fault", subscription=row.id, error=type(error).__name__)
        told = UnavailableError("unexpected", "this server failed to tell it; the error is logged")
        self._failed(row, row.seen, told)

    def _tell(self, row: Row[Any], caller: System, until: float) -> int:
        view = View(picture=self._store.picture, site=self._site, systems=self._settings.systems)
        if view.picture.cursor <= row.seen:
            return 0
        with self._store.reading() as connection:
            changed = self._changed(connection, view, caller, row)
        due = _round(changed) if row.payload else changed[-1:]
        told, seen = 0, row.seen
        try:
            for one in due:
                if told and _is_over(until, begins=one.seq > due[told - 1].seq):
                    break
                self._send(row, one)
                told, seen = told + 1, max(seen, one.seq - 1)  # its commit is told when its last one is
        except WardlinkError as error:
            self._failed(row, seen, error)
            return told
        whole = told == len(changed) or not row.payload
        self._told(row, view.picture.cursor if whole else due[told - 1].seq)
        return told

    def _changed(self, connection: Connection, view: View, caller: System, row: Row[Any]) -> list[Changed]:
        kind, query = subscriptions.query_of(row.criteria, ZoneInfo(self._site.first.zone))
        source = TYPES[kind].source
        if isinstance(source, PictureSource):
            items = [
                item
                for item in source.matches(connection, view, caller, query)
                if row.seen < item.seq <= view.picture.cursor
            ]
            resources = source.render(connection, view, items)
            found = [Changed(seq=item.seq, resource=one) for item, one in zip(items, resources, strict=True)]
        else:
            found = list(_newest(connection, view, caller, query, row.seen))
        return sorted(found, key=lambda one: (one.seq, one.resource["id"]))

    def _send(self, row: Row[Any], one: Changed) -> None:
        headers = dict(_header(text) for text in msgspec.json.decode(row.headers, type=list[str]))
        url, method, body = row.endpoint, "POST", b""
        if row.payload:
            url = f"{url.rstrip('/')}/{one.resource['resourceType']}/{one.resource['id']}"
            method, body = "PUT", to_json(one.resource)
            headers["Content-Type"] = JSON
        status = hook_wire.send(
            url, method, headers, body, networks=self._settings.hook_networks, ca_file=self._settings.ca_file
        )
        if not 200 <= status < 300:
            raise UnavailableError("fhir-hook-status", f"the hook answered {status}")

    def _told(self, row: Row[Any], seen: int) -> None:
        well = {"status": "active", "failures": 0, "next_attempt": None, "error": ""}
        self._write(row, {"seen": seen, **(well if row.status != "active" or row.failures else {})})

    def _failed(self, row: Row[Any], seen: int, error: WardlinkError) -> None:
        failures = row.failures + 1
        log.warning("hook-failed", subscription=row.id, reason=error.code, failures=failures)
        if failures >= self._settings.hook_attempts or isinstance(error, BadInputError):
            self._turn_off(row, error.message)
            return
        wait = min(FIRST_WAIT * 2 ** min(failures - 1, 20), LONGEST_WAIT)
        self._write(
            row,
            {
                "seen": seen, "status": "error", "failures": failures, "error": error.message,
                "next_attempt": self._store.clock() + wait,
            },
        )  # fmt: skip

    def _turn_off(self, row: Row[Any], why: str) -> None:
        log.warning("hook-off", subscription=row.id)
        self._write(row, {"status": "off", "error": why, "next_attempt": None}, audit="fhir-hook-off")

    def _write(self, row: Row[Any], values: dict[str, Any], audit: str = "") -> None:
        def run(unit: UnitOfWork) -> None:
            version = {"version": row.version + 1, "changed": unit.now} if "status" in values else {}
            unit.connection.execute(update(table).where(table.c.id == row.id).values(**values, **version))
            if audit:
                unit.audit(
                    audit, actor="server", entity=f"fhir:Subscription/{row.id}", detail=values["error"]
                )

        self._store.write(run)


def _is_over(until: float, *, begins: bool) -> bool:
    """Whether a turn ends before a resource, which only one that begins a commit may do."""
    now = monotonic()
    if not begins and now >= until + COMMIT_S:
        raise UnavailableError("fhir-hook-silent", "the hook takes too long for one change")
    return begins and now >= until


def _in_turn(rows: Sequence[Row[Any]], last: str) -> list[Row[Any]]:
    """Who comes after the last one that had a turn, and then those before."""
    return sorted(rows, key=lambda row: (row.id <= last, row.id))


def _round(changed: list[Changed]) -> list[Changed]:
    """The first of what changed; a commit is never torn, so that it can be counted as told."""
    if len(changed) <= AT_ONCE:
        return changed
    last = changed[AT_ONCE - 1].seq
    return [one for one in changed if one.seq <= last]


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name, value.strip()


def _newest(connection: Connection, view: View, caller: System, query: Query, seen: int) -> Iterator[Changed]:
    """The newest value of each code that changed, as the history has it."""
    for entry in view.picture.kinds.get("observations", {}).values():
        newest = entry.record
        if (
            entry.seq <= seen
            or not isinstance(newest, Observation)
            or not caller.sees("Observation", entry.ward, "s")
        ):
            continue
        stay = view.newest_stay(newest.patient_id)
        if stay is None:
            continue
        code = PRESSURE if newest.code in PANEL else newest.code
        fid = measured_id("m", stay.id, newest.effective, f"{newest.device_id}\x00{code}")
        span: tuple[datetime, datetime] = (newest.effective, newest.effective)
        for one in history.values(connection, stay, span, frozenset({code}), 100).found:
            if one.id == fid and query.fits(one, view) and not isinstance(one, Waveform):
                made = observation(one, view)
                demo = view.is_demo(newest.patient_id)
                yield Changed(seq=entry.seq, resource=with_meta(made, fid, updated=one.recorded, demo=demo))
                break
