"""A profile made ready for the interpreter: names resolved, conditions parsed, patterns compiled."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from clinical.errors import NotFoundError
from firmware_profiles.schema import (
    BinaryType,
    Checksum,
    Field,
    ProfileFile,
    Quality,
    Stream,
    TextType,
    ValueRule,
    Vector,
)


@dataclass(frozen=True, slots=True)
class Test:
    """One parsed condition over a raw field: some bits, wanted (un)equal to a word."""

    field: str
    shift: int
    mask: int
    wanted: int | str
    equal: bool


@dataclass(frozen=True, slots=True)
class Term:
    """One bit group of a value's source: ``field >> shift & mask``, shifted left by ``place``."""

    field: str
    shift: int
    mask: int
    place: int


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field with its conditions parsed."""

    rule: Field
    tests: tuple[Test, ...]
    size: int
    endian: str
    wide: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class CasePlan:
    """One reading of a value with its conditions parsed."""

    tests: tuple[Test, ...]
    scale: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class ValuePlan:
    """A value with its source and conditions parsed."""

    rule: ValueRule
    tests: tuple[Test, ...]
    terms: tuple[Term, ...]
    type: BinaryType | TextType | None
    cases: tuple[CasePlan, ...]
    dates: tuple[tuple[str, Term | None], ...]
    code_term: Term | None = None
    endian: str = "little"

    def fields(self) -> Iterator[str]:
        """Name the fields this value is made of."""
        yield from (term.field for term in self.terms)
        yield from (term.field for _, term in self.dates if term is not None)


@dataclass(frozen=True, slots=True)
class QualityPlan:
    """A quality rule with its conditions parsed."""

    rule: Quality
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream, ready to decode and encode."""

    rule: Stream
    fields: tuple[FieldPlan, ...]
    values: tuple[ValuePlan, ...]
    quality: tuple[QualityPlan, ...]
    pattern: re.Pattern[str] | None
    by_tag: Mapping[int, FieldPlan]
    checksum: Checksum | None = None
    checksum_tests: tuple[Test, ...] = ()

    def field(self, name: str) -> FieldPlan:
        """Return one field's plan."""
        return next(plan for plan in self.fields if plan.rule.name == name)


@dataclass(frozen=True, slots=True)
class Profile:
    """One device model: what its file says, and a plan per stream."""

    file: ProfileFile
    path: str
    plans: Mapping[str, StreamPlan]

    @property
    def id(self) -> str:
        """Stable id of the model."""
        return self.file.profile.id

    @property
    def streams(self) -> Mapping[str, Stream]:
        """The streams as written."""
        return {name: plan.rule for name, plan in self.plans.items()}

    @property
    def vectors(self) -> Sequence[Vector]:
        """The profile's own tests."""
        return self.file.test

    def plan(self, stream_id: str) -> StreamPlan:
        """Return one stream, ready to decode.

        Raises:
            NotFoundError: The profile has no such stream.
        """
        try:
            return self.plans[stream_id]
        except KeyError:
            raise NotFoundError(
                "no-stream", f"profile {self.id} has no stream {stream_id}; it has {', '.join(self.plans)}"
            ) from None

    def stream_for(self, characteristic: str) -> Stream | None:
        """Return the stream of a GATT characteristic (4 hex digits or a full UUID), if any."""
        wanted = full_uuid(characteristic)
        for plan in self.plans.values():
            if plan.rule.characteristic and full_uuid(plan.rule.characteristic) == wanted:
                return plan.rule
        return None


def full_uuid(uuid: str) -> str:
    """Spell a 16-bit Bluetooth UUID out on the SIG base; longer ones only in lower case."""
    return f"0000{uuid.lower()}-0000-1000-8000-00805f9b34fb" if len(uuid) == 4 else uuid.lower()
