"""Rounds by nursing grade, and samples on their way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clinical import rounds, specimens
from clinical.care_policy import SpecimenPolicy
from clinical.care_records import Specimen
from clinical.policy import SitePolicy
from clinical.records import CareLevel

pytestmark = [pytest.mark.requirement("R-CLIN-54"), pytest.mark.hazard("H-CLIN-12")]
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
POLICY = SitePolicy.default()
MINUTE = timedelta(minutes=1)


def test_grades_have_their_intervals():
    assert [rounds.interval_min(grade, POLICY) for grade in CareLevel] == [15, 60, 120, 180]
    assert rounds.interval_min(None, POLICY) is None
    assert rounds.due(NOON, CareLevel.FIRST, POLICY) == NOON + 60 * MINUTE
    assert rounds.due(NOON, None, POLICY) is None


def test_a_round_gets_due_then_warns_then_is_overdue():
    found = [
        rounds.state(NOON, CareLevel.FIRST, NOON + minute * MINUTE, POLICY) for minute in (59, 60, 66, 75)
    ]
    assert found == ["ok", "due", "warn", "overdue"]
    assert rounds.state(NOON, None, NOON + 9999 * MINUTE, POLICY) == "ok"


def test_kept_rounds_are_counted():
    looks = [NOON + minute * MINUTE for minute in (130, 0, 60, 55)]
    found = rounds.kept(looks, CareLevel.FIRST, POLICY)
    assert (found.intervals, found.on_time) == (3, 3)
    assert rounds.kept([*looks, NOON + 205 * MINUTE], CareLevel.FIRST, POLICY).on_time == 3
    assert rounds.kept(looks, None, POLICY).intervals == 0


def test_a_sample_that_does_not_reach_the_laboratory_is_late_after_an_hour():
    tube = Specimen(id="T", order_id="o", patient_id="p", encounter_id="e", collected_at=NOON)
    policy = SpecimenPolicy()
    assert not specimens.transport_is_late(tube, NOON + 60 * MINUTE, policy)
    assert specimens.transport_is_late(tube, NOON + 61 * MINUTE, policy)
    assert not specimens.transport_is_late(replace(tube, received_at=NOON), NOON + 61 * MINUTE, policy)
    assert not specimens.transport_is_late(replace(tube, collected_at=None), NOON + 61 * MINUTE, policy)
