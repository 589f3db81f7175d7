"""The published test vectors of ruleset bc-1 that a check can answer, by their numbers.

The others are shown where they live: 11 and 12 at the server's commit, 28 on the handheld's keypad, 36 and 37
in ``test_transfusion.py``, 40 and 41 in ``test_commit.py``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from clinical import windows
from clinical.bedside_check import labels
from clinical.bedside_check.model import Action, Entered, Severity, Verdict, Witness, Word
from clinical.bedside_check.snapshot import Sighting
from clinical.care_records import BloodUnit
from clinical.identifiers.hospital import encode
from clinical.infusion import FlowGoal, FlowJudge
from clinical.infusion.drops import DropEstimator
from clinical.policy import FlowThresholds, SitePolicy, WindowPolicy
from clinical.records import InfusionState, Observation, OrderItem, SkinTest, TaskStatus
from clinical.scores import news2
from tests.support.bedside import (
    BAG_B_SCAN,
    DRIP_ORDER,
    DRIP_TASK,
    FACTS,
    GTIN,
    NOON,
    TABLET,
    TABLET_ORDER,
    TABLET_SCAN,
    TABLET_TASK,
    ask,
    codes,
    dose,
    given,
    infusion,
    ingredient,
    label,
    merged,
    order,
    product,
    request,
    scan,
    start,
    task,
)

pytestmark = [pytest.mark.requirement("R-CLIN-22")]
DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def give(facts=FACTS, **more):
    return ask(request(Action.GIVE, TABLET_SCAN, **more), facts)


def at_slot(frequency, planned, now):
    changed = replace(TABLET_ORDER, frequency=frequency)
    facts = replace(FACTS, orders=(changed,), tasks=(task(changed, planned),), bags=())
    result = give(facts, now=now)
    return codes(result), result.variance_min


@pytest.mark.parametrize(
    ("number", "frequency", "planned", "now", "expected"),
    [
        (1, "q8h", DAY + 8 * HOUR, DAY + 7 * HOUR, ([], -60)),
        (2, "q8h", DAY + 8 * HOUR, DAY + 7 * HOUR - timedelta(seconds=1), (["TIME-EARLY"], -61)),
        (3, "q8h", DAY + 8 * HOUR, DAY + 9 * HOUR + timedelta(seconds=59), ([], 60)),
        (3, "q8h", DAY + 8 * HOUR, DAY + 9 * HOUR + MINUTE, (["TIME-LATE"], 61)),
        (4, "q12h", DAY + 23.5 * HOUR, DAY + 24 * HOUR + 25 * MINUTE, ([], 55)),
        (4, "q12h", DAY + 23.5 * HOUR, DAY + 24 * HOUR + 45 * MINUTE, (["TIME-LATE"], 75)),
        (5, "q6h", DAY + 10 * MINUTE, DAY - 10 * MINUTE, ([], -20)),
        (6, "qd", DAY + 8 * HOUR, DAY + 10 * HOUR, ([], 120)),
        (6, "qd", DAY + 8 * HOUR, DAY + 10 * HOUR + MINUTE, (["TIME-LATE"], 121)),
        (7, "q1h", DAY + 8 * HOUR, DAY + 8 * HOUR + 15 * MINUTE, ([], 15)),
        (7, "q1h", DAY + 8 * HOUR, DAY + 8 * HOUR + 16 * MINUTE, (["TIME-LATE"], 16)),
    ],
)
def test_vectors_1_to_7(number, frequency, planned, now, expected):
    assert at_slot(frequency, planned, now) == expected, number


def test_vector_8_windows_by_interval_and_flag():
    def side(interval, *, flagged):
        return windows.margin(interval, WindowPolicy(), time_critical=flagged).early_min

    assert [side(120, flagged=True), side(180, flagged=True), side(180, flagged=False)] == [30, 30, 45]
    assert [side(30, flagged=False), side(30, flagged=True), side(60, flagged=True)] == [7, 7, 15]


def test_vector_9_bag_of_another_patient():
    result = ask(start(items_raw=(BAG_B_SCAN,)))
    assert (codes(result), result.patient_id, result.order_id) == (["MED-WRONG-PATIENT"], "", "")


def test_vector_10_order_discontinued_on_the_server():
    stopped = replace(TABLET_ORDER, version=2, status="stopped", stopped_at=NOON - MINUTE)
    result = give(merged(FACTS, orders=(stopped,)), order_version=1)
    assert (result.verdict, codes(result)) == (Verdict.REFRESH, ["SYS-STATE-CHANGED", "ORD-DISCONTINUED"])


def tablets(ordered, entered):
    line = OrderItem(product_id="TAB10", display=label("x"), dose=ordered)
    facts = merged(FACTS, orders=(replace(TABLET_ORDER, items=(line,)),))
    return codes(give(facts, entered=Entered(dose=entered)))


def test_vectors_13_to_15_parts_of_a_tablet():
    assert tablets(dose(5, "mg"), dose("0.5", "{tablet}")) == ["DOSE-SPLIT"]
    assert tablets(dose(5, "mg"), dose(1, "{tablet}")) == ["DOSE-OVER"]
    assert tablets(dose("0.333333", "{tablet}"), dose("0.33333333", "{tablet}")) == ["DOSE-SPLIT"]


def test_vectors_16_to_18_units():
    syrup = product("TAB10", "mL", "oral-liquid", ingredient("drug-x", "10", "mg"), gtins=(GTIN,))
    line = OrderItem(product_id="TAB10", display=label("x"), dose=dose(2, "mL"))
    facts = merged(FACTS, products=(syrup,), orders=(replace(TABLET_ORDER, items=(line,)),))
    assert codes(give(facts, entered=Entered(dose=dose(20, "mg")))) == []
    assert tablets(dose(5, "[iU]"), dose(50, "[iU]")) == ["DOSE-TENFOLD"]
    assert tablets(dose(1, "g"), dose(1000, "mg")) == []


def needed(tablets_asked, *past):
    prn = order(
        "oT",
        "TAB10",
        dose(1, "{tablet}"),
        frequency="prn",
        category="prn",
        prn_min_interval_min=240,
        prn_max_dose_per_day=dose(6, "{tablet}"),
        items=(
            OrderItem(
                product_id="TAB10",
                display=label("x"),
                dose=dose(1, "{tablet}"),
                dose_high=dose(2, "{tablet}"),
            ),
        ),
    )
    slot = task(prn, None)
    facts = replace(FACTS, orders=(prn,), tasks=(slot,), bags=())
    had = tuple(given(slot, NOON - ago, id=f"a{ago}", dose=dose(amount, "{tablet}")) for ago, amount in past)
    entered = Entered(dose=dose(tablets_asked, "{tablet}"), prn_reason="pain")
    return codes(give(merged(facts, administrations=had), entered=entered))


def test_vectors_19_and_20_as_needed():
    assert "PRN-MAX" in needed(2, (20 * HOUR, 2), (14 * HOUR, 2), (8 * HOUR, 1))
    assert "PRN-INTERVAL" in needed(1, (3 * HOUR + 59 * MINUTE, 1))


def test_vector_21_paracetamol_over_a_day():
    paracetamol = product(
        "TAB10", "{tablet}", "tablet", ingredient("paracetamol", "500", "mg"), gtins=(GTIN,)
    )
    line = OrderItem(product_id="TAB10", display=label("x"), dose=dose(1, "g"))
    had = given(
        task(order("oC", "TAB10", dose(1, "g")), NOON - 6 * HOUR),
        NOON - 6 * HOUR,
        ingredients=(("codeine", dose(30, "mg")), ("paracetamol", dose("3.5", "g"))),
    )
    facts = merged(
        FACTS, products=(paracetamol,), orders=(replace(TABLET_ORDER, items=(line,)),), administrations=(had,)
    )
    assert codes(give(facts)) == ["DOSE-24H-MAX"]


def test_vector_22_later_slot_given():
    later = task(TABLET_ORDER, NOON + 8 * HOUR, status=TaskStatus.GIVEN)
    assert codes(give(merged(FACTS, tasks=(later,)))) == ["TIME-LATER-GIVEN"]


def glucose(value, unit, minutes):
    drug = replace(TABLET, ingredients=(ingredient("insulin-glargine", "10", "mg", "insulin"),))
    seen = Observation(
        id="g",
        patient_id="pA",
        code="MDC_CONC_GLU_GEN",
        value=Decimal(value),
        unit=unit,
        effective=NOON - minutes * MINUTE,
    )
    return codes(give(merged(FACTS, products=(drug,), observations=(seen,))))


def test_vectors_23_and_24_insulin():
    assert glucose("8", "mmol/L", 61) == ["SAFE-LAB-MISSING"]
    assert glucose("68", "mg/dL", 10) == ["SAFE-LAB-OUT"]


def test_vectors_25_and_26_witness():
    risky = merged(FACTS, products=(replace(TABLET, high_alert=3),))

    def seen_by(name, minutes=0):
        witness = Witness(id=name, roles=("nurse",), badge_at=NOON - minutes * MINUTE)
        return codes(give(risky, witness=witness))

    assert [seen_by("n1"), seen_by("s1"), seen_by("n2", 6)] == [["WIT-SELF"], ["WIT-ROLE"], ["WIT-STALE"]]
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON, value=Decimal("8.0"))
    entered = Entered(calculated=Decimal("8.4"))
    assert codes(give(risky, witness=witness, entered=entered)) == ["DOSE-CALC-DIFF"]


def test_vector_27_scan_while_a_dialog_is_open():
    result = ask(request(Action.GIVE, items=(scan(TABLET_SCAN, reason="dialog-open"),)))
    assert (codes(result), result.task_id) == (["SYS-DIALOG-SCAN"], "")


def test_vector_29_item_then_another_patient():
    assert codes(ask(request(Action.GIVE, items=(scan(TABLET_SCAN, NOON - MINUTE),)))) == ["SYS-TRAY-STALE"]


def test_vector_30_one_wristband_in_two_rooms():
    seen = Sighting(patient_id="pA", handheld="h2", bed="09", at=NOON - timedelta(seconds=90))
    assert codes(ask(request(Action.GIVE, TABLET_SCAN), sightings=(seen,))) == ["PT-SCAN-IMPLAUSIBLE"]


def test_vectors_31_and_32_infusion_states():
    paused = infusion(DRIP_ORDER, DRIP_TASK, "B1", state=InfusionState.PAUSED)
    held = merged(FACTS, infusions=(paused,), orders=(replace(DRIP_ORDER, status="on-hold"),))
    assert codes(ask(request(Action.RESUME, infusion_id="i-B1"), held)) == ["INF-TRANSITION"]
    first = infusion(DRIP_ORDER, DRIP_TASK, "B0")
    assert codes(ask(start(), merged(FACTS, infusions=(first,)))) == ["INF-SECOND-BAG"]


def test_vector_33_changes_after_the_label_was_printed():
    faster = labels.carry(DRIP_ORDER, replace(DRIP_ORDER, version=2, rate_ml_h=Decimal(90)))
    result = ask(start(), merged(FACTS, orders=(faster,)))
    assert [(one.code, one.severity) for one in result.findings] == [("ORD-LABEL-OUTDATED", Severity.WARN)]
    more = OrderItem(product_id="TAB10", display=label("x"), dose=dose(1, "mg"), role="additive")
    richer = labels.carry(DRIP_ORDER, replace(DRIP_ORDER, version=2, items=(*DRIP_ORDER.items, more)))
    found = ask(start(), merged(FACTS, orders=(richer,))).findings
    assert ("ORD-LABEL-OUTDATED", Severity.STOP) in [(one.code, one.severity) for one in found]


def test_vector_34_slow_drip():
    judge = FlowJudge(FlowGoal(rate_ml_h=60, drops_per_ml=20, volume_ml=500), FlowThresholds())
    drops = DropEstimator(20)
    for count in range(130):
        moment = count * 60 / 17
        drops.observe(count, moment)
        judged = judge.update(drops.estimate(moment), moment)
    assert judged.state == "slow"
    assert judged.deviation_percent == pytest.approx(-15, abs=1)
    assert [one.condition for one in judged.conditions] == ["rate-deviation"]


def test_vector_35_blood_of_another_group():
    unit = BloodUnit(
        id="u1", donation="A123426012345", product_id="TAB10", product_code="E", component="red-cells",
        group="B+", patient_id="pA", order_id="oT", expires_at=NOON + 9 * HOUR, crossmatch="compatible",
        crossmatched_at=NOON, state="issued",
    )  # fmt: skip
    patient = replace(FACTS.patients[0], blood_group="A+")
    facts = merged(replace(FACTS, blood_units=(unit,)), patients=(patient,))
    bag = (scan("=A12342601234500"), scan("=A12342601234500", source="slip"))
    entered = Entered(checks=("bag-intact", "no-clots", "colour-normal"))
    witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
    asked = request(Action.BLOOD_RECEIVE, items=bag, entered=entered, witness=witness)
    assert codes(ask(asked, facts)) == ["BLD-ABO"]


def test_vector_38_expiry_without_a_day():
    def on(day):
        now = datetime(2026, *day, 4, tzinfo=UTC)
        facts = merged(FACTS, tasks=(replace(TABLET_TASK, planned_at=now),))
        return codes(ask(request(Action.GIVE, f"{TABLET_SCAN}17260200", now=now), facts))

    assert [on((2, 28)), on((3, 1))] == [[], ["MED-EXPIRED"]]


def test_vector_39_skin_test_of_another_lot():
    test = SkinTest(id="s", patient_id="pA", substance="drug-x", result="negative", read_at=NOON, lot="L1")
    facts = merged(FACTS, products=(replace(TABLET, skin_test=True),), skin_tests=(test,))
    assert codes(ask(request(Action.GIVE, f"{TABLET_SCAN}10L2"), facts)) == ["SAFE-SKIN-LOT"]


def test_vector_42_charted_in_the_future():
    result = give(entered=Entered(charted_at=NOON + 2 * MINUTE))
    assert codes(result) == ["TIME-FUTURE"]
    assert result.word is Word.STOP
    assert SitePolicy.default().ruleset == result.ruleset
    assert encode("bag", "B1") != BAG_B_SCAN


def test_vector_43_news2():
    score = news2(age=60, rr=21, spo2=93, on_oxygen=False, sbp=120, pulse=95, consciousness="A", temp_c=37.5)
    assert score.total == 5
