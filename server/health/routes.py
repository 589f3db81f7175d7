"""``/health`` for machines, without signing in or patient data; ``/ledger`` to account for it all."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import select

from clinical.errors import UnavailableError
from server.context import Context
from server.dependencies import Ctx, SignedInAs
from server.health import service
from server.storage import schema

router = APIRouter(tags=["health"])


@router.get("/health")
def health(context: Ctx, response: Response) -> dict[str, Any]:
    """Say whether the server can do its work, part by part; 503 when the store cannot."""
    parts = {name: probe() for name, probe in context.probes.items()}
    parts["store"] = {"ok": _store_answers(context)}
    ok = all(part.get("ok", True) for part in parts.values())
    if not parts["store"]["ok"]:
        response.status_code = 503
    return {"ok": ok, "parts": parts}


def _store_answers(context: Context) -> bool:
    try:
        with context.store.reading() as connection:
            connection.execute(select(schema.meta.c.key).limit(1))
    except UnavailableError:
        return False
    return True


@router.get("/ledger")
def ledger(session: SignedInAs, context: Ctx) -> dict[str, Any]:
    """Account for readings, orders, tasks, administrations, stops and messages: numbers only."""
    del session
    ingest = context.probes.get("ingest", dict)()
    his = context.probes.get("his", dict)()
    with context.store.reading() as connection:
        return service.ledger(connection, context.store.picture, ingest, his)
