"""What follows from a skin test that was read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from clinical import skin_tests
from clinical.care_records import RunningSkinTest
from clinical.policy import SitePolicy
from tests.support.bedside import CEFA, DRIP_ORDER, ORDER_B, TABLET, TABLET_ORDER

pytestmark = [pytest.mark.requirement("R-CLIN-52"), pytest.mark.hazard("H-CLIN-05")]
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
TEST = RunningSkinTest(id="k", patient_id="pA", order_id="oS", substance="beta-lactam", started_at=NOON,
                       started_by="n1", lot="L1")  # fmt: skip
PRODUCTS = {"CEFA": CEFA, "TAB10": TABLET}


def read(result, *orders):
    return skin_tests.read(
        TEST, record_id="r", result=result, at=NOON, readers=("n1", "n2"), orders=orders, products=PRODUCTS
    )


def test_a_negative_test_is_kept_with_lot_and_both_readers():
    reading = read("negative", DRIP_ORDER)
    assert reading.test is not None
    assert (reading.test.result, reading.test.lot, reading.test.readers) == ("negative", "L1", ("n1", "n2"))
    assert (reading.allergy, reading.stop_orders, reading.control) == (None, (), False)


def test_a_positive_test_is_an_allergy_and_stops_every_order_of_the_class():
    stopped = replace(DRIP_ORDER, id="old", status="stopped")
    reading = read("positive", DRIP_ORDER, TABLET_ORDER, ORDER_B, stopped)
    assert reading.stop_orders == ("oD",)
    assert reading.allergy is not None
    assert (reading.allergy.substance, reading.allergy.severity, reading.allergy.patient_id) == (
        "beta-lactam", "severe", "pA",
    )  # fmt: skip


def test_a_doubtful_test_decides_nothing_and_asks_for_a_control():
    reading = read("doubtful", DRIP_ORDER)
    assert (reading.test, reading.allergy, reading.stop_orders, reading.control) == (None, None, (), True)


def test_a_test_waits_is_due_and_gets_late():
    policy = SitePolicy.default()
    states = [skin_tests.due(TEST, NOON + timedelta(minutes=minute), policy) for minute in (19, 20, 30, 31)]
    assert states == ["waiting", "due", "due", "late"]
