"""Who asks, and what of the ward is theirs: people by role and ward, systems by the scopes of their token."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from clinical.errors import BadInputError, RefusedError
from server.people.service import CLINICAL, Session

_SCOPE = re.compile(
    r"system/(?P<type>\*|[A-Z][A-Za-z]{2,40})\.(?P<may>[a-z]{1,5})(?:\?ward=(?P<ward>[^&?\s]{1,64}))?"
)
_LETTERS = "crds"
"""Create, read, delete (a subscription of its own), search, in the letters of SMART; nothing is updated."""


class Caller(Protocol):
    """Who asks."""

    @property
    def actor(self) -> str:
        """Name in the audit chain."""
        ...

    def may(self, kind: str, letter: str) -> bool:
        """Whether a type is theirs to create (c), read (r) or search (s), in any ward."""
        ...

    def sees(self, kind: str, ward: str, letter: str = "r") -> bool:
        """Whether what belongs to a ward is; what belongs to none is everybody's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody signed in: reads what their role and their wards let them, creates nothing here."""

    session: Session
    roles: dict[str, frozenset[str]] = field(default_factory=dict)  # type → who reads it
    used: set[str] = field(default_factory=set)  # wards that were looked at by break-glass

    @property
    def actor(self) -> str:
        """The person's number."""
        return self.session.practitioner.id

    def may(self, kind: str, letter: str) -> bool:
        """Whether the role reads this type."""
        return letter in "rs" and bool(
            self.roles.get(kind, frozenset(CLINICAL)) & set(self.session.practitioner.roles)
        )

    def sees(self, kind: str, ward: str, letter: str = "r") -> bool:
        """Whether the ward is theirs, or open to them for an hour."""
        if not self.may(kind, letter) or not self.session.sees(ward):
            return False
        if self.session.is_guest(ward):
            self.used.add(ward)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One scope of a token, as ``system/Observation.rs?ward=W1``; without a ward it is for all of them."""

    kind: str  # a type, or *
    letters: str
    ward: str = ""

    def allows(self, kind: str, letter: str) -> bool:
        """Whether it is about this type and this act."""
        return self.kind in {"*", kind} and letter in self.letters

    def __str__(self) -> str:
        return f"system/{self.kind}.{self.letters}" + (f"?ward={self.ward}" if self.ward else "")


def read_scope(text: str) -> Scope:
    """Read a scope.

    Raises:
        BadInputError: It is not written as a scope.
    """
    match = _SCOPE.fullmatch(text)
    if match is None or not set(match["may"]) <= set(_LETTERS):
        raise BadInputError(
            "fhir-scope", "a scope is written system/Observation.rs?ward=W1, with the letters c, r, d and s"
        )
    return Scope(kind=match["type"], letters=match["may"], ward=match["ward"] or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Another system with a token of its own."""

    token_id: str
    name: str
    scopes: tuple[Scope, ...]

    @property
    def actor(self) -> str:
        """Name in the audit chain."""
        return f"system:{self.name}"

    def may(self, kind: str, letter: str) -> bool:
        """Whether any scope is about this type and act."""
        return any(scope.allows(kind, letter) for scope in self.scopes)

    def sees(self, kind: str, ward: str, letter: str = "r") -> bool:
        """Whether a scope covers the ward; what belongs to no ward, whoever may have the type at all."""
        return any(
            scope.allows(kind, letter) and (not ward or scope.ward in {"", ward}) for scope in self.scopes
        )


def require(caller: Caller, kind: str, letter: str) -> None:
    """Let only those go on who may do this with this type.

    Raises:
        RefusedError: The role or the token is not for it.
    """
    if not caller.may(kind, letter):
        raise RefusedError(
            "role", "your role or token may not do that with this kind of resource", resource=kind
        )


def require_ward(caller: Caller, kind: str, ward: str, letter: str) -> None:
    """Let only those go on whose ward it is.

    Raises:
        RefusedError: The ward is another one.
    """
    if not caller.sees(kind, ward, letter):
        raise RefusedError("other-ward", "this belongs to another ward; open it with a reason if you must")
