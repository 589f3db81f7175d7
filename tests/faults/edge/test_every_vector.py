"""Every vector of every profile, cut at every length and with every byte flipped, is decoded or rejected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware_profiles import registry, vectors
from firmware_profiles.decode import Context, Decoded, decode
from firmware_profiles.framing import Framer
from firmware_profiles.plan import Profile
from firmware_profiles.schema import Vector

PROFILES = [profile.id for profile in registry.load()]


def damaged(data: bytes | str) -> Iterator[bytes | str]:
    """What a bad line makes of a frame: cut anywhere, one byte inverted or with one bit changed, doubled."""
    raw = data.encode("latin-1") if isinstance(data, str) else data
    for length in range(len(raw)):
        yield raw[:length]
        for mask in (0xFF, 0x01, 0x80):
            yield raw[:length] + bytes((raw[length] ^ mask,)) + raw[length + 1 :]
    yield raw + raw


def as_sent(found: bytes | str, like: bytes | str) -> bytes | str:
    return found.decode("latin-1") if isinstance(like, str) and isinstance(found, bytes) else found


def each(profile: Profile) -> Iterator[tuple[Vector, bytes | str]]:
    for vector in profile.vectors:
        data = vectors.payload(vector)
        for found in damaged(data):
            yield vector, as_sent(found, data)


@pytest.mark.requirement("R-EDGE-33")
@pytest.mark.parametrize("name", PROFILES)
def test_a_damaged_vector_is_decoded_or_rejected_and_never_anything_else(name: str) -> None:
    profile = registry.load().get(name)
    for vector, data in each(profile):
        context = Context(mac=vector.mac, key=bytes.fromhex(vector.key))
        found = decode(profile, vector.stream, data, context)
        assert isinstance(found, Decoded)
        assert found.accepted == (found.reject is None or not found.reject)


@pytest.mark.requirement("R-EDGE-33")
@pytest.mark.parametrize("name", PROFILES)
def test_a_damaged_vector_on_a_line_never_stops_the_framer(name: str) -> None:
    profile = registry.load().get(name)
    serial = {stream.id for stream in profile.streams.values() if stream.source == "serial"}
    framers = {stream: Framer(profile, stream) for stream in serial}
    for vector, data in each(profile):
        if vector.stream in serial:
            raw = data.encode("latin-1") if isinstance(data, str) else data
            for frame in framers[vector.stream].feed(raw):
                assert isinstance(decode(profile, vector.stream, frame), Decoded)
