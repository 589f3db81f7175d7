"""BLD: two persons, the right unit, the right patient, a slow start, the quarter of an hour, four hours."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from clinical.bedside_check.model import (
    Action,
    Entered,
    OverrideClass,
    ScanMethod,
    Severity,
    Witness,
    Word,
)
from clinical.identifiers.isbt128 import donation_check
from clinical.records import Flow, InfusionState, OrderItem, TaskStatus, Validity
from tests.clinical.bedside_check.blood_ward import (
    BAG,
    DONATION,
    HOUR,
    LOOKED,
    MINUTE,
    ORDER,
    SLIP,
    TASK,
    VITALS,
    blood,
    check_at_bed,
    entry,
    fit,
    hot,
    rated,
    running,
    second,
    start,
    state,
    ward,
)
from tests.support.bedside import (
    BAND_A,
    BAND_B,
    FACTS,
    NOON,
    ack,
    ask,
    codes,
    dose,
    infusion,
    label,
    marks,
    merged,
    order,
    request,
    scan,
)

pytestmark = [pytest.mark.requirement("R-CLIN-50"), pytest.mark.hazard("H-CLIN-11")]
# --- the whole way when everything is right -----------------------------------------------------------------


def test_a_unit_goes_its_way_from_receipt_to_the_empty_bag():
    received = blood(Action.BLOOD_RECEIVE, band=None, witness=second())
    assert (codes(received), received.word, received.patient_id) == ([], Word.GIVE, "pA")
    checked = check_at_bed()
    assert (codes(checked), checked.word) == ([], Word.GIVE)
    assert {marks(checked)[right] for right in ("patient", "drug", "safety", "witness")} == {"ok"}
    started = start()
    assert (codes(started), started.word, started.needs) == ([], Word.GIVE, ())
    assert (started.bag_id, started.order_id, started.task_id, started.rate_ml_h) == ("u1", "oR", TASK.id, 90)
    looked = running(15, entry("baseline", 15))
    assert (codes(looked), looked.word) == ([], Word.GIVE)
    ended = running(100, entry("quarter", 85), action=Action.BLOOD_END)
    assert (codes(ended), ended.word) == (["BLD-BAG"], Word.GIVE)
    assert dict(ended.findings[0].params)["until"] == (NOON + 24 * HOUR).isoformat()


# --- which unit ---------------------------------------------------------------------------------------------


def test_a_unit_for_another_patient_stops_and_shows_nothing():
    result = check_at_bed(band=BAND_B)
    assert (codes(result), result.patient_id, result.bag_id) == (["BLD-PATIENT"], "", "")


@pytest.mark.parametrize(
    ("bag", "code"),
    [
        ("=A123426099999" + "00", "BLD-UNIT"),
        ("A1234", "BLD-UNIT"),
        ("=A12", "BLD-UNIT"),
        (f"={DONATION}00=<E9999V00", "BLD-PRODUCT"),
        (f"={DONATION}00=%5100", "BLD-UNIT"),
        (f"={DONATION}00=%Mq00", "BLD-UNIT"),
        (f"={DONATION}07", "BLD-UNIT"),
        (f"={DONATION}00=>026001", "BLD-EXPIRED"),
    ],
)
def test_what_is_read_from_the_bag_must_be_what_was_issued(bag, code):
    assert codes(check_at_bed(bag=bag)) == [code]


def test_a_compound_label_that_agrees_is_no_finding():
    assert codes(check_at_bed(bag=f"={DONATION}00=<E0382V00=%6200=>026300")) == []


def test_the_slip_must_name_the_same_donation():
    assert codes(check_at_bed(slip="=A12342609999900")) == ["BLD-UNIT"]
    assert check_at_bed(slip="").needs == ("slip-scan",)


def test_two_bags_at_once_are_refused_and_a_code_without_the_donation_asks_for_it():
    two = tuple(scan(raw) for raw in (BAG, "=A12342609999900"))
    assert codes(check_at_bed(items=two)) == ["BLD-UNIT"]
    assert check_at_bed(items=(scan("=%6200"),)).needs == ("item-scan",)
    assert check_at_bed(items=()).needs == ("item-scan",)
    assert "SYS-DIALOG-SCAN" in codes(check_at_bed(items=(scan(BAG, reason="dialog-open"),)))


def test_two_components_of_one_donation_are_told_apart_by_the_product_code():
    both = (state("received"), state("received", id="u2", product_code="E0701V00"))
    assert check_at_bed(facts=ward(both)).needs == ("product-scan",)
    assert codes(check_at_bed(facts=ward(both), bag=f"={DONATION}00=<E0382V00")) == []


def test_a_typed_donation_number_needs_its_check_character():
    right, wrong = DONATION + donation_check(DONATION), DONATION + "?"
    typed = [check_at_bed(items=(scan(raw, method=ScanMethod.KEY), scan(SLIP, source="slip")))
             for raw in (right, wrong)]  # fmt: skip
    assert [codes(result) for result in typed] == [["SYS-KEYED"], ["BLD-UNIT", "SYS-KEYED"]]


def test_a_regional_number_counts_when_such_a_unit_was_issued():
    regional = state("received", donation="0271726000123")
    witness = second(bag="0271726000123", slip="0271726000123")
    result = check_at_bed(facts=ward(regional), bag="0271726000123", slip="0271726000123", witness=witness)
    assert codes(result) == []


@pytest.mark.parametrize("action", [Action.BLOOD_OBS, Action.BLOOD_END])
def test_a_running_unit_may_be_named_by_its_transfusion(action):
    result = running(15, entry("baseline", 15), action=action, items=(), infusion_id="iR")
    assert result.bag_id == "u1"


def test_before_it_runs_the_bag_itself_is_scanned():
    assert check_at_bed(items=(), infusion_id="iR").needs == ("item-scan",)
    assert running(15, items=(), infusion_id="nobody").needs == ("item-scan",)


# --- where it stands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (Action.BLOOD_RECEIVE, "received"), (Action.BLOOD_CHECK, "issued"), (Action.BLOOD_START, "received"),
        (Action.BLOOD_OBS, "checked"), (Action.BLOOD_END, "ended"),
    ],
)  # fmt: skip
def test_no_step_is_left_out_or_done_twice(action, name):
    assert "INF-TRANSITION" in codes(blood(action, facts=ward(state(name)), witness=second()))


def test_a_unit_that_runs_does_not_start_again():
    flow = infusion(ORDER, TASK, "u1", id="iR")
    assert "INF-TRANSITION" in codes(start(facts=ward(infusions=(flow,))))


def test_an_order_that_is_stopped_or_unknown_stops_the_blood():
    stopped = replace(ORDER, status="stopped")
    assert codes(check_at_bed(facts=ward(state("received"), orders=(stopped,)))) == ["ORD-DISCONTINUED"]
    assert codes(check_at_bed(facts=ward(state("received", order_id="none")))) == ["ORD-NONE"]
    done = replace(TASK, status=TaskStatus.GIVEN)
    assert check_at_bed(facts=ward(state("received"), tasks=(done,))).task_id == ""
    assert check_at_bed(facts=ward(state("received"), tasks=(done,)), task_id=TASK.id).task_id == TASK.id


def test_blood_is_not_started_as_a_common_infusion():
    from tests.support.bedside import DRIP_ORDER
    from tests.support.bedside import start as start_bag

    facts = merged(FACTS, orders=(replace(DRIP_ORDER, kind="transfusion"),))
    assert "INF-TRANSITION" in codes(ask(start_bag(), facts))


# --- does it fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit_group", "patient_group", "component", "expected"),
    [
        ("O-", "AB+", "red-cells", []),
        ("B+", "A+", "red-cells", ["BLD-ABO"]),
        ("AB+", "O+", "plasma", []),
        ("O+", "A-", "plasma", ["BLD-ABO"]),
        ("A+", "A+", "whole-blood", []),
        ("O+", "A+", "whole-blood", ["BLD-ABO"]),
        ("O+", "A+", "platelets", ["BLD-ABO"]),
        ("A+", "", "plasma", ["BLD-ABO"]),
        ("A+", "A-", "red-cells", ["BLD-RH"]),
        ("A", "A-", "red-cells", ["BLD-RH"]),
        ("A+", "", "red-cells", ["BLD-ABO", "BLD-RH"]),
    ],
)
def test_groups_fit_by_component(unit_group, patient_group, component, expected):
    assert codes(fit(unit_group, patient_group, component)) == expected


def test_only_other_platelets_are_a_doctors_decision():
    finding = fit("O+", "A+", "platelets").findings[0]
    assert finding.override is OverrideClass.PRESCRIBER
    assert fit("B+", "A+").findings[0].override is OverrideClass.NONE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"crossmatch": ""}, ["BLD-XM"]),
        ({"crossmatch": "incompatible"}, ["BLD-XM"]),
        ({"crossmatched_at": None}, ["BLD-XM"]),
        ({"crossmatched_at": NOON - 72 * HOUR}, []),
        ({"crossmatched_at": NOON - 72 * HOUR - MINUTE}, ["BLD-XM"]),
        ({"crossmatch": "", "component": "plasma"}, []),
        ({"expires_at": NOON}, ["BLD-EXPIRED"]),
        ({"product_id": "FFP"}, ["BLD-PRODUCT"]),
        ({"issued_at": None}, ["BLD-OUT"]),
        ({"issued_at": NOON - 30 * MINUTE}, []),
        ({"issued_at": NOON - 61 * MINUTE}, ["BLD-OUT"]),
    ],
)
def test_cross_match_expiry_product_and_issue(change, expected):
    assert codes(fit(**change)) == expected


def test_blood_out_for_half_an_hour_is_a_warning_and_for_an_hour_a_doctors_word():
    finding = fit(issued_at=NOON - 31 * MINUTE).findings[0]
    assert (finding.code, finding.severity) == ("BLD-OUT", Severity.WARN)
    finding = fit(issued_at=NOON - 61 * MINUTE).findings[0]
    assert (finding.severity, finding.override) == (Severity.STOP, OverrideClass.PRESCRIBER)


def test_without_consent_only_an_emergency_goes_on():
    facts = ward(state("received"), encounters=(FACTS.encounters[0],))
    assert codes(check_at_bed(facts=facts)) == ["BLD-CONSENT"]
    accepted = {"overrides": ack("BLD-CONSENT", by="d1")}
    assert check_at_bed(facts=facts, **accepted).word is Word.STOP
    called = replace(FACTS.encounters[0], resuscitation_at=NOON - 5 * MINUTE)
    given = check_at_bed(facts=merged(facts, encounters=(called,)), **accepted)
    assert (given.word, given.findings[0].override) == (Word.GIVE, OverrideClass.EMERGENCY)


def test_what_is_wrong_with_the_bag_stops_and_what_was_not_looked_at_is_missing():
    assert codes(check_at_bed(entered=Entered(checks=LOOKED, symptoms=("clot",)))) == ["BLD-LEAK-CLOT"]
    assert check_at_bed(entered=Entered(checks=LOOKED[:2])).needs == ("blood-checks",)


# --- two persons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("witness", "expected"),
    [
        (None, ["BLD-SECOND"]),
        (second("n1"), ["WIT-SELF"]),
        (second("s1"), ["WIT-ROLE"]),
        (second(badge=NOON - 6 * MINUTE), ["WIT-STALE"]),
        (second(band=""), ["BLD-SECOND"]),
        (second(bag=""), ["BLD-SECOND"]),
        (second(slip=""), ["BLD-SECOND"]),
        (second(band=BAND_B), ["BLD-SECOND"]),
        (second(band=BAND_A[:-1] + "0"), ["BLD-SECOND"]),
        (second(band=BAG), ["BLD-SECOND"]),
        (second(bag="=A12342609999900"), ["BLD-SECOND"]),
        (second(slip="=A12342609999900"), ["BLD-SECOND"]),
    ],
)
def test_the_second_person_is_another_nurse_with_their_own_scans(witness, expected):
    assert codes(check_at_bed(witness=witness)) == expected


def test_receiving_needs_two_persons_too():
    assert codes(blood(Action.BLOOD_RECEIVE, band=None)) == ["BLD-SECOND"]


@pytest.mark.parametrize(
    "change",
    [
        {"checked_by": ("n1",)}, {"checked_by": ("n1", "n1")}, {"checked_at": None},
        {"checked_at": NOON - 31 * MINUTE},
    ],
)  # fmt: skip
def test_a_start_follows_the_check_of_two_persons_soon(change):
    assert codes(start(unit=state("checked", **change))) == ["BLD-SECOND"]


# --- the start ----------------------------------------------------------------------------------------------


def test_vital_signs_before_the_start_are_not_older_than_half_an_hour():
    old = tuple(replace(one, at=NOON - 31 * MINUTE) for one in VITALS)
    result = start(entered=Entered(vitals=old, site="left-forearm"))
    assert (codes(result), result.findings[0].override) == (["BLD-BASE"], OverrideClass.SECOND)
    missing = dict(result.findings[0].params)["missing"].split()
    assert missing == ["temperature", "pulse", "respiration", "systolic", "saturation"]


def test_values_of_the_monitor_count_for_the_baseline():
    from clinical.records import Observation

    seen = tuple(
        Observation(id=one.code, patient_id="pA", code=one.code, value=one.value, unit="1",
                    effective=NOON - 20 * MINUTE)
        for one in VITALS
    )  # fmt: skip
    assert codes(start(facts=ward(observations=seen), entered=Entered(site="left-forearm"))) == []


def test_a_transfusion_starts_slowly_and_will_end_within_four_hours():
    assert codes(rated(120)) == []
    assert codes(rated(121)) == ["BLD-FAST"]
    assert codes(rated(50)) == []
    assert [(one.code, one.severity) for one in rated(49).findings] == [("BLD-4H", Severity.WARN)]
    assert rated(0).needs == ("rate",)
    assert codes(rated(49, unit=state("checked", volume_ml=None))) == []
    silent = replace(ORDER, rate_ml_h=None)
    assert rated(None, facts=ward(orders=(silent,))).needs == ("rate",)


def on_line(*products, site="left-forearm", mine="left-forearm", bag="B9", known=None):
    lines = tuple(OrderItem(product_id=name, display=label(name), dose=dose(1, "mL")) for name in products)
    other = order("oX", "NS", dose(1, "mL"), kind="infusion", route="IV", items=lines)
    flow = infusion(other, TASK, bag, site=site)
    facts = ward(infusions=(flow,), orders=(other,) if known is None else ())
    return codes(start(facts=facts, entered=Entered(vitals=VITALS, site=mine)))


def test_no_drug_runs_on_the_line_of_blood():
    assert on_line("NS") == []
    assert on_line("CEFA", "NS") == ["BLD-DRUG"]
    assert on_line("CEFA", site="right-forearm") == []
    assert on_line("CEFA", site="") == ["BLD-DRUG"]
    assert on_line("UNKNOWN") == ["BLD-DRUG"]
    assert on_line("NS", known=False) == ["BLD-DRUG"]
    assert on_line("CEFA", bag="u1") == ["INF-TRANSITION"]
    assert start(entered=Entered(vitals=VITALS)).needs == ("site",)


def test_no_drug_goes_into_a_line_that_carries_blood():
    from tests.support.bedside import DRIP, SALINE
    from tests.support.bedside import start as start_bag

    flow = infusion(ORDER, TASK, "u1", id="iR", site="left-forearm")
    facts = ward(state("running"), infusions=(flow,))
    assert codes(ask(start_bag(), facts)) == ["BLD-DRUG"]
    apart = Entered(device_id=DRIP, site="right-forearm")
    assert codes(ask(start_bag(entered=apart), facts)) == []
    plain = replace(SALINE, id="CEFA", form="injection")
    assert "BLD-DRUG" not in codes(ask(start_bag(), merged(facts, products=(plain,))))


# --- while it runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(9, ["BLD-15"]), (10, []), (20, []), (21, ["BLD-15"])],
)
def test_the_first_observation_counts_between_ten_and_twenty_minutes(minutes, expected):
    assert codes(running(minutes, entry("baseline", minutes))) == expected


def test_too_early_is_only_told_and_too_late_is_a_warning():
    assert running(9).findings[0].severity is Severity.INFO
    assert running(21).findings[0].severity is Severity.WARN
    assert codes(running(60, entry("quarter", 45))) == []


@pytest.mark.parametrize(
    ("entered", "expected"),
    [
        (hot("37.5"), []),
        (hot("37.6"), ["BLD-REACT"]),
        (hot("36.6", "91"), []),
        (hot("36.6", "90"), ["BLD-REACT"]),
        (hot(symptoms=("chill",)), ["BLD-REACT"]),
    ],
)
def test_fever_falling_pressure_or_a_symptom_is_a_reaction(entered, expected):
    assert codes(running(15, entry("baseline", 16), entered=entered)) == expected


def test_a_reaction_says_stop_and_ending_is_never_held_up_by_it():
    reaction = running(15, entry("baseline", 16), entered=hot("38.0"))
    assert (reaction.word, reaction.findings[0].override) == (Word.STOP, OverrideClass.PRESCRIBER)
    ended = running(15, entry("baseline", 16), entered=hot("38.0"), action=Action.BLOOD_END)
    assert (set(codes(ended)), ended.word) == ({"BLD-REACT", "BLD-BAG"}, Word.GIVE)


def test_values_older_than_two_minutes_are_measured_again():
    assert running(15, entered=hot(at=NOON - 3 * MINUTE)).needs == ("vitals",)
    assert running(15, entry("baseline", 16, None, None), entered=hot("39")).word is Word.GIVE


def test_four_hours_warn_and_then_stop():
    found = [running(minutes, entry("quarter", 60)) for minutes in (209, 210, 240)]
    assert [codes(result) for result in found] == [[], ["BLD-4H"], ["BLD-4H"]]
    assert [result.findings[0].severity for result in found[1:]] == [Severity.WARN, Severity.STOP]


def test_the_rate_is_not_raised_before_the_quarter():
    flow = infusion(ORDER, TASK, "u1", id="iR", rate_ml_h=Decimal(90))

    def to(rate, *entries):
        facts = ward(state("running"), infusions=(flow,), transfusion_entries=entries,
                     orders=(replace(ORDER, rate_ml_h=Decimal(rate)),))  # fmt: skip
        entered = Entered(rate_ml_h=Decimal(rate))
        witness = Witness(id="n2", roles=("nurse",), badge_at=NOON)
        return codes(ask(request(Action.RATE, entered=entered, infusion_id="iR", witness=witness), facts))

    assert to(120) == []
    assert to(150) == ["BLD-FAST"]
    assert to(150, entry("baseline", 5)) == ["BLD-FAST"]
    assert to(150, entry("quarter", 5)) == []


def test_a_paused_transfusion_is_still_observed():
    flow = infusion(ORDER, TASK, "u1", id="iR", state=InfusionState.PAUSED, started_at=NOON - 15 * MINUTE)
    assert codes(running(15, facts=ward(state("running"), infusions=(flow,)))) == []


# --- what a finding says ------------------------------------------------------------------------------------


def said(result, code):
    return dict(next(one for one in result.findings if one.code == code).params)


def test_findings_about_blood_say_why():
    assert said(check_at_bed(witness=None), "BLD-SECOND") == {"reason": "missing"}
    assert said(check_at_bed(witness=second(slip="")), "BLD-SECOND") == {"reason": "own-scans-missing"}
    assert said(check_at_bed(witness=second(band=BAND_B)), "BLD-SECOND") == {"reason": "own-scans-differ"}
    assert said(start(unit=state("checked", checked_by=("n1",))), "BLD-SECOND") == {"reason": "not-checked"}
    old = start(unit=state("checked", checked_at=NOON - HOUR))
    assert said(old, "BLD-SECOND") == {"reason": "check-too-old", "minutes": "30"}
    assert said(fit(crossmatch=""), "BLD-XM") == {"reason": "missing"}
    assert said(fit(crossmatch="incompatible"), "BLD-XM") == {"reason": "incompatible"}
    past = NOON - 73 * HOUR
    assert said(fit(crossmatched_at=past), "BLD-XM") == {"reason": "old", "at": past.isoformat()}
    assert said(fit("B+", "A+"), "BLD-ABO") == {"unit": "B+", "patient": "A+"}
    assert said(fit("B+", ""), "BLD-ABO") == {"reason": "unknown"}
    assert said(fit("A+", "A-"), "BLD-RH") == {"unit": "A+", "patient": "A-"}
    assert said(fit(product_id="FFP"), "BLD-PRODUCT") == {"reason": "ordered", "issued": "FFP"}
    assert said(fit(issued_at=None), "BLD-OUT") == {"reason": "unknown"}
    assert said(fit(issued_at=NOON - HOUR), "BLD-OUT")["limit"] == "30"
    assert said(check_at_bed(slip="=A12342609999900"), "BLD-UNIT") == {"reason": "slip"}
    assert said(check_at_bed(bag="rubbish"), "BLD-UNIT") == {"reason": "unreadable"}
    assert said(check_at_bed(bag="=A12342609999900"), "BLD-UNIT") == {"reason": "not-issued"}
    assert said(check_at_bed(bag=f"={DONATION}00=%5100"), "BLD-UNIT") == {"reason": "group"}


def test_findings_while_blood_runs_say_how_much():
    assert said(rated(49), "BLD-4H") == {"minutes": str(200 * 60 // 49)}
    assert said(rated(121), "BLD-FAST") == {"set": "121", "limit": "120"}
    assert said(running(21), "BLD-15") == {"minutes": "21"}
    assert said(running(240, entry("quarter", 60)), "BLD-4H") == {"minutes": "240"}
    hurt = running(15, entry("baseline", 16), entered=hot("37.8", "85", symptoms=("rash", "chill")))
    assert said(hurt, "BLD-REACT") == {"rise": "1.2", "fall": "35", "symptoms": "chill rash"}
    assert {marks(hurt)[right] for right in ("time", "patient", "drug")} == {"ok"}
    assert marks(hurt)["safety"] == "stop"
    assert marks(running(60, entry("quarter", 45)))["safety"] == "ok"
    ended = running(15, entry("baseline", 16), entered=hot("38"), action=Action.BLOOD_END)
    assert [one.override for one in ended.findings] == [OverrideClass.NONE] * 2


def test_the_newest_of_several_values_and_the_first_of_the_baseline_count():
    from clinical.records import Observation

    def seen(code, value, minutes):
        return Observation(id=code, patient_id="pA", code=code, value=Decimal(value), unit="Cel",
                           effective=NOON - minutes * MINUTE)  # fmt: skip

    flow = infusion(ORDER, TASK, "u1", id="iR", started_at=NOON - 15 * MINUTE)
    entries = (entry("further", 1, "38.5"), entry("baseline", 16, "36.6"))
    values = (seen("MDC_TEMP_BODY", "36.6", 2), seen("MDC_TEMP_AXILLA", "38.0", 1),
              seen("MDC_PRESS_BLD_NONINV_SYS", "120", 1))  # fmt: skip
    facts = ward(state("running"), infusions=(flow,), transfusion_entries=entries, observations=values)
    assert codes(running(15, facts=facts, entered=Entered())) == ["BLD-REACT"]


def test_vector_36_blood_that_is_measured_too_fast_is_told_to_who_looks_at_it():
    def looked_at(measured, *entries):
        flow = Flow(id="iR", effective=NOON, validity=Validity.VALID, rate_ml_h=measured)
        unit = infusion(ORDER, TASK, "u1", id="iR", started_at=NOON - 8 * MINUTE)
        facts = ward(state("running"), infusions=(unit,), transfusion_entries=entries)
        return running(8, facts=replace(facts, flows=(flow,)))

    assert "BLD-FAST" in codes(looked_at(130.0))
    assert "BLD-FAST" not in codes(looked_at(120.0))
    assert "BLD-FAST" not in codes(looked_at(130.0, entry("quarter", 1)))
