"""Shapes of looking after people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from clinical.records import Practitioner
from server.people.staff import Staff

Role = Literal[
    "nurse", "charge-nurse", "student", "instructor", "doctor", "pharmacist", "manager", "engineer",
    "read-only",
]  # fmt: skip
Why = Annotated[str, Field(min_length=5, max_length=500, examples=["moved to the heart ward"])]
WardId = Annotated[str, Field(min_length=1, max_length=64)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PersonIn(_Shape):
    """What is written down of a person; no ward named is the whole hospital."""

    name: str = Field(min_length=1, max_length=100, examples=["李雪"])
    name_latin: str = Field(default="", max_length=100, examples=["Li Xue"])
    roles: list[Role] = Field(min_length=1, max_length=9, examples=[["nurse"]])
    wards: list[WardId] = Field(max_length=200, examples=[["W1"]])
    badge: str = Field(pattern=r"^[0-9A-Za-z._-]{1,64}$", examples=["N20991"])

    def person(self, person_id: str) -> Practitioner:
        """Return the record."""
        return Practitioner(
            id=person_id,
            name=self.name.strip(),
            name_latin=self.name_latin.strip(),
            roles=tuple(dict.fromkeys(self.roles)),
            wards=tuple(dict.fromkeys(self.wards)),
            badge=self.badge,
        )


class NewPerson(PersonIn):
    """Somebody who is taken on."""

    id: str = Field(pattern=r"^[0-9A-Za-z._-]{1,64}$", examples=["N20991"])


class ChangedPerson(PersonIn):
    """What is written down of a person from now on, and why."""

    why: Why


class Activity(_Shape):
    """Whether somebody works here, and why that changes."""

    active: bool
    why: Why


class Reason(_Shape):
    """Why."""

    why: Why


class Persons(_Shape):
    """People a manager looks after: those who are here first, by name; and how many there are."""

    people: list[Staff]
    total: int


class PinCode(_Shape):
    """A code with which the person sets a new PIN once; hand it over by word of mouth."""

    code: str
    expires: datetime


class TakenOn(_Shape):
    """Somebody who was taken on, and the code for their first PIN."""

    person: Staff
    pin: PinCode


class Revoked(_Shape):
    """How many sessions ended."""

    ended: int
