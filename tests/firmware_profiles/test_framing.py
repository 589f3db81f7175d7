from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_profiles import registry
from firmware_profiles.encode import encode
from firmware_profiles.framing import Framer
from firmware_profiles.plan import Profile

Make = Callable[..., Profile]
BODY = 'field=[{name="a", type="u8"}]\nvalue=[{name="v", source="a"}]\ntrailing="ignore"\n'


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    return [*pieces, stream[start:]]


STREAMS = [
    ("nonin_oem3", "packet", [{"spo2": n, "pr": 60 + n} for n in range(90, 94)]),
    ("bci_5byte", "frame", [{"spo2": n, "pr": 60 + n} for n in range(90, 94)]),
    ("contec_cms50d_plus", "reply", [{"spo2": n, "pr": n} for n in range(90, 94)]),
    ("lifescan_ultraeasy", "link", [{"link": n, "payload": list(range(n))} for n in range(4)]),
    ("baxter_as50", "message", [{"cmd": f"A{n}"} for n in range(4)]),
    ("taidoc_8byte", "record_value", [{"glucose": 100 + n} for n in range(4)]),
]


@pytest.mark.requirement("R-DEV-12")
@pytest.mark.parametrize(("profile_id", "stream", "values"), STREAMS)
@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.integers(1, 40), max_size=12))
def test_frames_are_found_however_the_cable_cuts_them(
    profile_id: str, stream: str, values: list[dict[str, object]], sizes: list[int]
) -> None:
    profile = registry.load().get(profile_id)
    frames = [encode(profile, stream, one) for one in values]  # type: ignore[arg-type]
    framer = Framer(profile, stream)
    found = [frame for piece in cut(b"".join(frames), sizes) for frame in framer.feed(piece)]
    assert found == frames
    assert framer.discarded == 0


@pytest.mark.requirement("R-DEV-12")
@pytest.mark.hazard("H-DEV-02")
@pytest.mark.parametrize(("profile_id", "stream", "values"), STREAMS)
@settings(deadline=None, max_examples=30)
@given(noise=st.binary(min_size=1, max_size=200), data=st.data())
def test_after_noise_and_damage_the_next_whole_frames_are_found_again(
    profile_id: str, stream: str, values: list[dict[str, object]], noise: bytes, data: st.DataObject
) -> None:
    profile = registry.load().get(profile_id)
    frames = [encode(profile, stream, one) for one in values]  # type: ignore[arg-type]
    framer = Framer(profile, stream)
    lost = frames[0][: data.draw(st.integers(0, len(frames[0]) - 1))]
    padding = frames * 40  # whatever the noise promised, it is over by now
    found = framer.feed(noise + lost) + framer.feed(b"".join(padding))
    assert found[-len(frames) :] == frames
    assert set(padding) >= set(found[-100:])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_noise_alone_never_raises_and_never_piles_up(pieces: list[bytes]) -> None:
    for profile in registry.load():
        for stream in profile.streams:
            framer = Framer(profile, stream)
            for piece in pieces:
                framer.feed(piece)
            assert len(framer._buffer) <= 6500


def test_a_packet_whose_frames_are_missing_is_dropped_and_the_next_is_found() -> None:
    profile = registry.load().get("nonin_oem3")
    packet = encode(profile, "packet", {"spo2": 97, "pr": 72})
    framer = Framer(profile, "packet")
    assert framer.feed(packet[:115] + packet) == [packet]
    assert framer.discarded == 115
    assert framer.feed(packet[5:] + packet) == [packet]


def test_lines_are_cut_at_their_end_and_endless_ones_dropped(make: Make) -> None:
    profile = registry.load().get("ivy_450c")
    framer = Framer(profile, "rr")
    assert framer.feed(b"RR=1;3") == []
    assert framer.feed(b"5;;\r\rRR=1;36;;\r") == [b"RR=1;35;;", b"RR=1;36;;"]
    assert framer.feed(b"x" * 600) == []
    assert framer.feed(b"x" * 600 + b"\rRR=1;37;;\r") == [b"RR=1;37;;"]
    assert framer.discarded == 1200


def test_a_stream_without_framing_passes_what_it_gets(make: Make) -> None:
    framer = Framer(make(BODY), "s")
    assert framer.feed(b"") == []
    assert framer.feed(b"ab") == [b"ab"]


def test_counted_and_delimited_frames_have_limits(make: Make) -> None:
    counted = Framer(make(BODY + 'framing={start="AA", length_at=1, length_add=2, max_length=8}'), "s")
    assert counted.feed(bytes.fromhex("AA")) == []
    assert counted.feed(bytes.fromhex("01 02")) == [bytes.fromhex("AA0102")]
    assert counted.feed(bytes.fromhex("AAFF AA0009")) == [bytes.fromhex("AA00")]
    delimited = Framer(make(BODY + 'framing={start="AA", end="BB", max_length=4}'), "s")
    assert delimited.feed(bytes.fromhex("AA01")) == []
    assert delimited.feed(bytes.fromhex("BB")) == [bytes.fromhex("AA01BB")]
    assert delimited.feed(bytes.fromhex("AA0102030405 AA07BB")) == [bytes.fromhex("AA07BB")]
