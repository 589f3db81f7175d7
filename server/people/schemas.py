"""Shapes of signing in and out."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from clinical.exchange import Ward
from clinical.records import Practitioner


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class SignIn(_Shape):
    """Badge as scanned (``WL1:S:…`` or the plain number), PIN as typed."""

    badge: str = Field(min_length=1, max_length=200, examples=["N20713"])
    pin: str = Field(min_length=1, max_length=64, examples=["2580"])
    handheld: str = Field(default="", max_length=96, examples=["pda-01"])


class OneTime(_Shape):
    """A code that opens one web session once."""

    code: str = Field(min_length=6, max_length=200)


class OfflineVerifier(_Shape):
    """Lets the handheld recognise the same PIN without the server, until ``expires``.

    ``hash`` is argon2id over the PIN with ``salt`` (both base64) and ``params`` (m in KiB, t, p, length).
    """

    salt: str
    params: dict[str, int]
    hash: str
    expires: datetime


class SignedIn(_Shape):
    """A session and what its holder needs to start."""

    token: str
    expires: datetime
    practitioner: Practitioner
    ward: Ward
    offline_verifier: OfflineVerifier


class Me(_Shape):
    """Who is signed in here."""

    practitioner: Practitioner
    ward: Ward
    expires: datetime


class OneTimeCode(_Shape):
    """A fresh one-time code for the web."""

    code: str
    expires: datetime
