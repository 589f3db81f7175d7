"""Bulk export of one ward: in the background, a file of lines a type, kept for a day and then removed.

A job is a folder below the server's state directory that only the server's user may read. What it will hold
is one moment of the ward; a job that the server's end cut off says so and is started anew.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from clinical.errors import ConflictError, NotFoundError, RefusedError, WardlinkError
from clinical.records import Encounter
from server.fhir.caller import Caller, System
from server.fhir.errors import FhirError
from server.fhir.ids import fhir_id
from server.fhir.search import parse
from server.fhir.served import TYPES
from server.fhir.shape import instant, to_json
from server.fhir.view import View
from server.people.errors import TooManyAttemptsError
from server.storage.store import Store

log = structlog.get_logger(__name__)
DATES: Mapping[str, str] = {
    "Encounter": "date", "MedicationRequest": "date", "MedicationAdministration": "date", "Task": "period",
    "Specimen": "collected", "DetectedIssue": "identified", "Observation": "date", "AuditEvent": "date",
}  # fmt: skip
"""The parameter that holds a type against the period of an export."""
AT_ONCE, PAGE, MOST_LINES = 2, 500, 5_000_000
_ID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be exported."""

    caller: System
    ward: str
    kinds: tuple[str, ...]
    start: datetime
    end: datetime
    since: str
    url: str  # as it was asked for


@dataclass(slots=True)
class Job:
    """One export."""

    id: str
    token_id: str
    url: str
    at: datetime
    total: int
    state: str = "running"  # running, done, failed
    error: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Within:
    """A caller who looks at one ward alone."""

    caller: Caller
    ward: str

    @property
    def actor(self) -> str:
        return self.caller.actor

    def may(self, kind: str, letter: str) -> bool:
        return self.caller.may(kind, letter)

    def sees(self, kind: str, ward: str, letter: str = "r") -> bool:
        return ward in {"", self.ward} and self.caller.sees(kind, ward, letter)


