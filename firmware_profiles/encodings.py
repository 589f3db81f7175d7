# ruff: noqa: A005 - imported as firmware_profiles.encodings; the name is the project plan's
"""How device makers write numbers, dates and checksums, both ways and exact.

IEEE 11073-20601 numbers stay decimal: 37.60 never becomes 37.599998, and the five reserved words
never become numbers at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import reduce
from operator import xor


class Special(StrEnum):
    """The words of SFLOAT and FLOAT that are not numbers (IEEE 11073-20601, annex F)."""

    NAN = "NaN"
    NRES = "NRes"
    PLUS_INFINITY = "+INF"
    MINUS_INFINITY = "-INF"
    RESERVED = "reserved"


SFLOAT_SPECIALS: Mapping[int, Special] = {
    0x07FF: Special.NAN,
    0x0800: Special.NRES,
    0x07FE: Special.PLUS_INFINITY,
    0x0802: Special.MINUS_INFINITY,
    0x0801: Special.RESERVED,
}
FLOAT_SPECIALS: Mapping[int, Special] = {
    0x007FFFFF: Special.NAN,
    0x00800000: Special.NRES,
    0x007FFFFE: Special.PLUS_INFINITY,
    0x00800002: Special.MINUS_INFINITY,
    0x00800001: Special.RESERVED,
}


def signed(raw: int, bits: int) -> int:
    """Read an unsigned word of ``bits`` bits as two's complement."""
    return raw - (1 << bits) if raw >> (bits - 1) & 1 else raw


def _medical(raw: int, mantissa_bits: int, specials: Mapping[int, Special]) -> Decimal | Special:
    if raw in specials:  # the whole word, before exponent and mantissa are looked at
        return specials[raw]
    exponent_bits = 4 if mantissa_bits == 12 else 8
    mantissa = signed(raw & ((1 << mantissa_bits) - 1), mantissa_bits)
    return Decimal(mantissa).scaleb(signed(raw >> mantissa_bits, exponent_bits))


def sfloat(raw: int) -> Decimal | Special:
    """Decode a 16-bit SFLOAT: exponent in the top 4 bits, mantissa in 12, both two's complement."""
    return _medical(raw, 12, SFLOAT_SPECIALS)


def float32(raw: int) -> Decimal | Special:
    """Decode a 32-bit FLOAT: exponent in the top byte, mantissa in 24 bits, both two's complement."""
    return _medical(raw, 24, FLOAT_SPECIALS)


def _pack(value: Decimal, mantissa_bits: int, exponent_bits: int, specials: Mapping[int, Special]) -> int:
    limit = (1 << (mantissa_bits - 1)) - 3  # the words above it are reserved
    lowest, highest = -(1 << (exponent_bits - 1)), (1 << (exponent_bits - 1)) - 1
    sign, digits, exponent = value.normalize().as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")  # noqa: TRY004 - the type is right, the number is not
    mantissa = int("".join(map(str, digits)))
    if exponent > highest:
        mantissa, exponent = mantissa * 10 ** (exponent - highest), highest
    while exponent < lowest or mantissa > limit:
        mantissa, exponent = int((Decimal(mantissa) / 10).to_integral_value(ROUND_HALF_EVEN)), exponent + 1
        if exponent > highest:
            raise ValueError(f"{value} does not fit")
    word = (exponent & ((1 << exponent_bits) - 1)) << mantissa_bits
    word |= (-mantissa if sign else mantissa) & ((1 << mantissa_bits) - 1)
    assert word not in specials  # noqa: S101 - excluded by the limit above
    return word


def pack_sfloat(value: Decimal | Special) -> int:
    """Encode as SFLOAT, rounding half to even what 12 bits cannot hold.

    Raises:
        ValueError: Too large for any exponent.
    """
    if isinstance(value, Special):
        return next(raw for raw, special in SFLOAT_SPECIALS.items() if special is value)
    return _pack(value, 12, 4, SFLOAT_SPECIALS)


def pack_float32(value: Decimal | Special) -> int:
    """Encode as FLOAT, rounding half to even what 24 bits cannot hold.

    Raises:
        ValueError: Too large for any exponent.
    """
    if isinstance(value, Special):
        return next(raw for raw, special in FLOAT_SPECIALS.items() if special is value)
    return _pack(value, 24, 8, FLOAT_SPECIALS)


def datetime7(data: bytes, endian: str = "little") -> str:
    """Decode a Bluetooth Date Time (2A08) as ``YYYY-MM-DDThh:mm:ss``; 0 stays 0 for "unknown".

    Raises:
        ValueError: A part is out of its range.
    """
    year = int.from_bytes(data[:2], "big" if endian == "big" else "little")
    month, day, hour, minute, second = data[2:7]
    return clock_text(year, month, day, hour, minute, second)


