"""All that is read from a code, field by field: raw text, kind, elements, identity, what is wrong with it."""

from __future__ import annotations

import re
from datetime import date

import pytest

from clinical.errors import BadInputError
from clinical.identifiers import hospital, resolve
from clinical.identifiers.gs1 import GS, parse_bracketed, parse_digital_link, parse_elements
from clinical.identifiers.gs1_checks import CHECKS, last_usable_day
from clinical.identifiers.isbt128 import BLOOD_GROUPS
from clinical.identifiers.model import Element, Identified, Kind

pytestmark = [
    pytest.mark.requirement("R-CLIN-01"),
    pytest.mark.requirement("R-CLIN-02"),
    pytest.mark.hazard("H-CLIN-02"),
]
GTIN = "06931475000124"
BAND, BED, BAG = (
    hospital.encode(*parts) for parts in (("wristband", "M1", "2"), ("bed", "W1", "03"), ("bag", "B1"))
)


def known(raw, kind, value, *elements, serial="", warnings=()):
    pairs = tuple(Element(ai=ai, value=text) for ai, text in elements)
    return Identified(
        raw=raw, kind=kind, valid=True, elements=pairs, warnings=warnings, value=value, serial=serial
    )


READ = (
    known(BAND, "wristband", "M1", ("mrn", "M1"), ("serial", "2"), serial="2"),
    known(BED, "bed", "W1", ("ward", "W1"), ("bed", "03"), serial="03"),
    known(BAG, "bag", "B1", ("id", "B1")),
    known(f"]d201{GTIN}21S1", "gs1", GTIN, ("01", GTIN), ("21", "S1"), serial="S1"),
    known(f"01{GTIN}21S1", "gs1", GTIN, ("01", GTIN), ("21", "S1"), serial="S1"),
    known(f"(01){GTIN}(21)S1", "gs1", GTIN, ("01", GTIN), ("21", "S1"), serial="S1"),
    known(f"]C101{GTIN}", "gs1", GTIN, ("01", GTIN)),
    known(f"https://id.gs1.org/01/{GTIN}/21/S1", "gs1", GTIN, ("01", GTIN), ("21", "S1"), serial="S1"),
    known(f"HTTPS://ID.GS1.ORG/01/{GTIN}", "gs1", GTIN, ("01", GTIN)),
    known(f"{GS}01{GTIN}", "gs1", GTIN, ("01", GTIN)),
    known("(10)A1", "gs1", "", ("10", "A1"), warnings=("item-key-missing",)),
    known("8018693147500000012347", "wristband", "693147500000012347", ("8018", "693147500000012347")),
    known("]E06931475000124", "ean", GTIN),
    known("6931475000124", "ean", GTIN),
    known("]E06931475000124|]e021S1", "ean", GTIN, ("21", "S1"), serial="S1"),
    known("]E06931475000124|]e010L1", "ean", GTIN, ("10", "L1")),
    known("]E440170725", "ean", "00000040170725"),
    known(
        "]E06931475000124|]e010L17260630", "ean", GTIN, ("10", "L17260630"), warnings=("separator-missing",)
    ),
    known(
        "81000012345678901234", "traceability", "81000012345678901234",
        ("drug", "8100001"), ("serial", "2345678901234"), serial="2345678901234",
    ),
    known(
        "MA.156.M0.100001.1ABCDEF9", "udi-ma", "MA.156.M0.100001.1ABCDEF9",
        ("maker", "156.M0.100001"), ("product", "1ABCDEF9"),
    ),
    known(
        "MA.156.M0.100001.1ABCDEF9.M240101", "udi-ma", "MA.156.M0.100001.1ABCDEF9",
        ("maker", "156.M0.100001"), ("product", "1ABCDEF9"), ("production", "M240101"), serial="M240101",
    ),
    known("=A99991712345600", "isbt128", "A999917123456", ("001", "A99991712345600"), serial="00"),
    known("=%6200", "isbt128", "", ("002", "6200")),
    known(
        "=A99991712345600=%6200", "isbt128", "A999917123456", ("001", "A99991712345600"), ("002", "6200"),
        serial="00",
    ),
    known("]Q1hello", "unknown", "hello"),
)  # fmt: skip


@pytest.mark.parametrize("expected", READ, ids=[f"{one.kind}-{at}" for at, one in enumerate(READ)])
def test_every_field_of_a_good_code_is_read(expected):
    assert resolve(expected.raw) == expected


