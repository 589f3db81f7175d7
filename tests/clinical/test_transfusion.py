"""What a running transfusion asks for as time passes, and what the labels say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from clinical import transfusion
from clinical.care_policy import BloodPolicy, FluidPolicy, GlucosePolicy, SkinTestPolicy
from clinical.care_records import BloodUnit, TransfusionEntry
from clinical.errors import BadInputError
from clinical.identifiers import resolve
from clinical.records import AlarmPriority, Infusion, InfusionState
from clinical.transfusion import Match

pytestmark = [pytest.mark.requirement("R-CLIN-53"), pytest.mark.hazard("H-CLIN-11")]
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICY = BloodPolicy()
FLOW = Infusion(
    id="i", order_id="o", task_id="t", encounter_id="e", patient_id="p", state=InfusionState.RUNNING,
    rate_ml_h=Decimal(90), drops_per_ml=20, volume_ml=Decimal(200), started_at=NOON, bag_id="u",
)  # fmt: skip


def entry(kind, minute):
    return TransfusionEntry(id=f"{kind}{minute}", infusion_id="i", patient_id="p", by="n", kind=kind,
                            at=NOON + minute * MINUTE)  # fmt: skip


def at(minute, *entries, rate=None, flow=FLOW):
    found = transfusion.conditions(flow, entries, NOON + minute * MINUTE, POLICY, rate)
    return [(one.code, one.priority.value) for one in found]


def test_vector_36_fast_in_minute_8():
    assert at(8, rate=130.0) == [("BLD-FAST", "Hi")]
    assert at(8, rate=120.0) == []
    assert at(8) == []
    assert at(30, entry("quarter", 15), rate=130.0) == []


def test_vector_37_no_vital_signs_in_minute_21():
    assert at(14) == []
    assert at(15) == [("BLD-15", "None")]
    assert at(20) == [("BLD-15", "None")]
    assert at(21) == [("BLD-15", "Me")]
    assert at(21, entry("baseline", 0)) == [("BLD-15", "Me")]
    assert at(21, entry("quarter", 22)) == [("BLD-15", "Me")]
    assert at(21, entry("quarter", 15)) == []


def test_further_observations_are_hourly_and_four_hours_are_the_end():
    assert at(74, entry("quarter", 15)) == []
    assert at(75, entry("quarter", 15)) == [("BLD-15", "Lo")]
    entries = (entry("quarter", 15), entry("further", 200))
    assert at(209, *entries) == []
    assert at(210, *entries) == [("BLD-4H", "Lo")]
    assert at(240, *entries) == [("BLD-4H", "Hi")]
    assert at(240) == [("BLD-4H", "Hi"), ("BLD-15", "Me")]


def test_a_transfusion_that_is_over_asks_for_nothing():
    assert at(300, flow=replace(FLOW, state=InfusionState.COMPLETED)) == []
    assert at(21, flow=replace(FLOW, state=InfusionState.PAUSED)) == [("BLD-15", AlarmPriority.MEDIUM.value)]


def test_an_observation_counts_by_its_minute():
    def kind(minute, *past):
        return transfusion.entry_kind(FLOW, past, NOON + minute * MINUTE, POLICY)

    assert [kind(9), kind(10), kind(25), kind(60, entry("quarter", 15))] == [
        "early", "quarter", "quarter", "further",
    ]  # fmt: skip


def test_the_empty_bag_is_kept_for_a_day():
    unit = BloodUnit(
        id="u", donation="d", product_id="RBC", product_code="E", component="red-cells", group="A+",
        patient_id="p", order_id="o", expires_at=NOON, state="ended", ended_at=NOON,
    )  # fmt: skip

    def state(hours, **change):
        return transfusion.bag_return(replace(unit, **change), NOON + hours * HOUR, POLICY)

    assert [state(24), state(25), state(25, state="returned"), state(1, ended_at=None)] == [
        "keep", "over", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("=>026001", datetime(2026, 1, 1, 15, 59, tzinfo=UTC)),
        ("&>0263650730", datetime(2026, 12, 30, 23, 30, tzinfo=UTC)),
        ("=>999365", datetime(1999, 12, 31, 15, 59, tzinfo=UTC)),
        ("=>026366", None),
        ("=>026000", None),
        ("=>026399", None),
        ("&>0260012900", None),
        ("=%6200", None),
    ],
)
def test_the_label_says_when_the_unit_expires(raw, expected):
    assert transfusion.label_expiry(resolve(raw), "Asia/Shanghai") == expected


GROUPS = ("O", "A", "B", "AB")


def test_red_cells_and_plasma_are_the_reverse_of_each_other():
    for donor in GROUPS:
        for patient in GROUPS:
            red = transfusion.abo_match("red-cells", donor, patient)
            assert red is transfusion.abo_match("plasma", patient, donor)
            assert (transfusion.abo_match("whole-blood", donor, patient) is Match.FITS) is (donor == patient)
    assert transfusion.abo_match("red-cells", "O+", "AB-") is Match.FITS
    assert transfusion.abo_match("red-cells", "AB+", "O-") is Match.WRONG


def test_groups_are_read_as_written_or_not_at_all():
    assert [transfusion.abo(text) for text in ("AB-", "O", "C+", "", "A+-")] == ["AB", "O", "", "", "A"]
    assert [transfusion.rhesus(text) for text in ("AB-", "O+", "O", "C+", "")] == ["-", "+", "", "", ""]


@pytest.mark.parametrize(
    ("donor", "patient", "expected"),
    [
        ("A-", "", Match.FITS), ("A+", "A+", Match.FITS), ("A", "A+", Match.FITS), ("A+", "A-", Match.WRONG),
        ("A+", "A", Match.UNKNOWN), ("A", "A-", Match.UNKNOWN),
    ],
)  # fmt: skip
def test_rhesus_counts_for_red_cells(donor, patient, expected):
    assert transfusion.rhesus_match("red-cells", donor, patient) is expected
    assert transfusion.rhesus_match("plasma", donor, patient) is Match.FITS


@pytest.mark.parametrize(
    "make",
    [
        lambda: BloodPolicy(quarter_latest=10),
        lambda: BloodPolicy(quarter_earliest=0),
        lambda: BloodPolicy(quarter_earliest=16),
        lambda: BloodPolicy(issue_stop=20),
        lambda: BloodPolicy(issue_warn=0),
        lambda: BloodPolicy(end_alarm=241),
        lambda: BloodPolicy(end_warn=241),
        lambda: BloodPolicy(end_warn=0),
        lambda: BloodPolicy(slow_ml_h=121),
        lambda: BloodPolicy(slow_ml_h=0),
        lambda: BloodPolicy(crossmatch_max_h=73),
        lambda: BloodPolicy(crossmatch_max_h=0),
        lambda: SkinTestPolicy(read_after_min=14),
        lambda: SkinTestPolicy(read_until_min=19),
        lambda: GlucosePolicy(low=Decimal(12)),
        lambda: GlucosePolicy(critical_low=Decimal(0)),
        lambda: FluidPolicy(shifts=()),
        lambda: FluidPolicy(shifts=("7:00",)),
        lambda: FluidPolicy(shifts=("24:00",)),
        lambda: FluidPolicy(shifts=("07:60",)),
        lambda: FluidPolicy(shifts=("07-00",)),
        lambda: FluidPolicy(shifts=("xx:00",)),
        lambda: FluidPolicy(shifts=("07:xx",)),
        lambda: FluidPolicy(shifts=("15:00", "07:00")),
        lambda: FluidPolicy(shifts=("07:00", "07:00")),
    ],
)
def test_a_limit_that_would_switch_a_control_off_is_refused(make):
    with pytest.raises(BadInputError) as caught:
        make()
    assert caught.value.code == "policy-care"
