"""Makes the garbage collector run where a test needs it to."""

from __future__ import annotations


def churn(containers: int = 20_000) -> int:
    """Make so many containers that an enabled collector has run at least once, also on the oldest objects."""
    return len([[] for _ in range(containers)])