def test_the_hospitals_older_code_is_its_kind_and_its_rest():
    found = resolve("PID:4711", prefixes={"OLD:": "bag", "PID:": "wristband"})
    assert found == known("PID:4711", "wristband", "4711")


def wrong(raw, kind, error, value=""):
    return Identified(raw=raw, kind=kind, valid=False, error=error, value=value)


CHECK_WRONG, PARTS_WRONG = "check character is wrong: scan again", "the code has the wrong parts"
DAMAGED = (
    wrong(BAG[:-1] + "?", "bag", CHECK_WRONG),
    wrong("WL1:P:X:" + hospital.check_character("WL1:P:X"), "wristband", PARTS_WRONG),
    wrong("WL1:P:X::" + hospital.check_character("WL1:P:X:"), "wristband", PARTS_WRONG),
    wrong("WL1:Q:B1:Z", "unknown", "not a known hospital code"),
    wrong("WL1:B", "unknown", "not a known hospital code"),
    wrong("WL1:B:?", "bag", CHECK_WRONG),
    wrong("XABC", "unknown", "this code is not known here", "XABC"),
    wrong("=%", "unknown", "this code is not known here", "=%"),
    wrong("=AB", "isbt128", "not an ISBT 128 structure"),
    wrong("=%6200X", "isbt128", "not an ISBT 128 structure"),
    wrong("=G12341765432160", "isbt128", "check flags of the donation number"),
    wrong("=G12341765432196", "isbt128", "check flags of the donation number"),
    wrong("MA.156", "udi-ma", "the MA code is malformed"),
    wrong("=A999917", "isbt128", "not an ISBT 128 structure"),
    wrong("=G12341765432171", "isbt128", "check flags of the donation number"),
    wrong("]C0ABC", "unknown", "this code is not known here", "ABC"),
    wrong("ABC", "unknown", "this code is not known here", "ABC"),
    wrong("]X1ABC", "unknown", "a symbol of this type is not used here", "ABC"),
    wrong("]E0693147500012", "ean", "the retail code has the wrong length"),
    wrong("]E069314750001243", "ean", "the retail code has the wrong length"),
    wrong("]E0693147500012A", "ean", "a retail code may only contain digits"),
    wrong("]E06931475000125", "ean", "the check digit is incorrect"),
    wrong("6931475000125", "ean", "the check digit is incorrect"),
    wrong("]E06931475000124|]e0", "ean", "the AI data is empty", GTIN),
    wrong(f"]d201{GTIN[:-1]}5", "gs1", "AI (01): the numeric check digit is incorrect"),
    wrong("]d2", "gs1", "the AI data is empty"),
    wrong("]d210L1", "gs1", "required AIs for AI (10) are not there"),
    wrong(f"]d201{GTIN}37", "gs1", "AI (37) data is empty"),
)


@pytest.mark.parametrize("expected", DAMAGED, ids=[f"{one.kind}-{at}" for at, one in enumerate(DAMAGED)])
def test_every_field_of_a_damaged_code_says_what_is_wrong(expected):
    assert resolve(expected.raw) == expected


def test_the_longest_text_is_4096_characters():
    assert resolve("x" * 4096).error == "this code is not known here"
    assert resolve("x" * 4097) == wrong("x" * 64, "unknown", "the code is too long")


def test_line_ends_are_no_part_of_a_code_and_blanks_are():
    assert resolve(f"{BAG}\r\n").value == "B1"
    assert resolve("]Q1a b \n").value == "a b "


def test_the_symbology_may_come_apart_from_the_text():
    assert resolve(f"17261231{'01' + GTIN}", symbology="]d2").value == GTIN
    assert resolve("40170725", symbology="]E4").value == "00000040170725"
    assert resolve("40170725").kind == "unknown"
    assert resolve("(01)1", symbology="]Q1") == Identified(
        raw="(01)1", kind="unknown", valid=True, value="(01)1"
    )


def test_thirteen_digits_are_a_retail_code_by_maker_or_by_check_digit():
    assert resolve("4006381333931").kind == "ean"
    assert resolve("4006381333932").kind == "unknown"
    assert resolve("6906381333932").kind == "ean"


def test_a_wedge_text_like_gs1_that_is_wrong_is_not_taken_for_it():
    assert resolve(f"01{GTIN[:-1]}5") == wrong(
        f"01{GTIN[:-1]}5", "unknown", "this code is not known here", f"01{GTIN[:-1]}5"
    )
    assert resolve("00369314750000000019").kind == "traceability"


