"""Which stay of a patient counts when there are several."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from clinical.records import LEAVING, present_of
from tests.support.bedside import FACTS, NOON, snapshot

pytestmark = [pytest.mark.requirement("R-INF-03"), pytest.mark.hazard("H-INF-02")]


def stay(name, status, hours=None):
    at = None if hours is None else NOON + timedelta(hours=hours)
    return replace(FACTS.encounters[0], id=name, status=status, admitted_at=at)


@pytest.mark.parametrize(
    ("stays", "found"),
    [
        ((), None),
        ((stay("a", "finished", 0), stay("b", "cancelled", 1)), None),
        ((stay("a", LEAVING, 0), stay("b", "finished", 1)), "a"),
        ((stay("a", LEAVING, 5), stay("b", "in-progress", 1)), "b"),  # leaving only for want of another
        ((stay("a", LEAVING, 5), stay("b", "onleave")), "b"),
        ((stay("a", "in-progress", 0), stay("b", "in-progress", 1)), "b"),
        ((stay("a", "in-progress", 0), stay("b", "in-progress")), "a"),  # an unknown admission is the oldest
        ((stay("a", "in-progress"), stay("b", "in-progress")), "b"),
    ],
)
def test_the_newest_stay_that_is_not_over_counts_and_a_leaving_one_last(stays, found):
    for some in itertools.permutations(stays):
        chosen = present_of(some)
        assert (chosen.id if chosen else None) == found


@pytest.mark.parametrize("first", [0, 1])
def test_the_bedside_check_asks_the_new_stay_whichever_is_told_first(first):
    stays = (stay("old", LEAVING, -9), stay("new", "in-progress", -1))
    here = (stays[first], stays[1 - first])
    known = snapshot(replace(FACTS, encounters=here)).encounter_of[stays[0].patient_id]
    assert known.id == "new"


def test_of_a_patient_who_is_gone_the_last_stay_is_known():
    stays = (stay("old", "finished", -9), stay("new", "finished", -1))
    assert snapshot(replace(FACTS, encounters=stays)).encounter_of[stays[0].patient_id].id == "new"
