from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from clinical.errors import ConflictError
from firmware_profiles import registry
from firmware_profiles.decode import decode
from firmware_profiles.match import (
    Advertisement,
    advert_frames,
    asks_information,
    candidates,
    describes,
    fits,
    match,
)
from firmware_profiles.plan import Profile
from firmware_profiles.schema import MatchRule

Make = Callable[..., Profile]
BASE = "-0000-1000-8000-00805f9b34fb"


def found(**seen: Any) -> str | None:
    profile = match(registry.load(), Advertisement(**seen))
    return profile.id if profile is not None else None


@pytest.mark.requirement("R-DEV-13")
@pytest.mark.parametrize(
    ("seen", "profile"),
    [
        ({"service_uuids": ("1822",)}, "sig_plx"),
        ({"service_uuids": (f"00001822{BASE}",)}, "sig_plx"),
        ({"service_uuids": ("1822", "180F", "180A")}, "sig_plx"),
        ({"service_uuids": ("180F", "1809")}, "sig_thermometer"),
        ({"service_uuids": ("1810",), "name": "BM85 0123"}, "beurer_bm85"),
        ({"service_uuids": ("1810",)}, "sig_blood_pressure"),
        ({"service_uuids": ("a5d10001-7d1c-4f0e-9d5e-6b1f2c3d4e5f",)}, "wardlink_drip"),
        ({"service_data": {"fcd2": b"\x41"}, "name": "WL-SCALE 7"}, "wardlink_bag_scale"),
        ({"service_data": {f"0000fcd2{BASE}": b"\x40"}}, "bthome_v2"),
        ({"service_data": {"181D": bytes(10)}}, "xiaomi_mi_scale_1"),
        ({"service_data": {"181D": bytes(9)}}, None),
        ({"service_data": {"FE95": bytes.fromhex("70229103")}}, "xiaomi_mmc_w505"),
        ({"service_data": {"FE95": bytes.fromhex("7022db00")}}, "xiaomi_mmc_t201"),
        ({"service_data": {"FE95": bytes.fromhex("4859d53b")}}, "xiaomi_s400"),
        ({"service_data": {"FE95": bytes.fromhex("4859044c")}}, "xiaomi_s200"),
        ({"service_data": {"FE95": bytes.fromhex("4859")}}, None),
        ({"manufacturer_data": {0xFF04: bytes(4)}}, "xoss_x2"),
        ({"manufacturer_data": {0x81EF: bytes(4)}}, "atomax_skale"),
        ({"manufacturer_data": {0x81EF: bytes(5)}}, None),
        ({"name": "Somebody's phone"}, None),
        ({}, None),
    ],
)
def test_each_device_finds_its_own_profile(seen: dict[str, Any], profile: str | None) -> None:
    assert found(**seen) == profile


@pytest.mark.hazard("H-DEV-05")
def test_two_equal_claims_are_an_error_not_a_guess(make: Make) -> None:
    with pytest.raises(ConflictError, match="xiaomi_mi_scale_1, xiaomi_mi_scale_2"):
        match(registry.load(), Advertisement(service_data={"181D": bytes(10), "181B": bytes(13)}))


def test_candidates_come_strongest_first() -> None:
    seen = Advertisement(service_uuids=("1822", "180F"))
    assert [(one.profile.id, one.priority) for one in candidates(registry.load(), seen)] == [
        ("sig_plx", 10), ("sig_battery", 1),
    ]  # fmt: skip


def test_a_disabled_profile_claims_nothing(make: Make) -> None:
    body = 'field=[{name="a", type="u8"}]\nvalue=[{name="v", source="a"}]\n[[match]]\nname_regex="x"'
    assert candidates([make(body)], Advertisement(name="x"))
    assert not candidates([make(body, enabled=False)], Advertisement(name="x"))


@pytest.mark.parametrize(
    ("rule", "firmware", "holds"),
    [
        (">=1.2,<2", "1.2", True), (">=1.2,<2", "1.10.3", True), (">=1.2,<2", "2.0", False),
        ("<=3", "v3", True),
        ("==4.6", "4.6", True), (">4", "4", False), (">=1", "", False), ("", "", True),
    ],
)  # fmt: skip
def test_a_rule_may_ask_for_a_firmware(rule: str, firmware: str, holds: bool) -> None:
    assert fits(MatchRule(firmware=rule), Advertisement(firmware=firmware)) is holds


def test_a_rule_may_ask_for_a_model_and_its_revisions() -> None:
    assert fits(MatchRule(model_regex="^UA-6"), Advertisement(model="UA-651"))
    assert not fits(MatchRule(model_regex="^UA-6"), Advertisement(model="X"))
    assert fits(MatchRule(hardware=">=2"), Advertisement(hardware="rev 2.1"))
    assert not fits(MatchRule(hardware=">=2"), Advertisement(hardware="1.9"))


