"""Content checks of GS1 element values: check digits, dates, times, names, countries and the rest.

Each check takes the text of one component and tells in one sentence what is wrong, or nothing.
Source: GS1 General Specifications; names follow the GS1 Syntax Dictionary.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date

from clinical.identifiers.gs1_table import ISO3166

CSET82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_CSET32 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)


def check_digit(body: str) -> str:
    """Return the modulo-10 check digit of a GS1 key: weights 3, 1, 3 … from the rightmost digit."""
    digits = body.encode("ascii")
    total = (
        3 * sum(digits[-1::-2]) + sum(digits[-2::-2]) - 48 * (3 * len(digits[-1::-2]) + len(digits[-2::-2]))
    )
    return str(-total % 10)


def has_check_digit(text: str) -> bool:
    """Tell whether the last digit is the right check digit of the rest."""
    return check_digit(text[:-1]) == text[-1]


def full_year(two_digits: int, today_year: int) -> int:
    """Return the century of a two-digit year: within 49 years before and 50 after today's.

    Source: GS1 General Specifications, determination of century.
    """
    century = today_year - today_year % 100
    difference = two_digits - today_year % 100
    if difference >= 51:
        return century - 100 + two_digits
    if difference <= -50:
        return century + 100 + two_digits
    return century + two_digits


def last_usable_day(text: str, today: date) -> date:
    """Return the day meant by a YYMMDD date; day 00 is the last day of its month.

    A drug may be used through that day. ``today`` only decides the century.
    """
    year, month, day = full_year(int(text[:2]), today.year), int(text[2:4]), int(text[4:6])
    return date(year, month, day or monthrange(year, month)[1])


def _date(year: int, text: str, *, zero_day: bool) -> str:
    month, day = int(text[:2]), int(text[2:])
    if not 1 <= month <= 12:
        return "the date contains an illegal month"
    if day > monthrange(year, month)[1] or (day == 0 and not zero_day):
        return "the date contains an illegal day"
    return ""


def _yymmd0(text: str) -> str:
    return _date(2000 + int(text[:2]), text[2:], zero_day=True)


def _yymmdd(text: str) -> str:
    return _date(2000 + int(text[:2]), text[2:], zero_day=False)


def _yyyymmdd(text: str) -> str:
    return _date(int(text[:4]) or 4, text[4:], zero_day=False)


def _hour(text: str) -> str:
    return "" if int(text) <= 23 else "the time contains an illegal hour"


def _minutes(text: str) -> str:
    """Check minutes, and seconds when there are four digits."""
    legal = len(text) in {2, 4} and int(text[:2]) <= 59 and int(text[2:] or "0") <= 59
    return "" if legal else "the time contains illegal minutes or seconds"


def _pair(text: str) -> str:
    """Check the two characters at the end of a GMN (GS1 General Specifications 7.9.5)."""
    body, pair = text[:-2], text[-2:]
    if not body or len(body) > len(_PRIMES):
        return "the check character pair is incorrect"
    total = (
        sum(CSET82.index(char) * prime for char, prime in zip(reversed(body), _PRIMES, strict=False)) % 1021
    )
    return (
        "" if pair == _CSET32[total >> 5] + _CSET32[total & 31] else "the check character pair is incorrect"
    )


def _pieces(text: str) -> str:
    piece, total = int(text[:2]), int(text[2:])
    if piece == 0 or total == 0:
        return "a piece number must not be zero"
    return "" if piece <= total else "the piece number must not exceed the total"


def _sequence(text: str) -> str:
    match = re.fullmatch(r"([1-9])/([1-9])", text)
    if match is None:
        return "the birth sequence must be position/total"
    return "" if match[1] <= match[2] else "the position number must not exceed the end number"


def _iban(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}\d{2}[0-9A-Z]+", text):
        return "the IBAN is malformed"
    digits = "".join(str(int(character, 36)) for character in text[4:] + text[:4])
    return "" if int(digits) % 97 == 1 else "the IBAN check is incorrect"


def _countries(text: str) -> str:
    codes = [text[index : index + 3] for index in range(0, len(text), 3)]
    return "" if all(code in ISO3166 for code in codes) else "not a list of ISO 3166 country codes"


def _test(ok: Callable[[str], bool], wrong: str) -> Callable[[str], str]:
    return lambda text: "" if ok(text) else wrong


CHECKS: dict[str, Callable[[str], str]] = {
    "csum": _test(has_check_digit, "the numeric check digit is incorrect"),
    "yymmd0": _yymmd0,
    "yymmdd": _yymmdd,
    "yyyymmdd": _yyyymmdd,
    "yymmddhh": lambda text: _yymmdd(text[:6]) or _hour(text[6:]),
    "hhmm": lambda text: _hour(text[:2]) or _minutes(text[2:]),
    "mmss": _minutes,
    "pair": _pair,
    "pieces": _pieces,
    "sequence": _sequence,
    "iban": _iban,
    "iso3166": _test(ISO3166.__contains__, "not an ISO 3166 country code"),
    "iso3166999": _test(lambda text: text == "999" or text in ISO3166, "not an ISO 3166 country code or 999"),
    "iso3166list": _countries,
    "alpha": _test(lambda text: text.isalpha() and text.isupper(), "not a two-letter country code"),
    "pcenc": _test(
        lambda text: re.search(r"%(?![0-9A-Fa-f]{2})", text) is None, "the percent encoding is malformed"
    ),
    "key": _test(lambda text: text[:4].isdigit() and len(text) >= 4, "does not begin with a company prefix"),
    "mediatype": _test(lambda text: 1 <= int(text) <= 10 or int(text) >= 80, "not an AIDC media type"),
    "sex": _test(lambda text: text in "0129", "not a sex code of ISO/IEC 5218"),
    "yesno": _test(lambda text: text in "01", "must be 0 or 1"),
    "zero": _test(lambda text: text == "0", "must be 0"),
    "nonzero": _test(lambda text: int(text) != 0, "must not be 0"),
    "nozero": _test(lambda text: not text.startswith("0"), "must not begin with 0"),
    "winding": _test(lambda text: text in "019", "not a winding direction"),
    "hyphen": _test(lambda text: text == "-", "must be a minus sign"),
    "latitude": _test(lambda text: int(text) <= 1_800_000_000, "not a latitude"),
    "longitude": _test(lambda text: int(text) <= 3_600_000_000, "not a longitude"),
}
"""Content checks by the names the table uses."""
