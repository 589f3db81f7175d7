from __future__ import annotations

import tomllib
from decimal import Decimal

import msgspec

from firmware_profiles import registry, vectors
from firmware_profiles.capture import vectors_toml
from firmware_profiles.decode import Context
from firmware_profiles.plan import Profile
from firmware_profiles.schema import Vector


def captured(
    profile: Profile, frames: list[tuple[str, bytes]], context: Context | None = None
) -> list[Vector]:
    text = "".join(vectors_toml(profile, frames, 'bed 0, "bench"', context or Context()))
    tables = tomllib.loads(text, parse_float=Decimal).get("test", [])
    return [msgspec.convert(table, Vector) for table in tables]


def test_every_frame_of_every_profile_can_be_captured_as_a_vector_that_holds() -> None:
    for profile in registry.load():
        for vector in profile.vectors:
            payload = vectors.payload(vector)
            data = payload.encode() if isinstance(payload, str) else payload
            context = Context(mac=vector.mac, key=bytes.fromhex(vector.key))
            made = captured(profile, [(vector.stream, data), (vector.stream, data)], context)
            assert len(made) == 1
            keyed = msgspec.structs.replace(made[0], mac=vector.mac, key=vector.key)
            assert vectors._difference(keyed, vectors.run_vector(profile, keyed)) == "", profile.id


def test_a_captured_sealed_frame_names_the_address_but_never_the_key() -> None:
    profile = registry.load().get("wardlink_drip_advert")
    vector = profile.vectors[0]
    context = Context(mac=vector.mac, key=bytes.fromhex(vector.key))
    text = "".join(vectors_toml(profile, [("drops", bytes(vectors.payload(vector)))], "x", context))  # type: ignore[arg-type]
    assert vector.mac in text
    assert vector.key not in text
