"""How much of a bag should have run in, by what was set and when: what a measured curve is held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clinical.records import Infusion, InfusionEntry

_ENDS = frozenset({"complete", "stop-early"})
_SETS = frozenset({"start", "rate", "resume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """So many millilitres had run in at ``at``."""

    at: datetime
    ml: float


def expected(bag: Infusion, entries: Iterable[InfusionEntry], until: datetime) -> tuple[CurvePoint, ...]:
    """Return the corners of the line from the start to the end, or to ``until`` while the bag runs.

    Args:
        bag: The bag; its volume is where the line ends.
        entries: What was done with it, in any order; rounds change nothing.
        until: The present.
    """
    done = sorted((one for one in entries if one.action != "patrol"), key=lambda one: one.at)
    rates = [one.rate_ml_h for one in done if one.action == "start" and one.rate_ml_h is not None]
    line = _Line(bag, float(rates[0] if rates else bag.rate_ml_h))
    for entry in done:
        if entry.action == "start":
            continue
        line.to(entry.at)
        if entry.action in _ENDS:
            return line.points
        if entry.action in _SETS and entry.rate_ml_h is not None:
            line.rate = float(entry.rate_ml_h)
        line.runs = entry.action != "pause" and (line.runs or entry.action == "resume")
    line.to(bag.ended_at or until)
    return line.points


class _Line:
    """A line that grows to the right; its last corner is where it stands."""

    def __init__(self, bag: Infusion, rate: float) -> None:
        self.rate, self.runs = rate, True
        self._full = float(bag.volume_ml)
        self._corners = [CurvePoint(at=bag.started_at, ml=0.0)]

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """Every corner, oldest first."""
        return tuple(self._corners)

    def to(self, at: datetime) -> None:
        """Go on to a time; a bag that is through stays full, and time never runs back."""
        last = self._corners[-1]
        at = max(at, last.at)
        flowing = self.rate if self.runs else 0.0
        ml = last.ml + flowing * (at - last.at).total_seconds() / 3600.0
        if ml > self._full > last.ml:
            through = last.at + timedelta(hours=(self._full - last.ml) / flowing)
            self._corners.append(CurvePoint(at=through, ml=self._full))
        self._corners.append(CurvePoint(at=at, ml=min(ml, self._full)))
