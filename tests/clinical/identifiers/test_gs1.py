"""GS1 data against the reference engine's own vectors, and its edges."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.identifiers import resolve
from clinical.identifiers.gs1 import GS, parse_bracketed, parse_digital_link, parse_elements
from clinical.identifiers.gs1_checks import (
    CHECKS,
    CSET82,
    check_digit,
    full_year,
    has_check_digit,
    last_usable_day,
)
from clinical.identifiers.gs1_table import TABLE

pytestmark = [pytest.mark.requirement("R-CLIN-01"), pytest.mark.hazard("H-CLIN-02")]

VECTORS = json.loads(
    (Path(__file__).resolve().parents[2] / "data" / "gs1" / "vectors.json").read_text(encoding="utf-8")
)["vectors"]
SCANNED = [v for v in VECTORS if v["form"] in {"scan", "bracketed", "digital_link"} and "input" in v]
CARETS = [v for v in VECTORS if v["form"] == "element_string_caret_fnc1" and v["input"].startswith("^")]
GTIN = "06931475000124"


def name(vector):
    """Name a vector without the characters a shell or a test runner stumbles over."""
    return re.sub(r"[^0-9A-Za-z]+", "-", vector["input"])


@pytest.mark.parametrize("vector", SCANNED, ids=name)
def test_verdict_and_elements_equal_the_reference_engines(vector):
    found = resolve(vector["input"])
    assert found.valid is vector["valid"]
    if vector["valid"]:
        assert [{"ai": one.ai, "value": one.value} for one in found.elements] == vector["parsed"]
    else:
        assert found.error


@pytest.mark.parametrize("vector", CARETS, ids=name)
def test_element_strings_equal_the_reference_with_and_without_associations(vector):
    data = vector["input"][1:].replace("^", GS)
    assert parse_elements(data, associations=False).valid is vector["valid"]
    assert parse_elements(data).valid is vector["fully_valid"]


def test_a_lot_that_swallowed_a_date_or_a_serial_is_told():
    assert resolve(f"]d201{GTIN}10LOTA117260630").warnings == ("separator-missing",)
    assert resolve(f"]d201{GTIN}10LOT2100001").warnings == ("separator-suspected",)
    assert resolve(f"]d201{GTIN}10LOTA\x1d17260630").warnings == ()


def test_typed_text_without_a_key_is_valid_with_a_warning_and_names_nothing():
    found = resolve("(10)A1")
    assert (found.valid, found.warnings, found.value) == (True, ("item-key-missing",), "")


def test_a_gsrn_is_a_wristband_and_a_gtin_an_item():
    band = resolve("]d28018693147500000012347\x1d80192")
    assert (band.kind, band.value, band.serial) == ("wristband", "693147500000012347", "2")
    item = resolve(f"]d201{GTIN}17260630\x1d21S9")
    assert (item.kind, item.value, item.serial, item.element("17")) == ("gs1", GTIN, "S9", "260630")
    assert resolve(f"(00)369314750000000019(02){GTIN}(37)2").value == GTIN
    assert resolve(f"]C18006{GTIN}0102").value == GTIN


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200200", date(2020, 2, 29)), ("211200", date(2021, 12, 31)), ("260228", date(2026, 2, 28))],
)
def test_day_00_is_the_last_day_of_the_month(text, expected):
    assert last_usable_day(text, date(2026, 3, 1)) == expected


@pytest.mark.parametrize(
    ("two", "year", "expected"),
    [
        (77, 2026, 1977),
        (76, 2026, 2076),
        (26, 2026, 2026),
        (10, 2070, 2110),
        (21, 2070, 2021),
        (20, 2070, 2120),
    ],
)
def test_the_century_is_the_nearest(two, year, expected):
    assert full_year(two, year) == expected


@pytest.mark.parametrize(
    ("body", "digit"),
    [("0690123456789", "2"), ("1231231231233", "3"), ("69012345678901234", "6")],
)
def test_check_digits_of_published_numbers(body, digit):
    assert check_digit(body) == digit


@given(st.text("0123456789", min_size=1, max_size=17), st.integers(1, 9), st.data())
def test_one_wrong_digit_is_always_found(body, shift, data):
    text = body + check_digit(body)
    index = data.draw(st.integers(0, len(text) - 1))
    wrong = text[:index] + str((int(text[index]) + shift) % 10) + text[index + 1 :]
    assert has_check_digit(text)
    assert not has_check_digit(wrong)


LOTS = st.text(CSET82, min_size=1, max_size=20)


@given(LOTS, LOTS)
def test_what_was_written_is_read_in_all_three_forms(lot, serial):
    expected = [("01", GTIN), ("17", "261231"), ("10", lot), ("21", serial)]

    def pairs(parsed):
        return [(one.ai, one.value) for one in parsed.elements]

    assert pairs(parse_elements(f"01{GTIN}1726123110{lot}{GS}21{serial}")) == expected
    shown = lot.replace("(", "\\("), serial.replace("(", "\\(")
    assert pairs(parse_bracketed(f"(01){GTIN}(17)261231(10){shown[0]}(21){shown[1]}")) == expected
    from urllib.parse import quote

    uri = f"https://id.gs1.org/01/{GTIN}/10/{quote(lot, safe='')}/21/{quote(serial, safe='')}?17=261231"
    assert sorted(pairs(parse_digital_link(uri))) == sorted(expected)


@given(st.text(max_size=60), st.sampled_from(["", "]d2", "]C1", "]Q1", "]E0", "]E4", "]C0", "]X9"]))
def test_no_text_raises(text, symbology):
    found = resolve(text, symbology=symbology)
    assert found.valid or found.error


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("mmss", "5959", "6000"),
        ("mmss", "59", "5960"),
        ("mmss", "0000", "123"),
        ("pair", "1987654Ad4X4bL5ttr2310c2K", "1987654Ad4X4bL5ttr2310c2L"),
        ("pair", "1987654Ad4X4bL5ttr2310c2K", "2K"),
        ("pieces", "0102", "0201"),
        ("sequence", "1/2", "1-2"),
        ("iban", "GB82WEST12345698765432", "GB83WEST12345698765432"),
        ("iban", "GB82WEST12345698765432", "nonsense"),
        ("iso3166", "156", "157"),
        ("iso3166999", "999", "998"),
        ("iso3166list", "156004", "156998"),
        ("alpha", "CN", "C1"),
        ("pcenc", "%E5%BC%A0", "%E5%G"),
        ("key", "1234A", "123A"),
        ("mediatype", "10", "11"),
        ("yesno", "1", "2"),
        ("zero", "0", "1"),
        ("nonzero", "10", "00"),
        ("winding", "9", "2"),
        ("hyphen", "-", "+"),
        ("latitude", "1800000000", "1800000001"),
        ("longitude", "3600000000", "3600000001"),
        ("yymmddhh", "26013123", "26013124"),
        ("yyyymmdd", "00000229", "19800230"),
        ("hhmm", "2359", "2400"),
        ("nozero", "10", "01"),
    ],
)
def test_content_checks_accept_the_right_and_refuse_the_wrong(name, good, bad):
    assert CHECKS[name](good) == ""
    assert CHECKS[name](bad)


def test_every_table_row_names_known_checks_and_partners():
    assert len(TABLE) > 500
    for spec in TABLE.values():
        assert {check for part in spec.components for check in part.checks} <= set(CHECKS)
        assert not spec.predefined or spec.maximum == spec.predefined


@pytest.mark.parametrize(
    ("uri", "word"),
    [
        ("ftp://a/01/1", "known"),
        ("Http://a/01/06931475000124", "web"),
        (f"https://a/01/{GTIN}?99=%GZ", "encoding"),
        (f"https://a:99/01/{GTIN}/22/", "empty"),
    ],
)
def test_broken_addresses_are_refused(uri, word):
    assert word in resolve(uri).error


@pytest.mark.parametrize(
    ("text", "word"),
    [("(01" + GTIN, "closed"), ("x(01)", "begin"), ("(99)" + "A" * 91, "long"), ("(01)123", "length")],
)
def test_broken_bracketed_text_is_refused(text, word):
    assert word in parse_bracketed(text).error


def test_a_message_has_at_most_64_elements():
    assert "64" in parse_elements(GS.join(f"9{1 + n % 9}A" for n in range(65))).error