# --- own codes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "code", "sentence"),
    [
        (("cup", "x"), "code-kind", "there is no hospital code of this kind"),
        (("bag", "x", "y"), "code-parts", "a bag code needs 1 part(s)"),
        (("bag", ""), "code-parts", "a bag code needs 1 part(s)"),
        (("wristband", "M"), "code-parts", "a wristband code needs 2 part(s)"),
    ],
)
def test_what_cannot_be_encoded_says_why(parts, code, sentence):
    with pytest.raises(BadInputError, match=re.escape(sentence)) as caught:
        hospital.encode(*parts)
    assert caught.value.code == code


def test_the_check_character_is_the_published_one():
    spellings = ("G123498654321", "g123498654321", "G1234-98654321", "G123*498654321")
    assert {hospital.check_character(text) for text in spellings} == {"H"}
    assert hospital.encode("bag", "a/b~c") == "WL1:B:a%2Fb%7Ec:" + hospital.check_character("WL1:B:a%2Fb%7Ec")


# --- GS1 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "the AI data is empty"),
        (f"01{GTIN}^", "the data contains an illegal ^ character"),
        (f"01{GTIN}5X", "no known AI begins the remaining 2 characters"),
        (f"01{GTIN}10" + "L" * 21, "AI (10) data is too long"),
        (f"01{GTIN}17", "AI (17) data is empty"),
        (f"01{GTIN}17{GS}10A", "AI (17) data is empty"),
        (f"01{GTIN}172612", "AI (17) has the wrong length or a character that is not allowed"),
        (f"01{GTIN}10" + "L" * 19 + " ", "AI (10) has the wrong length or a character that is not allowed"),
        (f"01{GTIN}10a b", "AI (10) has the wrong length or a character that is not allowed"),
        (f"01{GTIN}17261331", "AI (17): the date contains an illegal month"),
        (f"01{GTIN}17260230", "AI (17): the date contains an illegal day"),
        (f"01{GTIN}10A{GS}10B", "AI (10) is repeated with another value"),
        (f"01{GTIN}255{'1' * 13}", "AI (255): the numeric check digit is incorrect"),
        (f"02{GTIN}", "required AIs for AI (02) are not there"),
        (f"01{GTIN}3102000123" + "3103000123", "AI (3103) must not come together with 310n"),
    ],
)
def test_what_is_wrong_with_an_element_string_is_one_sentence(data, sentence):
    found = parse_elements(data)
    other = sentence.replace("(3103)", "(3102)")
    assert (found.error in {sentence, other}, found.elements, found.valid) == (True, (), False)


def test_a_repeated_element_with_the_same_value_is_no_fault_and_64_are_read():
    assert len(parse_elements(f"01{GTIN}10A{GS}10A").elements) == 3
    assert parse_elements(GS.join(f"9{1 + n % 9}A" for n in range(64))).valid
    assert parse_elements(GS.join(f"9{1 + n % 9}A" for n in range(65))).error == "more than 64 elements"


def test_partners_may_be_implied_or_left_out_of_consideration():
    assert parse_elements("10A").error == "required AIs for AI (10) are not there"
    assert parse_elements("10A", implied="01").elements == (Element(ai="10", value="A"),)
    assert parse_elements("10A", associations=False).valid
    assert parse_elements("375", associations=False).elements == (Element(ai="37", value="5"),)


def test_only_a_missing_key_is_forgiven_in_typed_text():
    assert parse_bracketed("(10)A(17)261231").warnings == ("item-key-missing",)
    assert parse_bracketed(f"(02){GTIN}").error == "required AIs for AI (02) are not there"
    assert parse_bracketed(f"(01){GTIN}(10)A\\(1").elements[1].value == "A(1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x(01)", "the text must begin with an AI in brackets"),
        ("", "the text must begin with an AI in brackets"),
        (f"(01{GTIN}", "a bracket is not closed"),
        ("(0999999999)1", "unrecognised AI: 09999999"),
        ("(10)", "AI (10) data is empty"),
        ("(10)A^", "AI (10) contains an illegal ^ character"),
    ],
)
def test_what_is_wrong_with_typed_text_is_one_sentence(text, sentence):
    assert parse_bracketed(text).error == sentence


