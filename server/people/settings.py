"""What a site says of signing in, locks and how much one session may ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Access(BaseModel):
    """Signing in on the web, new PINs, silence and rates; every value is a proposal the hospital signs.

    A handheld locks itself when nobody touches it, so the server does not lock its sessions by silence unless
    it is told to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    password_min: Annotated[int, Field(ge=8, le=64)] = 12  # characters
    pin_min: Annotated[int, Field(ge=4, le=12)] = 4  # digits
    pin_code_h: Annotated[int, Field(ge=1, le=72)] = 24  # life of a code for a new PIN
    web_silence_min: Annotated[int, Field(ge=0, le=720)] = 15  # then a web session is locked; 0 = never
    handheld_silence_min: Annotated[int, Field(ge=0, le=720)] = 0
    requests_per_s: Annotated[float, Field(ge=0, le=10_000)] = 50.0  # of one session; 0 = as many as it likes
    requests_burst: Annotated[int, Field(ge=20, le=100_000)] = 1_000

    def silence(self, kind: str) -> timedelta | None:
        """After how much silence a session of a kind (``web``, ``bearer``) is locked; None is never."""
        minutes = self.web_silence_min if kind == "web" else self.handheld_silence_min
        return timedelta(minutes=minutes) if minutes else None


def access_of(settings: Any) -> Access:
    """Return the section of the server's settings, or its defaults where there is none."""
    found = getattr(settings, "access", None)
    return found if isinstance(found, Access) else Access()