def clock_text(year: int, month: int, day: int, hour: int, minute: int, second: int) -> str:
    """Write a device's own date and time, without a zone; year, month and day may be 0 (unknown).

    Raises:
        ValueError: A part is out of its range, or there is no such day.
    """
    if year and month and day:
        datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - a device clock has no zone
    elif not (0 <= year <= 9999 and 0 <= month <= 12 and 0 <= day <= 31):
        raise ValueError("no such day")
    elif not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        raise ValueError("no such time")
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def clock_parts(text: str) -> tuple[int, int, int, int, int, int]:
    """Split ``YYYY-MM-DDThh:mm:ss`` into its six numbers, checked.

    Raises:
        ValueError: Not of that form, or no such time.
    """
    day, separator, time = text.partition("T")
    numbers = [int(part) for part in [*day.split("-"), *time.split(":")]]
    if not separator or len(numbers) != 6:
        raise ValueError("a device time is written YYYY-MM-DDThh:mm:ss")
    year, month, date, hour, minute, second = numbers
    clock_text(year, month, date, hour, minute, second)
    return year, month, date, hour, minute, second


def pack_datetime7(text: str, endian: str = "little") -> bytes:
    """Encode ``YYYY-MM-DDThh:mm:ss`` as a Bluetooth Date Time.

    Raises:
        ValueError: Not of that form, or no such time.
    """
    year, *rest = clock_parts(text)
    return year.to_bytes(2, "big" if endian == "big" else "little") + bytes(rest)


def bcd(data: bytes) -> int:
    """Decode packed binary-coded decimal, most significant digit first.

    Raises:
        ValueError: A nibble is not a decimal digit.
    """
    return int(data.hex())


def pack_bcd(value: int, length: int) -> bytes:
    """Encode as packed BCD of ``length`` bytes.

    Raises:
        ValueError: Negative or too many digits.
    """
    digits = f"{value:0{2 * length}d}"
    if value < 0 or len(digits) != 2 * length:
        raise ValueError(f"{value} does not fit {length} bytes of BCD")
    return bytes.fromhex(digits)


def _crc(
    data: bytes, *, width: int, polynomial: int, initial: int, reflected: bool = False, final: int = 0
) -> int:
    """The bitwise definition: slow is fine, frames are short and a table would hide the polynomial."""
    mask = (1 << width) - 1
    poly = int(f"{polynomial:0{width}b}"[::-1], 2) if reflected else polynomial
    crc = initial
    for byte in data:
        crc ^= byte if reflected else byte << (width - 8)
        for _ in range(8):
            if reflected:
                crc = crc >> 1 ^ poly if crc & 1 else crc >> 1
            else:
                crc = (crc << 1 ^ poly) & mask if crc >> (width - 1) else crc << 1
    return crc ^ final


def crc16_ccitt_false(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: poly 1021, init FFFF; "123456789" gives 29B1."""
    return _crc(data, width=16, polynomial=0x1021, initial=0xFFFF)


def crc16_mcrf4xx(data: bytes) -> int:
    """CRC-16/MCRF4XX, the E2E-CRC of Bluetooth CGM; "123456789" gives 6F91."""
    return _crc(data, width=16, polynomial=0x1021, initial=0xFFFF, reflected=True)


def crc16_x25(data: bytes) -> int:
    """CRC-16/X-25; "123456789" gives 906E."""
    return _crc(data, width=16, polynomial=0x1021, initial=0xFFFF, reflected=True, final=0xFFFF)


def crc16_xmodem(data: bytes) -> int:
    """CRC-16/XMODEM: poly 1021, init 0; "123456789" gives 31C3."""
    return _crc(data, width=16, polynomial=0x1021, initial=0)


def crc8_maxim(data: bytes) -> int:
    """CRC-8/MAXIM: poly 31, reflected; "123456789" gives A1."""
    return _crc(data, width=8, polynomial=0x31, initial=0, reflected=True)


def crc8(data: bytes) -> int:
    """CRC-8 with poly 07, init 0; "123456789" gives F4."""
    return _crc(data, width=8, polynomial=0x07, initial=0)


CHECKSUMS: Mapping[str, tuple[int, Callable[[bytes], int]]] = {
    "sum8": (1, lambda data: sum(data) & 0xFF),
    "inverted-sum8": (1, lambda data: 0xFF - (sum(data) & 0xFF)),
    "xor8": (1, lambda data: reduce(xor, data, 0)),
    "sum16": (2, lambda data: sum(data) & 0xFFFF),
    "sum32": (4, lambda data: sum(data) & 0xFFFFFFFF),
    "crc8": (1, crc8),
    "crc8-maxim": (1, crc8_maxim),
    "crc16-ccitt-false": (2, crc16_ccitt_false),
    "crc16-mcrf4xx": (2, crc16_mcrf4xx),
    "crc16-x25": (2, crc16_x25),
    "crc16-xmodem": (2, crc16_xmodem),
}
"""Checksum name → size in bytes and function."""