@pytest.mark.parametrize(
    ("value", "warnings"),
    [
        ("L117260630", ("separator-missing",)), ("L111260630", ("separator-missing",)),
        ("L113261231", ("separator-missing",)), ("L115260600", ("separator-missing",)),
        ("L117261330", ()), ("L117260632", ()), ("117260630", ("separator-missing",)), ("17260630", ()),
        ("L21A1234", ("separator-suspected",)), ("L21A123", ()), ("L21a1234", ()),
    ],
)  # fmt: skip
def test_a_lot_that_looks_as_if_it_had_swallowed_something(value, warnings):
    assert parse_elements(f"01{GTIN}10{value}").warnings == warnings
    serial = parse_elements(f"01{GTIN}21{value}").warnings
    assert serial == (warnings if warnings == ("separator-missing",) else ())
    assert parse_elements(f"01{GTIN}240{value}").warnings == ()
    assert parse_elements(f"01{GTIN}240A{GS}10{value}").warnings == warnings


URL = f"https://id.gs1.org/01/{GTIN}"


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("ftp://a.cn/01/1", "not a web address"),
        (f"{URL}/10/A B", "the address contains illegal characters"),
        (f"{URL}/10/A|", "the address contains illegal characters"),
        ("https:///01/1", "the address must contain a domain and a path"),
        ("https://a.cn", "the address must contain a domain and a path"),
        (f"https://a_b/01/{GTIN}", "the domain contains illegal characters"),
        (f"https://a.cn:999999/01/{GTIN}", "the domain contains illegal characters"),
        (f"{URL}/10/", "AI (10) value in the path is empty"),
        ("https://a.cn/x/y", "no GS1 key is found in the path"),
        (f"{URL}/xx/yy", "no GS1 key is found in the path"),
        ("https://a.cn/01", "no GS1 key is found in the path"),
        (f"{URL}/21/S/10/L", "the AIs in the path are not a valid sequence for the key"),
        (f"{URL}/235/T/10/L", "the AIs in the path are not a valid sequence for the key"),
        (f"{URL}?9999=1", "unknown AI (9999) in the query"),
        (f"{URL}?9999999999=1", "unknown AI (99999999) in the query"),
        (f"{URL}?17=", "AI (17) value in the query is empty"),
        (f"{URL}?10=%G", "the percent encoding of the address is malformed"),
        (f"{URL}/10/L?10=L", "AI (10) is duplicated"),
    ],
)
def test_what_is_wrong_with_a_web_address_is_one_sentence(uri, sentence):
    assert parse_digital_link(uri).error == sentence


def test_a_web_address_is_read_from_its_right_end_without_what_is_no_ai():
    def pairs(uri):
        return [(one.ai, one.value) for one in parse_digital_link(uri).elements]

    key = ("01", GTIN)
    assert pairs(f"https://a.cn/some/where/01/{GTIN}/22/V/10/L/21/S") == [
        key, ("22", "V"), ("10", "L"), ("21", "S"),
    ]  # fmt: skip
    assert pairs(f"https://a.cn:8080/01/{GTIN}/235/T") == [key, ("235", "T")]
    assert pairs(f"http://[::1]/01/{GTIN}#x/10/L") == [key]
    assert pairs(f"{URL}?linkType=gs1:pip&17=261231;3103=000123") == [
        key, ("17", "261231"), ("3103", "000123"),
    ]  # fmt: skip
    assert parse_digital_link(f"{URL}?10=A+B").error.startswith("AI (10) has the wrong length")
    assert pairs(f"{URL}?17=261231;10=A%2FB&11") == [key, ("17", "261231"), ("10", "A/B")]
    assert pairs(f"{URL}/10/A%2fB") == [key, ("10", "A/B")]


