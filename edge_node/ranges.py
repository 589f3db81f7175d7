"""Sets of sequence numbers as sorted, inclusive ranges."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]


def collapse(numbers: Iterable[int]) -> list[Range]:
    """Join single numbers into the fewest inclusive ranges.

    >>> collapse([5, 1, 2, 3])
    [(1, 3), (5, 5)]
    """
    found: list[Range] = []
    for number in sorted(set(numbers)):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def text(ranges: Iterable[Range]) -> str:
    """Write ranges for an event's detail: ``1-3,5-5``."""
    return ",".join(f"{first}-{last}" for first, last in ranges)
