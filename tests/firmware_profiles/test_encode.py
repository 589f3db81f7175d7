from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import BadInputError
from firmware_profiles import registry
from firmware_profiles.decode import decode
from firmware_profiles.encode import Given, encode, encode_records
from firmware_profiles.encodings import Special
from firmware_profiles.plan import Profile

Make = Callable[..., Profile]


def there_and_back(profile_id: str, stream: str, values: dict[str, Given]) -> dict[str, object]:
    profile = registry.load().get(profile_id)
    decoded = decode(profile, stream, encode(profile, stream, values))
    assert decoded.accepted, decoded.reject
    return {name: one.value for name, one in decoded.values.items()}


@pytest.mark.requirement("R-DEV-04")
@settings(deadline=None)
@given(
    drops=st.integers(0, 2**32 - 1),
    now=st.integers(0, 2**32 - 1),
    interval=st.none() | st.integers(0, 65534),
    battery=st.integers(0, 100),
    flags=st.tuples(*[st.booleans()] * 4),
)
def test_every_frame_of_our_drip_sensor_comes_back(
    drops: int, now: int, interval: int | None, battery: int, flags: tuple[bool, ...]
) -> None:
    names = ("fault", "low_battery", "motion", "stream")
    given_values: dict[str, Given] = {
        "drops": drops, "last_drop": now, "now": now, "interval": interval, "battery": battery,
        **dict(zip(names, flags, strict=True)),
    }  # fmt: skip
    assert there_and_back("wardlink_drip", "drops", given_values) == given_values
    assert there_and_back("wardlink_drip_serial", "drops", given_values) == given_values


@settings(deadline=None)
@given(
    spo2=st.none() | st.integers(0, 126),
    pr=st.none() | st.integers(0, 510),
    wave=st.lists(st.integers(0, 255), min_size=25, max_size=25),
)
def test_every_oximeter_packet_comes_back(spo2: int | None, pr: int | None, wave: list[int]) -> None:
    values = there_and_back("nonin_oem3", "packet", {"spo2": spo2, "pr": pr, "pleth": wave})
    assert (values["spo2"], values["pr"], values["pleth"]) == (spo2, pr, tuple(wave))


@settings(deadline=None)
@given(st.decimals(Decimal("30.0"), Decimal("45.0"), places=2), st.sampled_from(["Cel", "[degF]"]))
def test_every_temperature_comes_back_in_its_unit(value: Decimal, unit: str) -> None:
    profile = registry.load().get("sig_thermometer")
    got = decode(profile, "temperature", encode(profile, "temperature", {"temperature": (value, unit)}))
    assert (got.values["temperature"].value, got.values["temperature"].unit) == (value, unit)


@settings(deadline=None)
@given(
    st.integers(0, 65535), st.lists(st.integers(0, 65535), min_size=1, max_size=8), st.none() | st.booleans()
)
def test_every_heart_rate_comes_back_narrow_or_wide(rate: int, rr: list[int], contact: bool | None) -> None:
    given_values: dict[str, Given] = {"hr": rate, "rr_1024": rr, "contact": contact}
    assert there_and_back("sig_heart_rate", "measurement", given_values) == {
        **given_values,
        "rr_1024": tuple(rr),
    }


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_count_takes_as_few_bytes_as_it_needs(count: int) -> None:
    profile = registry.load().get("sig_glucose")
    frame = encode(profile, "racp", {"count": count})
    assert len(frame) == 2 + (1 if count < 256 else 2 if count < 65536 else 4)
    assert decode(profile, "racp", frame).values["count"].value == count


def test_optional_checksums_are_added_when_asked_for() -> None:
    profile = registry.load().get("sig_cgm")
    plain = encode(profile, "measurement", {"glucose_mg_dl": 120, "offset_min": 6})
    sealed = encode(profile, "measurement", {"glucose_mg_dl": 120, "offset_min": 6, "crc_ok": True})
    assert sealed == b"\x08" + plain[1:] + sealed[-2:]
    two = encode_records(profile, "measurement", [{"offset_min": 1}, {"offset_min": 2}])
    assert [record["offset_min"].value for record in decode(profile, "measurement", two).records] == [1, 2]


def test_a_missing_number_is_the_devices_own_word_for_it() -> None:
    assert there_and_back("sig_plx", "continuous", {"spo2": None, "pr": Special.PLUS_INFINITY}) == {
        "spo2": None, "pr": None,
    }  # fmt: skip
    assert there_and_back("sig_thermometer", "temperature", {"temperature": None}) == {"temperature": None}


