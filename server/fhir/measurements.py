"""Observations: what was measured and charted, read from the history of values and waves, newest first.

A ward measures by the second, so a search names a patient or a stay, and waves are found by their code
alone. A page ends at a time and a number of values of that very time, which the next one passes over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from clinical.codes import CODES
from clinical.records import Encounter
from server.fhir import codes, history
from server.fhir.caller import Caller
from server.fhir.errors import FhirError, bad_request
from server.fhir.history import Found
from server.fhir.ids import fhir_id, short
from server.fhir.resources.observations import (
    PANEL,
    PRESSURE,
    Measured,
    category_of,
    concept_of,
    observation,
    wave,
)
from server.fhir.search import Kind, Param, Query, Span, bounds
from server.fhir.shape import Resource
from server.fhir.sources import Page, patients_asked, with_meta
from server.fhir.view import View
from server.storage.columns import EPOCH, micros

_ID = re.compile(r"([mw])-([0-9a-f]{10})-([0-9a-z]{1,13})-([0-9a-f]{16})")
_SCAN = 2_000
"""Rows looked at for one page; when few of them fit, the page is short and the next one goes on."""
_ROOM = 100
"""Rows more than asked for, as those of the instant where the page before ended come again."""
_LAST_ID = "~"


def tokens(code: str) -> Iterator[tuple[str, str]]:
    """Every coding of one of our codes, as a search compares it."""
    yield from ((part["system"], part["code"]) for part in concept_of(code)["coding"] if part)


def _status(one: Found, view: View) -> str:
    return str(observation(one, view)["status"]) if isinstance(one, Measured) else "final"


def _about(name: str, target: str, field: str) -> Param:
    """Whose it is, or of which stay."""
    return Param(
        name=name, kind=Kind.REFERENCE, get=lambda r, _v: [(target, getattr(r, field))], target=target
    )


PARAMS: Mapping[str, Param] = {
    one.name: one
    for one in (
        _about("patient", "Patient", "patient_id"),
        _about("subject", "Patient", "patient_id"),
        _about("encounter", "Encounter", "encounter_id"),
        Param(name="code", kind=Kind.TOKEN, get=lambda r, _v: tokens(r.code)),
        Param(name="category", kind=Kind.TOKEN, get=lambda r, _v: [(codes.CATEGORY, category_of(r.code))]),
        Param(name="date", kind=Kind.DATE, get=lambda r, _v: [(r.effective, r.effective)]),
        Param(name="status", kind=Kind.TOKEN, get=lambda r, v: [("", _status(r, v))]),
        Param(
            name="device", kind=Kind.REFERENCE, get=lambda r, _v: [("Device", r.device_id)], target="Device"
        ),
        Param(name="_id", kind=Kind.TOKEN, get=lambda r, _v: [("", r.id)]),
    )
}
PROFILE = codes.VITAL_SIGNS
_BY_STAY = frozenset({"patient", "subject", "encounter"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """The source of Observation."""

    params: Mapping[str, Param]

    def read(self, connection: Connection, view: View, fid: str) -> tuple[Resource, str] | None:
        """Return the observation with this id and the ward that sees it."""
        match = _ID.fullmatch(fid)
        if match is None:
            return None
        try:
            at = EPOCH + timedelta(microseconds=int(match[3], 36))
        except OverflowError:
            return None
        for stay in view.picture.all(Encounter):
            if short(stay.id, 10) == match[2]:
                read = history.values if match[1] == "m" else history.waves
                for one in read(connection, stay, (at, at), None, _SCAN).found:
                    if one.id == fid:
                        return _render(one, view), stay.ward
        return None

    def search(self, connection: Connection, view: View, caller: Caller, query: Query) -> Page:
        """Return a page of what the caller sees and asks for, newest first.

        Raises:
            FhirError: The search names neither a patient nor a stay.
        """
        named = query.values("_id")
        if named:
            return _by_id(self, connection, view, caller, query)
        if query.updated:
            raise bad_request("fhir-parameter", "search observations by date", parameter="_lastUpdated")
        stays = [stay for stay in _stays(view, query) if caller.sees("Observation", stay.ward, "s")]
        begin = _place(query.cursor)
        low, high = bounds(query.values("date"))
        until = min(filter(None, (high, begin[0] if begin else None)), default=None)
        rows = _ROOM + (_SCAN if _is_narrow(query) else query.count)
        ordered, more = _ordered(connection, stays, (low, until), _wanted(query, view), rows)
        return _page(
            [one for one in ordered if begin is None or _key(one) > _after(begin)], more, view, query
        )


def _render(one: Found, view: View) -> Resource:
    resource = observation(one, view) if isinstance(one, Measured) else wave(one, view)
    recorded = one.recorded if isinstance(one, Measured) else one.effective
    return with_meta(resource, one.id, updated=recorded, demo=view.is_demo(one.patient_id))


def _by_id(source: Observations, connection: Connection, view: View, caller: Caller, query: Query) -> Page:
    """Answer a search that names ids; the other parameters still count."""
    ids = [code for values in query.values("_id") for _, code in values]
    found = [one for fid in dict.fromkeys(ids) if (one := source.read(connection, view, fid)) is not None]
    seen = [resource for resource, ward in found if caller.sees("Observation", ward, "s")]
    return Page(resources=tuple(seen[: query.count]), total=len(seen))


def _stays(view: View, query: Query) -> list[Encounter]:
    """The stays a search is about."""
    patients, named = patients_asked(query), query.values("encounter")
    if patients is None and not named:
        raise FhirError(
            400,
            "fhir-too-costly",
            "a search for observations names a patient or an encounter; export the rest",
        )
    fids = [{fid for _, fid in values} for values in named]
    return [
        stay
        for stay in view.picture.all(Encounter)
        if (patients is None or stay.patient_id in patients)
        and all(fhir_id(stay.id) in wanted for wanted in fids)
    ]


def _is_narrow(query: Query) -> bool:
    """Whether more is asked for than the store can judge by itself."""
    return any(one.param.name in {"status", "device"} or one.modifier for one in query.criteria)


def _place(cursor: str) -> tuple[datetime, str] | None:
    """Where the page before ended: a time, and the id of the last value of that time."""
    if not cursor:
        return None
    at, _, fid = cursor.partition(":")
    if not re.fullmatch(r"-?\d{1,16}", at):
        raise bad_request("fhir-cursor", "follow the next link as it was given")
    return EPOCH + timedelta(microseconds=int(at)), fid


def _key(one: Found) -> tuple[int, str]:
    """Newest first, and always the same order within one instant."""
    return (-micros(one.effective), one.id)


def _after(begin: tuple[datetime, str]) -> tuple[int, str]:
    return (-micros(begin[0]), begin[1])


def _wanted(query: Query, view: View) -> frozenset[str] | None:
    """Our codes of what a search asks for by code and category; None when it asks for all of them."""
    narrowing = [one for one in query.criteria if one.param.name in {"code", "category"}]
    if not narrowing:
        return None
    known = {*CODES, PRESSURE, "MDCX_NEWS2"} - set(PANEL)
    return frozenset(code for code in known if all(one.fits(_Coded(code), view) for one in narrowing))


@dataclass(frozen=True, slots=True)
class _Coded:
    """A code alone, for the parameters that look at nothing else."""

    code: str


def _ordered(
    connection: Connection, stays: Sequence[Encounter], span: Span, wanted: frozenset[str] | None, rows: int
) -> tuple[list[Found], datetime | None]:
    """What there is, newest first, each once; and from when on there may be more, if there may."""
    parts = [history.values(connection, stay, span, wanted, rows) for stay in stays]
    if wanted is not None:
        parts += [history.waves(connection, stay, span, wanted, rows) for stay in stays]
    cut = max((part.cut for part in parts if part.cut is not None), default=None)
    found = {one.id: one for part in parts for one in part.found}
    sure = [one for one in found.values() if cut is None or one.effective > cut]
    # Only rows of one single instant fill the whole scan: then they are all there will ever be of it.
    return sorted(sure or found.values(), key=_key), cut


def _page(ordered: Sequence[Found], more: datetime | None, view: View, query: Query) -> Page:
    """Take what fits, and say where the next page begins."""
    if not query.count:
        return Page(resources=())
    taken: list[Found] = []
    looked = 0
    for one in ordered:
        looked += 1
        if query.fits(one, view, without=_BY_STAY):
            taken.append(one)
            if len(taken) == query.count:
                break
    last = ordered[looked - 1] if looked else None
    following = ""
    if last is not None and (looked < len(ordered) or more is not None):
        following = f"{micros(last.effective)}:{last.id}"
    elif more is not None:
        following = f"{micros(more)}:{_LAST_ID}"
    return Page(resources=tuple(_render(one, view) for one in taken), next=following)
