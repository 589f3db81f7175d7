"""``/fhir/R4/Subscription``: other systems ask to be told, look how it goes, and stop it."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from server.dependencies import Ctx
from server.fhir import subscriptions
from server.fhir.bundle import searchset
from server.fhir.caller import require
from server.fhir.contract import CREATED, FOUND, REFUSED, REMOVED, resource_body
from server.fhir.doors import CallerIs, Checked, answer, base_of, check_sent, settings_of
from server.fhir.errors import BASE, bad_request
from server.fhir.routes_in import Body, system_alone
from server.fhir.taking import read_json

router = APIRouter(prefix=f"{BASE}/Subscription", tags=["fhir"], dependencies=[Checked], responses=REFUSED)
SubscriptionId = Annotated[str, Path(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
_KIND = "Subscription"


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses=CREATED,
    dependencies=[Depends(check_sent)],
    openapi_extra=resource_body(),
)
def subscribe(request: Request, body: Body, caller: CallerIs, context: Ctx) -> Response:
    """Ask to be told of changes by a rest-hook."""
    system = system_alone(caller)
    require(system, _KIND, "c")
    settings, wanted = settings_of(request), subscriptions.read(read_json(body))
    subscriptions.check_endpoint(wanted.channel.endpoint, settings.hook_networks)
    cursor, zone = context.store.picture.cursor, ZoneInfo(context.site.first.zone)
    fid = context.store.write(lambda unit: subscriptions.create(unit, system, wanted, zone, settings, cursor))
    with context.store.reading() as connection:
        rows = subscriptions.of_token(connection, system.token_id)
    response = answer(subscriptions.resource(next(row for row in rows if row.id == fid)), status=201)
    response.headers["Location"] = f"{base_of(request)}/{_KIND}/{fid}/_history/1"
    return response


@router.get("", response_class=Response, responses=FOUND)
def list_subscriptions(request: Request, caller: CallerIs, context: Ctx) -> Response:
    """List the caller's own subscriptions; there are never more than a page of them."""
    system = system_alone(caller)
    require(system, _KIND, "s")
    if any(name not in {"_count", "_format"} for name in request.query_params):
        raise bad_request("fhir-parameter", "this search parameter is not known here")
    with context.store.reading() as connection:
        rows = subscriptions.of_token(connection, system.token_id)
    found = [subscriptions.resource(row) for row in rows]
    return answer(searchset(base_of(request), _KIND, [], len(found), found, total=len(found)))


@router.get("/{subscription}", response_class=Response, responses=FOUND)
def read_subscription(
    subscription: SubscriptionId, request: Request, caller: CallerIs, context: Ctx
) -> Response:
    """Say how one goes: active, in error and waiting, or off."""
    system = system_alone(caller)
    require(system, _KIND, "r")
    with context.store.reading() as connection:
        rows = subscriptions.of_token(connection, system.token_id)
    row = next((row for row in rows if row.id == subscription), None)
    if row is None:
        raise subscriptions.unknown()
    return answer(subscriptions.resource(row), request)


@router.delete("/{subscription}", status_code=204, response_class=Response, responses=REMOVED)
def unsubscribe(subscription: SubscriptionId, caller: CallerIs, context: Ctx) -> Response:
    """Stop telling."""
    system = system_alone(caller)
    require(system, _KIND, "d")
    context.store.write(lambda unit: subscriptions.remove(unit, system, subscription))
    return Response(status_code=204)
