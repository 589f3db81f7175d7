"""Committed intervals against a plain set of numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ingest.intervals import Intervals

NUMBERS = st.integers(1, 60)
RANGES = st.lists(
    st.tuples(NUMBERS, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=25
)


def covered(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@pytest.mark.requirement("R-SRV-02")
@pytest.mark.hazard("H-SRV-01")
@given(RANGES)
def test_intervals_cover_exactly_the_numbers_that_were_added(ranges: list[tuple[int, int]]) -> None:
    intervals = Intervals(ranges)
    numbers = covered(ranges)
    assert covered(intervals.ranges) == numbers
    assert all((number in intervals) == (number in numbers) for number in range(1, 75))


@given(RANGES)
def test_intervals_are_sorted_disjoint_and_never_touch(ranges: list[tuple[int, int]]) -> None:
    kept = Intervals(ranges).ranges
    assert all(first <= last for first, last in kept)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(kept))


@given(RANGES)
def test_gaps_are_what_is_missing_below_the_highest_number(ranges: list[tuple[int, int]]) -> None:
    intervals, numbers = Intervals(ranges), covered(ranges)
    missing = set(range(1, max(numbers, default=0))) - numbers
    assert covered(intervals.gaps) == missing


@given(RANGES, st.randoms())
def test_the_order_of_arrival_makes_no_difference(ranges: list[tuple[int, int]], random: object) -> None:
    shuffled = list(ranges)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Intervals(shuffled) == Intervals(ranges)


def test_a_copy_is_independent_and_nonsense_is_refused() -> None:
    one = Intervals([(1, 3)])
    twin = one.copy()
    twin.add(4)
    assert (one.ranges, twin.ranges) == ([(1, 3)], [(1, 4)])
    for first, last in ((0, 1), (3, 2)):
        with pytest.raises(ValueError, match="interval"):
            one.add(first, last)