def test_a_connected_device_is_compared_with_the_revisions_of_its_profile(make) -> None:  # type: ignore[no-untyped-def]
    body = 'field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a"}]\n'
    plain = make(body + '[[match]]\nname_regex = "^X"')
    ruled = make(body + '[[match]]\nname_regex = "^X"\nmodel_regex = "^UA"\nfirmware = ">=1.2,<2"')
    assert not asks_information(plain)
    assert asks_information(ruled)
    assert describes(ruled, model="UA-651", firmware="1.3", hardware="")
    assert not describes(ruled, model="UA-651", firmware="2.0", hardware="")
    assert not describes(ruled, model="UC-352", firmware="1.3", hardware="")


def test_an_advert_gives_its_bytes_to_the_streams_that_read_them() -> None:
    scale, drip = registry.load().get("wardlink_bag_scale"), registry.load().get("wardlink_drip")
    seen = Advertisement(name="WL-SCALE", service_data={"fcd2": b"\x41\x01", "181d": b"\x00"})
    assert advert_frames(scale, seen) == [("mass", b"\x41\x01")]
    assert advert_frames(drip, seen) == []
    assert advert_frames(scale, Advertisement(service_data={"fcd2": b""})) == []


def on_air(structures: str) -> Advertisement:
    """Read the structures of an advert as a radio does: length, type, data."""
    data, name, makers = bytes.fromhex(structures), "", {}
    while data:
        kind, content = data[1], data[2 : 1 + data[0]]
        if kind == 0x09:
            name = content.decode()
        if kind == 0xFF:
            makers[int.from_bytes(content[:2], "little")] = content[2:]
        data = data[1 + data[0] :]
    return Advertisement(name=name, manufacturer_data=makers)


@pytest.mark.requirement("R-DEV-13")
@pytest.mark.parametrize(
    ("structures", "profile", "values"),
    [
        (
            "10ff c0a30276138b0002215f5a29e5e094",
            "xiaogui_tzc4",
            {"weight_kg": Decimal("63.0"), "impedance": Decimal("500.3"), "stabilized": True, "packet": 0xA3},
        ),
        (
            "10ff c05d008c00000002205f5a29e5e094",
            "xiaogui_tzc4",
            {"weight_kg": Decimal("14.0"), "stabilized": False, "packet": 0x5D},
        ),
        ("10ff c07d2c4700000a01255f5a29e5e094", "xiaogui_tzc4", {"weight_kg": Decimal("113.35")}),
        ("10ff c024000000000a01245f5a29e5e094", "xiaogui_tzc4", {"weight_kg": Decimal(0)}),
        (
            "020106 0609 49465f4237 14ff 0001 020311187a93c1b333 021a4500b4a1 ab61",
            "senssun_if_b7",
            {"weight_kg": Decimal("67.25"), "impedance": 180, "stabilized": True},
        ),
        (
            "020104 0303b0ff 0fff aca0 a02bbe5e91a0a02c92140dbf 0709414141303032",
            "laica_scale",
            {"weight_kg": Decimal("13.0")},
        ),
        ("07ff ef81 e8030000", "atomax_skale", {"weight_g": Decimal(100)}),
        ("0709 506f6c6172 31 07ff 6b00 fefefe48", "polar_hr_advert", {"hr": 72, "contact": True}),
    ],
)
def test_a_whole_advert_as_it_is_on_the_air_finds_its_profile_and_gives_its_values(
    structures: str, profile: str, values: dict[str, Any]
) -> None:
    """The first six stand in the tests of custom-components/ble_monitor; the others are laid out by hand."""
    seen = on_air(structures)
    claimed = match(registry.load(), seen)
    assert claimed is not None
    assert claimed.id == profile
    ((stream, data),) = advert_frames(claimed, seen)
    decoded = decode(claimed, stream, data)
    assert decoded.accepted, decoded.reject
    assert {name: decoded.values[name].value for name in values} == values


def test_of_several_manufacturer_ids_that_fit_the_last_one_heard_is_read() -> None:
    scale = registry.load().get("xiaogui_tzc4")
    old, new = bytes.fromhex("008c00000002205f5a29e5e094"), bytes.fromhex("0276138b0002215f5a29e5e094")
    seen = Advertisement(manufacturer_data={0x5DC0: old, 0xA3C0: new, 0x004C: b"\x02"})
    assert advert_frames(scale, seen) == [("advert", b"\xc0\xa3" + new)]
    assert advert_frames(scale, Advertisement(manufacturer_data={0xA3C1: new})) == []
