"""The keyboard wedge: a whole code or none, whatever the window does with the keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.bedside_check.model import ScanMethod
from pda_app.ports import Broken, Read
from pda_app.scanning import GS, ScanQueue, Wedge, split_aim

CODES = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-._%" + GS, min_size=4, max_size=60)
GAPS = st.one_of(st.floats(0, 0.03), st.floats(0.03, 0.39), st.floats(0.41, 10.0))


def type_in(wedge: Wedge, text: str, gap: float, start: float = 100.0) -> float:
    now = start
    for index, character in enumerate(text):
        now = start + index * gap
        wedge.feed(character, now)
    return now


@pytest.mark.requirement("R-PDA-10")
@pytest.mark.hazard("H-PDA-07")
@given(code=CODES, gaps=st.lists(GAPS, min_size=60, max_size=60), before=st.text(alphabet="123", max_size=3))
def test_a_wedge_gives_the_whole_code_or_none_never_a_part(code: str, gaps: list[float], before: str) -> None:
    wedge, now = Wedge(), 100.0
    for character in before:
        wedge.feed(character, now)
        now += 0.5
    for character, gap in zip(code, gaps, strict=False):
        now += gap
        wedge.feed(character, now)
    answer = wedge.end(now + 0.01)
    if isinstance(answer, Read):
        assert f"{answer.symbology}{answer.raw}" in {code, before + code}
        assert answer.method is ScanMethod.SCAN


@pytest.mark.requirement("R-PDA-10")
@given(code=CODES)
def test_a_fast_burst_is_read_whole(code: str) -> None:
    wedge = Wedge()
    now = type_in(wedge, code, 0.002)
    assert wedge.end(now + 0.002) == Read(raw=code, method=ScanMethod.SCAN)


def test_a_burst_that_frames_deliver_in_batches_is_still_read() -> None:
    wedge, now = Wedge(), 10.0
    for index, character in enumerate("P0012345678"):
        now += 0.15 if index % 4 == 0 else 0.0
        wedge.feed(character, now)
    assert wedge.end(now) == Read(raw="P0012345678", method=ScanMethod.SCAN)


@pytest.mark.hazard("H-PDA-07")
def test_a_burst_with_a_hole_is_broken_however_long_the_hole() -> None:
    for hole in (0.5, 5.0, 500.0):
        wedge = Wedge()
        now = type_in(wedge, "P00123", 0.002)
        now = type_in(wedge, "45678", 0.002, now + hole)
        assert wedge.end(now) == Broken(characters=5)


def test_a_person_s_typing_is_no_scan() -> None:
    wedge = Wedge()
    now = type_in(wedge, "ceftriaxone", 0.12)
    assert wedge.end(now + 0.1) is None


def test_typing_that_was_forgotten_on_purpose_does_not_break_the_next_scan() -> None:
    wedge = Wedge()
    now = type_in(wedge, "95", 0.3)
    wedge.reset()
    now = type_in(wedge, "P0012345678", 0.002, now + 2)
    assert isinstance(wedge.end(now), Read)


def test_an_enter_that_comes_late_makes_it_broken() -> None:
    wedge = Wedge()
    now = type_in(wedge, "P0012345678", 0.002)
    assert wedge.end(now + 0.5) == Broken(characters=11)


def test_an_endless_burst_is_broken() -> None:
    wedge = Wedge()
    now = type_in(wedge, "A" * 3000, 0.0001)
    assert isinstance(wedge.end(now), Broken)


def test_the_identifier_a_scanner_sends_first_goes_where_it_belongs() -> None:
    read = split_aim(Read(raw="]d20106901234567892", method=ScanMethod.SCAN))
    assert (read.raw, read.symbology) == ("0106901234567892", "]d2")


def test_a_full_queue_refuses_and_counts() -> None:
    queue = ScanQueue(size=1)
    read = Read(raw="1234", method=ScanMethod.SCAN)
    assert [queue.put(read), queue.put(read), queue.dropped] == [True, False, 1]


BAND = "WL1:P:M000001:1:A"


def typed(wedge: Wedge, text: str, at: float, step: float = 0.004) -> float:
    """Feed characters as a scanner sends them; returns when the last one came."""
    for character in text:
        at += step
        wedge.feed(character, at)
    return at


@pytest.mark.requirement("R-PDA-10")
@pytest.mark.hazard("H-PDA-07")
@pytest.mark.parametrize("away_s", [0.0, 0.05, 0.3, 2.0])
@pytest.mark.parametrize("kept", [1, 6, len(BAND) - 4])
def test_a_scan_that_the_window_lost_in_the_middle_is_broken_and_never_a_shorter_code(
    away_s: float, kept: int
) -> None:
    wedge = Wedge()
    at = typed(wedge, BAND[:kept], 100.0)
    first = wedge.interrupt(at + 0.001)
    assert isinstance(first, Broken) is (kept > 1)
    at += away_s + 0.01
    wedge.interrupt(at)
    at = typed(wedge, BAND[-4:], at)
    assert isinstance(wedge.end(at + 0.004), Broken)


@pytest.mark.requirement("R-PDA-10")
@pytest.mark.hazard("H-PDA-07")
def test_the_scan_after_a_lost_one_is_read_whole() -> None:
    wedge = Wedge()
    at = typed(wedge, BAND[:6], 100.0)
    wedge.interrupt(at)
    wedge.interrupt(at + 3.0)
    at = typed(wedge, BAND, at + 3.5)
    assert wedge.end(at + 0.004) == Read(raw=BAND, method=ScanMethod.SCAN)


def test_typing_by_hand_that_is_interrupted_tells_nobody() -> None:
    wedge = Wedge()
    typed(wedge, "hello", 100.0, step=0.15)
    assert wedge.interrupt(101.0) is None
