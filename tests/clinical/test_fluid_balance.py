"""Intake and output by the ward's shifts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from clinical import fluid_balance
from clinical.care_policy import FluidPolicy
from clinical.errors import BadInputError
from clinical.fluid_balance import FluidEntry, Period

pytestmark = [pytest.mark.requirement("R-CLIN-54"), pytest.mark.hazard("H-CLIN-10")]
DAY = date(2026, 3, 2)
POLICY = FluidPolicy()


def entry(hour, direction, kind, ml):
    return FluidEntry(
        at=datetime(2026, 3, 2, hour, tzinfo=UTC), direction=direction, kind=kind, ml=Decimal(ml)
    )


def test_a_ward_day_begins_at_its_first_shift():
    periods = fluid_balance.shifts(DAY, "Asia/Shanghai", POLICY)
    assert [period.start.hour for period in periods] == [23, 7, 15]
    assert [period.end - period.start for period in periods] == [timedelta(hours=8)] * 3
    whole = fluid_balance.whole_day(DAY, "Asia/Shanghai", POLICY)
    assert (whole.start, whole.end) == (periods[0].start, periods[-1].end)


def test_a_day_on_which_the_clock_changes_has_its_own_length_and_loses_nothing():
    spring = fluid_balance.whole_day(date(2026, 3, 28), "Europe/Berlin", POLICY)
    autumn = fluid_balance.whole_day(date(2026, 10, 24), "Europe/Berlin", POLICY)
    assert [spring.end - spring.start, autumn.end - autumn.start] == [
        timedelta(hours=23), timedelta(hours=25),
    ]  # fmt: skip


def test_amounts_are_added_up_by_direction_and_kind_within_the_period():
    entries = [
        entry(1, "in", "oral", "200.5"), entry(2, "in", "infusion", 250), entry(3, "out", "urine", 600),
        entry(4, "in", "oral", 100), entry(8, "out", "urine", 1),
    ]  # fmt: skip
    period = Period(start=entries[0].at, end=entries[-1].at)
    found = fluid_balance.balance(entries, period)
    assert (found.intake_ml, found.output_ml, found.net_ml) == (Decimal("550.5"), 600, Decimal("-49.5"))
    assert found.by_kind == {("in", "oral"): Decimal("300.5"), ("in", "infusion"): 250, ("out", "urine"): 600}


def test_an_amount_below_zero_or_without_direction_cannot_be_entered():
    for wrong in ({"ml": -1}, {"direction": "through"}):
        values = {"hour": 1, "direction": "in", "kind": "oral", "ml": 1} | wrong
        with pytest.raises(BadInputError):
            entry(**values)
