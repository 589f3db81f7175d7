"""AuditEvent and DetectedIssue: lines of the audit chain and of the kept checks, newest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, or_, select

from server.fhir.caller import Caller
from server.fhir.errors import bad_request
from server.fhir.ids import fhir_id, is_digest, record_id
from server.fhir.resources.work import (
    AuditLine,
    Checked,
    action_of,
    audit_event,
    detected_issue,
)
from server.fhir.search import Kind, Param, Query, bounds
from server.fhir.shape import Resource
from server.fhir.sources import Page, patients_asked, with_meta
from server.fhir.view import View
from server.storage import schema
from server.storage.columns import EPOCH, micros
from server.storage.picture import EVERY_WARD

_SCAN = 2_000
"""Lines looked at for one page; when few of them fit, the page is short and the next one goes on."""

NO_WARD = "\x00"
"""The ward of what belongs to a patient who has gone: for those who see every ward."""
AUDIT_PARAMS: Mapping[str, Param] = {
    one.name: one
    for one in (
        Param(name="_id", kind=Kind.TOKEN, get=lambda r, _v: [("", str(r.n))]),
        Param(
            name="patient",
            kind=Kind.REFERENCE,
            get=lambda r, _v: [("Patient", r.patient_id)],
            target="Patient",
        ),
        Param(name="date", kind=Kind.DATE, get=lambda r, _v: [(r.at, r.at)]),
        Param(name="action", kind=Kind.TOKEN, get=lambda r, _v: [("", action_of(r.action))]),
        Param(name="subtype", kind=Kind.TOKEN, get=lambda r, _v: [("urn:wardlink:audit-action", r.action)]),
        Param(
            name="agent",
            kind=Kind.REFERENCE,
            get=lambda r, _v: [("Practitioner", r.actor)],
            target="Practitioner",
        ),
    )
}
ISSUE_PARAMS: Mapping[str, Param] = {
    one.name: one
    for one in (
        Param(name="_id", kind=Kind.TOKEN, get=lambda r, _v: [("", fhir_id(r.id))]),
        Param(name="identifier", kind=Kind.TOKEN, get=lambda r, _v: [("urn:wardlink:check", r.id)]),
        Param(
            name="patient",
            kind=Kind.REFERENCE,
            get=lambda r, _v: [("Patient", r.patient_id)],
            target="Patient",
        ),
        Param(name="identified", kind=Kind.DATE, get=lambda r, _v: [(r.at, r.at)]),
        Param(name="code", kind=Kind.TOKEN, get=lambda r, _v: [("urn:wardlink:check-action", r.action)]),
        Param(
            name="author",
            kind=Kind.REFERENCE,
            get=lambda r, _v: [("Practitioner", r.operator)],
            target="Practitioner",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A type whose resources are lines that are only ever added."""

    kind: str
    params: Mapping[str, Param]
    table: Table
    key: str  # column that names a line
    date: str  # its date parameter
    nobody: str  # the ward that sees a line about no patient
    fixed: Callable[[Table], ColumnElement[bool]] | None
    record: Callable[[Row[Any]], Any]
    mapper: Callable[[Any, View], Resource]

    def read(self, connection: Connection, view: View, fid: str) -> tuple[Resource, str] | None:
        """Return the line with this id and the ward that sees it."""
        key: Any = record_id(fid)
        if key is None or is_digest(fid):
            return None
        column = self.table.c[self.key]
        if self.key == "n":
            key = int(key) if key.isascii() and key.isdecimal() and len(key) < 16 else -1
        row = connection.execute(select(self.table).where(column == key, *self._where())).first()
        return (self._render(row, view), self._ward(view, row.patient_id)) if row is not None else None

    def search(self, connection: Connection, view: View, caller: Caller, query: Query) -> Page:
        """Return a page of what the caller sees and asks for, newest first."""
        if query.updated:
            raise bad_request("fhir-parameter", "search this by its own date", parameter="_lastUpdated")
        table, column = self.table, self.table.c[self.key]
        low, high = bounds(query.values(self.date))
        where = self._where()
        where += [table.c.at >= low] if low is not None else []
        where += [table.c.at <= high] if high is not None else []
        patients = patients_asked(query)
        where += [table.c.patient_id.in_(patients)] if patients is not None else []
        where += _before(query.cursor, table, column)
        statement = select(table).where(*where).order_by(table.c.at.desc(), column.desc()).limit(_SCAN)
        return self._page(connection.execute(statement).all(), view, caller, query)

    def _page(self, rows: Sequence[Row[Any]], view: View, caller: Caller, query: Query) -> Page:
        taken: list[Resource] = []
        looked = 0
        for row in rows if query.count else ():
            looked += 1
            seen = caller.sees(self.kind, self._ward(view, row.patient_id), "s")
            if seen and query.fits(self.record(row), view):
                taken.append(self._render(row, view))
                if len(taken) == query.count:
                    break
        more = looked < len(rows) or len(rows) == _SCAN
        following = (
            f"{micros(rows[looked - 1].at)}:{rows[looked - 1]._mapping[self.key]}" if more and looked else ""
        )
        return Page(resources=tuple(taken), next=following)

    def _ward(self, view: View, patient_id: str) -> str:
        entry = view.picture.entry("patients", patient_id) if patient_id else None
        return entry.ward if entry is not None else NO_WARD if patient_id else self.nobody

    def _where(self) -> list[ColumnElement[bool]]:
        return [self.fixed(self.table)] if self.fixed is not None else []

    def _render(self, row: Row[Any], view: View) -> Resource:
        record = self.record(row)
        demo = view.is_demo(record.patient_id)
        fid = fhir_id(str(row._mapping[self.key]))
        return with_meta(self.mapper(record, view), fid, seq=1, updated=row.at, demo=demo)


