from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_profiles.framing import RejectError
from firmware_profiles.hooks import HOOKS, bthome_v2, mibeacon, mmc_t201

KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
MAC = "54:48:E6:8F:80:A5"
SEALED = bytes.fromhex("41a47266c95f730011223378237214")


@pytest.mark.requirement("R-DEV-14")
def test_the_published_example_of_an_encrypted_advert_opens() -> None:
    assert bthome_v2(SEALED, MAC, KEY).hex() == "4002ca0903bf13"
    assert bthome_v2(SEALED, MAC.replace(":", "-"), KEY).hex() == "4002ca0903bf13"


@pytest.mark.requirement("R-DEV-14")
@pytest.mark.parametrize(
    ("frame", "mac", "key", "reason"),
    [
        (b"", MAC, KEY, "short"),
        (SEALED[:8], MAC, KEY, "short"),
        (SEALED, "", KEY, "no-address"),
        (SEALED, "xx", KEY, "no-address"),
        (SEALED, MAC, b"", "no-key"),
        (SEALED, MAC, bytes(16), "decrypt"),
        (SEALED, "54:48:E6:8F:80:A6", KEY, "decrypt"),
        (b"\x40\x02\xca\x09", MAC, KEY, "downgrade"),
    ],
)
def test_an_advert_that_does_not_open_says_why(frame: bytes, mac: str, key: bytes, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        bthome_v2(frame, mac, key)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", "short"),
        ("4059d53b", "short"),
        ("0059d53b0a", "no-object"),
        ("4000d53b0a", "short"),
        ("4800d53b0a0102", "short"),
    ],
)
def test_a_damaged_mi_beacon_says_why(frame: str, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        mibeacon(bytes.fromhex(frame), MAC, KEY)
    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.sampled_from(sorted(HOOKS)), st.binary(max_size=40), st.binary(max_size=20))
def test_noise_is_opened_or_rejected(name: str, frame: bytes, key: bytes) -> None:
    with contextlib.suppress(RejectError):
        assert isinstance(HOOKS[name](frame, MAC, key), bytes)


def test_what_a_sensor_seals_opens_and_tells_its_counter() -> None:
    from firmware_profiles.hooks import bthome_counter, bthome_v2, seal_bthome_v2

    plain, mac, key = bytes.fromhex("40015f"), "C0:00:00:00:03:01", bytes(16)
    sealed = seal_bthome_v2(plain, mac, key, 0x01020304)
    assert bthome_v2(sealed, mac, key) == plain
    assert bthome_counter(sealed) == 0x01020304
    assert bthome_counter(plain) is None


@pytest.mark.parametrize(
    ("near", "far", "body"), [(3526, 3427, 36872), (0, 0, 36413), (12000, 3500, 0), (-400, 12000, 0)]
)
def test_two_probes_suggest_a_temperature_or_none(near: int, far: int, body: int) -> None:
    frame = b"\x00\x20\x05" + near.to_bytes(2, "little", signed=True) + far.to_bytes(2, "little", signed=True)
    assert int.from_bytes(mmc_t201(frame + b"\x51")[-2:], "little") == body
