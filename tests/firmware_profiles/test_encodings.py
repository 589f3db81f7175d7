from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firmware_profiles import encodings
from firmware_profiles.encodings import CHECKSUMS, Special

SIG = json.loads((Path(__file__).parents[1] / "data" / "ble_sig.json").read_text())
CHECK = b"123456789"


@pytest.mark.requirement("R-DEV-01")
@pytest.mark.parametrize("row", SIG["numbers"], ids=lambda row: f"{row['type']}-{row['raw']}")
def test_medical_numbers_are_exact_and_special_words_are_not_numbers(row: dict[str, object]) -> None:
    read, write = (
        (encodings.sfloat, encodings.pack_sfloat)
        if row["type"] == "SFLOAT"
        else (encodings.float32, encodings.pack_float32)
    )
    raw = int.from_bytes(bytes.fromhex(str(row["wire_le"])), "little")
    got = read(raw)
    if isinstance(row["value"], str):
        assert got is Special(row["value"])
        assert write(got) == raw
    else:
        assert got == Decimal(str(row["value"]))
        assert read(write(got)) == got


@pytest.mark.parametrize(
    ("read", "wire", "value"),
    [
        (encodings.sfloat, "0C00", "12"),
        (encodings.sfloat, "FF0F", "-1"),
        (encodings.sfloat, "0102", "513"),
        (encodings.float32, "01FE03FC", "26.1633"),
    ],
)
def test_numbers_of_public_drivers_are_read_as_they_read_them(
    read: Callable[[int], Decimal | Special], wire: str, value: str
) -> None:
    """From the tests of weliem/blessed-android; the first two by hand after IEEE 11073-20601."""
    assert read(int.from_bytes(bytes.fromhex(wire), "little")) == Decimal(value)


def test_a_trailing_zero_of_the_device_is_kept() -> None:
    assert str(encodings.float32(0xFE000EB0)) == "37.60"


@settings(deadline=None)
@given(st.integers(-2045, 2045), st.integers(-8, 7))
def test_every_sfloat_comes_back(mantissa: int, exponent: int) -> None:
    number = Decimal(mantissa).scaleb(exponent)
    assert encodings.sfloat(encodings.pack_sfloat(number)) == number


@settings(deadline=None)
@given(st.integers(-8388605, 8388605), st.integers(-128, 127))
def test_every_float_comes_back(mantissa: int, exponent: int) -> None:
    number = Decimal(mantissa).scaleb(exponent)
    assert encodings.float32(encodings.pack_float32(number)) == number


@settings(deadline=None)
@given(st.integers(0, 0xFFFF))
def test_every_sfloat_word_decodes_and_means_the_same_when_written(raw: int) -> None:
    value = encodings.sfloat(raw)
    # Our encoder keeps clear of the mantissas that are reserved with exponent 0, whatever the exponent.
    mantissa = ((raw & 0xFFF) ^ 0x800) - 0x800
    assume(raw in encodings.SFLOAT_SPECIALS or abs(mantissa) <= 2045)
    assert encodings.sfloat(encodings.pack_sfloat(value)) == value


def test_what_does_not_fit_is_rounded_or_refused() -> None:
    assert encodings.sfloat(encodings.pack_sfloat(Decimal("36.6789"))) == Decimal("36.7")
    assert encodings.sfloat(encodings.pack_sfloat(Decimal("0.000000001"))) == 0
    for number in (Decimal("1e20"), Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(ValueError, match=r"fit|finite"):
            encodings.pack_sfloat(number)


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("crc16-ccitt-false", 0x29B1),
        ("crc16-mcrf4xx", 0x6F91),
        ("crc16-x25", 0x906E),
        ("crc16-xmodem", 0x31C3),
        ("crc8-maxim", 0xA1),
        ("crc8", 0xF4),
        ("sum8", 0xDD),
        ("inverted-sum8", 0x22),
        ("xor8", 0x31),
        ("sum16", 0x1DD),
        ("sum32", 0x1DD),
    ],
)
def test_checksums_give_their_published_check_values(name: str, check: int) -> None:
    size, function = CHECKSUMS[name]
    assert function(CHECK) == check
    assert check < 1 << 8 * size


def test_the_checksum_of_a_public_driver_is_ours_too() -> None:
    """From the tests of glucometers-tech/glucometerutils: the acknowledgement of a LifeScan meter."""
    assert encodings.crc16_ccitt_false(bytes.fromhex("02060603")) == 16845


def test_the_end_to_end_crc_agrees_with_the_shared_vectors() -> None:
    for row in SIG["crc"]:
        data = row["input_ascii"].encode() if "input_ascii" in row else bytes.fromhex(row["input_hex"])
        assert encodings.crc16_mcrf4xx(data) == int(row["crc16_mcrf4xx"], 16)


@settings(deadline=None)
@given(st.datetimes(min_value=__import__("datetime").datetime(1, 1, 1)))
def test_every_device_time_comes_back(moment: object) -> None:
    text = moment.isoformat(timespec="seconds")  # type: ignore[attr-defined]
    assert encodings.datetime7(encodings.pack_datetime7(text)) == text
    assert encodings.datetime7(encodings.pack_datetime7(text, "big"), "big") == text


def test_unknown_parts_of_a_device_time_stay_zero() -> None:
    assert encodings.datetime7(bytes.fromhex("00000411 14293B".replace(" ", ""))) == "0000-04-17T20:41:59"


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30T00:00:00",
        "0000-13-01T00:00:00",
        "2025-00-32T00:00:00",
        "0000-00-00T24:00:00",
        "0000-01-01T00:60:00",
        "2025-01-01 00:00:00",
        "2025-01-01T00:00",
        "x",
    ],
)
def test_times_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text differs, the refusal is what matters
        encodings.pack_datetime7(text)


@settings(deadline=None)
@given(st.integers(0, 999_999))
def test_binary_coded_decimal_comes_back(number: int) -> None:
    assert encodings.bcd(encodings.pack_bcd(number, 3)) == number


def test_wrong_binary_coded_decimal_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        encodings.bcd(b"\x1a")
    for number in (-1, 100):
        with pytest.raises(ValueError, match="does not fit"):
            encodings.pack_bcd(number, 1)