_PLACE = re.compile(r"(-?\d{1,16}):(.{1,96})")


def _before(cursor: str, table: Table, column: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """What comes after the last line of the page before: a time, and the line's own key."""
    if not cursor:
        return []
    match = _PLACE.fullmatch(cursor)
    numbered = column.type.python_type is int
    if match is None or "\x00" in cursor or (numbered and not re.fullmatch(r"[0-9]{1,18}", match[2])):
        raise bad_request("fhir-cursor", "follow the next link as it was given")
    when, moment = table.c.at, EPOCH + timedelta(microseconds=int(match[1]))
    own: Any = int(match[2]) if numbered else match[2]
    return [or_(when < moment, and_(when == moment, column < own))]


def _line(row: Row[Any]) -> AuditLine:
    return AuditLine(
        n=row.n,
        at=row.at,
        actor=row.actor,
        action=row.action,
        entity=row.entity,
        patient_id=row.patient_id,
        outcome=row.outcome,
        detail=row.detail,
        hash=row.hash,
    )


def _checked(row: Row[Any]) -> Checked:
    return Checked(
        id=row.id,
        at=row.at,
        operator=row.operator,
        action=row.action,
        word=row.word,
        codes=tuple(filter(None, row.codes.split(","))),
        patient_id=row.patient_id,
        task_id=row.task_id,
    )


def audit_events() -> Log:
    """The source of AuditEvent."""
    return Log(
        kind="AuditEvent", params=AUDIT_PARAMS, table=schema.audit, key="n", date="date", nobody=NO_WARD,
        fixed=None, record=_line, mapper=audit_event,
    )  # fmt: skip


def detected_issues() -> Log:
    """The source of DetectedIssue: checks that did not simply say GIVE."""
    return Log(
        kind="DetectedIssue", params=ISSUE_PARAMS, table=schema.evaluations, key="id", date="identified",
        nobody=EVERY_WARD,
        fixed=lambda table: table.c.word.in_(("CHECK", "STOP")), record=_checked, mapper=detected_issue,
    )  # fmt: skip
