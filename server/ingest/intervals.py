"""Which sequence numbers of an outbox are on disk: a few disjoint intervals, however many messages.

Everything between two intervals is a gap: known, asked for again, never guessed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class Intervals:
    """A set of positive integers kept as sorted, disjoint, non-adjacent closed intervals."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __contains__(self, number: int) -> bool:
        """Whether ``number`` is covered."""
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self._lasts[index]

    def add(self, first: int, last: int | None = None) -> None:
        """Add ``first`` to ``last``, both included; joins what touches.

        Raises:
            ValueError: The interval is empty or does not begin at 1 or later.
        """
        last = first if last is None else last
        if not 1 <= first <= last:
            raise ValueError("an interval runs from 1 or later, upwards")
        begin = bisect_right(self._lasts, first - 2)
        end = bisect_right(self._firsts, last + 1)
        if begin < end:
            first = min(first, self._firsts[begin])
            last = max(last, self._lasts[end - 1])
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The intervals, ascending."""
        return list(zip(self._firsts, self._lasts, strict=True))

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """What lies below the highest covered number and is not covered."""
        begins = [1, *(last + 1 for last in self._lasts)]
        return [
            (begin, first - 1) for begin, first in zip(begins, self._firsts, strict=False) if begin < first
        ]

    def copy(self) -> Intervals:
        """Return an independent copy."""
        twin = Intervals()
        twin._firsts, twin._lasts = list(self._firsts), list(self._lasts)
        return twin

    def __eq__(self, other: object) -> bool:
        """Whether the same numbers are covered."""
        return isinstance(other, Intervals) and self.ranges == other.ranges

    __hash__ = None  # type: ignore[assignment]  # mutable
