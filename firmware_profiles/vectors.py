"""Runs the vectors that stand in the profiles, and those of a whole registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from firmware_profiles.decode import Context, Decoded, DecodedValue, decode
from firmware_profiles.plan import Profile
from firmware_profiles.schema import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One vector that did not give what it promises."""

    profile: str
    index: int
    stream: str
    what: str

    def __str__(self) -> str:
        return f"{self.profile}: test[{self.index}] ({self.stream}): {self.what}"


def payload(vector: Vector) -> bytes | str:
    """Return what the vector feeds in."""
    return bytes.fromhex(vector.hex) if vector.hex is not None else vector.text or ""


def run_vector(profile: Profile, vector: Vector) -> Decoded:
    """Decode one vector's input with its own address and key."""
    context = Context(mac=vector.mac, key=bytes.fromhex(vector.key))
    return decode(profile, vector.stream, payload(vector), context)


def check(profile: Profile) -> list[Failure]:
    """Run all vectors of a profile and name those that fail, and what a profile lacks to be counted."""
    failures = []
    for index, vector in enumerate(profile.vectors):
        what = _difference(vector, run_vector(profile, vector))
        if what:
            failures.append(Failure(profile=profile.id, index=index, stream=vector.stream, what=what))
    return failures + _gaps(profile)


OWN_WORDS = ("this specification", "this file", "docs/drip-sensor.md", "objects by hand")
"""How the source of a vector begins or what it holds when its bytes come from nobody but ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """How many vectors have bytes or a layout from a named source outside this project."""

    accept: int
    reject: int


def outside(profile: Profile) -> Outside:
    """Count a profile's vectors from outside; what is made by changing one of them is one too."""
    if profile.file.profile.trust == "own":
        return Outside(accept=0, reject=0)
    found = [vector for vector in profile.vectors if not any(word in vector.source for word in OWN_WORDS)]
    accept = sum(vector.reject is None for vector in found)
    return Outside(accept=accept, reject=len(found) - accept)


def is_counted(profile: Profile) -> bool:
    """Whether a model counts as supported: enabled, and every vector holds, with some from outside."""
    found = outside(profile)
    return profile.file.profile.enabled and found.accept > 0 and found.reject > 0 and not check(profile)


def _gaps(profile: Profile) -> list[Failure]:
    gaps = []
    for stream in profile.streams:
        kinds = {vector.reject is None for vector in profile.vectors if vector.stream == stream}
        for accept, word in ((True, "accept"), (False, "reject")):
            if accept not in kinds:
                what = f"has no {word} vector"
                gaps.append(Failure(profile=profile.id, index=len(profile.vectors), stream=stream, what=what))
    return gaps


def _difference(vector: Vector, decoded: Decoded) -> str:
    if vector.reject is not None:
        if decoded.accepted:
            return f"accepted, but should be rejected as {vector.reject}"
        return "" if decoded.reject == vector.reject else f"rejected as {decoded.reject}, not {vector.reject}"
    if not decoded.accepted:
        return f"rejected as {decoded.reject}"
    for place, expected in enumerate(vector.records):
        if place >= len(decoded.records):
            return f"has {len(decoded.records)} records, not {len(vector.records)}"
        what = _values_differ(expected, decoded.records[place])
        if what:
            return f"record {place}: {what}"
    return _values_differ(vector.expect or {}, decoded.values)


def _values_differ(expected: Mapping[str, Any], values: Mapping[str, DecodedValue]) -> str:
    for name, wanted in expected.items():
        if name not in values:
            return f"{name} is missing"
        what = _value_differs(wanted, values[name])
        if what:
            return f"{name} {what}"
    return ""


def _value_differs(wanted: Any, got: DecodedValue) -> str:
    """Compare with a bare value, or with a table of value, unit and validity (no value = null)."""
    if not isinstance(wanted, dict):
        return "" if _same(wanted, got.value) else f"is {got.value}, not {wanted}"
    if not _same(wanted.get("value"), got.value):
        return f"is {got.value}, not {wanted.get('value')}"
    for key, found in (("unit", got.unit), ("validity", got.validity.value)):
        if wanted.get(key, found) != found:
            return f"has {key} {found}, not {wanted[key]}"
    return ""


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, list):
        return isinstance(got, tuple) and len(got) == len(wanted) and all(map(_same, wanted, got))
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, int | Decimal) and isinstance(got, int | Decimal):
        return Decimal(wanted) == Decimal(got)
    return bool(wanted == got)
