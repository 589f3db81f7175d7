"""The order in which tubes are filled."""

from __future__ import annotations

import pytest

from clinical import specimens

pytestmark = [pytest.mark.requirement("R-CLIN-51")]


def test_tubes_are_filled_in_the_order_of_draw_and_an_unknown_one_last() -> None:
    shuffled = ["grey", "pink", "purple", "blue", "blood-culture", "green", "red", "black", "yellow"]
    assert sorted(shuffled, key=specimens.draw_rank) == [
        "blood-culture", "blue", "black", "red", "yellow", "green", "purple", "grey", "pink",
    ]  # fmt: skip
    assert [specimens.draw_rank(one) for one in ("blood-culture", "grey", "pink", "")] == [0, 7, 8, 8]
