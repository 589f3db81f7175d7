"""``/fhir/R4``: one read and one search route a type, made of the table of types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from server.dependencies import Ctx
from server.fhir import capability, reading
from server.fhir.contract import FOUND, REFUSED, query_parameters
from server.fhir.doors import CallerIs, Checked, answer, asking_of, base_of, note_look
from server.fhir.errors import BASE
from server.fhir.ids import record_id
from server.fhir.served import TYPES
from server.fhir.shape import Resource

router = APIRouter(prefix=BASE, tags=["fhir"], dependencies=[Checked], responses=REFUSED)
FhirId = Annotated[str, Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]


@router.get("/metadata", response_class=Response, responses=FOUND)
def read_capabilities(request: Request, context: Ctx) -> Response:
    """Say what this server does; open to everybody."""
    return answer(capability.statement(base_of(request), context.store.clock(), request.app.version))


@router.get(
    "/Patient/{patient_fid}/$everything",
    response_class=Response,
    responses=FOUND,
    openapi_extra=query_parameters(["_type", "_since", "start", "end", "_count"]),
)
def read_everything(patient_fid: FhirId, request: Request, caller: CallerIs, context: Ctx) -> Response:
    """Return everything about a patient, page by page."""
    with asking_of(request, context, caller) as asking:
        bundle = reading.everything(asking, patient_fid, request.query_params.multi_items())
    note_look(
        request,
        context,
        caller,
        "fhir-read",
        f"Patient/{patient_fid}/$everything",
        record_id(patient_fid) or "",
    )
    return answer(bundle)


def patient_in(resource: Resource) -> str:
    """Our id of the patient a resource is about; empty when it is about none."""
    if resource["resourceType"] == "Patient":
        return record_id(resource["id"]) or ""
    for element in ("subject", "patient", "for"):
        kind, _, fid = str(resource.get(element, {}).get("reference", "")).partition("/")
        if kind == "Patient":
            return record_id(fid) or ""
    return ""


def _reader(kind: str) -> Callable[..., Response]:
    def read_one(fid: FhirId, request: Request, caller: CallerIs, context: Ctx) -> Response:
        with asking_of(request, context, caller) as asking:
            found = reading.read(asking, kind, fid)
        note_look(request, context, caller, "fhir-read", f"{kind}/{fid}", patient_in(found))
        return answer(found, request)

    return read_one


def _searcher(kind: str) -> Callable[..., Response]:
    def search_type(request: Request, caller: CallerIs, context: Ctx) -> Response:
        asked = request.query_params.multi_items()
        with asking_of(request, context, caller) as asking:
            found = reading.search(asking, kind, asked)
        patients = {
            record_id(value.rpartition("/")[2]) or ""
            for name, value in asked
            if name in {"patient", "subject"}
        }
        note_look(request, context, caller, "fhir-search", kind, patients.pop() if len(patients) == 1 else "")
        return answer(found)

    return search_type


def _add_types() -> None:
    for kind, served in TYPES.items():
        router.add_api_route(
            f"/{kind}/{{fid}}",
            _reader(kind),
            name=f"read_{kind}",
            response_class=Response,
            responses=FOUND,
            description=f"Return one {kind}.",
        )
        router.add_api_route(
            f"/{kind}",
            _searcher(kind),
            name=f"search_{kind}",
            response_class=Response,
            responses=FOUND,
            description=f"Search for {kind}.",
            openapi_extra=query_parameters([*served.source.params, "_count"]),
        )


_add_types()
