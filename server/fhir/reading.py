"""Reading, searching and ``$everything``: what a caller sees of one moment of the ward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from clinical.errors import NotFoundError
from server.fhir.bundle import searchset
from server.fhir.caller import Caller, require, require_ward
from server.fhir.errors import bad_request
from server.fhir.search import Query, parse
from server.fhir.served import TYPES
from server.fhir.settings import Fhir
from server.fhir.shape import Resource
from server.fhir.view import View

EVERYTHING = (
    "Encounter", "Flag", "MedicationRequest", "MedicationAdministration", "Task", "Specimen",
    "DeviceUseStatement", "DetectedIssue", "Observation",
)  # fmt: skip
"""What belongs to a patient, in the order it is told."""
_REFERRED = frozenset({"Practitioner", "Location", "Device"})
_DATE_OF = {
    "Encounter": "date", "MedicationRequest": "date", "MedicationAdministration": "date", "Task": "period",
    "Specimen": "collected", "DetectedIssue": "identified", "Observation": "date",
}  # fmt: skip
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request's surroundings."""

    connection: Connection
    view: View
    caller: Caller
    settings: Fhir
    base: str
    lenient: bool = False

    def parse(self, kind: str, asked: Pairs) -> Query:
        """Read the parameters of a search."""
        return parse(
            [pair for pair in asked if pair != ("_sort", TYPES[kind].order)],
            TYPES[kind].source.params,
            ZoneInfo(self.view.site.first.zone),
            page=self.settings.page,
            most=self.settings.page_max,
            lenient=self.lenient,
        )


def read(asking: Asking, kind: str, fid: str) -> Resource:
    """Return one resource.

    Raises:
        NotFoundError: There is none with this id.
        RefusedError: It is not the caller's to read.
    """
    require(asking.caller, kind, "r")
    found = TYPES[kind].source.read(asking.connection, asking.view, fid)
    if found is None:
        raise NotFoundError("fhir-unknown", "there is no such resource; search for it")
    require_ward(asking.caller, kind, found[1], "r")
    return found[0]


def search(asking: Asking, kind: str, asked: Pairs) -> Resource:
    """Return a page of what fits, as a Bundle.

    Raises:
        FhirError: A parameter is unknown or badly written.
        RefusedError: The caller may not search this type.
    """
    require(asking.caller, kind, "s")
    query = asking.parse(kind, asked)
    page = TYPES[kind].source.search(asking.connection, asking.view, asking.caller, query)
    return searchset(
        asking.base, kind, query.asked, query.count, page.resources, following=page.next, total=page.total
    )


def everything(asking: Asking, fid: str, asked: Pairs) -> Resource:
    """Return a page of everything about a patient, with the people, places and devices it names.

    Raises:
        FhirError: A parameter is unknown or badly written.
        NotFoundError: There is no such patient.
        RefusedError: The patient is not the caller's to read.
    """
    patient = read(asking, "Patient", fid)
    given = _everything_params(asked)
    kinds = [
        kind
        for kind in EVERYTHING
        if kind in given.get("_type", kind).split(",") and asking.caller.may(kind, "s")
    ]
    control = asking.parse("Patient", [pair for pair in asked if pair[0] in {"_count", "_cursor"}])
    at, _, inner = control.cursor.partition("|")
    found: list[Resource] = [] if control.cursor or control.count == 0 else [patient]
    following = ""
    for kind in kinds[kinds.index(at) if at in kinds else 0 :]:
        query = _within(asking, kind, fid, given)
        room = control.count - len(found)
        if room <= 0:
            following = f"{kind}|"
            break
        query = replace(query, count=room, cursor=inner if kind == at else "")
        page = TYPES[kind].source.search(asking.connection, asking.view, asking.caller, query)
        found += page.resources
        if page.next:
            following = f"{kind}|{page.next}"
            break
    included = list(_referred(asking, found))
    kept = [pair for pair in asked if pair[0] not in {"_count", "_cursor"}]
    return searchset(
        asking.base,
        f"Patient/{fid}/$everything",
        kept,
        control.count,
        found,
        following=following,
        included=included,
    )


def _everything_params(asked: Pairs) -> Mapping[str, str]:
    known = {"_type", "_since", "start", "end", "_count", "_cursor", "_format"}
    for name, _ in asked:
        if name not in known:
            raise bad_request(
                "fhir-parameter", "this search parameter is not known here", parameter=name[:64]
            )
    return dict(asked)


def _within(asking: Asking, kind: str, fid: str, given: Mapping[str, str]) -> Query:
    """Search of one type for one patient, within the times that were asked for."""
    pairs = [("patient", fid)]
    date = _DATE_OF.get(kind)
    if date is not None:
        pairs += [(date, f"ge{given['start']}")] if given.get("start") else []
        pairs += [(date, f"le{given['end']}")] if given.get("end") else []
    if given.get("_since"):
        since = "_lastUpdated" if "_lastUpdated" in TYPES[kind].source.params else date
        pairs += [(since, f"ge{given['_since']}")] if since else []
    return asking.parse(kind, pairs)


def _referred(asking: Asking, found: Sequence[Resource]) -> Iterator[Resource]:
    """The people, places and devices that resources name, each once, as far as the caller may read them."""
    named = dict.fromkeys(name for one in found for name in _references(one))
    for name in named:
        kind, _, fid = name.partition("/")
        if kind in _REFERRED and asking.caller.may(kind, "r"):
            one = TYPES[kind].source.read(asking.connection, asking.view, fid)
            if one is not None and asking.caller.sees(kind, one[1], "r"):
                yield one[0]


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "reference" and isinstance(part, str):
                yield part
            else:
                yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)
