"""What a site says of its FHIR door."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Systems(BaseModel):
    """Whose numbers these are: the hospital's own URIs (or ``urn:oid:…``) for its identifiers and codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mrn: str = "urn:wardlink:mrn"
    visit: str = "urn:wardlink:visit"
    order: str = "urn:wardlink:order"
    filler: str = "urn:wardlink:filler"
    group: str = "urn:wardlink:order-group"
    drug: str = "urn:wardlink:drug"
    staff: str = "urn:wardlink:staff"
    specimen: str = "urn:wardlink:specimen"


class Fhir(BaseModel):
    """How much is answered at once, who may be told of changes, and how long exports are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    systems: Systems = Systems()
    page: Annotated[int, Field(ge=1, le=500)] = 50
    page_max: Annotated[int, Field(ge=1, le=1000)] = 200
    entries_max: Annotated[int, Field(ge=1, le=500)] = 100  # of one transaction
    token_days: Annotated[int, Field(ge=1, le=1100)] = 365
    requests_per_minute: Annotated[int, Field(ge=10, le=100_000)] = 600  # of one token
    hook_networks: tuple[str, ...] = ()  # private networks that hooks may reach, such as 10.20.0.0/16
    ca_file: Path | None = None  # who signs the certificates of hooks; None = whom the system trusts
    hooks_per_token: Annotated[int, Field(ge=0, le=200)] = 20
    hook_attempts: Annotated[int, Field(ge=1, le=100)] = 12  # failures in a row that turn a hook off
    export_days: Annotated[int, Field(ge=1, le=366)] = 31  # longest period of one export
    export_keep_h: Annotated[int, Field(ge=1, le=168)] = 24
