"""Shapes of signing in and out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from clinical.bedside_check.model import CheckRequest
from clinical.confirmation import Purpose
from clinical.exchange import Ward
from clinical.records import Practitioner
from server.people.access import Grant


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True)


class SignIn(_Shape):
    """Badge as scanned (``WL1:S:…`` or the plain number), PIN as typed."""

    badge: str = Field(min_length=1, max_length=200, examples=["N20713"])
    pin: str = Field(min_length=1, max_length=64, examples=["2580"])
    handheld: str = Field(default="", max_length=96, examples=["pda-01"])


class Confirm(_Shape):
    """Another person's badge and PIN, and the check they stand behind.

    ``task_id`` and ``codes`` are those of the check's answer: the task it found, the findings that this
    person accepts. ``value`` is what they have calculated on their own, for ``blind-calculation``.
    """

    badge: str = Field(min_length=1, max_length=200, examples=["N20488"])
    pin: str = Field(min_length=1, max_length=64, examples=["1470"])
    purpose: Purpose
    request: CheckRequest
    task_id: str = Field(default="", max_length=200)
    codes: list[Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,40}$")]] = Field(default=[], max_length=40)
    value: Annotated[Decimal, Field(gt=0, lt=1_000_000, max_digits=16)] | None = None


class OneTime(_Shape):
    """A code that opens one web session once."""

    code: str = Field(min_length=6, max_length=200)


class WebSignIn(_Shape):
    """Badge as scanned or typed, and the person's password for the web."""

    badge: str = Field(min_length=1, max_length=200, examples=["N20713"])
    password: str = Field(min_length=1, max_length=256, examples=["vier Enten im Regen"])


class Secret(_Shape):
    """The PIN of who is signed in, or their password."""

    secret: str = Field(min_length=1, max_length=256, examples=["2580"])
    by: Literal["pin", "password"] = "pin"


class NewPassword(_Shape):
    """A password for the web, and the PIN of who asks."""

    pin: str = Field(min_length=1, max_length=64, examples=["2580"])
    password: str = Field(min_length=1, max_length=256, examples=["vier Enten im Regen"])


class NewPin(_Shape):
    """The badge, the code from the ward's manager, and the PIN that is wanted."""

    badge: str = Field(min_length=1, max_length=200, examples=["N20713"])
    code: str = Field(min_length=6, max_length=64, examples=["7KQ2M-XV40D"])
    pin: str = Field(min_length=1, max_length=64, examples=["7319"])


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
    locked: bool = False


class OneTimeCode(_Shape):
    """A fresh one-time code for the web."""

    code: str
    expires: datetime


class BreakGlass(_Shape):
    """Why another ward has to be opened now."""

    reason: str = Field(min_length=5, max_length=500, examples=["rescue team called to bed 12"])


class Grants(_Shape):
    """Who opened a ward, newest first."""

    grants: list[Grant]
