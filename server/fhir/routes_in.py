"""``POST /fhir/R4`` and ``POST /fhir/R4/{type}``: systems create, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from clinical.errors import RefusedError
from server.context import Context
from server.dependencies import Ctx
from server.fhir import create as creating
from server.fhir.caller import Caller, System
from server.fhir.contract import CREATED, REFUSED, resource_body
from server.fhir.create import Made, Wanted
from server.fhir.doors import CallerIs, Checked, answer, base_of, check_sent, settings_of, view_of
from server.fhir.errors import BASE, FhirError
from server.fhir.served import TYPES
from server.fhir.shape import Resource
from server.fhir.taking import read_json
from server.hospital import HospitalFactsService

router = APIRouter(prefix=BASE, tags=["fhir"], dependencies=[Checked, Depends(check_sent)], responses=REFUSED)


async def body_of(request: Request) -> bytes:
    """Read the body.

    Raises:
        FhirError: It grew too large while it came, or its sender hung up.
    """
    try:
        return await request.body()
    except ClientDisconnect:
        raise FhirError(413, "too-large", "a request has at most 2000000 bytes") from None


Body = Annotated[bytes, Depends(body_of)]


def system_alone(caller: Caller) -> System:
    """Let only systems go on: people write on the ward's own screens, where every act is checked.

    Raises:
        RefusedError: It is a person.
    """
    if not isinstance(caller, System):
        raise RefusedError("role", "your role or token may not do that with this kind of resource")
    return caller


@router.post("", response_class=Response, responses=CREATED, openapi_extra=resource_body())
def transact(request: Request, body: Body, caller: CallerIs, context: Ctx) -> Response:
    """Create everything in a transaction Bundle, or nothing."""
    system = system_alone(caller)
    wanted = creating.read_transaction(read_json(body), settings_of(request).entries_max)
    made = _create(request, context, system, wanted)
    entries = [
        _response(one, found, base_of(request))
        for one, found in zip(made, _read(request, context, system, made), strict=True)
    ]
    return answer({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def _create(request: Request, context: Context, system: System, wanted: Sequence[Wanted]) -> list[Made]:
    hospital = HospitalFactsService(context.store, context.site)
    systems = settings_of(request).systems
    return context.store.write(lambda unit: creating.create(unit, hospital, system, systems, wanted))


def _read(request: Request, context: Context, system: System, made: Sequence[Made]) -> list[Resource]:
    """What was made, as it is read from now on."""
    view, found = view_of(request), []
    with context.store.reading() as connection:
        for one in made:
            there = TYPES[one.kind].source.read(connection, view, one.fid)
            shown = there is not None and (one.created or system.sees(one.kind, there[1], "r"))
            bare: Resource = {"resourceType": one.kind, "id": one.fid, "meta": {}}
            found.append(there[0] if there is not None and shown else bare)
    return found


def _response(made: Made, found: Resource, base: str) -> Resource:
    version = found["meta"].get("versionId", "1")
    return {
        "fullUrl": f"{base}/{made.kind}/{made.fid}",
        "response": {
            "status": "201 Created" if made.created else "200 OK",
            "location": f"{base}/{made.kind}/{made.fid}/_history/{version}",
            "etag": f'W/"{version}"',
        },
    }


def _creator(kind: str) -> Callable[..., Response]:
    def create_one(request: Request, body: Body, caller: CallerIs, context: Ctx) -> Response:
        system = system_alone(caller)
        condition = request.headers.get("if-none-exist", "")[:500]
        wanted = [Wanted(kind=kind, body=read_json(body), condition=condition)]
        made = _create(request, context, system, wanted)
        return created(request, made[0], _read(request, context, system, made)[0])

    return create_one


def created(request: Request, made: Made, found: Resource) -> Response:
    """Answer with what was created, and where it is."""
    response = answer(found, status=201 if made.created else 200)
    version = found["meta"].get("versionId", "1")
    response.headers["Location"] = f"{base_of(request)}/{made.kind}/{made.fid}/_history/{version}"
    if "return=minimal" in request.headers.get("prefer", "") and made.created:
        headers = {name: response.headers[name] for name in ("location", "etag") if name in response.headers}
        return Response(status_code=201, headers=headers)
    return response


def _add_types() -> None:
    for kind, served in TYPES.items():
        if served.creates:
            router.add_api_route(
                f"/{kind}",
                _creator(kind),
                methods=["POST"],
                name=f"create_{kind}",
                response_class=Response,
                responses=CREATED,
                description=f"Create one {kind}; with If-None-Exist, unless it is there.",
                openapi_extra=resource_body(),
            )


_add_types()
