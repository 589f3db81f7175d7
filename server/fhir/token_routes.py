"""``/api/v1/fhir-tokens``: the engineer lets another system in, and out again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from clinical.errors import BadInputError
from server import errors
from server.dependencies import Ctx, SignedInAs
from server.fhir import tokens
from server.fhir.doors import settings_of

router = APIRouter(prefix="/api/v1/fhir-tokens", tags=["fhir"], responses=errors.RESPONSES)
TokenId = Annotated[str, Path(pattern=r"^[0-9a-z]{1,64}$")]


class TokenIn(BaseModel):
    """Whom to let in, to what: ``system/Observation.rs?ward=W1`` reads one ward's observations."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$", examples=["emr"])
    scopes: list[Annotated[str, Field(max_length=150)]] = Field(
        min_length=1, max_length=50, examples=[["system/*.rs?ward=W1"]]
    )
    days: int | None = Field(default=None, ge=1, le=1100, description="how long it opens")


class TokenOut(BaseModel):
    """What is known of a token; it itself is told once, when it is made."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created: datetime
    created_by: str
    expires: datetime
    revoked: datetime | None


class TokenMade(TokenOut):
    """A new token. Keep it: it is not told again."""

    token: str


class TokenList(BaseModel):
    """Tokens, newest first."""

    tokens: list[TokenOut]


def _shown(token: tokens.Token) -> dict[str, Any]:
    return {name: getattr(token, name) for name in TokenOut.model_fields}


@router.post("", status_code=201)
def make_token(body: TokenIn, request: Request, session: SignedInAs, context: Ctx) -> TokenMade:
    """Make a token for another system."""
    session.require(*tokens.MAKERS)
    most = settings_of(request).token_days
    if body.days is not None and body.days > most:
        raise BadInputError(
            "fhir-token-days", "a token may not open for so long; see the settings", most=most
        )
    secret, token = context.store.write(
        lambda unit: tokens.make(
            unit,
            context.site,
            name=body.name,
            scopes=body.scopes,
            days=body.days or most,
            by=session.practitioner.id,
            own=session.practitioner.wards,
        )
    )
    return TokenMade(token=secret, **_shown(token))


@router.get("")
def list_tokens(
    session: SignedInAs,
    context: Ctx,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> TokenList:
    """List tokens, those that were revoked or have expired too."""
    session.require(*tokens.MAKERS)
    with context.store.reading() as connection:
        found = tokens.every(connection, limit, offset)
    return TokenList(tokens=[TokenOut(**_shown(token)) for token in found])


@router.delete("/{token_id}", status_code=204)
def revoke_token(token_id: TokenId, session: SignedInAs, context: Ctx) -> None:
    """End a token now."""
    session.require(*tokens.MAKERS)
    context.store.write(lambda unit: tokens.revoke(unit, token_id, session.practitioner.id))