# --- content checks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("yymmd0", "260200", ""), ("yymmdd", "260200", "the date contains an illegal day"),
        ("yymmd0", "240229", ""), ("yymmd0", "250229", "the date contains an illegal day"),
        ("yymmdd", "240229", ""), ("yymmdd", "250229", "the date contains an illegal day"),
        ("yymmd0", "260229", "the date contains an illegal day"),
        ("yymmdd", "260229", "the date contains an illegal day"),
        ("yyyymmdd", "20260229", "the date contains an illegal day"),
        ("yymmdd", "000229", ""), ("yymmdd", "260001", "the date contains an illegal month"),
        ("yymmdd", "261301", "the date contains an illegal month"), ("yymmdd", "260101", ""),
        ("yymmdd", "261231", ""), ("yymmdd", "261232", "the date contains an illegal day"),
        ("yyyymmdd", "20240229", ""), ("yyyymmdd", "19000229", "the date contains an illegal day"),
        ("yyyymmdd", "20260100", "the date contains an illegal day"), ("yyyymmdd", "00000229", ""),
        ("yymmddhh", "26010123", ""), ("yymmddhh", "26010124", "the time contains an illegal hour"),
        ("yymmddhh", "26013223", "the date contains an illegal day"),
        ("hhmm", "2359", ""), ("hhmm", "2360", "the time contains illegal minutes or seconds"),
        ("hhmm", "2400", "the time contains an illegal hour"),
        ("mmss", "59", ""), ("mmss", "60", "the time contains illegal minutes or seconds"),
        ("mmss", "5960", "the time contains illegal minutes or seconds"),
        ("mmss", "123", "the time contains illegal minutes or seconds"),
        ("pieces", "0110", ""), ("pieces", "1010", ""), ("pieces", "0202", ""), ("pieces", "0101", ""),
        ("pieces", "0002", "a piece number must not be zero"),
        ("pieces", "0100", "a piece number must not be zero"),
        ("pieces", "0302", "the piece number must not exceed the total"),
        ("sequence", "2/2", ""), ("sequence", "3/2", "the position number must not exceed the end number"),
        ("sequence", "0/2", "the birth sequence must be position/total"),
        ("iban", "GB82WEST12345698765432", ""),
        ("iban", "GB83WEST12345698765432", "the IBAN check is incorrect"),
        ("iban", "G82WEST", "the IBAN is malformed"),
        ("iso3166list", "156", ""), ("iso3166list", "156840", ""),
        ("iso3166list", "15684", "not a list of ISO 3166 country codes"),
        ("iso3166list", "157156", "not a list of ISO 3166 country codes"),
        ("pair", "1987654Ad4X4bL5ttr2310c2K", ""), ("pair", "2K", "the check character pair is incorrect"),
        ("pair", "1987654Ad4X4bL5ttr2310c2M", "the check character pair is incorrect"),
        ("pair", "1987654Ad4X4bL5ttr2310c3K", "the check character pair is incorrect"),
    ],
)  # fmt: skip
def test_each_content_check_has_its_sentence(name, text, sentence):
    assert CHECKS[name](text) == sentence


def test_a_pair_of_check_characters_covers_at_most_23_characters():
    assert CHECKS["pair"]("0" * 24 + "22") == "the check character pair is incorrect"
    body = "0" * 23  # 13 x the sum of the first 23 primes is 131 modulo 1021: four times 32 and three
    assert CHECKS["pair"](f"{body}65") == ""
    assert CHECKS["pair"](f"0{body}65") == "the check character pair is incorrect"
    assert sum(not CHECKS["pair"](body + a + b) for a in "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
               for b in "23456789ABCDEFGHJKLMNPQRSTUVWXYZ") == 1  # fmt: skip


def test_the_last_usable_day_reads_two_digits_of_each():
    today = date(2026, 3, 1)
    assert last_usable_day("2612319", today) == date(2026, 12, 31)
    assert last_usable_day("261200", today) == date(2026, 12, 31)
    assert last_usable_day("260201", today) == date(2026, 2, 1)


@pytest.mark.parametrize("flags", ["59", "70", "97"])
def test_only_flags_from_60_to_96_are_checks(flags):
    assert resolve(f"=G123417654321{flags}").serial == flags


@pytest.mark.parametrize("raw", [BAND, BAG, BAG[:-1] + "?", "WL1:Q:B1:Z", DAMAGED[1].raw])
def test_a_hospital_code_keeps_its_raw_text(raw):
    assert hospital.parse(raw).raw == raw


def test_every_group_code_for_general_use_and_every_kind_has_its_word():
    groups = {"95": "O-", "51": "O+", "06": "A-", "62": "A+", "17": "B-", "73": "B+", "28": "AB-",
              "84": "AB+", "55": "O", "66": "A", "77": "B", "88": "AB"}  # fmt: skip
    assert groups == BLOOD_GROUPS
    words = "wristband bag tube bed node badge device gs1 traceability udi-ma ean isbt128 unknown"
    assert [kind.value for kind in Kind] == words.split()
