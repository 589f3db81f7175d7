"""The committed table of accuracy is what the estimators do, and good enough to show to a nurse."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import estimator, estimator_report
from bench.estimator_world import USUAL, Drip

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "estimator-accuracy.md"


@pytest.mark.requirement("R-EDGE-31")
@pytest.mark.slow
def test_with_missed_and_doubled_drops_the_rate_is_within_its_limits_and_as_written() -> None:
    found = list(estimator.rates(USUAL, "usual", tells=True, gtts=(30, 120)))
    written = DOCUMENT.read_text(encoding="utf-8")
    for row in found:
        assert abs(row["bias_percent"]) <= estimator.BIAS_LIMIT
        assert row["p95_error_percent"] <= estimator.P95_LIMIT
    for line in estimator_report.table(found, estimator_report.RATE_COLUMNS).splitlines()[2:]:
        assert line in written


@pytest.mark.requirement("R-EDGE-31")
@pytest.mark.slow
def test_a_stop_and_a_free_flow_are_told_in_time_and_nothing_is_told_without_cause() -> None:
    (row,) = estimator.detection("site-policy", (60,))
    assert (row["no_flow"]["not_noticed"], row["free_flow"]["not_noticed"]) == (0, 0)
    assert row["no_flow"]["p95_s"] <= 62
    assert row["free_flow"]["p95_s"] <= 40
    assert row["near_end_p95_error_min"] < 2
    assert (row["false_no_flow_per_day"], row["false_free_flow_per_day"]) == (0, 0)


@pytest.mark.requirement("R-EDGE-31")
def test_the_truth_is_kept_apart_from_what_the_sensor_saw() -> None:
    drip = Drip(10, 60, USUAL, seed=1)
    drip.advance(3600)
    assert drip.left_ml == 0
    assert drip.given_ml == pytest.approx(10)
    assert drip.rate_ml_h == 0
    assert drip.counted == pytest.approx(200, abs=20)
    assert drip.counted != 200


@pytest.mark.requirement("R-EDGE-31")
@pytest.mark.full
def test_the_committed_document_is_what_the_estimators_do_today() -> None:
    assert estimator.render(estimator.measure()) == DOCUMENT.read_text(encoding="utf-8")
