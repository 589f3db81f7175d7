from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.his.frames import Deframer, frame

BODY = st.binary(max_size=60).filter(lambda raw: b"\x0b" not in raw and b"\x1c" not in raw)


@given(st.lists(BODY, max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_messages_come_out_whole_whatever_pieces_they_arrive_in(bodies: list[bytes], cuts: list[int]) -> None:
    stream, deframer, out = b"".join(frame(body) for body in bodies), Deframer(limit=1000), []
    at, turn = 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        out += deframer.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert [one.message for one in out] == bodies
    assert not deframer.is_inside


@given(st.binary(max_size=200))
def test_noise_never_raises_and_the_next_frame_is_found(noise: bytes) -> None:
    deframer = Deframer(limit=50)
    deframer.feed(noise)
    assert deframer.feed(frame(b"after"))[-1].message == b"after"


def test_a_frame_over_the_limit_is_reported_and_only_its_beginning_is_kept() -> None:
    deframer = Deframer(limit=2000)
    out = deframer.feed(frame(b"x" * 5000)) + deframer.feed(frame(b"next"))
    assert [(one.too_long, len(one.message)) for one in out] == [(True, 1024), (False, 4)]


def test_a_start_inside_a_frame_begins_anew() -> None:
    deframer = Deframer(limit=100)
    assert [one.message for one in deframer.feed(b"\x0bhalf" + frame(b"whole"))] == [b"whole"]
    assert deframer.skipped == 4


def test_a_frame_may_end_without_carriage_return() -> None:
    assert [one.message for one in Deframer(limit=100).feed(b"\x0bA\x1c\x0bB\x1c\r")] == [b"A", b"B"]
