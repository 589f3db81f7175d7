"""Frames a device could send, made from its profile alone: plausible values, deterministic by seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

from firmware_profiles.encode import Given, encode
from firmware_profiles.plan import Profile, StreamPlan, ValuePlan
from firmware_profiles.vectors import run_vector

SPREAD = Decimal("0.02")
"""How far a simulated number wanders from the one of the profile's own vector, as a fraction."""


def _seed_values(profile: Profile, stream_id: str) -> dict[str, Given]:
    """Take the values of the stream's first accepted vector: a frame known to be whole and sensible."""
    for vector in profile.vectors:
        if vector.stream == stream_id and vector.reject is None:
            decoded = run_vector(profile, vector)
            return {name: one.value for name, one in decoded.values.items() if one.value is not None}
    return {}


def _wanders(plan: ValuePlan) -> bool:
    """Whether a value is a measured number: it has a code or a plausible range, and no fixed role."""
    return bool(plan.rule.code or plan.rule.plausible) and not plan.rule.role and not plan.rule.map


def _moved(plan: ValuePlan, given: Given, source: random.Random) -> Given:
    if not isinstance(given, Decimal) or not _wanders(plan):
        return given
    moved = given * (1 + SPREAD * Decimal(source.randint(-100, 100)) / 100)
    low, high = plan.rule.plausible or (None, Decimal(100) if plan.rule.unit == "%" else None)
    moved = max(moved, low) if low is not None else moved
    moved = min(moved, high) if high is not None else moved
    exponent = given.as_tuple().exponent
    return moved.quantize(Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0))


def _units(profile: Profile, stream_id: str) -> dict[str, str]:
    for vector in profile.vectors:
        if vector.stream == stream_id and vector.reject is None:
            return {name: one.unit for name, one in run_vector(profile, vector).values.items()}
    return {}


def frames(profile: Profile, stream_id: str, *, count: int, seed: int) -> Iterator[bytes]:
    """Yield ``count`` frames of a stream.

    Raises:
        NotFoundError: The profile has no such stream.
        BadInputError: The stream's own vector holds a value its format cannot say again.
    """
    plan: StreamPlan = profile.plan(stream_id)
    source = random.Random(seed)
    first, units = _seed_values(profile, stream_id), _units(profile, stream_id)
    by_name = {value.rule.name: value for value in plan.values}
    for _ in range(count):
        values: dict[str, Given] = {}
        for name, given in first.items():
            moved = _moved(by_name[name], given, source)
            with_unit = by_name[name].cases and isinstance(moved, Decimal)
            values[name] = (moved, units[name]) if with_unit and isinstance(moved, Decimal) else moved
        yield encode(profile, stream_id, values)
