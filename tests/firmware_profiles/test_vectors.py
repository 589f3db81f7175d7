"""One walk over every shipped profile and every vector in it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from clinical.codes import CODES
from firmware_profiles import registry, vectors
from firmware_profiles.decode import Context, DecodedValue, decode
from firmware_profiles.encode import Given, encode_records
from firmware_profiles.plan import Profile, StreamPlan
from firmware_profiles.schema import Vector

PROFILES = list(registry.load())
ROWS = [(profile, vector) for profile in PROFILES for vector in profile.vectors]
NAMES = [f"{profile.id}-{index}" for profile in PROFILES for index, _ in enumerate(profile.vectors)]
ACCEPTED = [(profile, vector) for profile, vector in ROWS if vector.reject is None]

every_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.id)
every_vector = pytest.mark.parametrize(("profile", "vector"), ROWS, ids=NAMES)


@pytest.mark.requirement("R-DEV-02")
@every_profile
def test_every_stream_has_accept_and_reject_vectors_and_all_hold(profile: Profile) -> None:
    assert [str(failure) for failure in vectors.check(profile)] == []


@pytest.mark.requirement("R-DEV-03")
@pytest.mark.hazard("H-DEV-02")
@every_vector
def test_a_vector_cut_anywhere_or_with_any_byte_flipped_is_decoded_or_rejected(
    profile: Profile, vector: Vector
) -> None:
    data = vectors.payload(vector)
    whole = data.encode() if isinstance(data, str) else data
    context = Context(mac=vector.mac, key=bytes.fromhex(vector.key))
    for end in range(len(whole)):
        decode(profile, vector.stream, whole[:end], context)
    for place in range(len(whole)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(whole)
            damaged[place] ^= flip
            decode(profile, vector.stream, bytes(damaged), context)


def has_a_way_back(profile: Profile, vector: Vector) -> bool:
    rule = profile.plan(vector.stream).rule
    return rule.decrypt is None and rule.unpack is None


def again(plan: StreamPlan, values: dict[str, DecodedValue]) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for rule in (value.rule for value in plan.values if value.rule.name in values):
        one = values[rule.name]
        number = one.value
        with_unit = rule.cases and isinstance(number, Decimal)
        given[rule.name] = (number, one.unit) if with_unit and isinstance(number, Decimal) else number
    return given


@pytest.mark.requirement("R-DEV-04")
@pytest.mark.parametrize(
    ("profile", "vector"),
    [(p, v) for p, v in ACCEPTED if has_a_way_back(p, v)],
    ids=[f"{p.id}-{p.vectors.index(v)}" for p, v in ACCEPTED if has_a_way_back(p, v)],
)
def test_what_a_vector_says_is_encoded_to_bytes_that_say_the_same(profile: Profile, vector: Vector) -> None:
    decoded = vectors.run_vector(profile, vector)
    plan = profile.plan(vector.stream)
    records = [again(plan, dict(record)) for record in decoded.records]
    encoded = encode_records(profile, vector.stream, records)
    assert decode(profile, vector.stream, encoded).records == decoded.records


@pytest.mark.requirement("R-DEV-05")
@every_profile
def test_every_code_is_in_the_reviewed_table(profile: Profile) -> None:
    used = {
        code
        for stream in profile.file.stream
        for value in stream.value
        for code in (value.code, *value.codes.values())
        if code
    }
    assert used <= set(CODES)


@every_profile
def test_a_pump_is_read_only_and_a_profile_lies_in_the_folder_of_its_kind(profile: Profile) -> None:
    assert profile.file.profile.read_only or profile.file.profile.kind != "pump"
    assert f"/devices/{profile.file.profile.kind}/" in profile.path


FIRST, WRONG = ROWS[0][0], ROWS[0][1]


@pytest.mark.parametrize(
    ("hexes", "change", "word"),
    [
        ("00 61 00 48 00", {"reject": "short"}, "accepted, but should be rejected"),
        ("00 61 00 48", {"reject": "trailing"}, "rejected as short, not trailing"),
        ("00 61 00 48", {"expect": {}}, "rejected as short"),
        ("00 61 00 48 00", {"expect": {"spo2": 96}}, "spo2 is 97, not 96"),
        ("00 61 00 48 00", {"expect": {"spo2": {"value": 96}}}, "spo2 is 97, not 96"),
        ("00 61 00 48 00", {"expect": {"spo2": {"value": 97, "unit": "1"}}}, "spo2 has unit %, not 1"),
        ("00 61 00 48 00", {"expect": {"spo2": True}}, "spo2 is 97, not True"),
        ("00 61 00 48 00", {"expect": {"spo2": [97]}}, r"spo2 is 97, not \[97\]"),
        ("00 61 00 48 00", {"expect": {"nothing": 1}}, "nothing is missing"),
        ("00 61 00 48 00", {"expect": {}, "records": [{}, {}]}, "has 1 records, not 2"),
        ("00 61 00 48 00", {"expect": {}, "records": [{"spo2": 1}]}, "record 0: spo2 is 97, not 1"),
    ],
)
def test_a_vector_that_does_not_hold_says_how(hexes: str, change: dict[str, object], word: str) -> None:
    profile = registry.load().get("sig_plx")
    vector = Vector(stream="continuous", source="this test", hex=hexes, **change)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=word):
        raise AssertionError(vectors._difference(vector, vectors.run_vector(profile, vector)))


def test_a_profile_without_vectors_is_not_counted(make) -> None:  # type: ignore[no-untyped-def]
    profile = make('field = [{name="a", type="u8"}]\nvalue = [{name="v", source="a"}]')
    assert [str(one) for one in vectors.check(profile)] == [
        "t: test[0] (s): has no accept vector",
        "t: test[0] (s): has no reject vector",
    ]
