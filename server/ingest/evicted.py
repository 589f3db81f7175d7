"""What a node declares given up: those numbers are accounted for, and no gap any more."""

from __future__ import annotations

import re

from broker.messages import Event

_RANGE = re.compile(r"^(\d{1,16})-(\d{1,16})$")


def ranges_of(event: Event) -> list[tuple[int, int]]:
    """Read the ranges of an ``evicted`` event (``"5-9,12-12"``); what is not a range is left out."""
    text = event.detail.get("ranges", "")
    if not isinstance(text, str):
        return []
    found = [_RANGE.match(part.strip()) for part in text.split(",")]
    pairs = [(int(match[1]), int(match[2])) for match in found if match]
    return [(first, last) for first, last in pairs if 1 <= first <= last]
