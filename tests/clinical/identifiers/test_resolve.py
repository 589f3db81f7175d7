"""Everything else a scan can be, kept apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.errors import BadInputError
from clinical.identifiers import hospital, isbt128, resolve

pytestmark = [pytest.mark.requirement("R-CLIN-02"), pytest.mark.hazard("H-CLIN-01")]

PARTS = st.text(min_size=1, max_size=12).filter(
    lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text)
)


@given(st.sampled_from(["bag", "tube", "node", "badge", "device"]), PARTS)
def test_hospital_codes_of_one_part_round_trip(kind, part):
    found = resolve(hospital.encode(kind, part))
    assert (found.kind, found.valid, found.value) == (kind, True, part)


@given(st.sampled_from(["wristband", "bed"]), PARTS, PARTS)
def test_hospital_codes_of_two_parts_round_trip(kind, first, second):
    code = hospital.encode(kind, first, second)
    assert code.isascii()
    found = resolve(code, symbology="]C0")
    assert (found.kind, found.value, found.serial) == (kind, first, second)


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=20), st.data())
def test_one_wrong_or_two_swapped_characters_are_found(text, data):
    code = hospital.encode("bag", text)
    index = data.draw(st.integers(6, 5 + len(text)))
    other = data.draw(
        st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ").filter(lambda c: c != code[index])
    )
    assert not resolve(code[:index] + other + code[index + 1 :]).valid
    if index + 1 < 6 + len(text) and code[index] != code[index + 1]:
        swapped = code[:index] + code[index + 1] + code[index] + code[index + 2 :]
        assert not resolve(swapped).valid


def test_a_bed_label_is_never_a_wristband():
    bed, band = hospital.encode("bed", "W1", "01"), hospital.encode("wristband", "W1", "01")
    assert (resolve(bed).kind, resolve(band).kind) == ("bed", "wristband")
    assert not resolve(bed.replace("WL1:L", "WL1:P")).valid


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        ("WL1:B:B1:Z", "bag", "check"),
        ("WL1:Q:B1:Z", "unknown", "known"),
        ("WL1:", "unknown", "known"),
        ("WL1:B:a b:" + hospital.check_character("WL1:B:a b"), "bag", "parts"),
        ("WL1:B:%FF:" + hospital.check_character("WL1:B:%FF"), "bag", "parts"),
        ("WL1:P:X:" + hospital.check_character("WL1:P:X"), "wristband", "parts"),
    ],
)
def test_damaged_hospital_codes_keep_their_kind_and_say_what_is_wrong(code, kind, word):
    found = resolve(code)
    assert (found.kind, found.valid) == (kind, False)
    assert word in found.error


@pytest.mark.parametrize("arguments", [("cup", "x"), ("bag", "x", "y"), ("bag", ""), ("bed", "W1")])
def test_codes_that_cannot_be_made_are_refused(arguments):
    with pytest.raises(BadInputError):
        hospital.encode(*arguments)


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("81000012345678901234", "traceability", "81000012345678901234"),
        ("]C081000012345678901234", "traceability", "81000012345678901234"),
        ("MA.156.M0.100001.1ABCDEF9", "udi-ma", "MA.156.M0.100001.1ABCDEF9"),
        ("MA.156.M0.100001.1ABCDEF9.M240101", "udi-ma", "MA.156.M0.100001.1ABCDEF9"),
        ("6931475000124", "ean", "06931475000124"),
        ("0069314750001248", "unknown", "0069314750001248"),
        ("=A99991712345600", "isbt128", "A999917123456"),
        ("=+05000=Z54991712345600=%T300=<T0416003&>0183652359", "isbt128", "Z549917123456"),
        ("]Q1hello", "unknown", "hello"),
        ("01069314750001242112345", "gs1", "06931475000124"),
        ("\x1d0106931475000124", "gs1", "06931475000124"),
        ("414693147500001", "unknown", "414693147500001"),
        ("0106931475000125", "unknown", "0106931475000125"),
    ],
)
def test_a_code_is_known_by_its_form_when_the_reader_tells_nothing(raw, kind, value):
    found = resolve(raw + "\r\n")
    assert (found.kind, found.value) == (kind, value)


@pytest.mark.parametrize(
    "raw", ["MA.156", "6931475000125", "=A999917", "]C0ABC", "]X1ABC", "x" * 5000, "1234567890123"]
)
def test_codes_that_are_wrong_or_unknown_say_so(raw):
    found = resolve(raw)
    assert not found.valid
    assert found.error


def test_the_hospitals_older_codes_are_data():
    found = resolve("PID:4711", prefixes={"PID:": "wristband"})
    assert (found.kind, found.value, found.valid) == ("wristband", "4711", True)
    assert resolve("PID:", prefixes={"PID:": "wristband"}).kind == "unknown"


@pytest.mark.parametrize(
    ("number", "check", "flags"),
    [("G123417654321", "A", "70"), ("G123498654321", "H", "77"), ("A999917123456", "9", "69")],
)
def test_the_check_of_a_donation_number(number, check, flags):
    assert (isbt128.donation_check(number), isbt128.flag_check(number)) == (check, flags)


def test_blood_groups_for_general_use_are_known_and_others_are_not_taken_for_one():
    assert isbt128.BLOOD_GROUPS["51"] == "O+"
    assert "97" not in isbt128.BLOOD_GROUPS


def test_the_check_flags_of_a_donation_number_are_checked():
    number = "G123417654321"
    assert resolve(f"={number}70").valid
    assert not resolve(f"={number}71").valid
    assert resolve(f"={number}20").valid
    assert resolve(f"={number}0A").valid


def test_an_element_that_is_not_there_is_empty():
    assert resolve("6931475000124").element("17") == ""
