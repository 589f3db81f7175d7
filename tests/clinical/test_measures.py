"""Scan compliance, near misses and overrides, counted by what happened and not by who."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clinical import measures
from clinical.bedside_check.model import Action, ScanMethod
from clinical.measures import Evaluation, Rate
from tests.support.bedside import (
    BAG_B_SCAN,
    BAND_A,
    FACTS,
    NOON,
    TABLET_SCAN,
    TABLET_TASK,
    ack,
    ask,
    merged,
    request,
    scan,
    start,
)

pytestmark = [pytest.mark.requirement("R-CLIN-57"), pytest.mark.hazard("H-CLIN-08")]
KEY, NONE, CAMERA = ScanMethod.KEY, ScanMethod.NONE, ScanMethod.CAMERA


def give(*items, band=BAND_A):
    return request(Action.GIVE, items=items, band=band)


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        (give(scan(TABLET_SCAN)), ()),
        (give(scan(TABLET_SCAN, method=CAMERA)), ()),
        (give(scan(TABLET_SCAN), band=scan("MA", method=KEY)), ("WKEY",)),
        (give(scan(TABLET_SCAN), band=scan("MA", method=NONE)), ("WUAS",)),
        (give(scan(TABLET_SCAN), band=None), ("WUAS",)),
        (give(scan("a", method=KEY), scan("b", method=KEY)), ("MKEY",)),
        (give(scan("a", method=NONE)), ("MUAS",)),
        (give(), ("MUAS",)),
        (
            give(scan("a", method=KEY), scan("b", method=NONE), band=scan("MA", method=KEY)),
            ("WKEY", "MKEY", "MUAS"),
        ),
    ],
)
def test_every_way_round_the_scanner_has_its_code(asked, codes):
    assert measures.bypasses(asked) == codes


def test_compliance_needs_patient_and_every_item():
    good, bad = give(scan(TABLET_SCAN)), give(scan(TABLET_SCAN), scan("x", method=KEY))
    found = measures.scan_compliance([good, good, good, bad])
    assert (found.count, found.of, found.percent) == (3, 4, 75.0)
    assert measures.scan_compliance([]).percent is None


def evaluated(asked, facts=FACTS, session="s1", at=NOON, **more):
    return Evaluation(session=session, at=at, request=asked, result=ask(asked, facts), **more)


def test_a_stop_that_then_did_not_happen_is_a_near_miss():
    wrong = evaluated(start(items_raw=(BAG_B_SCAN,)))
    assert measures.near_misses([wrong]) == (wrong,)
    went_on = evaluated(start(items_raw=(BAG_B_SCAN,)), committed=True)
    assert measures.near_misses([wrong, went_on]) == ()
    other = replace(went_on, session="s2")
    assert measures.near_misses([wrong, other]) == (wrong,)


def test_a_right_dose_or_a_clock_that_is_wrong_is_no_near_miss():
    right = evaluated(give(scan(TABLET_SCAN)))
    clock = replace(right.request, handheld=replace(right.request.handheld, clock_offset_s=999))
    assert measures.near_misses([right, evaluated(clock)]) == ()
    unread = evaluated(replace(right.request, patient_scan=None))
    assert measures.near_misses([unread]) == ()


def late(**more):
    facts = merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=NOON - timedelta(minutes=90)),))
    return evaluated(request(Action.GIVE, TABLET_SCAN, **more), facts)


def test_overrides_are_counted_per_code():
    found = measures.override_rates([late(), late(overrides=ack("TIME-LATE"))])
    assert found == {"TIME-LATE": Rate(count=1, of=2)}


def test_a_note_that_asks_nothing_is_not_an_override():
    asked = request(Action.GIVE, items=(scan(TABLET_SCAN, reason="dialog-open"),))
    assert measures.override_rates([evaluated(asked)]) == {}


def test_a_warning_that_nearly_everybody_taps_away_is_reviewed():
    tapped = [late(overrides=ack("TIME-LATE")) for _ in range(10)]
    assert measures.to_review(tapped, NOON) == ("TIME-LATE",)
    assert measures.to_review([*tapped[:9], late()], NOON) == ()
    assert measures.to_review(tapped, NOON + timedelta(days=31)) == ()
    stops = [evaluated(start(items_raw=(BAG_B_SCAN,)))]
    assert measures.to_review(stops, NOON) == ()


def test_what_came_in_after_an_offline_span_is_counted():
    found = measures.after_sync(["accepted", "accepted-exception", "duplicate", "accepted", "replayed"])
    assert {status: rate.count for status, rate in found.items()} == {
        "accepted": 2, "accepted-exception": 1, "duplicate": 1,
    }  # fmt: skip
    assert measures.rate([True, False]).percent == 50.0
