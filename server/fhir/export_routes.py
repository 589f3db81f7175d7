"""``Group/{ward}/$export``: asked for, waited for, fetched, removed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path as File
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, Response

from server.context import Context
from server.dependencies import Ctx
from server.fhir import exports
from server.fhir.contract import FINISHED, LINES, REFUSED, STARTED, query_parameters
from server.fhir.doors import CallerIs, Checked, base_of, door_of, note_look, settings_of, view_of
from server.fhir.errors import BASE, FhirError, bad_request
from server.fhir.routes_in import system_alone
from server.fhir.search import span_of
from server.fhir.shape import NDJSON, to_json

router = APIRouter(prefix=BASE, tags=["fhir"], responses=REFUSED)
JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$")]
Kind = Annotated[str, Path(pattern=r"^[A-Z][A-Za-z]{2,40}$")]
_PARAMS = ("_type", "_since", "start", "end", "_outputFormat")
_FORMATS = frozenset({NDJSON, "application/ndjson", "ndjson", NDJSON.replace("+", " ")})


def _folder(context: Context) -> File:
    return context.settings.server.state_dir / "fhir-exports"


@router.get(
    "/Group/{ward}/$export",
    status_code=202,
    response_class=Response,
    responses=STARTED,
    dependencies=[Checked],
    openapi_extra=query_parameters(_PARAMS),
)
def start_export(
    ward: Annotated[str, Path(max_length=64)], request: Request, caller: CallerIs, context: Ctx
) -> Response:
    """Begin to export a ward: types (``_type``), a period (``start``, ``end``), changes (``_since``)."""
    system = system_alone(caller)
    ward_id = context.site.ward(ward).id
    asked = dict(request.query_params)
    unknown = [name for name in asked if name not in _PARAMS]
    if unknown or asked.get("_outputFormat", NDJSON) not in _FORMATS:
        raise bad_request(
            "fhir-parameter",
            "this search parameter is not known here",
            parameter=(unknown or ["_outputFormat"])[0][:64],
        )
    if "respond-async" not in request.headers.get("prefer", ""):
        raise bad_request("fhir-async", "an export is waited for: send Prefer: respond-async")
    zone, settings, folder = ZoneInfo(context.site.first.zone), settings_of(request), _folder(context)
    kinds = exports.kinds_for(system, ward_id, [kind for kind in asked.get("_type", "").split(",") if kind])
    now = context.store.clock()
    start, end = exports.period_of(
        _time("start", asked, zone), _time("end", asked, zone), now, settings.export_days
    )
    _time("_since", asked, zone)
    door_of(request).exports.tidy(folder, now - timedelta(hours=settings.export_keep_h))
    order = exports.Order(
        caller=system,
        ward=ward_id,
        kinds=kinds,
        start=start,
        end=end,
        since=asked.get("_since", ""),
        url=f"{base_of(request)}/Group/{ward_id}/$export?{request.url.query}",
    )
    job = door_of(request).exports.start(context.store, view_of(request), folder, order)
    note_look(request, context, caller, "fhir-export", f"Group/{ward_id}/{job}")
    return Response(status_code=202, headers={"Content-Location": f"{base_of(request)}/$export-status/{job}"})


def _time(name: str, asked: dict[str, str], zone: ZoneInfo) -> datetime | None:
    if not asked.get(name):
        return None
    span = span_of(asked[name], zone)
    if span is None:
        raise bad_request(
            "fhir-date", "a date is written like ge2026-05-04 or lt2026-05-04T08:00:00+08:00", parameter=name
        )
    return span[0]


@router.get("/$export-status/{job}", response_class=Response, responses=FINISHED)
def read_export(job: JobId, request: Request, caller: CallerIs, context: Ctx) -> Response:
    """Say how far an export is, and where its files are once it is done."""
    found = door_of(request).exports.job(_folder(context), job, system_alone(caller).token_id)
    if found.state == "running":
        progress = f"{len(found.counts)} of {found.total} types"
        return Response(status_code=202, headers={"X-Progress": progress, "Retry-After": "2"})
    if found.state == "failed":
        raise FhirError(
            503, "fhir-export-failed", "the export could not be finished; start it anew", reason=found.error
        )
    return Response(to_json(exports.manifest(found, base_of(request))), media_type="application/json")


@router.delete("/$export-status/{job}", status_code=202, response_class=Response, responses=STARTED)
def remove_export(job: JobId, request: Request, caller: CallerIs, context: Ctx) -> Response:
    """Stop an export and remove its files."""
    door_of(request).exports.remove(_folder(context), job, system_alone(caller).token_id)
    return Response(status_code=202)


@router.get("/$export-file/{job}/{kind}", response_class=FileResponse, responses=LINES)
def fetch_export(job: JobId, kind: Kind, request: Request, caller: CallerIs, context: Ctx) -> FileResponse:
    """Return one file: a resource a line."""
    system = system_alone(caller)
    path = door_of(request).exports.file(_folder(context), job, system.token_id, kind)
    note_look(request, context, caller, "fhir-export-file", f"{job}/{kind}")
    return FileResponse(path, media_type=NDJSON, filename=f"{kind}.ndjson")
