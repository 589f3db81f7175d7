"""The line a measured curve is read against."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical.infusion.curve import expected
from clinical.records import InfusionEntry
from tests.support.bedside import DRIP_ORDER, NOON, infusion, task

pytestmark = [pytest.mark.requirement("R-INF-08"), pytest.mark.hazard("H-INF-03")]
BAG = replace(
    infusion(DRIP_ORDER, task(DRIP_ORDER, NOON), "B0"), started_at=NOON, volume_ml=Decimal(100),
    rate_ml_h=Decimal(60),
)  # fmt: skip


def did(action: str, minutes: float, **said: Any) -> InfusionEntry:
    return InfusionEntry(
        id=f"{action}{minutes}", infusion_id=BAG.id, patient_id="pA", at=NOON + timedelta(minutes=minutes),
        by="n", action=action, **said,
    )  # fmt: skip


def line(*entries: InfusionEntry, until: float, bag: Any = BAG) -> list[tuple[float, float]]:
    points = expected(bag, entries, NOON + timedelta(minutes=until))
    return [(round((one.at - NOON).total_seconds() / 60, 3), round(one.ml, 3)) for one in points]


def test_a_bag_runs_at_its_rate_until_it_is_through() -> None:
    assert line(until=30) == [(0, 0), (30, 30)]
    assert line(until=130) == [(0, 0), (100, 100), (130, 100)]


def test_a_pause_is_flat_and_a_new_rate_bends_the_line() -> None:
    begun = did("start", 0, rate_ml_h=Decimal(30))
    entries = (did("rate", 40, rate_ml_h=Decimal(120)), did("resume", 30), did("pause", 20), begun)
    assert line(*entries, did("patrol", 5), until=50) == [(0, 0), (20, 10), (30, 10), (40, 15), (50, 35)]
    again = did("resume", 30, rate_ml_h=Decimal(60))
    assert line(begun, did("pause", 20), again, until=40) == [(0, 0), (20, 10), (30, 10), (40, 20)]


def test_the_line_ends_with_the_bag() -> None:
    assert line(did("stop-early", 10), until=60) == [(0, 0), (10, 10)]
    ended = replace(BAG, ended_at=NOON + timedelta(minutes=20))
    assert line(until=60, bag=ended) == [(0, 0), (20, 20)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pause", "resume", "rate", "patrol", "complete"]),
            st.integers(-30, 400),
            st.integers(0, 2000),
        ),
        max_size=8,
    )
)
def test_the_line_never_falls_never_runs_back_and_never_leaves_the_bag(
    acts: list[tuple[str, int, int]],
) -> None:
    entries = [did(name, at, rate_ml_h=Decimal(rate)) for name, at, rate in acts]
    points = expected(BAG, entries, NOON + timedelta(minutes=300))
    for before, after in itertools.pairwise(points):
        assert before.at <= after.at
        assert before.ml <= after.ml <= float(BAG.volume_ml)