@pytest.mark.parametrize(
    ("profile", "stream", "values", "message"),
    [
        ("sig_plx", "continuous", {"nothing": 1}, "has no value nothing"),
        ("sig_plx", "continuous", {"spo2": Decimal("1e30")}, "does not fit"),
        ("sig_plx", "continuous", {"spo2": "x"}, "spo2: "),
        ("sig_plx", "continuous", {"spo2": [1, 2]}, "not a list"),
        ("sig_plx", "continuous", {"dev": ["nonsense"]}, "not one of the names"),
        ("sig_thermometer", "temperature", {"temperature": (Decimal(1), "K")}, "has no unit K"),
        ("sig_thermometer", "temperature", {"time": "yesterday"}, "time: "),
        ("sig_battery", "level", {"battery_pct": 300}, "out of range"),
        ("sig_battery", "level", {"battery_pct": None}, "no word for a missing number"),
        ("sig_glucose", "measurement", {"type": 16}, "does not fit its bits"),
        ("sig_heart_rate", "location", {"location": "tail"}, "not one of the words"),
        ("sig_device_information", "system_id", {"system_id": "00" * 9}, "9 bytes where 8"),
        ("nonin_oem3", "packet", {"pleth": [1, 2]}, "needs 25 items"),
        ("sig_glucose", "racp", {"count": 2**32}, "out of range"),
        ("alaris_asena", "infusion", {"rate": 1, "mode": "A|B"}, "does not fit its own pattern"),
        ("abbott_freestyle_optium", "clock", {"time": "2026-00-01T00:00:00"}, "month has no word"),
    ],
)
def test_what_a_format_cannot_say_is_refused_by_name(
    profile: str, stream: str, values: dict[str, Given], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        encode(registry.load().get(profile), stream, values)


def test_a_format_with_room_for_one_record_takes_no_two() -> None:
    with pytest.raises(BadInputError, match="exactly one record"):
        encode_records(registry.load().get("sig_plx"), "spot", [{}, {}])


def test_the_language_writes_bytes_as_it_says(make: Make) -> None:
    body = """
length = 12
field = [
  {name="b", type="bcd", length=2}, {name="s", type="ascii", length=3}, {name="i", type="i16", endian="big"},
  {name="t", type="u8", when="i!=0"}, {name="u", type="u8", when="!b.0"},
]
value = [
  {name="b", source="b"}, {name="s", source="s"}, {name="i", source="i", scale=0.5, add=1},
  {name="t", source="t"},
  {name="u", source="u"},
]
"""
    profile = make(body)
    assert encode(profile, "s", {"b": 12, "s": "AB", "i": -1}).hex() == "0012414200fffc000000" + "0000"
    assert encode(profile, "s", {"b": 12, "s": "AB", "u": 7, "t": 9}).hex().startswith("001241420000")
    with pytest.raises(BadInputError):
        encode(profile, "s", {"s": "Ä"})


def test_tagged_objects_are_written_only_when_given() -> None:
    profile = registry.load().get("bthome_v2")
    assert (
        encode(profile, "advert", {"temp_Cel": Decimal("25.06"), "battery_pct": 90}).hex() == "40015a45fb00"
    )
    assert there_and_back("bthome_v2", "advert", {"count": 70000}) == {"count": 70000}


def test_what_is_not_given_holds_its_default(make: Make) -> None:
    body = (
        'field=[{name="r", type="u8", repeat="rest", at_least=2, default=3}]\nvalue=[{name="v", source="r"}]'
    )
    assert encode(make(body), "s", {}) == b"\x03\x03"
    assert (
        encode(registry.load().get("sig_current_time"), "current_time", {"dow": 3}).hex()
        == "00" * 7 + "030000"
    )
    assert encode(registry.load().get("sig_device_information"), "model", {}) == b""


def test_the_language_writes_lines_as_it_says(make: Make) -> None:
    body = """
field = [
  {name="n", type="decimal"}, {name="t", type="text", one_of=["A", "B"]},
  {name="l", type="text", lookup={X=1}}, {name="w", type="int"},
]
value = [
  {name="n", source="n", scale=2}, {name="t", source="t"}, {name="l", source="l"},
  {name="w", source="w", when="t!=B"}, {name="x", source="w", when="t==B"},
]
line = {regex="(?P<n>[^,]*),(?P<t>.),(?P<l>.?),(?P<w>.*)", template="{n},{t},{l},{w}"}
"""
    profile = make(body)
    assert encode(profile, "s", {"n": 3, "l": 1, "w": 7}) == b"1.5,A,X,7"
    assert encode(profile, "s", {"x": 7}) == b",B,,7"
