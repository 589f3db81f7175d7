"""Subscriptions: what another system wants to be told of, and where (R4 rest-hook)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, Row, delete, func, insert, select

from clinical.errors import NotFoundError
from server.fhir import hook_wire
from server.fhir.caller import System, require
from server.fhir.codes import wrong_codes
from server.fhir.errors import unprocessable
from server.fhir.incoming import Code, Part, Text
from server.fhir.measurements import Observations
from server.fhir.search import Query, parse
from server.fhir.served import TYPES
from server.fhir.settings import Fhir
from server.fhir.shape import JSON, Resource, instant, pruned
from server.fhir.sources import PictureSource
from server.fhir.taking import must_be_understood, read_model
from server.storage.schema import fhir_subscriptions as table
from server.storage.store import UnitOfWork
from server.sync.sound import check_sound

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}: ?[\x20-\x7e]{1,1000}")
_OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})
_PAYLOADS = frozenset({"", JSON, "application/json"})


class ChannelIn(Part):
    """How to tell."""

    type: Code
    endpoint: Annotated[str, Field(min_length=1, max_length=1000)]
    payload: Code = ""
    header: tuple[Text, ...] = Field(default=(), max_length=10)


class SubscriptionIn(Part):
    """What to tell, and for how long."""

    id: Code = ""
    status: Code
    reason: Text
    criteria: Annotated[str, Field(min_length=1, max_length=500)]
    end: AwareDatetime | None = None
    channel: ChannelIn


def read(found: Mapping[str, Any]) -> SubscriptionIn:
    """Read a subscription.

    Raises:
        FhirError: It is none, or asks for another channel than a rest-hook.
    """
    if found.get("resourceType") != "Subscription":
        raise unprocessable(
            "fhir-element", "the resource is of another type than its address", element="resourceType"
        )
    must_be_understood(found, "Subscription")
    beside = {"resourceType", "text", "language", "extension", "meta", "contact", "contained"}
    told = {key: value for key, value in found.items() if key not in beside and not key.startswith("_")}
    check_sound(told)
    one = read_model(SubscriptionIn, told, "Subscription")
    wrong = wrong_codes(found)
    if wrong:
        raise unprocessable("fhir-code", "this code is not one that R4 allows here", element=wrong[0])
    if one.channel.type != "rest-hook" or one.status != "requested" or one.channel.payload not in _PAYLOADS:
        raise unprocessable(
            "fhir-hook", "ask for (requested) a rest-hook, without payload or with application/fhir+json",
            element="Subscription.channel",
        )  # fmt: skip
    for header in one.channel.header:
        if not _HEADER.fullmatch(header) or header.partition(":")[0].lower() in _OURS:
            raise unprocessable(
                "fhir-hook", "a header is written Name: value, and is none that the transport makes",
                element="Subscription.channel.header",
            )  # fmt: skip
    return one


def query_of(criteria: str, zone: ZoneInfo) -> tuple[str, Query]:
    """Return the type and the search of a criteria text.

    Raises:
        FhirError: The type is not one that changes are told of, or a parameter is not known.
    """
    kind, _, asked = criteria.partition("?")
    served = TYPES.get(kind)
    if served is None or not isinstance(served.source, PictureSource | Observations) or kind == "Location":
        raise unprocessable(
            "fhir-criteria", "nobody is told of changes of this type here", element="Subscription.criteria"
        )
    pairs = parse_qsl(asked, keep_blank_values=True)
    return kind, parse(pairs, served.source.params, zone, page=1, most=1)


def create(
    unit: UnitOfWork, caller: System, one: SubscriptionIn, zone: ZoneInfo, settings: Fhir, cursor: int
) -> str:
    """Keep a subscription; it is told of what changes from now on.

    Raises:
        FhirError: Its criteria cannot be searched, or there are too many of one token.
        RefusedError: The type is not the caller's to search.
    """
    kind, _ = query_of(one.criteria, zone)
    require(caller, kind, "s")
    own = unit.connection.scalar(
        select(func.count()).select_from(table).where(table.c.token_id == caller.token_id)
    )
    if int(own or 0) >= settings.hooks_per_token:
        raise unprocessable("fhir-hook-many", "this token has as many subscriptions as it may; delete one")
    fid = secrets.token_hex(12)
    unit.connection.execute(
        insert(table).values(
            id=fid, token_id=caller.token_id, status="active", criteria=one.criteria, reason=one.reason,
            endpoint=one.channel.endpoint, payload=one.channel.payload,
            headers=msgspec.json.encode(one.channel.header).decode(), ends=one.end, created=unit.now,
            changed=unit.now, version=1, seen=cursor, failures=0, next_attempt=None, error="",
        )
    )  # fmt: skip
    unit.audit("fhir-subscribe", actor=caller.actor, entity=f"fhir:Subscription/{fid}", detail=kind)
    return fid


def remove(unit: UnitOfWork, caller: System, fid: str) -> None:
    """Forget a subscription.

    Raises:
        NotFoundError: There is none of this id, or it is another's.
    """
    own = (table.c.id == fid) & (table.c.token_id == caller.token_id)
    if not unit.connection.execute(delete(table).where(own)).rowcount:
        raise unknown()
    unit.audit("fhir-unsubscribe", actor=caller.actor, entity=f"fhir:Subscription/{fid}")


def unknown() -> NotFoundError:
    """There is no such subscription, or it is another's."""
    return NotFoundError("fhir-unknown", "there is no such resource; search for it")


def of_token(connection: Connection, token_id: str) -> Sequence[Row[Any]]:
    """The subscriptions of one token, oldest first."""
    return connection.execute(
        select(table).where(table.c.token_id == token_id).order_by(table.c.created, table.c.id)
    ).all()


def resource(row: Row[Any]) -> Resource:
    """Map a subscription; its headers may open a door and are not told again."""
    return pruned(
        {
            "resourceType": "Subscription",
            "id": row.id,
            "meta": {"versionId": str(row.version), "lastUpdated": instant(row.changed)},
            "status": row.status,
            "end": instant(row.ends),
            "reason": row.reason,
            "criteria": row.criteria,
            "error": row.error,
            "channel": {"type": "rest-hook", "endpoint": row.endpoint, "payload": row.payload},
        }
    )


def check_endpoint(url: str, networks: Sequence[str]) -> None:
    """Refuse an address that could never be told.

    Raises:
        BadInputError: It is no https address, or inside a network that is not allowed.
        UnavailableError: Its name has no address.
    """
    hook_wire.judge(hook_wire.target_of(url), networks)


def is_over(row: Row[Any], now: datetime) -> bool:
    """Whether a subscription has come to its end."""
    return row.ends is not None and row.ends <= now