class Exports:
    """Every export of this process, and those whose files an earlier one left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def start(self, store: Store, view: View, folder: Path, order: Order) -> str:
        """Begin an export and return its id.

        Raises:
            TooManyAttemptsError: Others are under way.
        """
        job = Job(
            id=secrets.token_hex(12),
            token_id=order.caller.token_id,
            url=order.url,
            at=store.clock(),
            total=len(order.kinds),
        )
        with self._lock:
            running = [one for one in self._jobs.values() if one.state == "running"]
            if len(running) >= AT_ONCE or any(one.token_id == job.token_id for one in running):
                raise TooManyAttemptsError(
                    "fhir-export-busy", "another export is under way; wait for it", retry_after_s=30
                )
            self._jobs[job.id] = job
        place = folder / job.id
        try:
            place.mkdir(mode=0o700, parents=True)
            _save(place, job)
        except OSError:
            self._jobs.pop(job.id, None)
            raise
        worker = threading.Thread(
            target=self._run, args=(store, view, place, order, job), name="fhir-export", daemon=True
        )
        worker.start()
        return job.id

    def _run(self, store: Store, view: View, place: Path, order: Order, job: Job) -> None:
        try:
            for kind in order.kinds:
                job.counts[kind] = _write(store, view, place / f"{kind}.ndjson", order, kind, job)
            job.state = "done"
        except (WardlinkError, OSError, RuntimeError) as error:
            job.state, job.error = "failed", getattr(error, "code", type(error).__name__)
            log.warning("export-failed", reason=job.error)
        if job.cancelled.is_set():
            shutil.rmtree(place, ignore_errors=True)
        else:
            _save(place, job)

    def job(self, folder: Path, job_id: str, token_id: str) -> Job:
        """Return a job of a token; an unfinished one of an earlier process has failed.

        Raises:
            NotFoundError: There is none of this id, or it is another's.
        """
        found = self._jobs.get(job_id) or _load(folder, job_id)
        if found is None or found.token_id != token_id:
            raise NotFoundError(
                "fhir-export", "there is no such export; it may have been removed; start it anew"
            )
        return found

    def file(self, folder: Path, job_id: str, token_id: str, kind: str) -> Path:
        """Return a finished file.

        Raises:
            NotFoundError: There is none.
        """
        job = self.job(folder, job_id, token_id)
        path = folder / job.id / f"{kind}.ndjson"
        if job.state != "done" or kind not in job.counts or not path.is_file():
            raise NotFoundError(
                "fhir-export", "there is no such export; it may have been removed; start it anew"
            )
        return path

    def remove(self, folder: Path, job_id: str, token_id: str) -> None:
        """Stop an export and remove its files."""
        job = self.job(folder, job_id, token_id)
        job.cancelled.set()
        self._jobs.pop(job.id, None)
        if job.state != "running":
            shutil.rmtree(folder / job.id, ignore_errors=True)

    def tidy(self, folder: Path, before: datetime) -> None:
        """Remove what is older than it may be kept."""
        for place in folder.glob("*/job.json"):
            job = _load(folder, place.parent.name)
            live = self._jobs.get(place.parent.name)
            if (job is None or job.at < before) and (live is None or live.state != "running"):
                self._jobs.pop(place.parent.name, None)
                shutil.rmtree(place.parent, ignore_errors=True)


def _write(store: Store, view: View, path: Path, order: Order, kind: str, job: Job) -> int:
    count = 0
    with path.open("wb") as file:
        path.chmod(0o600)
        for part in _parts(view, order, kind):
            for line in _lines(store, view, order, kind, part):
                if job.cancelled.is_set():
                    raise ConflictError("cancelled", "the export was stopped")
                count += 1
                if count > MOST_LINES:
                    raise FhirError(
                        422, "fhir-export-large", "the export is too large; ask for a shorter period"
                    )
                file.write(line + b"\n")
    return count


def _parts(view: View, order: Order, kind: str) -> Iterator[list[tuple[str, str]]]:
    """The searches that together are a type: one, or one for each stay where a search needs to name it."""
    pairs = []
    date = DATES.get(kind)
    if date is not None:
        pairs += [(date, f"ge{instant(order.start)}"), (date, f"le{instant(order.end)}")]
    if order.since and "_lastUpdated" in TYPES[kind].source.params:
        pairs.append(("_lastUpdated", f"ge{order.since}"))
    if kind != "Observation":
        yield pairs
        return
    for stay in view.picture.all(Encounter):
        if stay.ward == order.ward:
            yield [("encounter", fhir_id(stay.id)), *pairs]


def _lines(
    store: Store, view: View, order: Order, kind: str, pairs: Sequence[tuple[str, str]]
) -> Iterator[bytes]:
    zone = ZoneInfo(view.site.first.zone)
    source = TYPES[kind].source
    query = parse(pairs, source.params, zone, page=PAGE, most=PAGE)
    caller = _Within(caller=order.caller, ward=order.ward)
    while True:
        with store.reading() as connection:
            page = source.search(connection, view, caller, query)
        yield from map(to_json, page.resources)
        if not page.next:
            return
        query = replace(query, cursor=page.next)


def _save(place: Path, job: Job) -> None:
    known = {"token_id": job.token_id, "url": job.url, "at": job.at.isoformat(), "total": job.total}
    state = {"state": job.state, "error": job.error, "counts": job.counts}
    path = place / "job.json"
    path.write_text(json.dumps(known | state))
    path.chmod(0o600)


def _load(folder: Path, job_id: str) -> Job | None:
    path = folder / job_id / "job.json"
    if not _ID.fullmatch(job_id) or not path.is_file():
        return None
    said = json.loads(path.read_text())
    lost = said["state"] == "running"
    return Job(
        id=job_id,
        token_id=said["token_id"],
        url=said["url"],
        at=datetime.fromisoformat(said["at"]),
        total=said["total"],
        state="failed" if lost else said["state"],
        error="lost" if lost else said["error"],
        counts=said["counts"],
    )


def manifest(job: Job, base: str) -> dict[str, object]:
    """What a finished export holds."""
    files = [
        {"type": kind, "url": f"{base}/$export-file/{job.id}/{kind}", "count": count}
        for kind, count in job.counts.items()
        if count
    ]
    return {
        "transactionTime": instant(job.at),
        "request": job.url,
        "requiresAccessToken": True,
        "output": files,
        "error": [],
    }


def kinds_for(caller: System, ward: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The types that are exported: those asked for, else all but the audit; all have to be the caller's.

    Raises:
        FhirError: A type is not known here.
        RefusedError: None is the caller's, or one that was asked for is not.
    """
    if any(kind not in TYPES for kind in wanted):
        raise FhirError(400, "fhir-parameter", "this search parameter is not known here", parameter="_type")
    asked = list(dict.fromkeys(wanted)) or [kind for kind in TYPES if kind != "AuditEvent"]
    own = tuple(kind for kind in asked if caller.sees(kind, ward, "s"))
    if not own or (wanted and len(own) < len(asked)):
        raise RefusedError("role", "your role or token may not do that with this kind of resource")
    return own


def period_of(
    start: datetime | None, end: datetime | None, now: datetime, days: int
) -> tuple[datetime, datetime]:
    """The period of an export, both ends in it: the last days it may span, unless told.

    Raises:
        FhirError: It ends before it begins, or is too long.
    """
    until = end or now
    since = start or until - timedelta(days=days)
    if not timedelta(0) < until - since <= timedelta(days=days):
        raise FhirError(
            400, "fhir-period", "an export spans some time and not more than the settings say", days=days
        )
    return since, until
