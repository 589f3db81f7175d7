"""Frames with escapes, with long counts, and several kinds of frames on one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical.errors import BadInputError
from firmware_profiles import intellivue, registry
from firmware_profiles.decode import decode
from firmware_profiles.encode import encode
from firmware_profiles.finder import Finder
from firmware_profiles.framing import Framer, RejectError, escaped, opened
from firmware_profiles.schema import Framing

INTELLIVUE = registry.load().get("philips_intellivue")
CAPNOSTREAM = registry.load().get("oridion_capnostream20")
MICROLIFE = registry.load().get("microlife_bpm")


@settings(deadline=None, max_examples=60)
@given(payload=st.binary(max_size=40), sizes=st.lists(st.integers(1, 9), max_size=12))
def test_an_escaped_frame_comes_back_however_it_is_cut(payload: bytes, sizes: list[int]) -> None:
    wire = encode(INTELLIVUE, "frame", {"payload": payload.hex()})
    assert wire[0] == 0xC0
    assert wire[-1] == 0xC1
    assert not {0xC0, 0xC1} & set(wire[1:-1])
    framer, found, at = Framer(INTELLIVUE, "frame"), [], 0
    for size in [*sizes, len(wire)]:
        found += framer.feed(wire[at : at + size])
        at += size
    assert found == [wire]
    assert decode(INTELLIVUE, "frame", wire).values["payload"].value == payload.hex()


@given(pulse=st.integers(0, 254), spo2=st.integers(0, 254))
def test_a_counted_frame_with_escapes_is_found_between_noise(pulse: int, spo2: int) -> None:
    values = {"spo2": spo2, "pulse": pulse, "rr": 14, "etco2": (38, "mm[Hg]"), "device_seconds": 0x85808580}
    wire = encode(CAPNOSTREAM, "numerics", values)  # type: ignore[arg-type]
    framer = Framer(CAPNOSTREAM, "numerics")
    found = framer.feed(b"\x00\x41" + wire + b"\x85\x02" + wire + wire[:9])
    assert found[0] == wire
    found += framer.feed(wire[9:])
    assert found.count(wire) >= 2
    read = decode(CAPNOSTREAM, "numerics", wire)
    assert (read.values["pulse"].value, read.values["spo2"].value) == (pulse, spo2)


def test_a_long_count_is_found_and_encoded() -> None:
    wire = encode(MICROLIFE, "frame", {"cmd": 0x81, "payload": "00" * 300})
    assert wire[2:4] == (302).to_bytes(2, "big")
    assert Framer(MICROLIFE, "frame").feed(b"\x4d" + wire) == [wire]
    assert decode(MICROLIFE, "frame", wire[:3]).reject == "short"


def test_marks_and_escapes_out_of_place_are_refused() -> None:
    framing = Framing(start="C0", end="C1", escape="7D")
    assert opened(framing, bytes.fromhex("C07DE1C1")) == bytes.fromhex("C0C1C1")
    assert escaped(framing, bytes.fromhex("C0C141C1")) == bytes.fromhex("C07DE141C1")
    for wrong, reason in (("C0C041C1", "marks"), ("C0417DC1", "escape")):
        with pytest.raises(RejectError) as caught:
            opened(framing, bytes.fromhex(wrong))
        assert caught.value.reason == reason
    assert opened(framing, bytes.fromhex("C041")) == bytes.fromhex("C041")


def test_a_cut_escape_waits_for_its_second_byte() -> None:
    framer = Framer(CAPNOSTREAM, "numerics")
    assert framer.feed(b"\x85") == []
    assert framer.feed(b"\x80") == []
    assert framer.feed(b"\x05") == []


def test_nested_lists_have_no_way_back_and_are_refused_where_they_are_cut() -> None:
    with pytest.raises(BadInputError, match="no way back"):
        encode(INTELLIVUE, "numerics", {"physio_id": 1})
    whole = opened(INTELLIVUE.streams["numerics"].framing, _poll())  # type: ignore[arg-type]
    assert len(intellivue.numerics(whole)) == 10
    body = whole[5:-3]
    for end in range(len(body)):
        with pytest.raises(RejectError):
            intellivue.numerics(_wrapped(body[:end]))
    for place in range(len(body)):
        damaged = bytearray(body)
        damaged[place] ^= 0xFF
        try:
            found = intellivue.numerics(_wrapped(bytes(damaged)))
        except RejectError:
            continue
        assert len(found) % 10 == 0
    with pytest.raises(RejectError):
        intellivue.numerics(_wrapped(body.replace(b"\x09\x50", b"\x09\x51")))


def _poll() -> bytes:
    vector = next(one for one in INTELLIVUE.vectors if one.stream == "numerics" and one.reject is None)
    return bytes.fromhex(vector.hex or "")


def _wrapped(body: bytes) -> bytes:
    return b"\xc0\x11\x01" + len(body).to_bytes(2, "big") + body + b"\0\0\xc1"


def test_each_frame_of_a_line_goes_to_the_stream_that_accepts_it() -> None:
    ivy = registry.load().get("ivy_450c")
    finder = Finder(ivy)
    frames = finder.feed(b"RR=1;35;APNEA: 20 SEC;\rSPO2=1;100;PR=80 ;\rnoise\r")
    assert [finder.stream_of(frame) for frame in frames] == [("rr", True), ("spo2", True), ("hr", False)]
    pump = registry.load().get("new_era_ne1000")
    finder = Finder(pump)
    frames = finder.feed(b"\x0200I12.50MH\x03\x0200S\x03\x0200A?S\x03\x02")
    assert [finder.stream_of(frame)[0] for frame in frames] == ["rate", "status", "alarm"]
    assert finder.discarded == 0


def test_a_line_inside_a_frame_may_be_given_as_text() -> None:
    pump = registry.load().get("new_era_ne1000")
    assert decode(pump, "rate", "\x0200I12.50MH\x03").values["rate"].value == 12.5
    assert decode(pump, "rate", "\x02" * 5000).reject == "length"
    loose = registry.load().get("alaris_asena")
    assert decode(loose, "line", "!REMQUERY^DEACT|ZZZZ").reject == "pattern"


def test_a_checksum_that_is_no_number_is_wrong(make) -> None:  # type: ignore[no-untyped-def]
    profile = make(
        'field = [{name="a", type="int"}]\nvalue = [{name="v", source="a"}]\n'
        '[stream.line]\nregex = "(?P<body>(?P<a>[0-9]+))(?P<check>[A-Z]*)"\n'
        'template = "{a}{check}"\nchecksum = "sum8"'
    )
    assert decode(profile, "s", "1ZZ").reject == "checksum"
    assert decode(profile, "s", "1").reject == "checksum"


def test_a_clock_that_shows_now_is_no_record() -> None:
    masimo = registry.load().get("masimo_rad8")
    read = decode(masimo, "line", masimo.vectors[0].text or "")
    assert read.clock is not None
    assert read.clock.isoformat() == "2016-02-22T22:47:45"
    assert read.device_time is None
    unset = decode(registry.load().get("sig_current_time"), "date_time", bytes(7))
    assert unset.accepted
    assert unset.clock is None
