"""What a clinical score answers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score, or why there is none.

    ``total`` is None whenever an input is missing, impossible or out of scope: a missing value is never
    counted as normal. ``scores`` then holds the parts that could be judged.
    """

    total: int | None
    tier: str | None
    scores: dict[str, int] = field(default_factory=dict)
    status: str = "valid"  # valid, not_evaluated, invalid
    red_params: tuple[str, ...] = ()
    reason: str = ""
