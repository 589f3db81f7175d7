"""``/health`` and ``/metrics`` for machines, without patient data; ``/ledger`` to account for it all."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from sqlalchemy import select

from clinical.errors import RefusedError, UnavailableError
from server.context import Context
from server.dependencies import Ctx, SignedInAs
from server.health import metrics, service
from server.storage import schema

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Each part's own numbers, and for each that cannot work the reason as a code."""

    ok: bool
    parts: dict[str, dict[str, Any]]
    reasons: dict[str, str]


@router.get("/health")
def health(context: Ctx, response: Response) -> Health:
    """Say whether the server can do its work, part by part and why not; 503 when the store cannot."""
    parts = _parts(context)
    if not parts["store"]["ok"]:
        response.status_code = 503
    reasons = [part for part, state in parts.items() if not state.get("ok", True)]
    told = {part: service.reason_of(part, parts[part]) for part in reasons}
    return Health(ok=not reasons, parts=parts, reasons=told)


@router.get("/metrics", response_class=PlainTextResponse)
def read_metrics(request: Request, context: Ctx) -> PlainTextResponse:
    """Numbers for a monitoring system, to programs on this machine or with the metrics token."""
    _require_monitor(request, context)
    body = metrics.text(context.store.picture, _parts(context), context.requests)
    return PlainTextResponse(body, media_type=metrics.CONTENT_TYPE)


def _require_monitor(request: Request, context: Context) -> None:
    """Let this machine's own programs in, and who has the token; a proxy on this machine is neither."""
    wanted = context.settings.server.metrics_token_file
    shown = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if wanted is not None and shown:
        token = wanted.read_text(encoding="utf-8").strip() if wanted.is_file() else ""
        if token and hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode()):
            return
    local = request.client is not None and request.client.host in {"127.0.0.1", "::1"}
    if not local or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        raise RefusedError("token", "metrics are for this machine, or with the metrics token")


def _parts(context: Context) -> dict[str, dict[str, Any]]:
    parts = {name: probe() for name, probe in context.probes.items()}
    parts["store"] = {"ok": _store_answers(context)}
    parts["disk"] = service.disk(context.settings.server.state_dir)
    return parts


def _store_answers(context: Context) -> bool:
    try:
        with context.store.reading() as connection:
            connection.execute(select(schema.meta.c.key).limit(1))
    except UnavailableError:
        return False
    return True


@router.get("/ledger")
def ledger(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=2000, description="nodes shown one by one")] = 1000,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> dict[str, Any]:
    """Account for readings, orders, tasks, administrations, stops and messages: numbers only."""
    del session
    ingest = context.probes.get("ingest", dict)()
    his = context.probes.get("his", dict)()
    with context.store.reading() as connection:
        page = service.Page(limit=limit, offset=offset)
        return service.ledger(connection, context.store.picture, ingest, his, page)
