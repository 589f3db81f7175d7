"""What transfusions, skin tests and samples ask for, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clinical import specimens, worklist
from clinical.care_records import (
    BloodUnit,
    RunningSkinTest,
    SampleNeed,
    Specimen,
    TransfusionEntry,
)
from clinical.chart_records import Assessment, Round
from clinical.policy import SitePolicy
from clinical.records import (
    Administration,
    Alarm,
    AlarmPriority,
    CareLevel,
    Facts,
    Flow,
    InfusionState,
    Task,
    TaskStatus,
    Validity,
    Verbal,
)
from tests.support.bedside import FACTS, NOON, dose, infusion, order, task

pytestmark = [pytest.mark.requirement("R-CARE-04"), pytest.mark.hazard("H-CARE-04")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICY = SitePolicy.default()
ORDER = order("oR", "RBC", dose(1, "{unit}"), kind="transfusion", route="IV")
RUNNING = infusion(ORDER, task(ORDER, NOON), "u1", id="iR", started_at=NOON, rate_ml_h=Decimal(90))
UNIT = BloodUnit(
    id="u1", donation="A123426012345", product_id="RBC", product_code="E0382V00", component="red-cells",
    group="A+", patient_id="pA", order_id="oR", expires_at=NOON + 48 * HOUR, state="running",
)  # fmt: skip


def entry(kind: str, minutes: float) -> TransfusionEntry:
    return TransfusionEntry(
        id=f"{kind}{minutes}",
        infusion_id="iR",
        patient_id="pA",
        at=NOON + minutes * MINUTE,
        by="n",
        kind=kind,
    )


def flow(minutes: float, rate: float, validity: Validity = Validity.VALID) -> Flow:
    return Flow(id="iR", effective=NOON + minutes * MINUTE, validity=validity, rate_ml_h=rate)


def at(minutes: float, **facts: tuple[object, ...]) -> list[tuple[str, AlarmPriority, float]]:
    known = Facts(**({"blood_units": (UNIT,), "infusions": (RUNNING,)} | facts))  # type: ignore[arg-type]
    now = NOON + minutes * MINUTE
    return [
        (item.name, item.priority, (item.due - NOON) / MINUTE) for item in worklist.items(known, now, POLICY)
    ]


HIGH, MEDIUM, LOW, NONE = (
    AlarmPriority.HIGH,
    AlarmPriority.MEDIUM,
    AlarmPriority.LOW,
    AlarmPriority.NONE,
)


def test_a_transfusion_asks_for_its_quarter_first_in_the_list_then_aloud() -> None:
    assert at(14) == []
    assert at(15) == [("blood-quarter", NONE, 15)]
    assert at(21) == [("blood-quarter", MEDIUM, 15)]


def test_after_the_quarter_it_asks_every_hour_from_the_last_values() -> None:
    seen = (entry("baseline", 0), entry("quarter", 16))
    assert at(75, transfusion_entries=seen) == []
    assert at(76, transfusion_entries=tuple(reversed(seen))) == [("blood-further", LOW, 76)]


def test_a_unit_past_four_hours_is_the_most_pressing() -> None:
    seen = (entry("quarter", 16),)
    assert at(240, transfusion_entries=seen) == [("blood-four-hours", HIGH, 240), ("blood-further", LOW, 76)]


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (flow(8, 130), [("blood-fast", HIGH, 8.0)]),
        (flow(8, 110), []),
        (flow(8, 130, Validity.INVALID), []),
        (flow(7, 130), []),
    ],
    ids=["fast", "slow", "not usable", "stale"],
)
def test_blood_that_runs_too_fast_at_first_is_told_only_from_a_fresh_measurement(
    measured: Flow, told: list[tuple[str, AlarmPriority, float]]
) -> None:
    assert at(8, flows=(measured,)) == told


def test_an_infusion_that_is_no_blood_or_has_ended_asks_for_no_watch_over_blood() -> None:
    assert not [name for name, *_ in at(300, blood_units=()) if name.startswith("blood")]
    assert at(300, infusions=(replace(RUNNING, state=InfusionState.COMPLETED),)) == []


def test_the_empty_bag_is_listed_and_sounds_when_nobody_has_it_after_a_day() -> None:
    ended = (replace(UNIT, state="ended", ended_at=NOON),)
    assert at(60, blood_units=ended, infusions=()) == [("blood-bag-return", NONE, 1440)]
    assert at(1441, blood_units=ended, infusions=()) == [("blood-bag-return", LOW, 1440)]


def test_a_skin_test_is_due_at_twenty_minutes_and_late_at_thirty() -> None:
    test = RunningSkinTest(
        id="s", patient_id="pA", order_id="o", substance="x", started_at=NOON, started_by="n"
    )
    nothing = {"blood_units": (), "infusions": (), "running_skin_tests": (test,)}
    assert at(19, **nothing) == []
    assert at(20, **nothing) == [("skin-test-due", LOW, 20)]
    assert at(31, **nothing) == [("skin-test-late", MEDIUM, 20)]


def test_a_sample_that_waits_too_long_for_the_laboratory_is_told() -> None:
    taken = Specimen(id="S1", order_id="o", patient_id="pA", encounter_id="e", collected_at=NOON)
    planned = Specimen(id="S2", order_id="o", patient_id="pA", encounter_id="e")
    nothing = {"blood_units": (), "infusions": (), "specimens": (taken, planned)}
    assert at(60, **nothing) == []
    assert at(61, **nothing) == [("specimen-transport", LOW, 60)]


def test_every_name_an_item_can_have_is_known() -> None:
    assert {"blood-quarter", "skin-test-late", "specimen-transport"} < worklist.CONDITIONS


def test_a_planned_sample_has_one_tube_with_what_its_order_asks_for() -> None:
    need = SampleNeed(container="blue", fasting=True, trough_of="vancomycin", second_person=True)
    ordered = order("oS", "CBC", dose(1, "{tube}"), kind="specimen", sample=need)
    planned = task(ordered, NOON)
    tube = specimens.planned(ordered, planned)
    assert tube == specimens.planned(ordered, planned)
    assert (tube.container, tube.fasting, tube.trough_of, tube.second_person) == (
        "blue",
        True,
        "vancomycin",
        True,
    )
    assert (tube.patient_id, tube.task_id, tube.state) == (planned.patient_id, planned.id, "planned")
    other = specimens.planned(replace(ordered, sample=None), replace(planned, id="another"))
    assert other.id != tube.id
    assert other.container == ""


def test_a_round_is_due_by_grade_from_the_last_look_or_from_when_the_patient_came() -> None:
    stay = replace(FACTS.encounters[0], care_level=CareLevel.FIRST, moved_at=None, admitted_at=NOON)

    def rounds(minutes: float, *looks: Round, **changes: object) -> list[str]:
        known = Facts(encounters=(replace(stay, **changes),), rounds=looks)  # type: ignore[arg-type]
        return [item.name for item in worklist.items(known, NOON + minutes * MINUTE, POLICY)]

    def look(minutes: float) -> Round:
        return Round(id=f"r{minutes}", patient_id=stay.patient_id, at=NOON + minutes * MINUTE, by="n")

    assert (rounds(59), rounds(60)) == ([], ["round-due"])
    assert rounds(100, look(90), look(45)) == []
    assert rounds(60, care_level=None) == []
    assert rounds(60, status="finished") == []
    assert rounds(60, admitted_at=None) == []


def drip(**changes):
    made = infusion(ORDER, task(ORDER, NOON), "b1", id="iD", started_at=NOON)
    return replace(made, **changes)


@pytest.mark.requirement("R-CARE-06")
def test_a_running_bag_is_looked_at_soon_and_then_by_the_grade_until_a_round_was_made():
    stay = replace(FACTS.encounters[0], id="eD", care_level=CareLevel.THIRD, status="planned")
    mine = {"infusions": (drip(encounter_id="eD"),), "blood_units": (), "encounters": (stay,)}
    assert at(14, **mine) == []
    assert at(15, **mine) == [("patrol-due", NONE, 15)]
    assert at(17, **mine) == [("patrol-warn", NONE, 15)]
    assert at(19, **mine) == [("patrol-overdue", NONE, 15)]
    seen = mine | {"infusions": (drip(encounter_id="eD", looked_at=NOON + 19 * MINUTE),)}
    assert at(78, **seen) == []
    assert at(79, **seen) == [("patrol-due", NONE, 79)]
    special = seen | {"encounters": (replace(stay, care_level=CareLevel.SPECIAL),)}
    assert at(34, **special) == [("patrol-due", NONE, 34)]


@pytest.mark.requirement("R-CARE-06")
def test_a_bag_that_is_down_and_blood_ask_for_no_round_and_an_older_look_counts_for_nothing():
    over = {"infusions": (drip(state=InfusionState.COMPLETED),), "blood_units": (), "encounters": ()}
    assert at(60, **over) == []
    before = over | {"infusions": (drip(looked_at=NOON - MINUTE),)}
    assert at(15, **before) == [("patrol-due", NONE, 15)]
    assert not [name for name, *_ in at(20) if name.startswith("patrol")]


@pytest.mark.requirement("R-ORD-06")
def test_what_rests_on_a_doctors_word_is_listed_until_it_is_signed_or_acknowledged():
    spoken = order("oV", "KCL10", dose(1, "g"), verbal=Verbal(taken_by="n", taken_at=NOON))
    signed = replace(spoken, id="oW", verbal=replace(spoken.verbal, signed_at=NOON, signed_by="d1"))
    word = Administration(
        id="g1", task_id="", order_id="", patient_id="pA", outcome="given", at=NOON, operator="n",
        spoken_by="d1",
    )  # fmt: skip
    seen = replace(word, id="g2", acknowledged_by="d1", acknowledged_at=NOON)
    plain = replace(word, id="g3", spoken_by="")
    known = {"blood_units": (), "infusions": (), "orders": (spoken, signed)}
    assert at(1, **known, administrations=(word, seen, plain)) == [
        ("word-unacknowledged", NONE, 360),
        ("verbal-order-unsigned", NONE, 360),
    ]


@pytest.mark.requirement("R-GIVE-04")
def test_a_dose_that_lacked_its_drug_is_listed_until_somebody_answers() -> None:
    given = Administration(
        id="e1", task_id="t", order_id="o", patient_id="pA", outcome="not-given", at=NOON, operator="n"
    )
    alarm = Alarm(
        id="a", condition="supply-failure", kind="technical", priority=LOW, present=True, signal="on",
        started_at=NOON, params={"subject": "e1"},
    )  # fmt: skip
    nothing: dict[str, tuple[object, ...]] = {"blood_units": (), "infusions": ()}
    assert at(1, alarms=(alarm,), administrations=(given,), **nothing) == [("supply-failure", NONE, 0)]
    assert at(1, alarms=(alarm,), **nothing) == []
    for other in (replace(alarm, present=False), replace(alarm, condition="near-end")):
        assert at(1, alarms=(other,), administrations=(given,), **nothing) == []


@pytest.mark.requirement("R-CARE-20")
@pytest.mark.hazard("H-CARE-04")
def test_an_effect_nobody_looked_at_in_time_is_listed() -> None:
    effect = Task(
        id="f", order_id="o", order_version=1, encounter_id="e", patient_id="pA", kind="prn-effect",
        status=TaskStatus.OVERDUE, planned_at=NOON, earliest=NOON, latest=NOON + HOUR,
    )  # fmt: skip
    nothing: dict[str, tuple[object, ...]] = {"blood_units": (), "infusions": ()}
    assert at(61, tasks=(effect,), **nothing) == [("prn-effect-overdue", NONE, 0)]
    assert at(60, tasks=(effect,), **nothing) == []
    done = replace(effect, status=TaskStatus.COMPLETED)
    for other in (done, replace(effect, kind="medication"), replace(effect, planned_at=None, latest=None)):
        assert at(61, tasks=(other,), **nothing) == []


@pytest.mark.requirement("R-CARE-21")
@pytest.mark.hazard("H-CARE-04")
def test_a_scale_is_asked_for_after_admission_and_again_by_its_last_tier() -> None:
    stay = replace(FACTS.encounters[0], admitted_at=NOON, moved_at=None, care_level=None)
    here: dict[str, tuple[object, ...]] = {"blood_units": (), "infusions": (), "encounters": (stay,)}
    day = 24 * 60

    def scale(name: str, tier: str, hours: float) -> Assessment:
        return Assessment(
            id=f"{name}{hours}",
            patient_id=stay.patient_id,
            at=NOON + hours * HOUR,
            by="n",
            scale=name,
            tier=tier,
        )

    def asked(minutes: float, **facts: tuple[object, ...]) -> list[str]:
        return sorted(name for name, _, _ in at(minutes, **{**here, **facts}) if name.endswith("-due"))

    assert asked(day - 1) == []
    assert asked(day) == ["braden-due", "morse-due"]
    done = (scale("braden", "high", 30), scale("morse", "low", 30), scale("braden", "none", 1))
    assert asked(2 * day, assessments=done) == []
    assert asked(30 * 60 + day, assessments=done) == ["braden-due"]
    hurts = (*done, scale("pain", "severe", 30))
    assert asked(31 * 60, assessments=hurts) == ["pain-due"]
    assert asked(31 * 60, assessments=(*done, scale("pain", "mild", 30))) == []
    assert asked(day, encounters=(replace(stay, status="finished"),)) == []
    assert asked(day, encounters=(replace(stay, admitted_at=None),)) == []
